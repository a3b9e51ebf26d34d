"""How a query is coloured: the grammar's terminals as a TextMate grammar, and as the words and patterns of the console.

In: the text of `grammar.lark`, the function table and the catalog. Out: JSON, which lies generated beside those who use
it; a test makes it anew. Invariant: no word and no pattern of the language is written here: terminals are taken from
the grammar as they are, in forms that Python, JavaScript and Oniguruma read alike. A tokenizer for colours never
refuses a text; what is right is the matter of `nql.api.diagnose`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nql.catalog.model import Catalog
from nql.functions import FUNCTIONS
from nql.syntax.literals import CONSTANTS

_TERMINAL = re.compile(r"^(_?[A-Z]+)(?:\.\d+)?:\s*(?:/(.*)/([a-z]*)|\"(.*)\")\s*$", re.MULTILINE)
_RULE = re.compile(r"^\??([a-z]+):(.*(?:\n[ \t]+\|.*)*)", re.MULTILINE)
_NAME = re.compile(r"\b_?[A-Z]+\b")
_WORD = re.compile(r"[a-z]+(?=\\b|\(\?)")
_START = r"(?<![\w.#$])"  # where a value or word can begin; the grammar's lexer needs no such thing
WINDOW = ("table", "time", "point")  # the rules of a time selection
VALUES = ("TEXT", "PARAMETER", "ADDRESS", "DATE", "VERSION", "NUMBER")  # in the order in which they are tried


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The terminals: their patterns by name, and which of them are words: those that begin a clause, those of a time
    selection, and those that stand anywhere else. A word may be of both the last."""

    patterns: Mapping[str, str]
    clauses: tuple[str, ...]
    window: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def openers(self) -> tuple[str, ...]:
        """Every word, those of operators among them: behind one of them and a space something must come."""
        operators = re.findall(r"(?<!\\)\b[a-z]{2,}", self.patterns["OPERATOR"])
        return _unique((*self.clauses, *self.window, *self.others, *operators))


def lexicon(grammar: str) -> Lexicon:
    """The terminals of a grammar."""
    patterns = {name: pattern or re.escape(text) for name, pattern, _, text in _TERMINAL.findall(grammar)}
    words = {name: found[0] for name, pattern in patterns.items() if (found := _WORD.match(pattern))}
    rules = dict(_RULE.findall(grammar))
    first = [_NAME.findall(line)[:1] for line in rules["clause"].splitlines()]
    clauses = _unique(words[name] for names in first for name in names)
    window = _unique(words[name] for rule in WINDOW for name in _NAME.findall(rules[rule]) if name in words)
    rest = [name for rule, body in rules.items() if rule not in WINDOW for name in _NAME.findall(body)]
    return Lexicon(
        patterns, clauses, window, _unique(words[name] for name in rest if words.get(name, "") not in ("", *clauses))
    )


@cache
def shipped() -> Lexicon:
    """The terminals of the language."""
    return lexicon((Path(__file__).parent.parent / "grammar.lark").read_text(encoding="utf-8"))


def console(found: Lexicon) -> dict[str, Any]:
    """What the console's tokenizer needs: words by where they are words, and patterns for JavaScript."""
    return {
        "clauses": list(found.clauses),
        "window": list(found.window),
        "others": list(found.others),
        "openers": list(found.openers),
        "constants": list(CONSTANTS),
        "comments": {"block": ["/*", "*/"], "line": "//"},
        "patterns": {name.lower(): found.patterns[name] for name in (*VALUES, "OPERATOR", "PATH")},
    }


def textmate(found: Lexicon, catalog: Catalog) -> dict[str, Any]:
    """A TextMate grammar. Each rule is tried in its order where the one before ended."""
    return {
        "name": "NQL",
        "scopeName": "source.nql",
        "fileTypes": ["nql"],
        "patterns": [{"include": f"#{name}"} for name in _REPOSITORY],
        "repository": {name: rule(found, catalog) for name, rule in _REPOSITORY.items()},
    }


def as_json(value: object) -> str:
    """The text of a generated file."""
    return json.dumps(value, indent=2) + "\n"


def _match(scope: str, pattern: str) -> dict[str, Any]:
    return {"name": f"{scope}.nql", "match": f"(?i){pattern}"}


def _comments(found: Lexicon, _: Catalog) -> dict[str, Any]:
    """Both kinds, if white space of the grammar may be one."""
    space = found.patterns["SPACE"]
    rules = []
    if r"\/\*" in space:
        rules.append({"name": "comment.block.nql", "begin": r"/\*", "end": r"\*/"})
    if r"\/\/" in space:
        rules.append({"name": "comment.line.double-slash.nql", "match": "//.*$"})
    return {"patterns": rules}


def _clause(found: Lexicon, _: Catalog) -> dict[str, Any]:
    """The word after a pipe."""
    captures = {"1": {"name": "punctuation.separator.pipe.nql"}, "2": {"name": "keyword.control.nql"}}
    return {"match": rf"(?i)(\|)\s*({'|'.join(found.clauses)})\b", "captures": captures}


def _tables(_: Lexicon, catalog: Catalog) -> dict[str, Any]:
    """The tables of the catalog; what somebody configured stands in angle brackets there."""
    names = {name for table in catalog.tables.values() for name in (table.name, table.shortcut) if name}
    forms = sorted(re.sub(r"\\?<\w+\\?>", r"\\w+", re.escape(name).replace(r"\#", "#?")) for name in names)
    return _match("entity.name.type", rf"{_START}(?:{'|'.join(forms)})\b(?!\s*[.(])")


def _words(found: Lexicon, _: Catalog) -> dict[str, Any]:
    words = _unique((*found.clauses, *found.window, *found.others))
    return _match("keyword.other", rf"{_START}(?:{'|'.join(words)})\b(?!\s*[.=])")


def _functions(found: Lexicon, _: Catalog) -> dict[str, Any]:
    """A function, with the path it is called on."""
    names = "|".join((*FUNCTIONS, r"p\d\d"))
    captures = {"1": {"name": "variable.other.nql"}, "2": {"name": "support.function.nql"}}
    pattern = rf"{_START}(?:({found.patterns['PATH']})\s*\.\s*)?\b({names})\b(?=\s*\()"
    return {"match": f"(?i){pattern}", "captures": captures}


def _value(name: str, scope: str) -> Callable[[Lexicon, Catalog], dict[str, Any]]:
    start = "" if name in ("TEXT", "PARAMETER") else _START
    return lambda found, _: _match(scope, f"{start}(?:{found.patterns[name]})")


_REPOSITORY: Mapping[str, Callable[[Lexicon, Catalog], dict[str, Any]]] = {
    "comments": _comments,
    "text": _value("TEXT", "string.quoted"),
    "parameter": _value("PARAMETER", "variable.parameter"),
    "clause": _clause,
    "address": _value("ADDRESS", "constant.other.address"),
    "date": _value("DATE", "constant.other.date"),
    "version": _value("VERSION", "constant.other.version"),
    "number": _value("NUMBER", "constant.numeric"),
    "functions": _functions,
    "tables": _tables,
    "constants": lambda _, __: _match("constant.language", rf"{_START}(?:{'|'.join(CONSTANTS)})\b(?!\s*[.(])"),
    "operator": lambda found, _: _match("keyword.operator", found.patterns["OPERATOR"]),
    "words": _words,
    "names": lambda found, _: _match("variable.other", found.patterns["PATH"]),
}


def _unique(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))
