"""What can be offered: tables, clauses, fields, functions, operators and values, each with its type and its doc.

In: a scope, a type, the beginning of a name. Out: `Item`s. Everything comes from the catalog and the function table;
what fits where is decided in `nql.editing.complete`. Invariant: an item that is offered can be inserted as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from nql.catalog.model import Table
from nql.datatypes import DataType, Kind
from nql.functions import FUNCTIONS, Function, Role
from nql.semantics.names import COMPONENTS, FieldRef, Names
from nql.semantics.scope import State


class ItemKind(Enum):
    """What an item is, for its icon."""

    TABLE = "table"
    CLAUSE = "clause"
    KEYWORD = "keyword"
    FIELD = "field"
    OBJECT = "object"
    ALIAS = "alias"
    FUNCTION = "function"
    OPERATOR = "operator"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Item:
    """One choice: its label, what it is, its type or form, its documentation, and the text it puts in."""

    label: str
    kind: ItemKind
    detail: str = ""
    doc: str = ""
    insert: str = ""


CLAUSE_DOCS = {
    "where": "Keep the rows for which a condition holds.",
    "list": "Choose the columns.",
    "sort": "Order the rows.",
    "limit": "Keep the first rows.",
    "with": "Keep the objects that have such events.",
    "include": "Add the events of each object, for compute.",
    "compute": "Sum up the events of each object under a name.",
    "summarize": "Sum up all rows, or each group of them.",
}
_EQUAL = ("==", "!=", "in", "!in")
_ORDER = ("<", ">", "<=", ">=")
_OPERATORS = {
    Kind.STRING: (*_EQUAL, "contains", "!contains"),
    Kind.ENUM: _EQUAL,
    Kind.BOOLEAN: ("==", "!="),
    Kind.STRINGS: ("contains", "!contains"),
    Kind.OBJECTS: ("!=", "==", "contains", "!contains"),
    Kind.MAP: ("!=", "=="),
}
_OPERATOR_DOCS = {
    "==": "is equal to", "!=": "is not equal to", "in": "is one of", "!in": "is none of", "<": "is less than",
    ">": "is greater than", "<=": "is at most", ">=": "is at least", "contains": "has the text, or an element like it",
    "!contains": "has no such text or element",
}  # fmt: skip


def type_text(dtype: DataType) -> str:
    """A type for people: `duration`, `enum`, `bytes`."""
    return dtype.kind.value.replace("_", " ")


def tables(names: Names, root: Table | None = None) -> Iterator[Item]:
    """The tables a query can start with, or those linked to a root."""
    for table in sorted(names.catalog.tables.values(), key=lambda table: (table.shortcut is None, table.name)):
        if "<" in table.name or (root is not None and names.link(table, root) is None):
            continue
        name = table.shortcut or (_tail(table) if root is not None and table.links and not table.time else table.name)
        label = name if names.catalog.table(name) is table else table.name
        yield Item(label, ItemKind.TABLE, table.kind.value, table.doc, label)


def fields(names: Names, table: Table, word: str, *, grouped: frozenset[Kind] = frozenset()) -> Iterator[Item]:
    """The fields of a table; those of a linked object once its name is typed. Kinds in `grouped` are left out."""
    typed = word.lower()
    for path, ref in names.spellings(table):
        if ref.link is not None and not typed.startswith(f"{ref.link.key[1:]}."):
            continue
        dtype = ref.field.dtype
        if dtype.kind in grouped or (ref.component == "count" and not typed):
            continue
        yield Item(path, ItemKind.FIELD, type_text(dtype), ref.field.doc, path)
    if "." not in typed:
        for link, target in table.links.items():
            linked = names.catalog.tables.get(target)
            yield Item(f"{link}.", ItemKind.OBJECT, "object", linked.doc if linked is not None else "", f"{link}.")


def aliases(state: State) -> Iterator[Item]:
    """The names the query gave so far."""
    if state.joined is not None:
        return
    for alias in state.aliases.values():
        if not alias.broken:
            detail = type_text(alias.column.dtype)
            yield Item(alias.name, ItemKind.ALIAS, detail, "Defined by this query.", alias.name)


def summary(state: State) -> Iterator[Item]:
    """The columns of a summary."""
    assert state.summary is not None
    for shown in state.summary.shown:
        yield Item(
            shown.header, ItemKind.ALIAS, type_text(shown.column.dtype), "A column of the summary.", shown.header
        )


def functions(dtype: DataType | None, clause: str, before: str = "") -> Iterator[Item]:
    """The functions that may follow a value of a type in a clause; those that stand alone without a type."""
    for function in FUNCTIONS.values():
        if clause not in function.clauses or not _follows(function, dtype, clause):
            continue
        call = f"{before}{function.name}({'' if function.condition else ')'}"
        yield Item(f"{function.name}()", ItemKind.FUNCTION, function.signature, function.doc, call)


def metric(ref: FieldRef, before: str) -> Iterator[Item]:
    """The components of a sampled metric, after its dot."""
    if not ref.sampled_gauge or ref.component is not None:
        return
    for part in COMPONENTS:
        doc = f"The {part} of one sample."
        yield Item(f"{before}{part}", ItemKind.FIELD, type_text(ref.field.dtype), doc, f"{before}{part}")


def operators(dtype: DataType) -> Iterator[Item]:
    """The comparisons of a type."""
    for sign in _OPERATORS.get(dtype.kind, (*_EQUAL[:2], *_ORDER, *_EQUAL[2:])):
        yield Item(sign, ItemKind.OPERATOR, "", _OPERATOR_DOCS[sign], sign)


def values(dtype: DataType) -> Iterator[Item]:
    """The values a type is known to have."""
    known: Iterable[str] = ("true", "false") if dtype.kind is Kind.BOOLEAN else dtype.members
    for value in known:
        insert = value if value.isidentifier() else f'"{value}"'
        yield Item(value, ItemKind.VALUE, type_text(dtype), "", insert)
    yield Item("null", ItemKind.VALUE, "", "No value.", "null")


def words(found: Iterable[str], kind: ItemKind, detail: str = "") -> Iterator[Item]:
    """Plain words."""
    for word in found:
        yield Item(word, kind, detail, CLAUSE_DOCS.get(word, ""), word)


def _follows(function: Function, dtype: DataType | None, clause: str) -> bool:
    if dtype is None:
        return function.alone
    if clause in ("compute", "summarize") and function.role is Role.SCALAR:
        return False
    return dtype.kind in function.operands


def _tail(table: Table) -> str:
    return table.name.rpartition(".")[2]
