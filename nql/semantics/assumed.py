"""A catalog in which everything that a text names and somebody could have configured is configured: for checking a text
without a portal.

In: a query as written, a catalog. Out: the catalog with the actions, campaigns, trends and custom fields that the
text names, each field of the type that its use asks for (`nql.semantics.evidence`), a text where no use says anything.
One pass in the order of the clauses, so that a name belongs to the table in scope; a value that gets a name
(`x = outputs.a.last()`) is what its name is used as. Invariant: what the catalog knows stays as it is, and no more than
MOST names are assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from nql.catalog.configured import CUSTOMIZED, RESPONSES, SNAPSHOTS, Campaign, CustomField, Item, Trend, tables_of
from nql.catalog.model import Catalog, Table, executions_of
from nql.datatypes import DataType, Kind
from nql.diagnostics import QueryError
from nql.semantics.evidence import subject, tell_all, type_for
from nql.semantics.lets import without_lets
from nql.semantics.names import FieldRef, Names, ObjectRef, names_of
from nql.semantics.problems import Problems, Reported
from nql.syntax import ast
from nql.syntax.parse import parse

MOST = 300
COUNTS = ("count", "countif")
EXECUTIONS = "remote_action.executions"
_BASES = {
    "remote_action": ("executions", EXECUTIONS),
    "campaign": ("responses", RESPONSES),
    "custom_trend": ("snapshots", SNAPSHOTS),
}
_ITEM = re.compile(r"(remote_action|campaign|custom_trend)\.#?(\w+)\.(executions|responses|snapshots)", re.IGNORECASE)
_OUTPUT = re.compile(r"remote_action\.#?(\w+)\.executions?\.(outputs\.\w+)", re.IGNORECASE)
_CUSTOM = re.compile(r"(?:(.+)\.)?#(\w+)", re.IGNORECASE)
_OWN = re.compile(
    r"(?:(?:remote_action|campaign|custom_trend)\.(?:#?\w+\.)?)?(?:executions?|responses?|snapshots?)\.", re.IGNORECASE
)
_ANSWER = re.compile(r"(answers|comments)\.(\w+)(?:\.(?:label|comment))?|(parameters)\.(\w+)", re.IGNORECASE)

Key = tuple[str, str]  # an item (`remote_action.x`, `device.devices`) and one of its fields, in lower case


@dataclass(frozen=True, slots=True)
class _Scope:
    """The rows that a name speaks of: a table, and the item that is assumed to have its own there."""

    table: Table
    item: str = ""


def assumed(query: ast.Query | str, catalog: Catalog) -> Catalog:
    """The catalog with everything configured that a query names; as it is for a text that cannot be read."""
    try:
        read = parse(query) if isinstance(query, str) else query
        read = without_lets(read, Problems())
    except (QueryError, Reported):
        return catalog
    reader = _Reader(catalog, names_of(catalog))
    reader.query(read)
    return reader.result()


@dataclass(slots=True)
class _Reader:
    catalog: Catalog
    names: Names
    root: _Scope | None = None
    joined: _Scope | None = None
    before: _Scope | None = None
    items: dict[str, tuple[str, str]] = field(default_factory=dict)
    spelled: dict[Key, str] = field(default_factory=dict)
    kinds: dict[Key, set[Kind]] = field(default_factory=dict)
    aliases: dict[str, Key | None] = field(default_factory=dict)
    computed: dict[str, Kind] = field(default_factory=dict)

    def query(self, query: ast.Query) -> None:
        """Read the clauses in order."""
        self.root = self._scope(query.table.name)
        for clause in query.clauses:
            if not isinstance(clause, ast.Where | ast.Compute):
                self.joined = None
            match clause:
                case ast.Where(test):
                    self._tell(test)
                case ast.Join(table):
                    self.joined = self.before = self._scope(table.name)
                case ast.Compute(items):
                    self.joined = self.joined or self.before
                    self._named(items)
                case ast.Summarize(items, by):
                    self._tell_each(node for node in by if isinstance(node, ast.Path))
                    self._named(items)
                case ast.ListClause(items):
                    self._tell_each(item for item in items if not isinstance(item, ast.Assign))
                    self._named(item for item in items if isinstance(item, ast.Assign))
                case ast.Sort(keys):
                    self._tell_each(key.value for key in keys)
                case _:
                    self._tell_each(getattr(clause, "by", ()))

    def result(self) -> Catalog:
        """The catalog with what was found."""
        if not self.items and not self.spelled:
            return self.catalog
        actions: list[Table] = []
        items: list[Item] = []
        for key, (kind, nql_id) in self.items.items():
            fields = self._fields(key)
            if kind == "remote_action":
                outputs = {name.partition(".")[2]: dtype for name, dtype in fields.items()}
                actions.append(executions_of(self.catalog, nql_id, outputs))
            elif kind == "campaign":
                questions = {name.partition(".")[2]: "" for name in fields if name.startswith("answers.")}
                parameters = [name.partition(".")[2] for name in fields if name.startswith("parameters.")]
                items.append(Campaign(nql_id, questions, tuple(parameters)))
            else:
                items.append(Trend(nql_id, fields))
        for table in CUSTOMIZED:
            items += [CustomField(table, name, dtype) for name, dtype in self._fields(table).items()]
        tables = [*actions, *tables_of(self.catalog, items)]
        found = repr(
            [
                sorted(self.items),
                sorted((key, name, sorted(k.value for k in self.kinds[key])) for key, name in self.spelled.items()),
            ]
        )
        return self.catalog.overlay(tables, f"assumed-{sha256(found.encode()).hexdigest()[:16]}")

    def _fields(self, item: str) -> dict[str, DataType]:
        return {name: type_for(self.kinds[key]) for key, name in self.spelled.items() if key[0] == item}

    def _scope(self, path: ast.Path) -> _Scope | None:
        """The rows of a table as written; an item that is not configured is from now on."""
        known = self.catalog.table(path.text)
        if known is not None and "<" not in known.name:
            return _Scope(known)
        found = _ITEM.fullmatch(path.text)
        if found is None or _BASES[found[1].lower()][0] != found[3].lower():
            return None
        kind = found[1].lower()
        return _Scope(self.catalog.tables[_BASES[kind][1]], self._item(kind, found[2]))

    def _item(self, kind: str, nql_id: str) -> str:
        key = f"{kind}.{nql_id.lower()}"
        if len(self.items) < MOST:
            self.items.setdefault(key, (kind, nql_id))
        return key

    def _named(self, items: Iterable[ast.Assign]) -> None:
        """Values that get a name: what the name is used as, they are."""
        found: dict[str, Key | None] = {}
        for item in items:
            self._tell(item.value)
            path = subject(item.value)
            found[item.name.text.lower()] = self._key(path.text) if path is not None else None
            kind = self._computed(item.value)
            if kind is not None:
                self.computed[item.name.text.lower()] = kind
        self.joined = None
        self.aliases.update(found)

    def _tell_each(self, nodes: Iterable[ast.Expr]) -> None:
        for node in nodes:
            self._tell(node)

    def _tell(self, node: ast.Expr) -> None:
        tell_all(node, self)

    def use(self, path: ast.Path, kinds: frozenset[Kind]) -> None:
        """See `Listener`."""
        key = self._key(path.text)
        if key is not None:
            self.kinds[key] |= kinds

    def kind_of(self, path: ast.Path) -> Kind | None:
        """See `Listener`."""
        if self.joined is None and path.text.lower() in self.aliases:
            return self.computed.get(path.text.lower())
        found = self.names.find(scope.table, path.text) if (scope := self.joined or self.root) is not None else None
        if not isinstance(found, FieldRef) and self.joined is not None and self.root is not None:
            found = self.names.find(self.root.table, path.text)
        return found.field.dtype.kind if isinstance(found, FieldRef) else None

    def _computed(self, value: ast.Expr) -> Kind | None:
        """The kind of a metric, where it follows from its writing or from what is known."""
        if isinstance(value, ast.Binary) or (isinstance(value, ast.Call) and value.function in COUNTS):
            return Kind.FLOAT if isinstance(value, ast.Binary) else Kind.INT
        path = subject(value)
        return None if path is None else self.kind_of(path)

    def _key(self, text: str) -> Key | None:
        """The assumed field a path means in scope, None for what is known or cannot be configured."""
        if self.joined is None and text.lower() in self.aliases:
            return self.aliases[text.lower()]
        scope = self.joined or self.root
        if scope is None:
            return None
        if (output := _OUTPUT.fullmatch(text)) is not None and not self._knows(scope, text):
            known = self.catalog.table(f"remote_action.#{output[1]}.executions")
            return None if known else self._remember(self._item("remote_action", output[1]), output[2])
        if (custom := _CUSTOM.fullmatch(text)) is not None:
            return None if self._knows(scope, text) else self._custom(scope, custom[1] or "", custom[2])
        return self._of_item(scope, _OWN.sub("", text, count=1)) if scope.item else None

    def _of_item(self, scope: _Scope, text: str) -> Key | None:
        kind = scope.item.partition(".")[0]
        if kind == "remote_action":
            return self._remember(scope.item, text) if re.fullmatch(r"outputs\.\w+", text, re.IGNORECASE) else None
        if kind == "campaign":
            found = _ANSWER.fullmatch(text)
            return found and self._remember(scope.item, f"parameters.{found[4]}" if found[3] else f"answers.{found[2]}")
        plain = re.fullmatch(r"\w+", text) is not None and not self._knows(scope, text)
        return self._remember(scope.item, text) if plain else None

    def _custom(self, scope: _Scope, owner: str, name: str) -> Key | None:
        """A custom field: of the object that is written before it, else of the rows, the root, or a linked object."""
        head, _, last = owner.rpartition(".")
        level = last.lower() == "organization"
        table = self._owner(scope, head if level else owner)
        allowed = CUSTOMIZED[:2] if level else CUSTOMIZED
        return self._remember(table, f"organization.{name}" if level else name) if table in allowed else None

    def _owner(self, scope: _Scope, owner: str) -> str:
        if owner:
            found = self.names.find(scope.table, owner)
            return found.table.name if isinstance(found, ObjectRef) else ""
        linked = [table for table in CUSTOMIZED if table in scope.table.links.values()]
        near = [scope.table.name, self.root.table.name if self.root is not None else "", *linked]
        return next((name for name in near if name in CUSTOMIZED), "")

    def _knows(self, scope: _Scope, text: str) -> bool:
        return isinstance(self.names.find(scope.table, text), FieldRef)

    def _remember(self, item: str, name: str) -> Key | None:
        key = (item, name.lower())
        if key not in self.spelled and len(self.spelled) >= MOST:
            return None
        self.spelled.setdefault(key, name)
        self.kinds.setdefault(key, set())
        return key
