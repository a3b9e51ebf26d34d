"""The sentences that tell each query in `told/` are those that stand below it, and whatever compiles can be told.

A file holds queries, each followed by its sentences after a line of dashes; records are parted by a line of equals
signs. Windows are those of one instant, but in `as_written.told`, where they stay as they are written. After a meant
change: `NQL_WRITE_SNAPSHOTS=1 pytest tests/plans`, and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import Context, Rules, compile_query, explain
from nql.diagnostics import QueryError
from nql.plan.text import show
from nql.rules import NullRule
from tests.nql.editing.recorded import EXAMPLES, RECORDED
from tests.plans.test_snapshots import BETWEEN, UNDER, catalog, records
from tests.properties.texts import query

FOLDER = Path(__file__).parent / "told"
CONTEXT = Context(1_731_320_775_000_000, "America/New_York", "Europe/Zurich")


def told(text: str, path: Path) -> str:
    """The sentences of a query."""
    return "\n".join(explain(text, catalog(), None if path.stem == "as_written" else CONTEXT).sentences)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.told")), ids=lambda path: path.stem)
def test_sentences(path: Path) -> None:
    current = [(text, told(text, path)) for text, _ in records(path)]
    if os.environ.get("NQL_WRITE_SNAPSHOTS"):
        path.write_text(BETWEEN.join(f"{text}{UNDER}{sentences}\n" for text, sentences in current), "utf-8")
    assert current == records(path)


def test_there_are_sixty_queries() -> None:
    assert sum(len(records(path)) for path in FOLDER.glob("*.told")) >= 60


def check(text: str) -> None:
    """What compiles is told, in whole sentences of words, with and without an instant; the rest is refused."""
    try:
        plan = compile_query(text, catalog()).plan
    except QueryError:
        with pytest.raises(QueryError):
            explain(text, catalog())
        return
    found = explain(text, catalog(), CONTEXT)
    assert explain(text, catalog()).plan == show(plan)
    assert all(sentence[-1] == "." and "  " not in sentence.split('"')[0] for sentence in found.sentences)
    assert not any(
        str(word) in sentence for word in ("None", "<", "Span(") for sentence in found.sentences if '"' not in sentence
    )


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_told(text: str) -> None:
    check(text)


@pytest.mark.slow
def test_whatever_compiles_of_the_records_is_told() -> None:
    for text in RECORDED:
        check(text)


@given(st.sampled_from(RECORDED))
def test_some_records_are_told(text: str) -> None:
    check(text)


@given(st.integers(0, 2**32))
def test_generated_queries_are_told(seed: int) -> None:
    check(query(Random(seed)))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (Rules(), "Kept if name is not 'b' (or has no value)."),
        (Rules(nulls=NullRule.FAIL), "Kept if name is not 'b' (where it has a value)."),
    ],
)
def test_the_rule_for_missing_values_is_the_one_that_holds(rules: Rules, said: str) -> None:
    assert said.replace("'", '"') in explain("devices | where name != 'b'", catalog(), rules=rules).sentences


def test_the_plan_stands_beside_the_sentences_with_its_windows_resolved() -> None:
    text = "execution.crashes past 7d | summarize n = count()"
    assert "past 7d" in explain(text, catalog()).plan
    assert "past 7d" not in explain(text, catalog(), CONTEXT).plan


def test_parameters_without_values_are_told_by_their_name() -> None:
    assert "Kept if name is the value of $who." in explain("devices | where name == $who", catalog(), CONTEXT).sentences
