"""Each diagnostic code of NXQL: its wrong query gives it in the text, its right one says nothing, its fixes help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nql.catalog.load import builtin
from nql.codes import Code
from nql.diagnostics import Diagnostic, Severity
from nql.nxql.api import NxqlError, compile_nxql
from nql.nxql.codes import CODES

ALL = [pytest.param(code, id=code.code) for code in CODES.values()]
WRONG = [pytest.param(code, id=code.code) for code in CODES.values() if code.wrong]


def found(text: str) -> tuple[Diagnostic, ...]:
    """What there is to say about a text."""
    try:
        return compile_nxql(text, builtin()).warnings
    except NxqlError as error:
        return error.diagnostics


@pytest.mark.parametrize("code", WRONG)
def test_wrong_query_gives_its_code_inside_the_text(code: Code) -> None:
    (item,) = found(code.wrong)
    assert item.code == code.code
    assert 0 <= item.span.start <= item.span.end <= len(code.wrong)
    assert (item.severity is Severity.WARNING) == code.warning
    assert item.message.endswith(".")


@pytest.mark.parametrize("code", ALL)
def test_right_query_is_clean(code: Code) -> None:
    assert found(code.right) == ()


@pytest.mark.parametrize("code", WRONG)
def test_first_fix_removes_the_finding(code: Code) -> None:
    (item,) = found(code.wrong)
    for fix in item.fixes[:1]:
        text = code.wrong[: fix.span.start] + fix.replacement + code.wrong[fix.span.end :]
        assert code.code not in [other.code for other in found(text)], text


def test_every_code_in_the_sources_is_in_the_table_and_the_other_way_round() -> None:
    sources = [path for path in (Path(__file__).parents[2] / "nql/nxql").glob("*.py") if path.name != "codes.py"]
    used = {code for path in sources for code in re.findall(r'"(NXQL\d{3})"', path.read_text("utf-8"))}
    assert used == set(CODES)
