"""The language with and without a portal: the same answers in the same types; a portal knows what is configured.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: what a portal says comes through whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muster.api import Api
from muster.errors import QueryFailedError, UnreachableError
from muster.language import MOST, Alone, AtPortal, Language
from nql.api import Rules
from tests.muster.conftest import Running

TEXT = "devices during past 7d | where hardware.type == laptop | list name, hardware.memory"
WRONG = "devices | list naem /* \U0001f600 */, entitty"
OURS = "devices // all\n| list name,"


@pytest.fixture
def portal(running: Running) -> Iterator[AtPortal]:
    with Api(running.url, running.token) as api:
        yield AtPortal(api, Rules())


@pytest.fixture
def both(portal: AtPortal) -> list[Language]:
    return [portal, Alone(Rules())]


def test_the_same_findings(both: list[Language]) -> None:
    for text in (TEXT, WRONG, "devices | include execution.crashes during past 2d", "", "(" * 300):
        found, expected = (language.diagnose(text) for language in both)
        assert found == expected
    assert both[0].diagnose(TEXT) == ()
    assert both[0].diagnose(WRONG)[0].fixes[0].replacement == "name"


def test_the_same_choices(both: list[Language]) -> None:
    for offset in (0, 3, len("devices during past 7d | "), len(TEXT)):
        found, expected = (language.complete(TEXT, offset) for language in both)
        assert found.span == expected.span
        assert set(expected.items) <= set(found.items)


def test_the_same_description(both: list[Language]) -> None:
    for offset in (1, TEXT.index("hardware.memory") + 3, TEXT.index(" during")):
        found, expected = (language.hover(TEXT, offset) for language in both)
        assert found == expected


def test_the_same_words(both: list[Language]) -> None:
    portal, alone = both
    assert portal.explain("devices | list name").sentences == alone.explain("devices | list name").sentences
    assert portal.format("devices|list name") == alone.format("devices|list name") == "devices\n| list name"
    for language in both:
        with pytest.raises(QueryFailedError) as caught:
            language.explain(WRONG)
        assert caught.value.text == WRONG
        assert len(caught.value.diagnostics) == 2


def test_strict(running: Running) -> None:
    with Api(running.url, running.token) as api:
        for language in (AtPortal(api, Rules(strict=True)), Alone(Rules(strict=True))):
            assert {found.code for found in language.diagnose(OURS)} == {"NQL510"}
            with pytest.raises(QueryFailedError):
                language.explain(OURS)
            text = "session.logins | summarize t = time_until_desktop_is_ready."
            labels = {item.label for item in language.complete(text, len(text)).items}
            assert "avg()" in labels
            assert "median()" not in labels


def test_only_a_portal_knows_what_is_configured(both: list[Language]) -> None:
    text = "remote_action.#nobody_made_it.executions during past 7d | list status"
    portal, alone = both
    assert [found.code for found in portal.diagnose(text)] == ["NQL213"]
    assert alone.diagnose(text) == ()


def test_a_text_longer_than_a_portal_takes(both: list[Language]) -> None:
    text = "devices | where name == '" + "x" * MOST + "'"
    for language in both:
        assert [found.code for found in language.diagnose(text)] == ["NQL501"]
        assert language.hover(text, len(text)) is None
        assert language.complete(text, len(text)).items == ()


def test_nobody_answers() -> None:
    with Api("http://127.0.0.1:1") as api, pytest.raises(UnreachableError):
        AtPortal(api, Rules()).diagnose(TEXT)
