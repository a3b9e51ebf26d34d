"""What can be offered: tables, clauses, fields, functions, operators and values, each with its type and its doc.

In: a scope, a type, the beginning of a name. Out: `Item`s. Everything comes from the catalog, the function table and
the table of extensions; what fits where is decided in `nql.editing.complete`. Invariant: an item that is offered can be
inserted as it is; one that ends with a dot, a bracket or `= ` has something to go on with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from nql.catalog.model import Field, Table, TableKind
from nql.datatypes import DataType, Kind
from nql.extensions import EXTENSIONS
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


OURS = "Muster extension."
CLAUSE_DOCS = {
    "where": "Keep the rows for which a condition holds.",
    "list": "Choose the columns.",
    "sort": "Order the rows.",
    "limit": "Keep the first rows.",
    "with": "Keep the objects that have such events.",
    "include": "Add the events of each object, for compute.",
    "compute": "Sum up the events of each object under a name.",
    "summarize": "Sum up all rows, or each group of them.",
    "latest": f"{EXTENSIONS['latest'].doc} {OURS}",
}
KEYWORD_DOCS = {
    "during past": "The last minutes, hours or days, up to now.",
    "past": "The last minutes, hours or days, up to now.",
    "from": "From one moment to another.",
    "to": "The end of the selection: a day is included, a time of day is not.",
    "on": "One whole day.",
    "ago": "So long before now.",
    "by": "What makes a group: fields and one period. After a time selection, the resolution.",
    "asc": "Smallest first.",
    "desc": "Largest first.",
    "and": "Both conditions hold.",
    "or": "At least one of the conditions holds.",
    **{
        word: f"{EXTENSIONS[name].doc} {OURS}"
        for word, name in (
            ("not", "not"), ("let", "let"), ("shift", "shift"), ("offset", "offset"), ("fill", "fill"),
            ("distinct", "distinct"),
        )
    },
}  # fmt: skip
_EQUAL = ("==", "!=", "in", "!in")
_ORDER = ("<", ">", "<=", ">=")
_TEXTS = ("starts with", "ends with", "like", "matches")
_OPERATORS = {
    Kind.STRING: (*_EQUAL, "contains", "!contains", *_TEXTS),
    Kind.ENUM: _EQUAL,
    Kind.BOOLEAN: ("==", "!="),
    Kind.STRINGS: ("contains", "!contains"),
    Kind.OBJECTS: ("!=", "==", "contains", "!contains"),
    Kind.MAP: ("!=", "=="),
}
OPERATOR_DOCS = {
    "==": "Is equal to; text in any case, with * and ? for any characters.", "=": "Is equal to.",
    "!=": "Is not equal to; holds where a stored field has no value.", "in": "Is one of a list.",
    "!in": "Is none of a list.", "<": "Is less than.", ">": "Is greater than.", "<=": "Is at most.",
    ">=": "Is at least.", "contains": "Has the text in it, or an element like it.",
    "!contains": "Has no such text or element.", "+": "Sum.", "-": "Difference.", "*": "Product.",
    "/": "Quotient; without value where the divisor is 0.", "^": "Power.",
    **{
        sign: f"{EXTENSIONS[name].doc} {OURS}"
        for sign, name in (
            ("between", "between"), ("like", "like"), ("matches", "matches"), ("starts with", "starts_with"),
            ("ends with", "starts_with"), ("is null", "is_null"), ("is not null", "is_null"),
        )
    },
}  # fmt: skip
ARITHMETIC = ("+", "-", "*", "/")


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


def objects(names: Names, table: Table) -> Iterator[Item]:
    """The objects that rows are linked to, each with the dot that leads to its fields."""
    for link, target in table.links.items():
        linked = names.catalog.tables.get(target)
        if linked is not None:
            yield Item(f"{link}.", ItemKind.OBJECT, "object", linked.doc, f"{link}.")


def fields(names: Names, table: Table, word: str) -> Iterator[tuple[FieldRef, Item]]:
    """The fields of a table; those of a linked object once its name is typed."""
    typed = word.lower()
    for path, ref in names.spellings(table):
        if ref.link is not None and not typed.startswith(f"{path.partition('.')[0]}."):
            continue
        if ref.component == "count" and not typed:
            continue
        yield ref, Item(path, ItemKind.FIELD, field_type(ref), ref.field.doc, path)


def field_type(ref: FieldRef) -> str:
    """The type of a field, for people."""
    return "int" if ref.component == "count" else type_text(ref.field.dtype)


def aliases(state: State) -> Iterator[tuple[DataType, Item]]:
    """The names the query gave so far, and the groups of a summary."""
    if state.joined is not None:
        return
    seen: set[str] = set()
    for alias in state.aliases.values():
        if not alias.broken:
            dtype = alias.column.dtype
            seen.add(alias.name.lower())
            yield dtype, Item(alias.name, ItemKind.ALIAS, type_text(dtype), "Defined by this query.", alias.name)
    for shown in state.summary.shown if state.summary is not None else ():
        if shown.header.lower() not in seen:
            dtype = shown.column.dtype
            yield dtype, Item(shown.header, ItemKind.ALIAS, type_text(dtype), "A column of the summary.", shown.header)


def functions(dtype: DataType | None, clause: str, before: str = "") -> Iterator[Item]:
    """The functions that may follow a value of a type in a clause; those that stand alone without a type."""
    for function in FUNCTIONS.values():
        if clause not in function.clauses or not _follows(function, dtype, clause):
            continue
        open_end = function.condition or function.name in ("default", "if")
        call = f"{before}{function.name}({'' if open_end else ')'}"
        if function.role is Role.FORMAT:
            call = f"{before}{function.name}(format = "
        doc = f"{function.doc} {OURS}" if function.extension else function.doc
        yield Item(f"{function.name}()", ItemKind.FUNCTION, function.signature, doc, call)


def metric(ref: FieldRef, before: str, after: str = "") -> Iterator[Item]:
    """The components of a sampled metric, after its dot."""
    if not ref.sampled_gauge or ref.component is not None:
        return
    for part in COMPONENTS:
        doc = f"The {part} of one sample."
        yield Item(f"{before}{part}", ItemKind.FIELD, type_text(ref.field.dtype), doc, f"{before}{part}{after}")


def operators(dtype: DataType) -> Iterator[Item]:
    """The comparisons of a type."""
    signs = _OPERATORS.get(dtype.kind, (*_EQUAL[:2], *_ORDER, *_EQUAL[2:], "between"))
    for sign in (*signs, "is null", "is not null"):
        yield Item(sign, ItemKind.OPERATOR, "", OPERATOR_DOCS[sign], sign)


def signs(found: Iterable[str]) -> Iterator[Item]:
    """Operators by their sign."""
    for sign in found:
        yield Item(sign, ItemKind.OPERATOR, "", OPERATOR_DOCS[sign], sign)


def members(dtype: DataType) -> Iterator[Item]:
    """The values a type is known to have."""
    known: Iterable[str] = ("true", "false") if dtype.kind is Kind.BOOLEAN else dtype.members
    for value in known:
        insert = value if value.isidentifier() else f'"{value}"'
        yield Item(value, ItemKind.VALUE, type_text(dtype), "", insert)


def null() -> Item:
    """No value."""
    return Item("null", ItemKind.VALUE, "", "No value.", "null")


def values(found: Iterable[str], detail: str, doc: str = "") -> Iterator[Item]:
    """Plain values, each as it is written."""
    for value in found:
        yield Item(value, ItemKind.VALUE, detail, doc, value)


def words(found: Iterable[str], kind: ItemKind, detail: str = "") -> Iterator[Item]:
    """Plain words."""
    for word in found:
        yield Item(word, kind, detail, CLAUSE_DOCS.get(word, KEYWORD_DOCS.get(word, "")), word)


def has_time(table: Table) -> bool:
    """Whether a table takes a time selection at the start of a query."""
    return table.kind is not TableKind.OBJECT or table.activity is not None


def stored_column(ref: FieldRef) -> tuple[str, str]:
    """The table and the stored column that hold a field's values."""
    item: Field = ref.field
    return ref.table.base or ref.table.name, item.same_as or item.name


def _follows(function: Function, dtype: DataType | None, clause: str) -> bool:
    if dtype is None:
        return function.alone or (function.name == "if" and clause != "sort")
    if function.name == "if":
        return False
    if clause in ("compute", "summarize") and function.role is Role.SCALAR:
        return False
    return dtype.kind in function.operands


def _tail(table: Table) -> str:
    return table.name.rpartition(".")[2]
