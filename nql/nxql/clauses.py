"""The small groups of an NXQL text: conditions, literals, times, orders, names.

In: a group or an atom of `nql.nxql.tokens`. Out: its node. Invariant: a group that is not of the form its first word
announces is reported with the form it should have; nothing is guessed but a missing type before a value.
"""

from __future__ import annotations

from nql.diagnostics import Fix, Span
from nql.nxql import ast
from nql.nxql.problems import Findings, Reported
from nql.nxql.tokens import Atom, Group

OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge")
_OTHERS = {
    "=": "eq", "==": "eq", "is": "eq", "equals": "eq", "equal": "eq", "like": "eq", "!=": "ne", "<>": "ne", "neq": "ne",
    "<": "lt", "<=": "le", "lte": "le", ">": "gt", ">=": "ge", "gte": "ge",
}  # fmt: skip
_CONDITION = 'Write (eq name (string "PC-1")).'


def name(atom: Atom, problems: Findings) -> ast.Name:
    """A table or field. A text that starts with # is a dynamic field too."""
    text = atom.text
    if not text:
        raise problems.error("NXQL101", "A name is expected here.", atom.span)
    if atom.quoted and not atom.dynamic and text.startswith("#") and len(text) > 1:
        return ast.Name(text[1:], True, True, None, atom.span)
    return ast.Name(text, atom.dynamic, atom.quoted, atom.parameter, atom.span)


def where(group: Group, problems: Findings) -> ast.Where:
    """`(where table (op field literal) ...)`. Raises Reported."""
    first = group.items[1] if len(group.items) > 1 else None
    if not isinstance(first, Atom):
        message = "where names its table first."
        raise problems.error("NXQL108", message, group.span, 'Write (where device (eq name (string "PC-1"))).')
    conditions: list[ast.Condition] = []
    for item in group.items[2:]:
        try:
            conditions.append(_condition(item, problems))
        except Reported:
            continue
    return ast.Where(name(first, problems), tuple(conditions), group.span)


def _condition(item: Atom | Group, problems: Findings) -> ast.Condition:
    if isinstance(item, Atom) or not item.items or isinstance(item.items[0], Group):
        raise problems.error("NXQL108", "A condition is operator, field, value.", item.span, _CONDITION)
    first = item.items[0]
    op = first.text.lower()
    if op not in OPERATORS:
        raise _not_an_operator(first, op, problems)
    if len(item.items) != 3:
        raise problems.error("NXQL108", "A condition is operator, field, value.", item.span, _CONDITION)
    field = item.items[1]
    if not isinstance(field, Atom):
        raise problems.error("NXQL108", "A field is expected here.", field.span, _CONDITION)
    return ast.Condition(op, name(field, problems), literal(item.items[2], problems), item.span, first.span)


def _not_an_operator(atom: Atom, op: str, problems: Findings) -> Reported:
    if op in _OTHERS:
        fix = Fix(f"Write {_OTHERS[op]}", atom.span, _OTHERS[op])
        return problems.error("NXQL109", f"{atom.text} is not an operator.", atom.span, fixes=[fix])
    return problems.choice("NXQL109", f"{atom.text} is not an operator.", atom.span, OPERATORS, word=op)


def literal(item: Atom | Group, problems: Findings) -> ast.Literal:
    """`(type value)` or a bare value. Raises Reported."""
    if isinstance(item, Atom):
        return ast.Literal(None, value(item, problems), item.span, item.span)
    hint = 'Write (string "a") or (integer 5).'
    if not item.items or isinstance(item.items[0], Group) or any(isinstance(part, Group) for part in item.items):
        raise problems.error("NXQL108", "A value is its type and what it is.", item.span, hint)
    kind, *rest = [part for part in item.items if isinstance(part, Atom)]
    if len(rest) != 1:
        fixes = []
        if len(rest) > 1:
            words = " ".join(part.text for part in rest)
            fixes = [Fix("Put it in quotes", rest[0].span.join(rest[-1].span), f'"{words}"')]
        raise problems.error("NXQL108", f"{kind.text} takes one value.", item.span, hint, fixes)
    return ast.Literal(kind.text.lower(), value(rest[0], problems), item.span, kind.span)


def value(atom: Atom, problems: Findings) -> ast.Value:
    """A value as written."""
    if atom.dynamic:
        raise problems.error("NXQL108", "A value is expected here, not a field.", atom.span)
    return ast.Value(atom.text, atom.quoted, atom.parameter, atom.span)


def computed(group: Group, problems: Findings) -> list[ast.Name]:
    """`(compute aggregate ...)`; brackets around the names do no harm."""
    atoms: list[Atom] = []
    for item in group.items[1:]:
        atoms += [part for part in item.items if isinstance(part, Atom)] if isinstance(item, Group) else [item]
    if not atoms:
        problems.error("NXQL110", "compute names no aggregate.", group.span, "Write (compute number_of_events).")
    return [name(atom, problems) for atom in atoms]


def between(group: Group, problems: Findings) -> ast.Between:
    """`(between start end)`. Raises Reported."""
    atoms = [item for item in group.items[1:] if isinstance(item, Atom)]
    if len(atoms) != 2 or len(group.items) != 3:
        hint = "Write (between now-7d now)."
        raise problems.error("NXQL112", "between takes a start and an end.", group.span, hint)
    return ast.Between(value(atoms[0], problems), value(atoms[1], problems), group.span)


def order_by(group: Group, problems: Findings) -> ast.OrderBy | None:
    """`(order_by field asc|desc)`; None if it is not that, which is reported."""
    field = group.items[1] if len(group.items) > 1 else None
    way = group.items[2] if len(group.items) > 2 else None
    hint = "Write (order_by name desc)."
    if not isinstance(field, Atom) or len(group.items) > 3:
        problems.error("NXQL111", "order_by takes one field and asc or desc.", group.span, hint)
        return None
    word = way.word if isinstance(way, Atom) else "asc" if way is None else ""
    if word not in ("asc", "desc"):
        span = way.span if way is not None else Span(group.start, group.start)
        problems.choice("NXQL111", "Rows go up or down: asc or desc.", span, ("asc", "desc"), word=word)
        return None
    try:
        return ast.OrderBy(name(field, problems), word == "desc", group.span)
    except Reported:
        return None


def limit(group: Group, problems: Findings) -> ast.Limit | None:
    """`(limit count)`; None if it is not that, which is reported."""
    count = group.items[1] if len(group.items) == 2 else None
    if not isinstance(count, Atom):
        problems.error("NXQL111", "limit takes one number of rows.", group.span, "Write (limit 100).")
        return None
    try:
        return ast.Limit(value(count, problems), group.span)
    except Reported:
        return None
