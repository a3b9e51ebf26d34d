"""Times as NXQL writes them, and the time selections of NQL that they become.

In: `now`, `now-7d`, `midnight-1d`, `2024-11-08`, `2024-11-08@13:00`. Out: a selection for the tree of NQL, or a moment
to compare with. The rule: counted in days or weeks, or cut at midnight or at a date, a window is whole calendar days of
the instance, as `during past 7d` is; `now-Nd` is then the end of the day N days ago, so that windows side by side
neither overlap nor leave a gap. Counted in hours or less, or with a clock time, it is cut on the user's clock. The end
never belongs to it. Invariant: no clock is read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from nql.diagnostics import Span
from nql.nxql import ast as nxql
from nql.nxql.problems import Findings
from nql.syntax import ast

_RELATIVE = re.compile(r"(now|midnight)(?:\s*-\s*(\d{1,9})\s*([smhdw]))?", re.IGNORECASE)
_FIXED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[@T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAY = _SECONDS["d"]
_HINT = "Write now-7d, midnight-1d, 2024-11-08 or 2024-11-08@13:00."


@dataclass(frozen=True, slots=True)
class Relative:
    """`seconds` before now or before the midnight that began today; `days` if it is counted in days or weeks."""

    midnight: bool
    seconds: int
    days: bool
    span: Span


Point = Relative | ast.Date


def point(text: str, span: Span, problems: Findings) -> Point:
    """A written time. Raises Reported."""
    found = _RELATIVE.fullmatch(text.strip())
    if found is not None:
        unit = (found[3] or "d").lower()
        seconds = int(found[2] or 0) * _SECONDS[unit]
        midnight = found[1].lower() == "midnight"
        if midnight and seconds % _DAY:
            raise problems.error("NXQL304", "From midnight one goes back by whole days.", span, "Write midnight-1d.")
        return Relative(midnight, seconds, midnight or unit in "dw", span)
    fixed = _FIXED.fullmatch(text.strip())
    if fixed is None:
        raise problems.error("NXQL304", f"{_short(text)} is no time.", span, _HINT)
    year, month, day, hour, minute, second = (None if part is None else int(part) for part in fixed.groups())
    try:
        date(year or 0, month or 0, day or 0)
    except ValueError:
        raise problems.error("NXQL304", "There is no such day.", span, _HINT) from None
    if not 1971 <= (year or 0) <= 2199:
        raise problems.error("NXQL304", "Years from 1971 to 2199 are understood.", span)
    if (hour or 0) > 23 or (minute or 0) > 59 or (second or 0) > 59:
        raise problems.error("NXQL304", "There is no such time of day.", span, "Write 2024-11-08@13:00.")
    return ast.Date(year, month or 1, day or 1, hour, minute or 0, second or 0, span=span)


def selection(node: nxql.Between, start: Point, end: Point, problems: Findings) -> ast.Selection:
    """The time selection from one point to another. Raises Reported if nothing lies between them."""
    if _whole(start) and (_whole(end) or _now(end)) and not _now(start):
        return _days(node, start, end, problems)
    return _clock(node, start, end, problems)


def _whole(point: Point) -> bool:
    """Whether a point lies between two days."""
    return point.hour is None if isinstance(point, ast.Date) else point.days and not _now(point)


def _now(point: Point) -> bool:
    return isinstance(point, Relative) and not point.midnight and point.seconds == 0


def _days(node: nxql.Between, start: Point, end: Point, problems: Findings) -> ast.Selection:
    first, last = _first_day(start), _last_day(end)
    if isinstance(first, int) and isinstance(last, int):
        if first < last:
            raise _empty(node, problems)
        if last == 0:
            if first == 0 and not (isinstance(start, Relative) and start.midnight):
                message = "Counted in days this is today alone, from midnight on."
                problems.warn("NXQL308", message, node.span, "Write now-24h now for the last 24 hours.")
            return ast.Past(_number(first + 1, "d", node.span), node.span)
    if isinstance(first, ast.Date) and isinstance(last, ast.Date) and _order(first) > _order(last):
        raise _empty(node, problems)
    return ast.Between(_ago(first, node.start.span), _ago(last, node.end.span), node.span)


def _first_day(start: Point) -> int | ast.Date:
    """The first day of a window, a date or so many days before today."""
    if isinstance(start, ast.Date):
        return start
    return start.seconds // _DAY - (0 if start.midnight else 1)


def _last_day(end: Point) -> int | ast.Date:
    """The last day of a window that ends at a midnight, a date or so many days before today."""
    if isinstance(end, ast.Date):
        before = date(end.year or 1971, end.month, end.day) - timedelta(1)
        return ast.Date(before.year, before.month, before.day, span=end.span)
    return end.seconds // _DAY + (1 if end.midnight else 0)


def _clock(node: nxql.Between, start: Point, end: Point, problems: Findings) -> ast.Selection:
    both = [part for part in (start, end) if isinstance(part, Relative) and not part.midnight]
    hours = all(part.seconds % 3600 == 0 for part in both)
    if len(both) == 2 and isinstance(start, Relative) and isinstance(end, Relative):
        if start.seconds <= end.seconds:
            raise _empty(node, problems)
        if _now(end):
            return ast.Past(_length(start, hours=hours), node.span)
    if isinstance(start, ast.Date) and isinstance(end, ast.Date) and _order(start) >= _order(end):
        raise _empty(node, problems)
    return ast.Between(_on_clock(start, hours=hours), _on_clock(end, hours=hours), node.span)


def _on_clock(point: Point, *, hours: bool) -> ast.Date | ast.Ago:
    if isinstance(point, ast.Date):
        return ast.Date(
            point.year, point.month, point.day, point.hour or 0, point.minute, point.second, span=point.span
        )
    if point.midnight:
        return _ago(point.seconds // _DAY, point.span)
    return ast.Ago(_length(point, hours=hours and point.seconds > 0), point.span)


def _length(point: Relative, *, hours: bool) -> ast.Number:
    """So long before now, in hours or in minutes, which are rounded up."""
    if hours:
        return _number(point.seconds // 3600, "h", point.span)
    return _number(-(-point.seconds // 60), "min", point.span)


def _ago(day: int | ast.Date, span: Span) -> ast.Date | ast.Ago:
    return day if isinstance(day, ast.Date) else ast.Ago(_number(day, "d", span), span)


def _number(count: int, unit: str, span: Span) -> ast.Number:
    return ast.Number(count, unit, span)


def _order(moment: ast.Date) -> tuple[int, ...]:
    return (moment.year or 0, moment.month, moment.day, moment.hour or 0, moment.minute, moment.second)


def _empty(node: nxql.Between, problems: Findings) -> Exception:
    hint = "The end does not belong to it: a day is 2024-11-08 2024-11-09."
    return problems.error("NXQL307", "Nothing lies between these times.", node.span, hint)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
