"""Names of fields: what they are in the mapping, which of them a glob means, and what is said about the others.

In: a name and the table it is asked of, as a `Reach`. Out: `Found` fields. A dynamic field is a custom field of the
object, a leaf of a score, or an output of a remote action; its name is compared letter by letter and digit by digit,
whatever stands between. Invariant: an unknown name is reported with the nearest names of its table, or with all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nql.catalog.model import Catalog, Table
from nql.catalog.model import Field as Stored
from nql.datatypes import Kind
from nql.diagnostics import Span
from nql.nxql import ast
from nql.nxql.mapping import FieldMap, aggregate_events, classic, folded
from nql.nxql.problems import Findings

TYPES = {
    Kind.STRING: "string", Kind.INT: "integer", Kind.FLOAT: "real", Kind.PERCENTAGE: "percent",
    Kind.BOOLEAN: "boolean", Kind.DATETIME: "datetime", Kind.DURATION: "second", Kind.BYTES: "byte",
    Kind.ENUM: "enum", Kind.VERSION: "version", Kind.IP: "ip_address", Kind.STRINGS: "list",
}  # fmt: skip


_SCORED = ("device.devices", "user.users")  # the first has outputs of actions too


@dataclass(frozen=True, slots=True)
class Reach:
    """A classic table as it is reached at one place of the query: its fields, the path that leads to them, and the NQL
    table they belong to. `joins` says whether fields summed up from other tables can be had there."""

    name: str
    fields: Mapping[str, FieldMap]
    table: Table
    prefix: str = ""
    joins: bool = False
    kind: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A field of a table, under the name it has in the result."""

    name: str
    field: FieldMap
    reach: Reach
    span: Span
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks names up. `platforms` are those that the query is restricted to, none for all of them."""

    catalog: Catalog
    problems: Findings
    parameters: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def one(self, reach: Reach, name: ast.Name) -> Found:
        """The field of a name. Raises Reported."""
        found = self._found(reach, self.named(name))
        if not found.field.nql:
            message = f"{found.name} has no counterpart in NQL."
            raise self.problems.choice("NXQL204", message, name.span, self.known(reach), hint=found.field.reason)
        return found

    def several(self, reach: Reach, name: ast.Name) -> list[Found]:
        """The fields of a name or glob; one without counterpart is warned about. Raises Reported."""
        name = self.named(name)
        if not name.glob:
            found = self._found(reach, name)
            if not found.field.nql:
                self.empty(found.field, found.name, name.span)
            return [found]
        if name.dynamic:
            custom = [_custom(item) for item in _customs(reach.table)]
            several = [Found(field.name, field, reach, name.span, True) for field in custom if _like(name, field.name)]
        else:
            shown = (field for field in reach.fields.values() if self._visible(reach, field))
            several = [Found(field.name, field, reach, name.span) for field in shown if _like(name, field.name)]
        if not several:
            message = f"No field of {reach.name} is like {'#' if name.dynamic else ''}{name.text}."
            raise self.problems.choice("NXQL209", message, name.span, self.known(reach))
        return several

    def empty(self, field: FieldMap, name: str, span: Span) -> None:
        """Warns about a column that has no values."""
        self.problems.warn("NXQL218", f"{name} has no counterpart in NQL, and is empty.", span, field.reason)

    def has(self, reach: Reach, text: str) -> bool:
        """Whether a table has a field of this plain name."""
        return text.lower() in reach.fields

    def named(self, name: ast.Name) -> ast.Name:
        """The name, a parameter replaced by what was given for it. Raises Reported."""
        if name.parameter is None:
            return name
        text = self.given(name.parameter, name.span)
        dynamic = name.dynamic or text.startswith("#")
        return ast.Name(text.removeprefix("#"), dynamic, True, None, name.span)

    def text(self, value: ast.Value) -> str:
        """The text of a value, a parameter replaced. Raises Reported."""
        return value.text if value.parameter is None else self.given(value.parameter, value.span)

    def given(self, number: int, span: Span) -> str:
        """The text given for a parameter. Raises Reported."""
        if 1 <= number <= len(self.parameters):
            return self.parameters[number - 1]
        raise self.problems.error("NXQL214", f"There is no value for %{number}.", span, f"Give it as p{number}.")

    def known(self, reach: Reach) -> list[str]:
        """All names that a table has in this place."""
        names = [field.name for field in reach.fields.values() if self._visible(reach, field)]
        return names + [f"#{_custom(item).name}" for item in _customs(reach.table)]

    def family(self, found: Found) -> str:
        """The family of types that a field belongs to."""
        return classic().types[found.field.type].family

    def _visible(self, reach: Reach, field: FieldMap) -> bool:
        return bool(field.nql) and (reach.joins or not field.join) and not self._lacking(field)

    def _lacking(self, field: FieldMap) -> bool:
        """Whether none of the platforms asked for has the field."""
        return bool(self.platforms and field.platforms) and not set(self.platforms) & set(field.platforms)

    def _found(self, reach: Reach, name: ast.Name) -> Found:
        """The field of a name, with or without counterpart. Raises Reported."""
        if name.glob:
            raise self.problems.error("NXQL209", "One field is needed here, not several.", name.span)
        return self._dynamic(reach, name) if name.dynamic else self._plain(reach, name)

    def _plain(self, reach: Reach, name: ast.Name) -> Found:
        problems, field = self.problems, reach.fields.get(name.text.lower())
        if field is None:
            message = f"There is no field {_short(name.text)} in {reach.name}."
            events = aggregate_events(name.text.lower())
            hint = f"It is computed of events: (with {events[0]} (compute {name.text}))." if events else ""
            raise problems.choice("NXQL203", message, name.span, self.known(reach), word=name.text, hint=hint)
        if field.join and not reach.joins:
            hint = f"Ask for it with (from {reach.name}) alone."
            message = f"{field.name} is summed up from {field.join}, which cannot be had beside events."
            raise problems.error("NXQL213", message, name.span, hint)
        if self._lacking(field):
            message = f"{field.name} exists on {' and '.join(field.platforms)} only."
            raise problems.error("NXQL216", message, name.span, "Leave it out, or ask for that platform.")
        return Found(field.name, field, reach, name.span)

    def _dynamic(self, reach: Reach, name: ast.Name) -> Found:
        wanted, (head, colon, rest) = folded(name.text), name.text.partition(":")
        for item in _customs(reach.table):
            field = _custom(item)
            if wanted and wanted == folded(field.name):
                return Found(name.text, field, reach, name.span, True)
        found = None
        if colon and reach.table.name in _SCORED:
            found = self._score(name, rest) if head.lower() == "score" else None
        if colon and reach.table.name == _SCORED[0]:
            found = self._output(name, rest) if head.lower() == "action" else found
        if found is None:
            message = f"There is no dynamic field {_short(name.text)} of {reach.name}."
            raise self.problems.choice("NXQL210", message, name.span, self._dynamics(reach), word=f"#{name.text}")
        if found.join and not reach.joins:
            message = f"{name.text} is summed up from events, which cannot be had beside others."
            raise self.problems.error("NXQL213", message, name.span, f"Ask for it with (from {reach.name}) alone.")
        return Found(name.text, found, reach, name.span, True)

    def _score(self, name: ast.Name, rest: str) -> FieldMap | None:
        scores = classic().scores
        *_, leaf = rest.split("/")
        if leaf.lower() == "payload":
            return FieldMap(name.text, "string", reason=scores.payload)
        path = scores.fields.get(folded(leaf))
        return FieldMap(name.text, "real", nql=f"{path}.last()", join=scores.table) if path else None

    def _output(self, name: ast.Name, rest: str) -> FieldMap | None:
        action, _, output = rest.rpartition("/")
        table = self.catalog.table(f"remote_action.#{folded(action)}.executions") if action else None
        for item in table.fields.values() if table is not None else ():
            if table is not None and folded(item.name) == f"outputs_{folded(output)}" and item.dtype.kind in TYPES:
                own = _custom(item)
                return FieldMap(name.text, own.type, nql=f"{item.name}.last()", join=table.name, scale=own.scale)
        return None

    def _dynamics(self, reach: Reach) -> Iterator[str]:
        yield from (f"#{_custom(item).name}" for item in _customs(reach.table))
        if reach.table.name != _SCORED[0]:
            return
        for table in self.catalog.tables.values():
            if table.base == "remote_action.executions" and table.nql_id:
                outputs = (path.partition(".")[2] for path in table.fields if path.startswith("outputs."))
                yield from (f"#action:{table.nql_id}/{output}" for output in outputs)


def _customs(table: Table) -> Iterator[Stored]:
    """The custom fields that are configured."""
    return (item for item in table.fields.values() if "#" in item.name and "<" not in item.name)


def _custom(item: Stored) -> FieldMap:
    scale = 100 if item.dtype.kind is Kind.PERCENTAGE else 1
    return FieldMap(item.name.partition("#")[2], TYPES.get(item.dtype.kind, "string"), nql=item.name, scale=scale)


def _like(name: ast.Name, text: str) -> bool:
    """Whether a text matches a glob, in time linear in both."""
    first, *others = name.text.lower().split("*")
    rest = text.lower()
    if not rest.startswith(first):
        return False
    rest = rest[len(first) :]
    *inner, last = others
    for part in inner:
        at = rest.find(part)
        if at < 0:
            return False
        rest = rest[at + len(part) :]
    return rest.endswith(last)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
