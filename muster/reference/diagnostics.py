"""The pages of errors and warnings: every code with a query that gives it and one that is right.

In: `nql.codes` and `nql.nxql.codes`. Out: one page a language. Invariant: what is said of a wrong query is what the
language says of it when the page is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from muster.reference.markdown import block, code
from nql.api import Context, diagnose, resolve
from nql.api import compile_query as compiled
from nql.catalog.load import builtin
from nql.codes import CODES, Code
from nql.diagnostics import Diagnostic, QueryError, render
from nql.nxql.api import NxqlError, NxqlPlan, compile_nxql
from nql.nxql.codes import CODES as CLASSIC

GROUPS = {
    "1": "Reading: the words and signs",
    "2": "Names: tables, fields, functions",
    "3": "Types and values",
    "4": "Time, totals and the order of clauses",
    "5": "Limits and permissions",
    "6": "Advice: a query that runs, and may not mean what was meant",
}
INTRO = """\
# Errors and warnings

Everything that is wrong with a query is told at once, each with its place, its code and mostly a fix. A warning does
not stop a query; it travels with the answer. Codes keep their meaning, so programs may look at them."""
CLASSIC_INTRO = """\
# Errors and warnings of NXQL

Where an error means the same in both languages, its number is the same."""
NOW = 1_731_320_775_000_000
EARLY = NOW - 10**12  # a clock at which the example of a bad relative time is wrong


def pages() -> dict[str, str]:
    """Both pages, by file name."""
    return {
        "errors.md": _page(INTRO, CODES, "NQL", _said),
        "nxql-errors.md": _page(CLASSIC_INTRO, CLASSIC, "NXQL", _classic),
    }


def _page(intro: str, codes: Mapping[str, Code], prefix: str, said: Callable[[Code], str]) -> str:
    parts = [intro]
    for digit, title in GROUPS.items():
        group = [item for item in codes.values() if item.code.removeprefix(prefix).startswith(digit)]
        if group:
            parts.append(f"## {title}")
        for item in group:
            kind = "warning" if item.warning else "error"
            parts.append(f"### {item.code} {item.title}\n\n{item.doc} ({kind})")
            if item.wrong:
                parts += [block(item.wrong, prefix.lower()), block(said(item), "text"), "Right:"]
                parts.append(block(item.right, prefix.lower()))
    return "\n\n".join(parts) + "\n"


def _said(item: Code) -> str:
    return render(item.wrong, diagnose(item.wrong, builtin()) or _late(item))


def _late(item: Code) -> tuple[Diagnostic, ...]:
    """What is found once clock and values are known."""
    context = Context(NOW if "$" in item.wrong else EARLY, "UTC", "UTC", {"n": "nonsense"})
    try:
        resolve(compiled(item.wrong, builtin()).plan, context)
    except QueryError as error:
        return error.diagnostics
    raise ValueError(f"nothing is said of the wrong query of {item.code}: {code(item.wrong)}")


def _classic(item: Code) -> str:
    try:
        found = compile_nxql(item.wrong, builtin())
    except NxqlError as error:
        return render(item.wrong, error.diagnostics)
    if isinstance(found, NxqlPlan) and found.warnings:
        return render(item.wrong, found.warnings)
    raise ValueError(f"nothing is said of the wrong query of {item.code}: {code(item.wrong)}")
