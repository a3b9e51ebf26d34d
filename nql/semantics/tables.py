"""Tables of a query: the one it starts with, and those joined by `with` and `include`.

In: a table as written. Out: `Rows` with their window. Invariant: a table that does not exist, is not configured, or
is not linked to the query's objects never gets rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from nql.catalog.model import Table, TableKind
from nql.datatypes import DATETIME
from nql.diagnostics import Span
from nql.plan.relations import Active, Relation
from nql.plan.windows import Retention, Window
from nql.semantics.names import Names
from nql.semantics.problems import Problems, Reported, did_you_mean, replacements
from nql.semantics.scope import Rows, State
from nql.semantics.times import DEFAULT_RETENTION, reads_daily, refuse, window_of
from nql.syntax import ast


def root_of(names: Names, problems: Problems, ref: ast.TableRef) -> Rows:
    """The rows a query starts with. Raises Reported."""
    table = table_named(names, problems, ref.name)
    try:
        window = window_of(problems, ref, table)
        if window is not None and table.kind is TableKind.OBJECT and table.activity is None:
            raise refuse(problems, ref, table)
    except Reported:
        window = Retention(DEFAULT_RETENTION) if table.kind is not TableKind.OBJECT else None
    rows = _rows(table, window, ref)
    if window is not None and not rows.events:
        rows.identity()
        for name in ("first_seen", "last_seen"):
            rows.extra(f"@{name}", DATETIME, name)
    return rows


def events_of(state: State, node: ast.Join, word: str) -> Rows:
    """The rows of a joined table. Raises Reported if it cannot be joined to the query's objects."""
    root, problems = state.root.table, state.problems
    if root.kind is not TableKind.OBJECT:
        message = f"{word} needs a query over objects, such as devices or users; {root.name} are events."
        hint = f"Fields of the linked objects can be used directly: {' '.join(f'{link}.name' for link in root.links)}."
        raise problems.error("NQL211", message, node.span, hint)
    table = table_named(state.names, problems, node.table.name)
    link = state.names.link(table, root)
    if link is None:
        links = ", ".join(sorted({linked.rpartition(".")[2] for linked in table.links.values()}))
        message = f"{table.name} is not linked to {root.shortcut or root.name}."
        raise problems.error("NQL212", message, node.table.name.span, f"It is linked to {links}." if links else "")
    window = window_of(problems, node.table, table)
    if window is not None and table.kind is TableKind.OBJECT:
        raise refuse(problems, node.table, table)
    state.root.identity()
    rows = _rows(table, window, node.table)
    rows.key = rows.hidden(link.key).name
    rows.keep_all = node.keep_all
    return rows


def table_named(names: Names, problems: Problems, path: ast.Path) -> Table:
    """The table of a written name. Raises Reported."""
    catalog = names.catalog
    table = catalog.table(path.text)
    if table is not None and "<" not in table.name:
        return table
    known = [name for name in dict.fromkeys((*catalog.names(), *catalog.tables)) if "<" not in name]
    near: list[str] = []
    if path.text.count(".") == 2:
        namespace, item, _ = path.text.lower().split(".")
        configured = [name for name in known if name.startswith(f"{namespace}.#")]
        near = [name for name in configured if name.lower().startswith(f"{namespace}.#{item.lstrip('#')}.")]
        if not near and any(name.startswith(f"{namespace}.#<") for name in catalog.tables):
            raise _not_configured(problems, path, configured)
    words = near or _elsewhere(catalog.tables, path.text) or problems.close(path.text, known)
    message = f"There is no table {path.text}."
    raise problems.error("NQL201", message, path.span, did_you_mean(words), replacements(path.span, words))


def _not_configured(problems: Problems, path: ast.Path, configured: list[str]) -> Reported:
    namespace, item, _ = path.text.split(".")
    words = problems.close(path.text, configured)
    message = f"There is no {namespace.lower().replace('_', ' ')} #{item.lstrip('#')}."
    hint = did_you_mean(words) or (f"There are {', '.join(configured[:5])}." if configured else "None is configured.")
    return problems.error("NQL213", message, path.span, hint, replacements(path.span, words))


def _elsewhere(tables: Iterable[str], written: str) -> list[str]:
    """Tables of the same name in other namespaces: `execution.crashes` for `device.crashes` or `crashes`."""
    tail = f".{written.lower().rpartition('.')[2]}"
    return [name for name in tables if name.endswith(tail) and "<" not in name and "#" not in name][:3]


def active(names: Names, rows: Rows, window: Window, relation: Relation) -> Relation:
    """The objects of a relation that were active in a window."""
    table = names.catalog.tables[rows.table.activity or ""]
    link = names.link(table, rows.table)
    if link is None:
        raise TypeError(f"{table.name} is not linked to {rows.table.name}")
    kept = Retention(table.retention_days or DEFAULT_RETENTION)
    samples, stored = Rows(table, window, span=rows.span), Rows(table, kept, span=rows.span)
    samples.hidden(link.key)
    stored.hidden(link.key)
    return Active(relation, samples.scan(), stored.scan(), link.key)


def _rows(table: Table, window: Window | None, ref: ast.TableRef) -> Rows:
    return Rows(table, window, daily=reads_daily(table, window), span=Span(ref.span.start, ref.span.end))
