"""Every state and every reason of a device has a test that produces it, most of them with a real agent.

Comes in: the states, the agent's code, the table, the test files. Goes out: nothing. Invariant: a reason that is added,
or a test that is renamed, without the table is a failure here.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from storage.control.states import State
from tests.endings.reasons import ROOT, reasons
from tests.endings.states import REASONS, STATES, Shown

WITH_AN_AGENT = {"agent", "enrol", "attack"}  # fixtures that start an agent as a process


@cache
def names_in(path: str) -> dict[str, frozenset[str]]:
    """The tests of a file, with the names of their arguments."""
    tree = ast.parse(Path(ROOT / path).read_text(encoding="utf-8"))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {one.name: frozenset(item.arg for item in one.args.args) for one in found}


def arguments(name: str) -> frozenset[str] | None:
    """What a test named as `file::test` takes, None if there is none of this name."""
    path, _, test = name.partition("::")
    return names_in(path).get(test)


def test_every_state_is_produced_by_a_real_agent() -> None:
    assert set(STATES) == set(State)
    assert [state for state, shown in STATES.items() if not shown.agent] == []


def test_every_reason_is_in_the_table() -> None:
    assert set(REASONS) == reasons()
    assert [said for said, shown in REASONS.items() if shown == Shown()] == []


@pytest.mark.parametrize("shown", [*STATES.values(), *REASONS.values()], ids=[*STATES, *REASONS])
def test_the_tests_are_what_the_table_says(shown: Shown) -> None:
    assert [name for name in (*shown.agent, *shown.script, *shown.part) if arguments(name) is None] == []
    assert [name for name in shown.agent if not WITH_AN_AGENT & (arguments(name) or frozenset())] == []
