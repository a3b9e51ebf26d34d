"""Every open point of the language's documents is decided, and a record shows what was decided.

Comes in: the table of decisions, and the records beside it. Goes out: nothing. Invariant held here: no point is
forgotten, and each names the file in which a record with its id runs.
"""

import re
from pathlib import Path

import pytest

from nql.api import compile_query
from nql.catalog.load import builtin
from nql.decisions import DECISIONS, Decision
from tests.logic.records import parse

FOLDER = Path(__file__).parent / "decisions"
POINTS = [f"A{number}" for number in range(1, 37)]


def titles(file: Path) -> list[str]:
    return [record.name for record in parse(file.read_text("utf-8"))]


def test_all_points_are_decided_in_order() -> None:
    assert list(DECISIONS) == POINTS


@pytest.mark.parametrize("decision", DECISIONS.values(), ids=lambda decision: decision.id)
def test_a_record_shows_each(decision: Decision) -> None:
    assert any(title.startswith(f"{decision.id} ") for title in titles(FOLDER / f"{decision.records}.nqltest"))


def test_every_record_is_about_a_point() -> None:
    found = [title for file in sorted(FOLDER.glob("*.nqltest")) for title in titles(file)]
    assert len(found) > 2 * len(POINTS)
    assert [title for title in found if not re.match(r"A\d+ ", title) or title.split(" ")[0] not in DECISIONS] == []


def test_a_comment_may_stand_between_pipe_and_word() -> None:
    plain = compile_query('devices | where name == "a" | list name', builtin()).plan
    assert compile_query('devices | /* A29 */ where name == "a" |/* b\n*/ list name', builtin()).plan == plain


def test_what_a_switch_decides_has_records_with_it() -> None:
    for decision in DECISIONS.values():
        if decision.switch:
            name = decision.switch.split(":")[0]
            records = parse((FOLDER / f"{decision.records}.nqltest").read_text("utf-8"))
            own = [record for record in records if record.name.startswith(f"{decision.id} ")]
            assert any(name in record.settings for record in own)
            assert any(name not in record.settings for record in own)
