"""Events under their restrictions: which table of NQL holds them, which of its rows are meant, and when.

In: the parts of `from` and `with` that speak of events. Out: the variant with the tables reached from it, conditions,
time selections and clauses of NQL. Invariant: what is broken is recorded and left out, so that the parts beside it are
still looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.conditions import Place, Test, both, never, restriction
from nql.nxql.dates import point, selection
from nql.nxql.fields import Lookup, Reach
from nql.nxql.fragments import condition
from nql.nxql.mapping import EventMap, FieldMap, ObjectMap, Variant
from nql.nxql.problems import Reported
from nql.nxql.tables import event_reaches, linked
from nql.nxql.variants import asked, chosen
from nql.syntax import ast

OUTSIDE = "{} is not in from. What restricts events stands inside with."
UNLINKED = "{} is not linked to these events."
_PLATFORMS = {"windows": "windows", "mac_os": "macos", "linux": "linux", "mobile": ""}
_NOWHERE = Span(0, 0)


def variant_of(
    lookup: Lookup,
    event: EventMap,
    names: list[str],
    shown: tuple[nxql.Decoration, ...],
    node: nxql.With | nxql.Source,
) -> tuple[Variant, dict[str, Reach]]:
    """The NQL table of events, and the tables reached from it. Raises Reported if the objects are not among them."""
    computed = node.computed if isinstance(node, nxql.With) else ()
    span = node.table.span if isinstance(node, nxql.With) else node.tables[0].span
    variant = chosen(lookup, event, asked(lookup, event.name, names, shown, node.wheres, computed, span))
    for name in names:
        linked(lookup, variant, name, span)
    return variant, event_reaches(lookup, variant, span)


def restricted(
    place: Place,
    wheres: Iterable[nxql.Where],
    objects: Iterable[ObjectMap] = (),
    links: Mapping[str, str] | None = None,
) -> Test:
    """What `where` and the platforms say; nothing where that is broken, which is recorded."""
    try:
        test = restriction(place, wheres)
    except Reported:
        test = True
    return both([test, *_platform(place.lookup, objects, links or {})])


def clauses_of(test: Test, span: Span) -> list[ast.Clause]:
    """The clause that restricts rows to a condition; none if it always holds."""
    if isinstance(test, bool):
        return [] if test else [ast.Where(never(span), span)]
    return [ast.Where(test, test.span)]


def happened(variant: Variant, computed: Iterable[FieldMap], span: Span) -> tuple[list[ast.Clause], ast.Expr | None]:
    """What makes rows of the NQL table events: a clause over the rows; or, where an aggregate looks at all rows, how
    many of them are events, which is to be more than none."""
    if not variant.where:
        return [], None
    events = condition(variant.where, span)
    if any(item.all_rows for item in computed):
        return [], ast.Call(None, "countif", (events,), span, span, 3)
    return [ast.Where(events, span)], None


def some(path: ast.Path) -> ast.Where:
    """The clause that a number is more than none."""
    span = path.span
    return ast.Where(ast.Comparison(">", path, ast.Number(0, "", span), span, span), span)


def period_of(lookup: Lookup, variant: Variant, node: nxql.Between | None) -> ast.Selection | None:
    """The time selection of events; none where it is broken, which is recorded."""
    if node is None:
        return None
    if not variant.timed:
        lookup.problems.error("NXQL212", f"{variant.event} has no time.", node.span, "Leave between out.")
        return None
    try:
        start = point(lookup.text(node.start), node.start.span, lookup.problems)
        end = point(lookup.text(node.end), node.end.span, lookup.problems)
        return selection(node, start, end, lookup.problems)
    except Reported:
        return None


def no_period(lookup: Lookup, source: nxql.Source) -> None:
    """Checks that objects are not asked for a time."""
    if source.between is not None:
        hint = "Put between inside with: (with execution (between now-7d now))."
        lookup.problems.error("NXQL212", "Objects have no time of their own.", source.between.span, hint)


def named_once(names: tuple[nxql.Name, ...]) -> Iterable[nxql.Name]:
    """The names without those that stand there already."""
    found: dict[tuple[str, int | None], nxql.Name] = {}
    for name in names:
        found.setdefault((name.text.lower(), name.parameter), name)
    return found.values()


def _platform(lookup: Lookup, objects: Iterable[ObjectMap], links: Mapping[str, str]) -> Iterator[Test]:
    """The restriction to platforms, by the first object that tells its platform."""
    if not lookup.platforms:
        return
    wanted = [ast.Text(_PLATFORMS[name], _NOWHERE) for name in lookup.platforms if _PLATFORMS.get(name)]
    for item in objects:
        if item.platform:
            prefix = links.get(item.name, "")
            path = ast.Path(f"{prefix}.{item.platform}" if prefix else item.platform, _NOWHERE)
            listed = ast.Items(tuple(wanted), True, _NOWHERE)
            yield ast.Comparison("in", path, listed, _NOWHERE, _NOWHERE, 2) if wanted else False
            return
