"""The parse table of `nql/grammar.lark`, made when the package is built and only read here.

In: the grammar. Out: a table for `nql.syntax.reader`: terminals in the order they are tried, rules, and what each state
does with each symbol. Lark makes it; who reads texts needs no Lark, so it is loaded only where the table is missing or
of another grammar (a checkout that was not built). Invariant: nothing is read or written outside the package, the same
grammar gives the same table, and where a table came from changes nothing of what is read with it.
"""

from __future__ import annotations

import json
from hashlib import sha256
from importlib import import_module
from pathlib import Path as File
from typing import Any

FOLDER = File(__file__).parent.parent
TABLE = "grammar.json"
END = "$END"

Table = dict[str, Any]


def table() -> Table:
    """The table of the package's grammar."""
    text = (FOLDER / "grammar.lark").read_text(encoding="utf-8")
    return _held(FOLDER, text) or made(text)


def write_table(folder: File = FOLDER) -> bool:
    """Make the table beside the grammar in a folder; False where it was up to date already."""
    text = (folder / "grammar.lark").read_text(encoding="utf-8")
    if _held(folder, text) is not None:
        return False
    (folder / TABLE).write_text(json.dumps(made(text), separators=(",", ":")))
    return True


def digest(text: str) -> str:
    """What a table is made from: a grammar, and this module."""
    return sha256(text.encode() + File(__file__).read_bytes()).hexdigest()


def made(text: str) -> Table:
    """The table of a grammar, made by Lark. States are numbered in the order they are reached from the first.

    A state is two maps by symbol: the state it leads to, and the rule that ends before it. A rule is how many symbols
    it has, what it gives, and the builder's method for it; those that Lark makes for repetitions have none.
    """
    lark = import_module("lark").Lark(text, start="query", parser="lalr", lexer="contextual", maybe_placeholders=False)
    parser, rules = lark.parser.parser._parse_table, {rule: at for at, rule in enumerate(lark.rules)}
    end = parser.end_states["query"]
    reached = [parser.start_states["query"]]
    states = []
    for state in reached:
        actions = sorted((name, *action) for name, action in parser.states[state].items() if action[1] not in rules)
        steps = {name: to for name, _, to in actions}
        reached += [to for to in dict.fromkeys(steps.values()) if to not in reached]
        ends = {name: rules[rule] for name, (_, rule) in sorted(parser.states[state].items()) if rule in rules}
        states.append([{name: reached.index(to) for name, to in steps.items()}, ends])
    states[reached.index(end)][0][END] = reached.index(end)
    return {"digest": digest(text), **_terminals(lark), "rules": [_rule(rule) for rule in rules], "states": states}


def _terminals(lark: Any) -> Table:
    """The patterns in the order Lark tries them. The last ones are signs, each its own text and tried after all others;
    those dropped say nothing to the builder, `space` stands between any two."""
    order = {terminal.name: terminal.pattern for terminal in lark.parser.lexer.root_lexer.terminals}
    (space,) = lark.ignore_tokens
    names = [name for name in order if name != space]
    signs = [name for name in names if order[name].type == "str"]
    occurring = {(symbol.name, symbol.filter_out) for rule in lark.rules for symbol in rule.expansion if symbol.is_term}
    dropped = sorted(name for name, out in occurring if out)
    lengths = {len(order[name].value) for name in signs}
    if len(occurring) != len(names) or names != [n for n in names if n not in signs] + signs or lengths - {1}:
        raise ValueError("A terminal is dropped everywhere or nowhere, and signs are one character and come last.")
    patterns = [[name, order[name].to_regexp()] for name in names]
    return {"space": order[space].to_regexp(), "terminals": patterns, "signs": signs, "dropped": dropped}


def _rule(rule: Any) -> tuple[int, str, str | None]:
    name = str(rule.origin.name)
    if not rule.expansion or (rule.options.expand1 and rule.alias is None):
        raise ValueError(f"{name} may be empty, or is left out where it has one part: the reader knows neither.")
    return len(rule.expansion), name, None if name.startswith("_") else str(rule.alias or name)


def _held(folder: File, text: str) -> Table | None:
    """The table of a folder, if it is this grammar's."""
    path = folder / TABLE
    held: Table | None = json.loads(path.read_bytes()) if path.is_file() else None
    return held if held is not None and held["digest"] == digest(text) else None
