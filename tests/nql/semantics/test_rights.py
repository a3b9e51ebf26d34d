"""View domains as texts, and tables that need a right: what is refused, and where in the text."""

from __future__ import annotations

import pytest

from nql.api import check_tables, compile_domain, compile_query
from nql.catalog.load import builtin
from nql.diagnostics import QueryError

GOOD = ['entity == "Lyon"', 'days_since_last_seen < 30 and not (name like "lab-*")', "last_seen > 2024-01-01"]


@pytest.mark.parametrize("text", GOOD)
def test_a_condition_is_a_domain(text: str) -> None:
    assert compile_domain(text, builtin()).table == "device.devices"


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ('entty == "Lyon"', "NQL202", "entty"),
        ('entity == "Lyon" and foo > 1', "NQL202", "foo"),
        ('entity == "Lyon" | limit 3', "NQL512", 'entity == "Lyon" | limit 3'),
        ('entity == "Lyon" | where name == "a"', "NQL512", 'entity == "Lyon" | where name == "a"'),
        ("entity == $place", "NQL512", "entity == $place"),
        ("hardware.memory > 1", None, None),
        ("", None, None),
        ('entity == "Lyon', None, None),
        ("execution.crashes > 1", None, None),
        ('entity == "x" /*', None, None),
    ],
)
def test_what_is_no_condition_is_refused_inside_the_text(text: str, code: str | None, at: str | None) -> None:
    try:
        compile_domain(text, builtin())
    except QueryError as error:
        found = error.diagnostics[0]
        assert 0 <= found.span.start <= found.span.end <= len(text)
        if code is not None:
            assert (found.code, text[found.span.start : found.span.end]) == (code, at)
    else:
        assert text == "hardware.memory > 1"


def test_fixes_are_about_the_condition() -> None:
    with pytest.raises(QueryError) as caught:
        compile_domain('entty == "Lyon"', builtin())
    [fix] = caught.value.diagnostics[0].fixes
    assert (fix.span.start, fix.span.end, fix.replacement) == (0, 5, "entity")


def test_a_table_that_needs_a_right_is_named() -> None:
    text = "// who did it\nplatform.audit_logs past 7d | list account"
    plan = compile_query(text, builtin()).plan
    check_tables(text, plan, {})
    with pytest.raises(QueryError, match="NQL511") as caught:
        check_tables(text, plan, {"platform.audit_logs": "administer"})
    span = caught.value.diagnostics[0].span
    assert text[span.start : span.end] == "platform.audit_logs"
