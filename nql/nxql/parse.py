"""Reads an NXQL text: one `Query`, or an `NxqlError` with what is wrong and where.

In: a text. Out: the tree of `nql.nxql.ast`. Brackets are grouped first (`nql.nxql.tokens`), then each group is read by
the word it starts with; a broken one is reported and the ones beside it are still read. Invariant: any text gives a
query or an `NxqlError`. The outermost brackets may be missing, and `order_by` and `limit` may stand inside `from`:
that is where they are when a bracket before them was forgotten.
"""

from __future__ import annotations

from nql.diagnostics import Fix, Span
from nql.nxql import ast
from nql.nxql.clauses import between, computed, limit, literal, name, order_by, where
from nql.nxql.problems import Findings, Reported
from nql.nxql.tokens import Atom, Group, grouped

_TAILS = ("order_by", "limit")
_INSIDE_FROM = ("where", "with", "between", *_TAILS)
_INSIDE_WITH = ("where", "compute", "between")


def parse(text: str) -> ast.Query:
    """The query a text says. Raises NxqlError."""
    problems = Findings()
    try:
        query = _query(grouped(text, problems), problems)
    except Reported:
        raise problems.stop() from None
    if problems.errors:
        raise problems.stop()
    return query


def _query(whole: Group, problems: Findings) -> ast.Query:
    group = whole
    first = whole.items[0] if whole.items else None
    if isinstance(first, Group):
        group = first
        if len(whole.items) > 1:
            problems.error("NXQL101", "The query ended before this.", _span(whole.items[1:]), "Is a bracket misplaced?")
    match group.head:
        case "select":
            return _select(group, problems)
        case "update":
            return _update(group, problems)
    head = group.items[0].span if group.items else Span(group.start, min(group.start + 1, whole.end))
    word = group.head
    fixes = [Fix("Write select", head, "select")] if word.startswith("sel") else []
    hint = "Write (select (name) (from device))."
    raise problems.error("NXQL105", "A query starts with select or update.", head, hint, fixes)


def _select(group: Group, problems: Findings) -> ast.Select:
    source: ast.Source | None = None
    fields: list[Atom | Group] = []
    tails: list[Group] = []
    wrong = False
    for item in group.items[1:]:
        head = item.head if isinstance(item, Group) else ""
        if isinstance(item, Group) and head == "from" and source is None:
            try:
                source = _source(item, problems, tails)
            except Reported:
                wrong = True
        elif isinstance(item, Group) and head in _TAILS and (source is not None or wrong):
            tails.append(item)
        elif source is None and not wrong:
            fields.append(item)
        else:
            message = "After from come order_by and limit."
            problems.choice("NXQL101", message, item.span, _TAILS, word=head)
    shown = _projection(group, fields, problems)
    if source is None and not wrong:
        hint = "Write (from device) after the fields."
        raise problems.error("NXQL107", "The query has no from.", group.items[0].span, hint)
    if source is None:
        raise Reported
    orders = [order_by(tail, problems) for tail in tails if tail.head == "order_by"]
    limits = [limit(tail, problems) for tail in tails if tail.head == "limit"]
    return ast.Select(
        shown, source, tuple(one for one in orders if one), tuple(one for one in limits if one), group.span
    )


def _projection(group: Group, items: list[Atom | Group], problems: Findings) -> tuple[ast.Decoration, ...]:
    """The columns: plain fields in one decoration without a table, or one a table."""
    listed = items[0].items if len(items) == 1 and isinstance(items[0], Group) and not _decorates(items[0]) else items
    plain: list[ast.Name] = []
    shown: list[ast.Decoration] = []
    decorated = any(isinstance(item, Group) and _decorates(item) for item in listed)
    for item in listed:
        if isinstance(item, Group) and decorated and len(item.items) > 1:
            shown.append(_decoration(item, problems))
        elif isinstance(item, Group):
            plain += [name(one, problems) for one in item.items if isinstance(one, Atom)]
        else:
            plain.append(name(item, problems))
    if plain and shown:
        message = "Plain fields and fields under their table do not mix."
        hint = "Write every field under its table: ((device (name)) (user (name)))."
        problems.error("NXQL116", message, shown[0].span, hint)
    elif plain:
        shown = [ast.Decoration(None, tuple(plain), plain[0].span.join(plain[-1].span))]
    elif not shown:
        problems.error("NXQL106", "select names no field.", group.items[0].span, "Write (select (name) (from device)).")
    return tuple(shown)


def _decorates(group: Group) -> bool:
    """Whether a group is `(table (fields))`."""
    return bool(group.items) and isinstance(group.items[0], Atom) and any(isinstance(i, Group) for i in group.items)


def _decoration(group: Group, problems: Findings) -> ast.Decoration:
    table, *rest = group.items
    if not isinstance(table, Atom):
        raise problems.error("NXQL116", "The table comes first: (device (name)).", table.span)
    fields: list[ast.Name] = []
    for item in rest:
        for one in item.items if isinstance(item, Group) else [item]:
            if isinstance(one, Atom):
                fields.append(name(one, problems))
            else:
                problems.error("NXQL116", "Fields stand in one pair of brackets.", one.span)
    if not fields:
        problems.error("NXQL106", f"No field of {table.text} is named.", group.span, "Write (device (name)).")
    return ast.Decoration(name(table, problems), tuple(fields), group.span)


def _source(group: Group, problems: Findings, tails: list[Group]) -> ast.Source:
    tables: list[ast.Name] = []
    wheres: list[ast.Where] = []
    withs: list[ast.With] = []
    times: list[ast.Between] = []
    for item in group.items[1:]:
        try:
            if isinstance(item, Atom):
                tables.append(name(item, problems))
            elif not tables and item.head not in _INSIDE_FROM:
                tables += [name(one, problems) for one in item.items if isinstance(one, Atom)]
            else:
                _restriction(item, problems, wheres, withs, times, tails)
        except Reported:
            continue
    if not tables:
        raise problems.error("NXQL107", "from names no table.", group.span, "Write (from device).")
    return ast.Source(tuple(tables), tuple(wheres), tuple(withs), _one(times, problems), group.span)


def _restriction(
    item: Group,
    problems: Findings,
    wheres: list[ast.Where],
    withs: list[ast.With],
    times: list[ast.Between],
    tails: list[Group],
) -> None:
    match item.head:
        case "where":
            wheres.append(where(item, problems))
        case "with":
            withs.append(_with(item, problems))
        case "between":
            times.append(between(item, problems))
        case "order_by" | "limit":
            tails.append(item)
        case "compute":
            raise problems.error("NXQL110", "compute stands inside with.", item.span, "(with execution (compute ...)).")
        case head:
            raise _unknown(item, head, _INSIDE_FROM, problems)


def _with(group: Group, problems: Findings) -> ast.With:
    first = group.items[1] if len(group.items) > 1 else None
    if not isinstance(first, Atom):
        raise problems.error("NXQL107", "with names its events first.", group.span, "Write (with execution ...).")
    wheres: list[ast.Where] = []
    names: list[ast.Name] = []
    times: list[ast.Between] = []
    for item in group.items[2:]:
        head = item.head if isinstance(item, Group) else ""
        try:
            if isinstance(item, Atom):
                problems.error("NXQL101", "This cannot stand here.", item.span, "Is a bracket missing before it?")
            elif head == "where":
                wheres.append(where(item, problems))
            elif head == "compute":
                names += computed(item, problems)
            elif head == "between":
                times.append(between(item, problems))
            else:
                raise _unknown(item, head, _INSIDE_WITH, problems)
        except Reported:
            continue
    return ast.With(name(first, problems), tuple(wheres), tuple(names), _one(times, problems), group.span)


def _unknown(item: Group, head: str, known: tuple[str, ...], problems: Findings) -> Reported:
    span = item.items[0].span if head else item.span
    message = f"{head} is nothing that NXQL knows here." if head else "A word is needed here that says what this is."
    return problems.choice("NXQL110", message, span, known, word=head)


def _update(group: Group, problems: Findings) -> ast.Update:
    parts = {item.head: item for item in group.items[1:] if isinstance(item, Group)}
    hint = 'Write (update (set #"Category" (enum "keyword")) (from device (where device (eq name (string "X"))))).'
    if set(parts) != {"set", "from"} or len(group.items) != 3:
        raise problems.error("NXQL113", "update takes one set and one from.", group.items[0].span, hint)
    tails: list[Group] = []
    source = _source(parts["from"], problems, tails)
    chosen = source.wheres and all(where.conditions for where in source.wheres)
    if not chosen or tails or source.withs or source.between:
        raise problems.error("NXQL113", "update chooses its objects by where alone.", source.span, hint)
    given = parts["set"].items[1:]
    if len(given) != 2 or not isinstance(given[0], Atom):
        raise problems.error("NXQL113", "set takes a dynamic field and a value.", parts["set"].span, hint)
    return ast.Update(name(given[0], problems), literal(given[1], problems), source, group.span)


def _one(times: list[ast.Between], problems: Findings) -> ast.Between | None:
    if len(times) > 1:
        problems.error("NXQL112", "There can be only one between.", times[1].span)
    return times[0] if times else None


def _span(items: list[Atom | Group]) -> Span:
    return items[0].span.join(items[-1].span)
