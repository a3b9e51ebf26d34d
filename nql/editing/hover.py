"""What the word under the cursor is: its meaning here, its type, its documentation.

In: a text, however broken, an offset and a catalog. Out: a `Hover`, or None where there is nothing to say. Invariant:
never raises; the span lies inside the text and around the offset. What is said of tables, fields, times and values is
in `nql.editing.docs`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nql.catalog.model import Catalog
from nql.diagnostics import QueryError, Span
from nql.editing import docs
from nql.editing.around import around, type_of
from nql.editing.offers import CLAUSE_DOCS, KEYWORD_DOCS, OPERATOR_DOCS, type_text
from nql.editing.place import Place, place_of, segments
from nql.functions import FUNCTIONS
from nql.semantics.names import Names, ObjectRef, names_of
from nql.semantics.scope import State
from nql.syntax import ast
from nql.syntax.literals import CONSTANTS, path_text
from nql.syntax.operators import comparison
from nql.syntax.parse import parse, terminals

_STUB = "devices |"
_TIME = frozenset({"DURING", "PAST", "FROM", "TO", "ON", "AGO", "SHIFT"})
_STEP = re.compile(r"#?[\w-]+")
_BRACKET = re.compile(r"\s*\(")


@dataclass(frozen=True, slots=True)
class Hover:
    """What to show beside `span`: a heading, a line about its type or form, and sentences."""

    span: Span
    title: str
    detail: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    """The terminal under the cursor, those of its clause, and where the clause lies."""

    kind: str
    text: str
    span: Span
    segment: Span
    tokens: tuple[tuple[str, Span], ...]


def hover(text: str, offset: int, catalog: Catalog) -> Hover | None:
    """What stands at an offset; None for space, comments, brackets and commas. Never raises."""
    token = _token_at(text, offset)
    if token is None:
        return None
    names = names_of(catalog)
    place = place_of(text, token.span.start, names)
    if place is None:
        return None
    timed = place.clause in ("table", "with", "include") and token.kind in (*_TIME, "NUMBER", "DATE")
    if timed and (found := _selection(text, token, catalog)) is not None:
        return found
    if token.kind == "PATH":
        return _name(text, offset, token, place, names)
    return _word(token)


def _token_at(text: str, offset: int) -> _Token | None:
    """The terminal that covers an offset, or ends at it."""
    segment = next((one for one in segments(text) if one.start <= offset <= one.end), None)
    if segment is None or not 0 <= offset <= len(text):
        return None
    after_pipe = segment.start > 0 and text[segment.start - 1] == "|"
    head = f"{_STUB}{text[segment.start : segment.end]}" if after_pipe else text[segment.start : segment.end]
    shift = segment.start - (len(_STUB) if after_pipe else 0)
    found = tuple(
        (kind, Span(at.start + shift, at.end + shift))
        for kind, at in terminals(head)
        if at.start + shift >= segment.start
    )
    covering = [(kind, at) for kind, at in found if at.start <= offset <= at.end]
    if not covering:
        return None
    kind, at = covering[-1] if covering[-1][1].start == offset or len(covering) == 1 else covering[0]
    return _Token(kind, text[at.start : at.end], at, segment, found)


# --- words and values -------------------------------------------------------------------------


def _word(token: _Token) -> Hover | None:
    folded = " ".join(token.text.lower().split())
    if token.kind == "OPERATOR":
        sign = comparison("".join(folded.split()))
        doc = OPERATOR_DOCS.get(folded) or OPERATOR_DOCS.get(sign) or KEYWORD_DOCS.get(sign)
        negated = OPERATOR_DOCS.get(sign.removeprefix("!"), "")
        return Hover(token.span, folded, "operator", doc or (f"The opposite of: {negated}" if negated else ""))
    if (doc := CLAUSE_DOCS.get(folded)) is not None:
        return Hover(token.span, folded, "clause", doc)
    if (doc := KEYWORD_DOCS.get(folded)) is not None:
        return Hover(token.span, folded, "keyword", doc)
    if token.kind == "CHAIN":
        function = FUNCTIONS.get(path_text(token.text).lstrip(". ").lower())
        return (
            None
            if function is None
            else Hover(token.span, f"{function.name}()", function.signature, docs.function(function))
        )
    said = docs.value(token.kind, token.text)
    return Hover(token.span, token.text, *said) if said is not None else None


def _selection(text: str, token: _Token, catalog: Catalog) -> Hover | None:
    """The time selection of the table that the token's clause names."""
    start = next((at.start for kind, at in token.tokens if kind == "PATH"), token.segment.start)
    times = [at for kind, at in token.tokens if kind in (*_TIME, "NUMBER", "DATE")]
    try:
        ref = parse(text[start : token.segment.end]).table
    except QueryError:
        return None
    table = catalog.table(ref.name.text)
    if table is None or ref.selection is None:
        return None
    span = Span(times[0].start, times[-1].end)
    said = docs.selection(ref, table)
    return Hover(span, " ".join(text[span.start : span.end].split()), *said) if said is not None else None


# --- names ------------------------------------------------------------------------------------


def _name(text: str, offset: int, token: _Token, place: Place, names: Names) -> Hover | None:
    if place.clause == "table" or place.last in ("WITH", "INCLUDE"):
        table = names.catalog.table(path_text(token.text))
        return None if table is None else Hover(token.span, table.name, *docs.table(table))
    state = place.state
    if state is None:
        return None
    if _follows(token, "ASSIGN"):
        return _defined(text, token, names)
    target, span = token.text, token.span
    if _BRACKET.match(text, token.span.end):
        head, dot, last = token.text.rpartition(".")
        begin = token.span.end - len(last.lstrip())
        if offset >= begin or not dot:
            function = FUNCTIONS.get(path_text(last).lower())
            at = Span(begin, token.span.end)
            return (
                None
                if function is None
                else Hover(at, f"{function.name}()", function.signature, docs.function(function))
            )
        target, span = head, Span(token.span.start, token.span.start + len(head))
    return _meaning(state, place, path_text(target), _upto(text, span, offset), span)


def _follows(token: _Token, kind: str) -> bool:
    after = [name for name, at in token.tokens if at.start >= token.span.end]
    return bool(after) and after[0] == kind


def _upto(text: str, span: Span, offset: int) -> tuple[str, Span]:
    """The path from its start to the step under the cursor."""
    end = next((step.end() for step in _STEP.finditer(text, span.start, span.end) if step.end() > offset), span.end)
    return path_text(text[span.start : end]), Span(span.start, end)


def _meaning(state: State, place: Place, path: str, upto: tuple[str, Span], span: Span) -> Hover | None:
    here = around(place)
    function = FUNCTIONS.get(here.frame.function)
    if function is not None and function.named:
        return Hover(span, path, function.signature, docs.function(function))
    if here.frame.sign and here.left is not None and (member := here.left.member(path)) is not None:
        of = f" of {here.field.path}" if here.field is not None else ""
        return Hover(span, member, "value", f"One of the values{of}.")
    if path.lower() in CONSTANTS:
        return Hover(span, path.lower(), "value", "No value." if path.lower() == "null" else "")
    known = _given(state, path)
    if known is not None:
        dtype = type_of(state, path)
        return Hover(
            span, known.name.text, type_text(dtype) if dtype is not None else "name", _definition(state, known)
        )
    step, step_span = upto
    found = state.names.find(state.current.table, step) if step != path else None
    if isinstance(found, ObjectRef):
        return Hover(step_span, step, "object", docs.linked(found.table))
    whole = state.names.find(state.current.table, path)
    if isinstance(whole, ObjectRef):
        return Hover(span, path, "object", docs.linked(whole.table))
    said = docs.field(whole)
    return Hover(span, *said) if said is not None else None


def _given(state: State, path: str) -> ast.Assign | None:
    """The definition of a name that the query gave, among what was read before the cursor."""
    try:
        query = parse(state.text)
    except QueryError:
        return None
    items: list[ast.Assign] = list(query.lets)
    for clause in query.clauses:
        if isinstance(clause, ast.Compute | ast.Summarize):
            items += clause.items
    visible = state.joined is None
    named = [item for item in items if item.name.text.lower() == path.lower() and (visible or item in query.lets)]
    return named[-1] if named else None


def _definition(state: State, item: ast.Assign) -> str:
    return f"Defined by this query: {' '.join(state.written(item.span).split())}"


def _defined(text: str, token: _Token, names: Names) -> Hover | None:
    """A name where it is given."""
    begun = f"{text[: token.segment.end]}\n| "
    after = place_of(begun, len(begun), names)
    dtype = type_of(after.state, path_text(token.text)) if after is not None and after.state is not None else None
    detail = type_text(dtype) if dtype is not None else "name"
    return Hover(token.span, path_text(token.text), detail, "A name that this query gives.")
