"""Columns to show or order by: from values to named columns of the relation.

In: the items of `list` or `sort`. Out: `Shown` columns; what is not stored is computed into a column first.
Invariant: headers of a result are unique, and a column that is asked for twice is shown once, unless it got a name.
"""

from __future__ import annotations

from functools import partial

from nql.datatypes import NUMERIC
from nql.diagnostics import Span
from nql.functions import FORMATS
from nql.plan.expressions import Column
from nql.plan.plan import Format
from nql.semantics.fields import Value, field_value
from nql.semantics.infer import named, row_value
from nql.semantics.names import FieldRef
from nql.semantics.problems import Reported, replacements
from nql.semantics.scope import Shown, State
from nql.semantics.steps import extended
from nql.syntax import ast


def shown_of(state: State, nodes: tuple[ast.Expr | ast.Assign, ...]) -> list[Shown]:
    """The columns of a list; broken ones are reported and left out."""
    shown: list[Shown] = []
    alike: dict[tuple[str, object], list[tuple[Shown, bool]]] = {}  # by column and format, with whether named here
    for node in nodes:
        try:
            one = _shown(state, node)
        except Reported:
            continue
        same = alike.setdefault((one.column.name, one.format), [])
        named_here = isinstance(node, ast.Assign)
        if any(other.header == one.header or not (named_here or named) for other, named in same):
            continue
        same.append((one, named_here))
        shown.append(one)
    return shown


def default_columns(state: State) -> list[Shown]:
    """What is shown without a list: the table's usual columns and every name given since; all of a summary."""
    if state.summary is not None:
        return state.summary.shown
    table = state.root.table
    shown: list[Shown] = []
    for path in table.default:
        ref = state.names.find(table, path)
        if isinstance(ref, FieldRef):
            value = field_value(state, state.root, ref, ast.Path(path))
            shown.append(Shown(value.header, value.label, column_of(state, value)))
    shown += [Shown(alias.name, alias.name, alias.column) for alias in state.aliases.values() if not alias.broken]
    return shown


def column_of(state: State, value: Value) -> Column:
    """The column that holds a value, computed now if it is not there yet."""
    expr = value.expr
    if isinstance(expr, Column):
        return expr
    name = value.ref.path if value.ref is not None else state.free(value.header)
    state.step(partial(extended, ((name, expr),)), keeps_order=True)
    return Column(name, expr.dtype)


def unique(shown: list[Shown]) -> list[Shown]:
    """The same columns; a header that is taken gets a number."""
    taken: set[str] = set()
    following: dict[str, int] = {}  # of each header the number to try next: those before are taken
    result: list[Shown] = []
    for one in shown:
        header, folded = one.header, one.header.lower()
        while header.lower() in taken:
            number = following.get(folded, 2)
            header, following[folded] = f"{one.header}_{number}", number + 1
        taken.add(header.lower())
        result.append(Shown(header, one.label, one.column, one.format))
    return result


def _shown(state: State, node: ast.Expr | ast.Assign) -> Shown:
    if isinstance(node, ast.Assign):
        return _named(state, node)
    if isinstance(node, ast.Call) and node.function == "as":
        return _formatted(state, node)
    value = row_value(state, node, "list")
    return Shown(value.header, value.label, column_of(state, value))


def _named(state: State, node: ast.Assign) -> Shown:
    """`name = value`: the name is known from here on."""
    state.extension("list_name", node.name.span)
    name = node.name.text
    if isinstance(node.value, ast.Call) and node.value.function == "as":
        one = _formatted(state, node.value)
        column, shape = one.column, one.format
        computed = any(alias.column == column and not alias.plain for alias in state.aliases.values())
    else:
        value = row_value(state, node.value, "list")
        column, shape, computed = column_of(state, value), None, value.computed
    if "." not in name:
        state.define(name, column).plain = not computed
    return Shown(name, name, column, shape)


def _formatted(state: State, node: ast.Call) -> Shown:
    problems = state.problems
    if node.target is None:
        raise problems.error(
            "NQL312", "as() needs a value before it: cost.as(format = currency, code = usd).", node.span
        )
    value = row_value(state, node.target, "list")
    if value.dtype.kind not in NUMERIC:
        kind = value.dtype.kind.value.replace("_", " ")
        raise problems.error("NQL414", f"as() formats numbers, not {kind}.", node.span)
    arguments = named(state, node)
    if "format" not in arguments:
        raise problems.error("NQL312", "as() needs a format.", node.span, "Write as(format = percent).")
    name, place = arguments["format"]
    if name.lower() not in FORMATS:
        fixes = replacements(place, problems.close(name, FORMATS))
        raise problems.error("NQL315", f"There is no format {name}.", place, f"Formats: {', '.join(FORMATS)}.", fixes)
    return Shown(value.header, value.label, column_of(state, value), _format(state, node, arguments, name.lower()))


def _format(state: State, node: ast.Call, arguments: dict[str, tuple[str, Span]], name: str) -> Format:
    codes = FORMATS[name]
    code = arguments.get("code")
    if not codes:
        return Format(name)
    if code is None or code[0].upper() not in codes:
        span = node.span if code is None else code[1]
        raise state.problems.error("NQL315", f"{name} needs a code: {', '.join(codes)}.", span)
    return Format(name, code[0].upper())
