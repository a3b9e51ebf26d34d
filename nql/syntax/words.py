"""The words of the language, for people: what each terminal of the grammar is called in a message, and the clauses.

Data alone. Invariant: every terminal that can be expected has words here; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping

CLAUSES = ("where", "list", "sort", "limit", "with", "include", "compute", "summarize", "latest")

VALUES = frozenset(
    {"PATH", "TEXT", "NUMBER", "DATE", "ADDRESS", "VERSION", "PARAMETER", "LPAR", "LSQB", "MINUS", "NOT"}
)
_CLAUSE_TERMINALS = frozenset(clause.upper() for clause in CLAUSES)
_TIME_TERMINALS = frozenset({"DURING", "PAST", "FROM", "ON"})

WORDS: Mapping[str, str] = {
    "PATH": "a name",
    "TEXT": "a text in quotes",
    "NUMBER": "a number",
    "DATE": "a date",
    "ADDRESS": "an address",
    "VERSION": "a version",
    "PARAMETER": "a parameter",
    "LPAR": "an opening (",
    "RPAR": "a closing )",
    "LSQB": "an opening [",
    "RSQB": "a closing ]",
    "MINUS": "-",
    "COMMA": "a comma",
    "CHAIN": "a function",
    "ASSIGN": "=",
    "OPERATOR": "an operator",
    "_PIPE": "a pipe",
    "$END": "the end",
    "AGO": "ago",
    "TO": "to",
    "BY": "by",
    "ASC": "asc",
    "DESC": "desc",
    "DURING": "during",
    "PAST": "past",
    "FROM": "from",
    "ON": "on",
    "NOT": "not",
    "LET": "let",
    "_SEMICOLON": "a semicolon",
    "SHIFT": "shift",
    "OFFSET": "offset",
    "FILL": "fill",
    "DISTINCT": "distinct",
    **{clause.upper(): clause for clause in CLAUSES},
}


def expected_words(expected: frozenset[str]) -> str:
    """What could stand at a place, as a person would say it: `a value`, `an operator, | or the end`."""
    rest = set(expected)
    if "OPERATOR" in rest:
        rest -= {"LPAR", "CHAIN"}
    words: list[str] = []
    if rest >= VALUES - {"MINUS", "NOT"}:
        words.append("a value")
        rest -= VALUES
    if rest >= _CLAUSE_TERMINALS:
        words.append(f"a clause ({', '.join(CLAUSES)})")
        rest -= _CLAUSE_TERMINALS
    if rest >= _TIME_TERMINALS:
        words.append("a time selection")
        rest -= _TIME_TERMINALS
    words += [WORDS.get(terminal, terminal.lower()) for terminal in sorted(rest, key=_rank)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _rank(terminal: str) -> tuple[int, str]:
    return ({"_PIPE": 1, "$END": 2}.get(terminal, 0), WORDS.get(terminal, terminal))
