"""The beginning of the fuzzed texts, and what the fuzzer itself must be able to do.

In: numbered texts of `texts`. Invariant: a number always means the same text, so that a failure can be run again, and
the texts reach every terminal of the grammar.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from nql.diagnostics import Diagnostic, Fix, QueryError, Span
from nql.syntax.parse import parse
from tests.fuzz import written
from tests.fuzz.texts import BrokenError, case, check, findings
from tests.progress import Proof, proof
from tests.properties.drawing import QUICK

TEXTS = 60 if QUICK else 300


def test_no_text_gives_anything_but_a_plan_or_diagnostics() -> None:
    outcomes = [check(number) for number in range(TEXTS)]
    assert outcomes.count("plan") > TEXTS / 50
    assert sum(outcome.startswith("NQL") and not outcome.startswith("NQL1") for outcome in outcomes) > TEXTS / 20


def test_a_number_always_means_the_same_text() -> None:
    assert [case(number) for number in range(50)] == [case(number) for number in range(50)]


def test_texts_by_the_grammar_can_mostly_be_read_and_reach_every_terminal() -> None:
    read = 0
    for number in range(200):
        try:
            parse(written.query(Random(number)))
        except QueryError:
            continue
        read += 1
    assert read > 60
    assert all(written.sample(Random(1), terminal) for terminal in written.grammar()[1])


@pytest.mark.parametrize(
    "diagnostic",
    [
        Diagnostic("NQL901", "our bug", Span(0, 1)),
        Diagnostic("NQL101", "outside", Span(2, 9)),
        Diagnostic("NQL101", "backwards", Span(2, 1)),
        Diagnostic("NQL101", "a fix outside", Span(0, 1), fixes=(Fix("put", Span(4, 5), ""),)),
    ],
)
def test_what_is_wrong_is_found(diagnostic: Diagnostic) -> None:
    with pytest.raises(BrokenError):
        findings("text", [diagnostic])


def test_a_proof_goes_on_where_it_stopped_and_keeps_failures(tmp_path: Path) -> None:
    seen: list[int] = []

    def one(number: int, state: Proof) -> None:
        seen.append(number)
        if number == 3:
            raise BrokenError("three")
        state.count("good")

    path = tmp_path / "progress.json"
    proof("proof", ["--count", "5", "--progress", str(path)], one, count=1)
    state = proof("proof", ["--count", "8", "--progress", str(path)], one, count=1)
    assert seen == list(range(8))
    assert (state.reached, state.counts["good"], [number for number, _ in state.failures]) == (8, 7, [3])
    assert json.loads(path.read_text())["reached"] == 8


def test_a_slow_text_fails() -> None:
    with pytest.raises(BrokenError):
        check(0, most=0)
