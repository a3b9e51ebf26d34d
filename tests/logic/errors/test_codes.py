"""Each diagnostic code: its wrong query gives it inside the text, its right query says nothing, its fixes help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nql.api import Context, compile_query, diagnose, resolve
from nql.catalog.load import builtin
from nql.codes import CODES, Code
from nql.diagnostics import Diagnostic, QueryError, Severity

NOW = 1_731_320_775_000_000
ALL = [pytest.param(code, id=code.code) for code in CODES.values()]
WRONG = [pytest.param(code, id=code.code) for code in CODES.values() if code.wrong and not code.late]


def apply(text: str, diagnostic: Diagnostic) -> list[str]:
    """The text after each fix."""
    return [text[: fix.span.start] + fix.replacement + text[fix.span.end :] for fix in diagnostic.fixes]


@pytest.mark.parametrize("code", WRONG)
def test_wrong_query_gives_its_code_inside_the_text(code: Code) -> None:
    found = diagnose(code.wrong, builtin())
    assert [item.code for item in found] == [code.code]
    span = found[0].span
    assert 0 <= span.start <= span.end <= len(code.wrong)
    assert (found[0].severity is Severity.WARNING) == code.warning
    assert found[0].message.endswith(".")


@pytest.mark.parametrize("code", ALL)
def test_right_query_is_clean(code: Code) -> None:
    assert diagnose(code.right, builtin()) == ()


@pytest.mark.parametrize("code", WRONG)
def test_first_fix_removes_the_finding(code: Code) -> None:
    (found,) = diagnose(code.wrong, builtin())
    for text in apply(code.wrong, found)[:1]:
        assert code.code not in [item.code for item in diagnose(text, builtin())], text


@pytest.mark.parametrize("code", [pytest.param(code, id=code.code) for code in CODES.values() if code.late])
def test_late_code_comes_when_the_plan_is_resolved(code: Code) -> None:
    plan = compile_query(code.wrong, builtin()).plan
    context = Context(NOW - 10**12 if code.code == "NQL422" else NOW, "UTC", "UTC", {"n": "nonsense"})
    with pytest.raises(QueryError) as caught:
        resolve(plan, context)
    assert [item.code for item in caught.value.diagnostics] == [code.code]


def test_every_code_in_the_sources_is_in_the_table_and_the_other_way_round() -> None:
    root = Path(__file__).parents[3] / "nql"
    sources = [path for folder in ("syntax", "semantics") for path in (root / folder).glob("*.py")]
    used = {code for path in sources for code in re.findall(r'"(NQL\d{3})"', path.read_text("utf-8"))}
    assert used == set(CODES)
