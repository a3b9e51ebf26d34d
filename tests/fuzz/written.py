"""Random texts that follow the grammar: rules and terminals are read from `nql/grammar.lark` itself.

In: a source of chance. Out: a text whose words stand where the grammar lets them, and whose names are mostly those of
one table of the catalog. Invariant: nothing of the grammar is written here, so a new rule or terminal is used as soon
as it stands there. Most texts can be read; few of them mean something.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from lark import Lark
from lark.grammar import NonTerminal, Rule

import nql
from nql.catalog.model import Table
from nql.functions import FUNCTIONS
from tests.properties.tables import CATALOG

GRAMMAR = Path(nql.__file__).parent / "grammar.lark"
DEEPEST = 14  # from here on the shortest way to an end is taken
SPACES = [" "] * 12 + ["", "\n", "  ", "\t", " /* c */ ", " // c\n", "\u00a0"]
WORDS = ["n", "m", "count", "name", "device.name", "time", "null", "true", "false", "laptop", "success", "#custom"]
VALUES = {
    "NUMBER": ["1", "0", "2.5", "7d", "24h", "15min", "1h", "8GB", "10s", "5ms", "2w", "1month", "6h", "3"],
    "TEXT": ['"pc*"', "'a'", '""', '"^a[0-9]"', '"Europe/Zurich"'],
    "DATE": ["2024-11-08", "Nov 8, 2024", "2024-11-08 10:00", "2024-11-08T10:00:00Z", "Nov 31"],
    "PARAMETER": ["$n", "$a", "$b", "$zz"],
}
_sre: Any = importlib.import_module("re._parser")


@cache
def grammar() -> tuple[dict[str, list[Rule]], dict[str, Any], dict[str, int]]:
    """The rules by name, the patterns of the terminals, and how deep the shortest text of a rule is."""
    read = Lark(GRAMMAR.read_text(encoding="utf-8"), start="query", parser="lalr", maybe_placeholders=False)
    rules: dict[str, list[Rule]] = {}
    for rule in read.rules:
        rules.setdefault(rule.origin.name, []).append(rule)
    terminals = {item.name: _sre.parse(item.pattern.to_regexp()) for item in read.terminals}
    return rules, terminals, _heights(rules)


def _heights(rules: dict[str, list[Rule]]) -> dict[str, int]:
    heights: dict[str, int] = {}
    while len(heights) < len(rules):
        for name, options in rules.items():
            found = [high for high in (_height(rule, heights) for rule in options) if high is not None]
            if found:
                heights[name] = min([*found, heights.get(name, 10**6)])
    return heights


def _height(rule: Rule, heights: dict[str, int]) -> int | None:
    below = [heights.get(symbol.name) for symbol in rule.expansion if isinstance(symbol, NonTerminal)]
    return None if None in below else 1 + max((high for high in below if high is not None), default=0)


def query(chance: Random) -> str:
    """A whole text."""
    table = chance.choice(list(CATALOG.tables.values()))
    words = [table.shortcut or table.name]
    _write(chance, "query", 0, words, _names(chance, table))
    return "".join(word + chance.choice(SPACES) for word in words[1:])


def _names(chance: Random, table: Table) -> list[str]:
    """Names that mean something in queries about a table: the table itself comes first."""
    fields = list(table.fields)
    names = chance.sample(fields, min(len(fields), 8))
    for link, target in table.links.items():
        names += [f"{link}.{name}" for name in chance.sample(list(CATALOG.tables[target].fields), 1)]
    functions = chance.sample(list(FUNCTIONS), 4)
    names += [f"{chance.choice(names)}.{name}" for name in functions] + chance.sample(list(FUNCTIONS), 2)
    others = chance.sample(list(CATALOG.tables.values()), 2)
    names += [other.shortcut or other.name for other in others] + chance.sample(WORDS, 4)
    return [table.shortcut or table.name, *names]


def _write(chance: Random, name: str, deep: int, words: list[str], names: list[str]) -> None:
    rules, _, heights = grammar()
    options = rules[name]
    if deep > DEEPEST:
        options = [min(options, key=lambda rule: _height(rule, heights) or 0)]
    for symbol in chance.choice(options).expansion:
        if isinstance(symbol, NonTerminal):
            _write(chance, symbol.name, deep + 1, words, names)
        else:
            words.append(_word(chance, symbol.name, words, names))


def _word(chance: Random, terminal: str, words: list[str], names: list[str]) -> str:
    if terminal == "PATH" and chance.random() < 0.95:
        return names[0] if len(words) == 1 else chance.choice(names[1:])
    if terminal in VALUES and chance.random() < 0.8:
        return chance.choice(VALUES[terminal])
    return sample(chance, terminal)


def sample(chance: Random, terminal: str) -> str:
    """A text of a terminal, by its regular expression."""
    return _sampled(chance, grammar()[1][terminal])


def _sampled(chance: Random, pattern: Any) -> str:
    return "".join(_one(chance, str(op), argument) for op, argument in pattern)


def _one(chance: Random, op: str, argument: Any) -> str:
    match op:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL" | "ANY":
            return chance.choice("ab 1_")
        case "IN":
            return _of_set(chance, argument)
        case "BRANCH":
            return _sampled(chance, chance.choice(argument[1]))
        case "SUBPATTERN":
            return _sampled(chance, argument[-1])
        case "MAX_REPEAT" | "MIN_REPEAT":
            low, high, inner = argument
            times = chance.randint(low, min(high, low + 3))
            return "".join(_sampled(chance, inner) for _ in range(times))
        case "CATEGORY":
            return _of_category(chance, str(argument))
        case _:  # places and what must or must not follow write nothing
            return ""


def _of_set(chance: Random, items: Any) -> str:
    if str(items[0][0]) == "NEGATE":
        return chance.choice(".x5 é")
    op, argument = chance.choice(items)
    if str(op) == "RANGE":
        return chr(chance.randint(*argument))
    return _of_category(chance, str(argument)) if str(op) == "CATEGORY" else chr(argument)


def _of_category(chance: Random, category: str) -> str:
    kinds = {"DIGIT": "0123456789", "WORD": "abcXYZ_019é", "SPACE": " \t\n"}
    return chance.choice(next((signs for kind, signs in kinds.items() if kind in category), "x"))


def words_of(text: str) -> list[str]:
    """The words and signs of a text."""
    return re.findall(r"\w+|\s+|[^\w\s]+", text)
