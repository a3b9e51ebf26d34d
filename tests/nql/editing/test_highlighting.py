"""Colours are the grammar's own: the generated files are what the grammar gives, and they see what its lexer sees.

Comes in: every query of the logic tests that can be read. Goes out: nothing. Invariants held here: every word of the
grammar is coloured as one; a value, a comment, an operator of the lexer is one of the TextMate grammar too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from lark import Lark

from nql.catalog.load import builtin
from nql.diagnostics import QueryError
from nql.editing.highlighting import as_json, console, lexicon, shipped, textmate
from nql.syntax.parse import parse, terminals
from tests.architecture.project import ROOT
from tests.logic import records

GRAMMAR = (ROOT / "nql" / "grammar.lark").read_text()
SCOPES = {
    "TEXT": "string.quoted",
    "NUMBER": "constant.numeric",
    "DATE": "constant.other.date",
    "ADDRESS": "constant.other.address",
    "VERSION": "constant.other.version",
    "PARAMETER": "variable.parameter",
    "OPERATOR": "keyword.operator",
}
GENERATED = [
    ("docs/nql.tmLanguage.json", "muster nql grammar", lambda: textmate(shipped(), builtin())),
    ("portal/web/editor/grammar.json", "muster nql grammar --console", lambda: console(shipped())),
]


@cache
def rules() -> list[tuple[str, re.Pattern[str], str, dict[str, str]]]:
    """The rules in their order: scope, pattern, the end of what spans lines, scopes of groups."""
    made = json.loads(as_json(textmate(shipped(), builtin())))
    found = []
    for include in made["patterns"]:
        rule: dict[str, Any] = made["repository"][include["include"].removeprefix("#")]
        for one in rule.get("patterns", [rule]):
            captures = {number: given["name"] for number, given in one.get("captures", {}).items()}
            pattern = re.compile(one.get("match") or one["begin"], re.MULTILINE)
            found.append((one.get("name", ""), pattern, one.get("end", ""), captures))
    return found


def coloured(text: str) -> Iterator[tuple[int, int, str]]:
    """Places and scopes, as an editor finds them: the rule that matches first, of those the first in order."""
    at = 0
    while at < len(text):
        hits = [(found, rule) for rule in rules() if (found := rule[1].search(text, at)) and found.end() > at]
        if not hits:
            return
        found, (scope, _, until, captures) = min(hits, key=lambda hit: hit[0].start())
        end = found.end()
        if until:
            close = re.compile(until).search(text, end)
            end = close.end() if close else len(text)
        if scope:
            yield found.start(), end, scope
        for number, name in captures.items():
            if found[int(number)] is not None:
                yield *found.span(int(number)), name
        at = end


def queries() -> list[str]:
    """Every query of the logic tests that can be read."""
    found = []
    for path in sorted((ROOT / "tests" / "logic").rglob("*.nqltest")):
        for record in records.parse(path.read_text()):
            try:
                parse(record.query)
            except QueryError:
                continue
            found.append(record.query)
    return found


def bare(pattern: str) -> str:
    """A pattern without its escapes, which lark keeps in another form."""
    return pattern.replace("\r", "r").replace("\n", "n").replace("\ufeff", "ufeff").replace("\\", "")


@pytest.mark.parametrize(("path", "command", "make"), GENERATED, ids=["textmate", "console"])
def test_generated_files_are_what_the_grammar_gives(path: str, command: str, make: Any) -> None:
    assert (ROOT / path).read_text() == as_json(make()), f"make it anew: {command} > {path}"


def test_every_terminal_is_known() -> None:
    lark = Lark(GRAMMAR, start="query", parser="lalr")
    patterns = {item.name: item.pattern.value for item in lark.terminals if item.name != "COMMA"}
    found = lexicon(GRAMMAR).patterns
    assert set(found) == set(patterns)
    assert {name: bare(pattern) for name, pattern in found.items()} == {
        name: bare(pattern) for name, pattern in patterns.items()
    }


def test_every_word_is_a_word() -> None:
    known = lexicon(GRAMMAR)
    words = {name.lower() for name, pattern in known.patterns.items() if pattern.lower().startswith(name.lower())}
    assert words == {*known.clauses, *known.window, *known.others}
    assert "by" in known.window
    assert "by" in known.others


@pytest.mark.slow
def test_colours_see_what_the_lexer_sees() -> None:
    texts = queries()
    assert len(texts) > 300
    wrong = []
    for text in texts:
        places = {(start, end): scope for start, end, scope in coloured(text)}
        for terminal, span in terminals(text):
            said = places.get((span.start, span.end), "")
            wanted = SCOPES.get(terminal, "")
            if terminal in shipped().patterns and terminal.lower() in shipped().clauses:
                wanted = "keyword.control"
            elif terminal.lower() in (*shipped().window, *shipped().others):
                wanted = "keyword"
            if wanted and not said.startswith(wanted):
                wrong.append((text, text[span.start : span.end], terminal, said))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "part", "scope"),
    [
        ("devices", "devices", "entity.name.type"),
        ("remote_action.#fix_it.executions", "remote_action.#fix_it.executions", "entity.name.type"),
        ("devices | list hardware.memory", "hardware.memory", "variable.other"),
        ("devices | list x /* where */", "/* where */", "comment.block"),
        ("devices /* a\n| list b */ | list c", "/* a\n| list b */", "comment.block"),
        ("devices // | list b", "// | list b", "comment.line.double-slash"),
        ('devices | where name == "/* a"', '"/* a"', "string.quoted"),
        ("devices | where x == null", "null", "constant.language"),
        ("x | summarize n = hardware.memory.p90()", "p90", "support.function"),
        ("x | summarize n = hardware.memory.p90()", "hardware.memory", "variable.other"),
        ("x | list list", "list", "keyword.control"),
        ("x | where not (a = 1)", "not", "keyword.other"),
        ("x | where name not  in [1]", "not  in", "keyword.operator"),
        ("let big = 8GB; x", "let", "keyword.other"),
    ],
)
def test_a_piece(text: str, part: str, scope: str) -> None:
    start = text.index(part)
    assert (start, start + len(part), f"{scope}.nql") in list(coloured(text))
