"""The public face of NXQL: a text becomes the same typed plan that NQL has.

In: a text, a catalog, the values of `%1`, `%2`, ... in turn, and platforms to restrict the answer to. Out: an
`NxqlPlan`, or for `update` an `NxqlUpdate`. Invariant: no text, parameter or platform makes anything but an `NxqlError`
rise. Formats of answers, the error page and who may do what belong to whoever serves the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nql.catalog.model import Catalog
from nql.diagnostics import Diagnostic, Span
from nql.nxql import ast
from nql.nxql.bind import NxqlColumn, bound
from nql.nxql.fields import Lookup
from nql.nxql.parse import parse
from nql.nxql.problems import Findings, NxqlError
from nql.nxql.update import NxqlUpdate, updated
from nql.plan.plan import Plan

__all__ = ["PLATFORMS", "NxqlColumn", "NxqlError", "NxqlPlan", "NxqlUpdate", "compile_nxql"]

PLATFORMS = ("windows", "mac_os", "mobile", "linux")
MOST_PARAMETERS = 99
LONGEST_PARAMETER = 4096


@dataclass(frozen=True, slots=True)
class NxqlPlan:
    """A query understood: its plan under the names of NXQL, its columns, and warnings that travel with its result."""

    plan: Plan
    columns: tuple[NxqlColumn, ...]
    warnings: tuple[Diagnostic, ...] = ()


def compile_nxql(
    text: str,
    catalog: Catalog,
    *,
    parameters: Sequence[str] = (),
    platforms: Sequence[str] = (),
    devices: bool = False,
) -> NxqlPlan | NxqlUpdate:
    """The plan of a text. `devices` adds the hidden device-uid column where rows have one. Raises NxqlError."""
    query = parse(text)
    lookup = Lookup(catalog, Findings(), tuple(parameters), tuple(name.lower() for name in platforms))
    _check(lookup)
    if isinstance(query, ast.Update):
        return updated(query, text, lookup)
    plan, columns = bound(query, text, lookup, devices=devices)
    return NxqlPlan(plan, columns, tuple(lookup.problems.warnings))


def _check(lookup: Lookup) -> None:
    """The values from outside the text. Raises NxqlError."""
    problems, nowhere = lookup.problems, Span(0, 0)
    for name in lookup.platforms:
        if name not in PLATFORMS:
            problems.choice("NXQL305", f"There is no platform {name[:40]}.", nowhere, PLATFORMS, word=name[:40])
    given = lookup.parameters
    if len(given) > MOST_PARAMETERS or any(len(value) > LONGEST_PARAMETER for value in given):
        message = f"At most {MOST_PARAMETERS} parameters of {LONGEST_PARAMETER:,} characters can be given."
        problems.error("NXQL214", message, nowhere)
    if problems.errors:
        raise problems.stop()
