"""The latest output of a remote action as a property of a device: `remote_action.<id>.execution.outputs.<name>`.

In: a path over devices. Out: a name whose column holds, for each device, the output of its last successful execution:
within the query's own window if it has one, else of all that are kept. It is an older official form, and means the same
as `include remote_action.#<id>.executions | where status == success | compute x = outputs.<name>.last()`. Invariant:
one output is attached once, however often it is named.
"""

from __future__ import annotations

import re
from functools import partial

from nql.catalog.model import Table
from nql.datatypes import DATETIME
from nql.plan.expressions import And, Column, Compare, Literal
from nql.plan.relations import Attach, Filter, Measure, Relation
from nql.plan.windows import Retention
from nql.semantics.names import FieldRef
from nql.semantics.problems import Reported, did_you_mean, replacements
from nql.semantics.scope import Alias, Rows, State
from nql.syntax import ast

DEVICES = "device.devices"
_PATH = re.compile(r"(remote_action\.#?(\w+)\.executions?\.)(outputs\.\w+)", re.IGNORECASE)


def latest_output(state: State, path: ast.Path) -> Alias | None:
    """The name for a path, None if it is no such path or does not stand among devices. Raises Reported for an action or
    an output that is not configured."""
    found = _PATH.fullmatch(path.text)
    if found is None or state.joined is not None or state.root.table.name != DEVICES:
        return None
    table = state.names.catalog.table(f"remote_action.#{found[2]}.executions")
    if table is None:
        raise _no_action(state, path, found[2])
    output = state.names.find(table, found[3])
    if not isinstance(output, FieldRef):
        raise _no_output(state, path, table, found)
    name = f"remote_action.{table.nql_id}.execution.{output.path}"
    column = Column(name.lower(), output.field.dtype)
    alias = Alias(name, column, plain=True)
    if state.summary is not None:
        return alias if any(shown.column == column for shown in state.summary.keys.values()) else None
    if column.name not in state.taken:
        state.taken.add(column.name)
        _attach(state, table, output, column)
    return alias


def _attach(state: State, table: Table, output: FieldRef, column: Column) -> None:
    root = state.root
    window = root.window or Retention(table.retention_days or 1)
    rows = Rows(table, window, span=root.span)
    status, key = table.fields["status"], rows.hidden("@device").name
    ended = Compare("==", rows.stored(status.name, status.dtype), Literal("success", status.dtype))
    order = (rows.stored(table.time or "time", DATETIME).name, rows.identity().name)
    measure = Measure(column.name, "last", rows.entry(output.field), column.dtype, None, order)
    rows.filters.append(ended)
    root.identity()
    state.step(partial(_attached, rows, key, measure))


def _attached(rows: Rows, key: str, measure: Measure, relation: Relation) -> Relation:
    return Attach(relation, Filter(rows.scan(), And(tuple(rows.filters))), key, (measure,), keep_all=True)


def _no_action(state: State, path: ast.Path, nql_id: str) -> Reported:
    catalog = state.names.catalog
    known = [table.nql_id for table in catalog.tables.values() if table.nql_id and table.namespace == "remote_action"]
    words = state.problems.close(nql_id, known)
    fixes = replacements(path.span, [path.text.replace(nql_id, word, 1) for word in words])
    hint = did_you_mean(words) or (f"There are {', '.join(known[:5])}." if known else "None is configured.")
    return state.problems.error("NQL213", f"There is no remote action #{nql_id}.", path.span, hint, fixes)


def _no_output(state: State, path: ast.Path, table: Table, found: re.Match[str]) -> Reported:
    known = [name for name in table.fields if name.startswith("outputs.") and not table.fields[name].template]
    words = state.problems.close(found[3], known)
    fixes = replacements(path.span, [found[1] + word for word in words])
    message = f"There is no field {found[3]} in {table.name}."
    return state.problems.error("NQL202", message, path.span, did_you_mean(words), fixes)
