"""A name where a value of one row is wanted: an alias, a group key, or a field of the rows in scope.

In: a path and the `State`. Out: a `Value`, or a diagnostic that names close spellings and says where a field really
lives. Invariant: what is read is registered with the rows it comes from, and nothing else is. Components of sampled
metrics (`m.avg`) are built in `nql.semantics.metrics`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from nql.catalog.model import Table
from nql.datatypes import DATETIME, DURATION, INT, DataType
from nql.diagnostics import Span
from nql.plan.expressions import Arithmetic, Call, Expr, Now
from nql.semantics.metrics import component
from nql.semantics.names import Ambiguous, FieldRef, ObjectRef, label
from nql.semantics.outputs import DEVICES, latest_output
from nql.semantics.problems import Reported, did_you_mean, replacements
from nql.semantics.scope import Alias, Rows, State
from nql.syntax import ast


@dataclass(slots=True)  # not frozen: one is made for each name in the text, and freezing makes that thrice as dear
class Value:
    """A typed value of a row. `computed` values are aliases of metrics: a null among them fails `!=` too. `header` and
    `label` name it in a result."""

    expr: Expr
    header: str
    label: str
    computed: bool = False
    ref: FieldRef | None = None

    @property
    def dtype(self) -> DataType:
        """The value's type."""
        return self.expr.dtype


def value_of(state: State, path: ast.Path) -> Value:
    """The value a path stands for in the current scope. Raises Reported."""
    found = meaning(state, path)
    if isinstance(found, Alias):
        return Value(found.column, found.name, found.name, computed=not found.plain)
    if isinstance(found, ObjectRef):
        fields = [f"{path.text}.{name}" for name in found.table.default if "." not in name][:2]
        hint = f"Name one of its fields, such as {' or '.join(fields)}." if fields else "Name one of its fields."
        raise state.problems.error("NQL205", f"{path.text} is an object, not a field.", path.span, hint)
    if state.summary is not None:
        return _group(state, path, found)
    return field_value(state, state.current, found, path)


def meaning(state: State, path: ast.Path) -> Alias | FieldRef | ObjectRef:
    """What a path means in the current scope. Raises Reported."""
    alias = state.aliases.get(path.text.lower())
    if alias is not None and state.joined is None:
        if alias.broken:
            raise Reported
        return alias
    rows = state.current
    found = state.names.find(rows.table, path.text)
    if state.joined is not None and (found is None or isinstance(found, Ambiguous)):
        found = _root_field(state, path) or found
    if isinstance(found, Ambiguous):
        message = f"{path.text} may mean {' or '.join(found.paths)}."
        raise state.problems.error("NQL203", message, path.span, "Say which.", replacements(path.span, found.paths))
    if found is None and (output := latest_output(state, path)) is not None:
        return output
    found = found or state.names.dotted(rows.table, path.text)
    if found is None:
        raise unknown(state, path, alias)
    return found


def check_comparable(state: State, left: Value, right: Value, span: Span) -> None:
    """Raises Reported if one of two values that are compared with each other is a custom field that is computed."""
    for value in (left, right):
        if value.ref is not None and not value.ref.field.comparable:
            message = f"{value.ref.path} is a computed custom field and can be compared with constants only."
            raise state.problems.error("NQL317", message, span, "Only manual custom fields are compared with fields.")


def field_value(state: State, rows: Rows, ref: FieldRef, path: ast.Path) -> Value:
    """The value of a field over some rows. A metric without its component is the mean of each sample, which is said."""
    if ref.sampled_gauge and ref.component is None:
        fixes = replacements(path.span, [f"{path.text}.avg", f"{path.text}.max"])
        message = f"{path.text} holds several values a sample; their mean is taken."
        hint = f"Say which: {path.text}.avg, .sum, .count, .min or .max."
        state.problems.warn("NQL206", message, path.span, hint, fixes)
        ref = replace(ref, component="avg")
    local = ref.path.partition(".")[2] if ref.link is not None else ref.path
    return Value(read(rows, ref), ref.table.header(local), label(ref.path), ref=ref)


def read(rows: Rows, ref: FieldRef) -> Expr:
    """The expression that gives a field, its columns registered. Derived fields are computed from what is stored."""
    item = ref.field
    if ref.component is not None:
        return component(rows, ref)
    if item.same_as is not None:
        item = ref.table.fields[item.same_as]
    if item.within is not None:
        return rows.entry(item, ref.link)
    if item.days_since is not None:
        since = rows.stored(ref.table.fields[item.days_since].name, DATETIME, ref.link)
        return Call("whole_days", Arithmetic("-", Now(), since, DURATION), replace(item.dtype, kind=INT.kind))
    return rows.stored(item.name, item.dtype, ref.link)


def unknown(state: State, path: ast.Path, hidden: Alias | None = None) -> Reported:
    """Records that a name means nothing here, with what was probably meant."""
    if hidden is not None:
        message = f"{path.text} belongs to the {state.root.table.record} rows and cannot be used among the events."
        return state.problems.error("NQL204", message, path.span, "Use it after compute.")
    table = state.current.table
    known = [name for name, _ in state.names.spellings(table)] if state.problems.patient else []
    if state.joined is None:
        known += [alias.name for alias in state.aliases.values() if not alias.broken]
    if state.summary is not None:
        known = [*state.summary.keys, *(alias.name for alias in state.aliases.values())]
    words = _meant(state, path.text, known)
    home = _home(state, path) if state.problems.patient else ""
    fixes = replacements(path.span, words)
    if path.text.lower() in _TIMES and table.time is not None and not words:
        fixes = replacements(path.span, [table.time])
    message = f"There is no field {path.text} in {table.shortcut or table.name}."
    return state.problems.error("NQL202", message, path.span, home or did_you_mean(words), fixes)


def _meant(state: State, written: str, known: list[str]) -> list[str]:
    """The names that were probably meant: the same last step in another group, or a close spelling."""
    tail = written.lower().rpartition(".")[2]
    grouped = [name for name in known if name.lower().endswith(f".{tail}") and name.count(".") < 3]
    words = [*state.problems.close(written, known), *grouped]
    return list(dict.fromkeys(words))[:3] or state.problems.close(tail, known)


_ACTION = re.compile(r"remote_action\.(#?\w+)\.executions?\.(outputs\.\w+)$", re.IGNORECASE)
_TIMES = ("time", "start_time", "timestamp", "date")


def _root_field(state: State, path: ast.Path) -> FieldRef | ObjectRef | None:
    """Inside an event scope: a field of the object that the query is about, reached through the event's link."""
    found = state.names.find(state.root.table, path.text)
    rows = state.current
    link = state.names.link(rows.table, state.root.table)
    if not isinstance(found, FieldRef) or found.link is not None or link is None:
        return None
    return replace(found, path=f"{link.key[1:]}.{found.path}", link=link)


def _group(state: State, path: ast.Path, ref: FieldRef) -> Value:
    assert state.summary is not None
    key = state.summary.keys.get(ref.stored_path)
    if key is not None:
        return Value(key.column, key.header, key.label, ref=ref)
    columns = [shown.header for shown in state.summary.shown]
    message = f"{path.text} is not in the summary."
    hint = f"After summarize there are {', '.join(columns)}. To group by it, write it after by."
    raise state.problems.error("NQL208", message, path.span, hint)


def _home(state: State, path: ast.Path) -> str:
    """Where a field of this name lives, in a sentence; nothing if nowhere."""
    action = _ACTION.match(path.text)
    if action is not None and state.joined is not None and state.root.table.name == DEVICES:
        return "It is a value of the device: use it before with and include, or after compute."
    if action is not None and state.joined is None:
        name = action[1].lstrip("#")
        return f"Write include remote_action.#{name}.executions | compute x = {action[2]}.last(), then use x."
    if state.summary is None and state.joined is None and state.first_join is not None:
        found = state.names.find(state.first_join.table, path.text)
        if isinstance(found, FieldRef):
            table = state.first_join.table
            return f"It is a field of {table.name}, whose rows ended at compute: give it a name there."
    tail = path.text.lower()
    places = [table for table in state.names.catalog.tables.values() if _has(table, tail)][:3]
    if not places:
        return ""
    return f"It is a field of {' and of '.join(table.name for table in places)}."


def _has(table: Table, path: str) -> bool:
    return "<" not in table.name and any(
        spelling in table.fields for spelling in (path, path.removeprefix(f"{table.record}."))
    )
