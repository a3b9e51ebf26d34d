"""Meaning: an `Ast` and a catalog become a typed plan, windows and parameters still symbolic.

In: a query as written, its text (for the author's own words), names, the product area. Out: a `Plan` and warnings, or
a `QueryError` with everything that is wrong. The clauses are read in order, each in the scope the ones before it
left; relations are built bottom-up at the end, when every scan knows what is read from it. Invariant: no clock, no
zone, no value of a parameter is looked at.
"""

from __future__ import annotations

from contextlib import suppress

from nql.datatypes import STRING
from nql.diagnostics import Diagnostic, QueryError
from nql.plan.plan import Output, Plan
from nql.plan.relations import Link, Relation, Select
from nql.rules import DEFAULT, Rules
from nql.semantics.areas import DEVICES, check_area
from nql.semantics.clauses import clause, close_join, identity, in_order
from nql.semantics.columns import default_columns, unique
from nql.semantics.conditions import condition
from nql.semantics.lets import without_lets
from nql.semantics.names import FieldRef, Names
from nql.semantics.problems import Problems, Reported
from nql.semantics.scope import Area, Shown, State
from nql.semantics.steps import rows_of
from nql.semantics.tables import active, root_of
from nql.semantics.times import given_length
from nql.semantics.warnings import advise, days_beside_hours
from nql.syntax import ast
from nql.syntax.beyond import beyond

DEVICE_UID = "@device.uid"


def bind(
    query: ast.Query,
    text: str,
    names: Names,
    *,
    area: Area = Area.INVESTIGATION,
    devices: bool = False,
    rules: Rules = DEFAULT,
) -> tuple[Plan, tuple[Diagnostic, ...]]:
    """The plan of a query and its warnings. Raises QueryError with all that is wrong."""
    state = read(query, text, names, area=area, rules=rules)
    close_join(state)
    try:
        shown = unique(default_columns(state) if state.shown is None else state.shown)
    except Reported:
        shown = []
    device = _device(state) if devices else None
    if state.problems.errors:
        raise QueryError([*state.problems.errors, *state.problems.warnings])
    if state.order:
        in_order(state)
    plan = Plan(
        _relation(state, shown, device),
        tuple(Output(one.header, one.label, one.column.name, one.column.dtype, one.format) for one in shown),
        state.root.table.name,
        state.root.window or (state.first_join.window if state.first_join is not None else None),
        device,
        tuple(state.parameters.values()),
    )
    return plan, tuple(state.problems.warnings)


def read(
    query: ast.Query, text: str, names: Names, *, area: Area = Area.INVESTIGATION, rules: Rules = DEFAULT
) -> State:
    """What is known after the last clause, with all problems met. Raises QueryError if not even the table is known."""
    problems = Problems()
    lets = query.lets
    try:
        query = without_lets(query, problems)
        root = root_of(names, problems, query.table)
    except Reported:
        raise QueryError(problems.errors) from None
    state = State(text, names, area, problems, root, rules=rules, condition=condition)
    for name, span in beyond(text) if rules.strict else ():
        with suppress(Reported):
            state.extension(name, span)
    with suppress(Reported):
        given_length(state, query.table)
    days_beside_hours(state, query)
    for let in lets:
        if isinstance(names.find(root.table, let.name.text), FieldRef):
            message = f"{let.name.text} is also a field of {root.table.name}."
            problems.warn("NQL210", message, let.name.span, "In this query the name means what let says.")
    for at, node in enumerate(query.clauses):
        advise(state, query, at)
        try:
            clause(state, node)
        except Reported:
            _skip(state, node)
    check_area(state, query.span)
    return state


def _skip(state: State, node: ast.Clause) -> None:
    """Goes on after a broken clause: its names are known to be broken, so that nobody complains about them again."""
    if isinstance(node, ast.Compute | ast.Summarize):
        for item in node.items:
            state.broken(item.name.text)
        state.joined = None


def _device(state: State) -> str | None:
    """The hidden column with each row's device, None where rows are not about one device."""
    table = state.root.table
    if state.summary is not None:
        return None
    if table.name == DEVICES:
        return state.root.extra(DEVICE_UID, STRING, "uid").name
    if table.links.get("device") == DEVICES:
        return state.root.extra(DEVICE_UID, STRING, "uid", Link("@device", DEVICES)).name
    return None


def _relation(state: State, shown: list[Shown], device: str | None) -> Relation:
    keys = [column.name for column in identity(state)]
    relation = rows_of(state.root)
    if state.root.window is not None and not state.root.events:
        relation = active(state.names, state.root, state.root.window, relation)
    for step in state.steps:
        relation = step(relation)
    names = [one.column.name for one in shown] + keys + ([device] if device is not None else [])
    return Select(relation, tuple(dict.fromkeys(names)))
