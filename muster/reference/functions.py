"""The page of functions: how each is written, where it may stand, on what, and an example with its answer.

In: `nql.functions`. Out: one page. Invariant: nothing about a function is said here; examples run through the real
engine.
"""

from __future__ import annotations

from muster.reference.estate import Answers
from muster.reference.manuscript import ran
from muster.reference.markdown import code, link, table
from nql.datatypes import Kind
from nql.functions import FORMATS, FUNCTIONS, MEASURES, Function, Role

ROLES = {
    Role.AGGREGATE: "Functions that sum up rows",
    Role.SCALAR: "Functions of one value",
    Role.FORMAT: "How a number is shown",
}
INTRO = """\
# Functions

A function follows what it is about: `hardware.memory.avg()`. Only `count()`, `countif(...)` and `if(...)` stand alone.
Functions that are *ours* are not in NQL; `strict=nexthink` refuses them ([extensions](extensions.md)).

Functions that sum up leave nulls out. Over nothing at all counts are 0, everything else is null; `sumif` is 0 if there
are rows but none that the condition keeps. A function of one value gives null for null, but `default` and `if`."""
EMPTY = "What each gives over no rows, and its type:"


def page(answers: Answers) -> str:
    """The page."""
    parts = [INTRO, _overview()]
    for role, title in ROLES.items():
        parts.append(f"## {title}")
        parts += [_function(item, answers) for item in FUNCTIONS.values() if item.role is role]
    parts += ["## What engines compute", EMPTY, _measures()]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    rows = [
        (
            link(code(item.name), "", item.name),
            item.doc.split(". ")[0].rstrip(".") + ".",
            ", ".join(item.clauses),
            "ours" if item.extension else "",
        )
        for item in FUNCTIONS.values()
    ]
    return table(("function", "gives", "may stand in", ""), rows)


def _function(item: Function, answers: Answers) -> str:
    facts = [f"- Written {', '.join(code(form.strip()) for form in item.signature.split('·'))}."]
    if item.operands:
        kinds = [code(kind.value) for kind in Kind if kind in item.operands]
        facts.append(f"- Of {', '.join(kinds)}.")
    facts.append(f"- May stand in {', '.join(item.clauses)}.")
    if item.name == "as":
        codes = "; ".join(
            code(name) + (f" with code {', '.join(map(code, c))}" if c else "") for name, c in FORMATS.items()
        )
        facts.append(f"- Formats: {codes}.")
    if item.extension:
        facts.append(f"- Ours, the extension {link(code(item.extension), 'extensions.md', item.extension)}.")
    return f"### {item.name}\n\n{item.doc}\n\n" + "\n".join(facts) + "\n\n" + ran(item.example, [], answers)


def _measures() -> str:
    rows = [
        (
            code(item.name),
            item.doc,
            "null" if item.empty is None else str(item.empty),
            {"int": "int", "same": "that of the values", "average": "float, unit kept"}[item.result.value],
        )
        for item in MEASURES.values()
    ]
    return table(("measure", "gives", "over nothing", "type"), rows)
