"""What the word under the cursor is: its meaning here, its type, its documentation.

In: a text, however broken, an offset and a catalog. Out: a `Hover`, or None where there is nothing to say. Invariant:
never raises, and the span lies inside the text and around the offset.
"""

from __future__ import annotations

from dataclasses import dataclass

from nql.catalog.model import Catalog
from nql.diagnostics import Span
from nql.editing.offers import CLAUSE_DOCS, type_text
from nql.editing.place import place_of
from nql.functions import FUNCTIONS
from nql.semantics.names import FieldRef, names_of
from nql.syntax.parse import terminals


@dataclass(frozen=True, slots=True)
class Hover:
    """What to show beside `span`: a heading, a line about its type or form, and sentences."""

    span: Span
    title: str
    detail: str = ""
    doc: str = ""


def hover(text: str, offset: int, catalog: Catalog) -> Hover | None:
    """What stands at an offset; None for space, comments and signs. Never raises."""
    found = next(((kind, at) for kind, at in terminals(text) if at.start <= offset < at.end), None)
    if found is None:
        return None
    kind, at = found
    word = text[at.start : at.end]
    if kind != "PATH":
        doc = CLAUSE_DOCS.get(word.lower(), "")
        return Hover(at, word.lower(), "clause", doc) if doc else None
    table = catalog.table(word)
    place = place_of(text, at.start, names_of(catalog))
    if place is None or place.state is None or place.last in ("WITH", "INCLUDE"):
        return Hover(at, table.name, f"{table.kind.value} table", table.doc) if table is not None else None
    name = word.rpartition(".")[2].lower()
    if name in FUNCTIONS and text[at.end : at.end + 1] == "(":
        return Hover(at, f"{name}()", FUNCTIONS[name].signature, FUNCTIONS[name].doc)
    ref = place.state.names.find(place.state.current.table, word)
    if isinstance(ref, FieldRef):
        return Hover(at, ref.path, type_text(ref.field.dtype), ref.field.doc)
    return None
