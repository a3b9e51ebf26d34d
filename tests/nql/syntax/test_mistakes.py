"""Well-known mistakes: the code, the words underlined, and what the text is after the fix."""

from __future__ import annotations

import pytest

from nql.diagnostics import QueryError
from nql.syntax.parse import parse
from nql.syntax.words import VALUES, expected_words


@pytest.mark.parametrize(
    ("text", "code", "underlined", "fixed"),
    [
        ("", "NQL101", "", None),
        ("  \n", "NQL101", "", None),
        ("; devices", "NQL101", ";", None),
        ("devices | where", "NQL101", "", None),
        ("devices | list name,,", "NQL101", ",", None),
        ("devices | limit ten", "NQL101", "ten", None),
        ('devices | where name == “pc” | list name', "NQL102", "“pc”", 'devices | where name == "pc" | list name'),
        ("devices | where name == ‘pc’", "NQL102", "‘pc’", "devices | where name == 'pc'"),
        ('devices | where name == "pc”', "NQL102", '"pc”', 'devices | where name == "pc"'),
        ('devices | where a == "pc | list a', "NQL103", '"pc | list a', 'devices | where a == "pc" | list a'),
        ("devices -- all", "NQL104", "-- all", "devices /* all */"),
        ("devices /* all", "NQL104", "/* all", "devices /* all */"),
        ("devices | lst name", "NQL105", "lst", "devices | list name"),
        ("devices | take 10", "NQL105", "take", "devices | limit 10"),
        ("devices | project name", "NQL105", "project", "devices | list name"),
        ("devices |", "NQL105", "|", "devices "),
        ("devices | | list name", "NQL105", "|", "devices |  list name"),
        ("devices where name == 'a'", "NQL106", "where", "devices | where name == 'a'"),
        ("devices | where name == 'a' list name", "NQL106", "list", "devices | where name == 'a' | list name"),
        ("devices past 7d include sessions", "NQL106", "include", "devices past 7d | include sessions"),
        ("devices | summarize count() by name", "NQL107", "count", "devices | summarize n = count() by name"),
        ("devices | summarize a.b.sum()", "NQL107", "a.b.sum", "devices | summarize n = a.b.sum()"),
        ("devices | where a <> 1", "NQL111", "<>", "devices | where a != 1"),
        ("devices | where a == 1 && b == 2", "NQL111", "&&", "devices | where a == 1 and b == 2"),
        ("devices | where a == 1 || b == 2", "NQL111", "||", "devices | where a == 1 or b == 2"),
        ("devices | where a => 1", "NQL111", "=>", "devices | where a >= 1"),
        ("devices | where a startswith 'x'", "NQL111", "startswith", "devices | where a starts with 'x'"),
        ("devices | where a ilike 'x'", "NQL111", "ilike", "devices | where a like 'x'"),
        ("devices | where a not == 1", "NQL111", "not", None),
        ("devices | sort name descending", "NQL111", "descending", "devices | sort name desc"),
        ("devices last 7d", "NQL112", "last", "devices past 7d"),
        ("devices during 7d", "NQL112", "7d", "devices during past 7d"),
        ("devices during", "NQL112", "g", None),
        ("devices | where (a == 1", "NQL113", "1", "devices | where (a == 1)"),
        ("devices | where (a == 1 | list b", "NQL113", "|", "devices | where (a == 1) | list b"),
        ("devices | where a in [1, 2", "NQL113", "2", "devices | where a in [1, 2]"),
        ("devices | summarize n = count(", "NQL113", "(", "devices | summarize n = count()"),
    ],
)  # fmt: skip
def test_mistake(text: str, code: str, underlined: str, fixed: str | None) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert text[found.span.start : found.span.end] == underlined
    texts = [text[: fix.span.start] + fix.replacement + text[fix.span.end :] for fix in found.fixes]
    assert texts[:1] == ([] if fixed is None else [fixed])


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"TO"}, "to"),
        ({"OPERATOR", "COMMA", "_PIPE", "$END", "LPAR"}, "a comma, an operator, a pipe or the end"),
        ({"DURING", "PAST", "FROM", "ON", "BY", "_PIPE"}, "a time selection, by or a pipe"),
        (set(VALUES), "a value"),
    ],
)  # fmt: skip
def test_expected_words(expected: set[str], words: str) -> None:
    assert expected_words(frozenset(expected)) == words
