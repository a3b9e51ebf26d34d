"""Every case has a test that exists, or a reason.

Comes in: the table of cases, the test files. Goes out: nothing. Invariant: a test that is renamed or removed without
the table is a failure here.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.security.cases import COVERED, NUMBERS, WAITING

ROOT = Path(__file__).parents[2]


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_case_has_tests_or_a_reason(number: int) -> None:
    assert COVERED.get(number) or WAITING.get(number)
    missing = [name for name in COVERED.get(number, ()) if name.split("::")[1] not in names_in(name.split("::")[0])]
    assert missing == []


def test_the_table_names_no_other_cases() -> None:
    assert COVERED.keys() | WAITING.keys() == set(NUMBERS)
