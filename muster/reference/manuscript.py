"""Pages that people write: Markdown in which every query is run and its answer put below.

In: the files of `pages/`, and answers. Out: pages. A block of `nql` or `nxql` is run and its table follows. Words
behind `nql` say otherwise: a number is how many rows are shown, `strict`, `pass`, `fail` and `kilo` set the rules,
`error` wants findings in place of rows, `check` wants neither findings nor rows. A line `{{name}}` is replaced by what
a module of this room makes. Invariant: no query of a page is shown without having run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from muster.reference.estate import ROWS, Answers
from muster.reference.markdown import block
from nql.diagnostics import QueryError, render
from nql.rules import DEFAULT, NullRule, Rules

FOLDER = Path(__file__).parent / "pages"
SUFFIX = ".page"
_QUERY = re.compile(r"^```(nql|nxql) *([^\n]*)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^\{\{(\w+)\}\}$", re.MULTILINE)
Parts = Mapping[str, Callable[[Answers], str]]
RULES: Mapping[str, Callable[[Rules], Rules]] = {
    "strict": lambda rules: replace(rules, strict=True),
    "pass": lambda rules: replace(rules, nulls=NullRule.PASS),
    "fail": lambda rules: replace(rules, nulls=NullRule.FAIL),
    "kilo": lambda rules: replace(rules, kilo=1000),
}


def names() -> list[str]:
    """The pages there are, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def parts_of(name: str) -> list[str]:
    """What a page asks to be made from data."""
    return _PART.findall((FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8"))


def page(name: str, answers: Answers, parts: Parts) -> str:
    """One page, its queries run. Raises ValueError where a query does not do what the page says of it."""
    text = (FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8")
    text = _PART.sub(lambda found: parts[found[1]](answers), text)
    return _QUERY.sub(lambda found: _block(found, answers), text).rstrip("\n") + "\n"


def _block(found: re.Match[str], answers: Answers) -> str:
    language, words, query = found.groups()
    if language == "nql":
        return ran(query, words.split(), answers)
    rows = int(words) if words else ROWS
    return f"{block(query, language)}\n{block(answers.classic(query, rows=rows), 'text')}"


def ran(query: str, words: list[str], answers: Answers) -> str:
    """A query and what comes of it. Raises ValueError."""
    rows, rules, wanted = ROWS, DEFAULT, "rows"
    for word in words:
        if word.isdigit():
            rows = int(word)
        elif word in RULES:
            rules = RULES[word](rules)
        elif word in ("error", "check"):
            wanted = word
        else:
            raise ValueError(f"{word!r} says nothing of a query")
    return f"{block(query, 'nql')}\n{_outcome(query, wanted, rows, rules, answers)}".rstrip("\n")


def _outcome(query: str, wanted: str, rows: int, rules: Rules, answers: Answers) -> str:
    try:
        if wanted == "check":
            if found := answers.compiled(query, rules).warnings:
                raise ValueError(f"not clean: {render(query, found)}")
            return ""
        shown = answers.shown(query, rows=rows, rules=rules)
    except QueryError as error:
        found = error.diagnostics
        if wanted != "error":
            raise ValueError(f"a query of a page is wrong:\n{render(query, found)}") from error
        return block(render(query, found), "text")
    if wanted == "error":
        raise ValueError(f"a query of a page should be wrong, and runs:\n{query}")
    return block(shown, "text")
