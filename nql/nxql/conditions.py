"""Conditions: `where` of one table, and the rule that joins several.

In: the `where` groups of one place and how their tables are reached there. Out: a condition of NQL, or plainly true or
false where the mapping alone decides. The rule: conditions of one `where` all hold; of several `where` over one table
any holds; tables beside each other all hold. Invariant: every broken condition is reported, never only the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nql.datatypes import DataType
from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.dates import Relative, point
from nql.nxql.fields import Found, Lookup, Reach
from nql.nxql.fragments import condition, every
from nql.nxql.literals import exact, plain, typed
from nql.nxql.mapping import Word, classic, folded
from nql.nxql.problems import Reported
from nql.semantics.names import FieldRef, names_of
from nql.syntax import ast

Test = ast.Expr | bool
Valued = Callable[[Found], ast.Expr]

_OPS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_TURNED = {"eq": "==", "ne": "!=", "lt": ">", "le": ">=", "gt": "<", "ge": "<="}
_UNORDERED = ("text", "list", "word", "flag")


@dataclass(frozen=True, slots=True)
class Place:
    """Where conditions stand: the tables reached there, and the value of a field. `missing` says what is wrong with a
    table that is not reached."""

    lookup: Lookup
    reached: Mapping[str, Reach]
    value: Valued
    missing: str


def restriction(place: Place, wheres: Iterable[nxql.Where]) -> Test:
    """The condition that several `where` state. Raises Reported."""
    tables: dict[str, list[Test]] = {}
    broken = False
    for where in wheres:
        try:
            reach = reached(place, where.table)
            tables.setdefault(reach.name, []).append(_all(place, reach, where))
        except Reported:
            broken = True
    if broken:
        raise Reported
    return both(_any(tests) for tests in tables.values())


def reached(place: Place, name: nxql.Name) -> Reach:
    """The table of a name in this place. Raises Reported."""
    name = place.lookup.named(name)
    reach = place.reached.get(name.text.lower())
    if reach is None:
        message = place.missing.format(name.text[:60])
        raise place.lookup.problems.choice("NXQL206", message, name.span, place.reached, word=name.text)
    return reach


def both(tests: Iterable[Test]) -> Test:
    """All of them."""
    listed = [test for test in tests if test is not True]
    if any(test is False for test in listed):
        return False
    parts = [test for test in listed if not isinstance(test, bool)]
    return every(parts, "and", parts[0].span.join(parts[-1].span)) if parts else True


def never(span: Span) -> ast.Expr:
    """A condition that does not hold for any row."""
    return ast.Comparison("==", ast.Constant(True, span), ast.Constant(False, span), span, span)


def _any(tests: list[Test]) -> Test:
    if any(test is True for test in tests):
        return True
    parts = [test for test in tests if not isinstance(test, bool)]
    return every(parts, "or", parts[0].span.join(parts[-1].span)) if parts else False


def _all(place: Place, reach: Reach, where: nxql.Where) -> Test:
    tests: list[Test] = []
    for one in where.conditions:
        try:
            tests.append(_test(place, place.lookup.one(reach, one.field), one))
        except Reported:
            continue
    if len(tests) < len(where.conditions):
        raise Reported
    return both(tests)


def _test(place: Place, found: Found, node: nxql.Condition) -> Test:
    lookup = place.lookup
    kind, text = typed(lookup, found, node.literal)
    own = lookup.family(found)
    if node.op not in ("eq", "ne") and (own in _UNORDERED or kind.family in _UNORDERED):
        message = f"{found.name} is of type {found.field.type}, which has no order."
        raise lookup.problems.error("NXQL303", message, node.op_span, "Use eq or ne.")
    if found.reach.kind and found.name == "type":
        same = folded(text) in found.reach.words
        return same if node.op == "eq" else not same
    value = place.value(found)
    if own == "word" and kind.family in ("word", "flag"):
        return _unknown_too(found, node, value, _word(place, found, node, value, text))
    if kind.family == "time":
        return _unknown_too(found, node, value, _moment(place, node, value, text))
    kind = classic().types["boolean"] if own == "flag" else kind
    literal = plain(lookup.problems, kind, text, node.literal.value.span, found.field.scale)
    if own == "list":
        return ast.Comparison("contains" if node.op == "eq" else "!contains", value, literal, node.span, node.op_span)
    if isinstance(literal, ast.Text) and not literal.value:
        return _empty(node, value, literal)
    if isinstance(literal, ast.Address) and "/" in literal.text and node.op not in ("eq", "ne"):
        message = "A network has no order."
        raise lookup.problems.error("NXQL303", message, node.op_span, "Use eq or ne.")
    return _unknown_too(found, node, value, _compared(node, value, literal))


def _unknown_too(found: Found, node: nxql.Condition, value: ast.Expr, test: Test) -> Test:
    """What is not known is not equal either, as with stored fields: NQL says no of computed ones."""
    if isinstance(test, bool) or node.op != "ne" or not found.field.join:
        return test
    unknown = ast.Comparison("==", value, ast.Constant(None, node.span), node.span, node.op_span)
    return every([test, unknown], "or", node.span)


def _compared(node: nxql.Condition, value: ast.Expr, literal: ast.Expr) -> ast.Expr:
    return ast.Comparison(_OPS[node.op], value, literal, node.span, node.op_span)


def _empty(node: nxql.Condition, value: ast.Expr, literal: ast.Expr) -> ast.Expr:
    """An empty text is what is not known too."""
    none = ast.Constant(None, literal.span)
    parts = [
        _compared(node, value, literal),
        ast.Comparison(_OPS[node.op], value, none, node.span, node.op_span),
    ]
    return every(parts, "or" if node.op == "eq" else "and", node.span)


def _moment(place: Place, node: nxql.Condition, value: ast.Expr, text: str) -> ast.Expr:
    problems, span = place.lookup.problems, node.literal.value.span
    when = point(text, span, problems)
    if isinstance(when, Relative):
        if when.midnight:
            hint = "Write now-1d, or a date; midnight stands in between."
            raise problems.error("NXQL304", "Rows are not compared with midnight.", span, hint)
        assert isinstance(value, ast.Path)
        elapsed = ast.Call(value, "time_elapsed", (), value.span, value.span, 1)
        return ast.Comparison(_TURNED[node.op], elapsed, ast.Number(when.seconds, "s", span), node.span, node.op_span)
    if node.op not in ("eq", "ne"):
        when = ast.Date(when.year, when.month, when.day, when.hour or 0, when.minute, when.second, span=span)
    return _compared(node, value, when)


def _word(place: Place, found: Found, node: nxql.Condition, value: ast.Expr, text: str) -> Test:
    words, span = found.field.words, node.literal.value.span
    if not words:
        stored = _member(place, found, text, span)
        return _compared(node, value, exact(place.lookup.problems, stored, span))
    known = {**{word.stored: word for word in words.values() if word.stored}, **words}
    word: Word | None = known.get(folded(text))
    if word is None:
        message = f"{text[:40]} is not one of the values of {found.name}."
        raise place.lookup.problems.choice("NXQL305", message, span, words, word=folded(text)[:40])
    if word.when is not None:
        holds = condition(word.when, node.span, found.reach.prefix)
        return holds if node.op == "eq" else ast.Not(holds, node.span, 2)
    if word.stored is None:
        message = f"In NQL {found.name} is never {text[:40]}."
        place.lookup.problems.warn("NXQL306", message, span, found.field.doc)
        return node.op == "ne"
    return _compared(node, value, ast.Text(word.stored, span))


def _member(place: Place, found: Found, text: str, span: Span) -> str:
    """The stored spelling of a member of an enum."""
    problems, dtype = place.lookup.problems, _dtype(place, found)
    wanted = folded(text)
    for member in dtype.members if dtype is not None else ():
        if folded(member) == wanted:
            return member
    if dtype is None or not dtype.members:
        return text
    message = f"{text[:40]} is not a known value of {found.name}."
    if dtype.closed:
        raise problems.choice("NXQL305", message, span, dtype.members, word=text[:40])
    problems.warn("NXQL306", message, span, f"There are {', '.join(dtype.members[:12])}.")
    return text


def _dtype(place: Place, found: Found) -> DataType | None:
    """The type of a field that NQL stores."""
    names = names_of(place.lookup.catalog)
    ref = names.find(found.reach.table, found.field.nql) if not found.field.join else None
    return ref.field.dtype if isinstance(ref, FieldRef) else None
