"""Tables of time selections with the windows they mean at a fixed clock, resolved by the language itself.

In: forms of selections and dates. Out: tables for the page about time. Invariant: no window is written here; each is
what `resolve` gives for a clock and two zones that the page names.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from muster.reference.markdown import code, table
from nql.api import Context, compile_query, resolve
from nql.catalog.load import builtin
from nql.plan.windows import Absolute, Precision

INSTANCE, USER = "America/New_York", "Europe/Zurich"
NOW = datetime(2024, 11, 11, 10, 26, 15, tzinfo=UTC)
FORMS = (
    "past 15min",
    "past 30min",
    "past 2h",
    "past 24h",
    "past 48h",
    "past 1d",
    "past 2d",
    "past 7d",
    "on 2024-11-10",
    "from 1d ago to 1d ago",
    "from 2024-11-08 to 2024-11-10",
    "from 2024-11-08 00:00:00 to 2024-11-10 00:00:00",
    "from 3h ago to 1h ago",
    "from 90min ago to 30min ago",
    "from 2d ago to 1h ago",
    "from 2024-11-10 to 2024-11-11 08:00",
    "past 7d shift 7d",
    "past 2h shift 1d",
)
DATES = (
    "2024-11-08",
    "2024-11-08 23:45:00",
    "2024-11-08 23:45",
    "Nov 8, 2024",
    "November 8, 2024",
    "Nov 8",
    "Nov 8, 2024, 12:30",
    "Nov 8, 2024 12:30:10",
    "Nov 8, 12:30",
    "Nov 8, 2024, 10:00 AM",
    "Nov 8, 2024 10:00:00 PM",
    "2024-11-08T23:45:00Z",
    "2024-11-08T23:45:00+01:00",
)
CHANGES = (
    ("2024-03-31", "the night in which clocks go forward"),
    ("2024-04-01", "a day later"),
    ("2024-10-27", "the night in which clocks go back"),
    ("2024-10-28", "a day later"),
)
MICROSECONDS_OF_HOUR = 3_600_000_000


def selections() -> str:
    """Forms of selections with their windows, on the clock that cuts them."""
    rows = []
    for form in FORMS:
        window = _window(f"execution.crashes {form}", NOW, INSTANCE, USER)
        cut = "instance" if window.precision is Precision.DAY else "user"
        rows.append((code(form), window.precision.value, cut, _span(window)))
    return table(("selection", "precision", "zone", "window"), rows)


def dates() -> str:
    """Every written form of a date with the instant it means as the start of a selection, for this user."""
    rows = []
    for form in DATES:
        window = _window(f"execution.crashes from {form} to 1min ago", NOW, INSTANCE, USER)
        alone = form.split(",")[-1].strip()
        day = ":" not in alone
        rows.append((code(form), "day" if day else "clock", _local(window.start, USER)))
    return table(("written", "precision", "means"), rows)


def clock_changes() -> str:
    """Days around a change of clocks, and how long they are."""
    rows = []
    for day, what in CHANGES:
        window = _window(f"execution.crashes on {day}", NOW, USER, USER)
        hours = (window.end - window.start) // MICROSECONDS_OF_HOUR
        rows.append((code(f"on {day}"), what, _span(window), f"{hours} h"))
    return table(("selection", "", "window", "length"), rows)


def _window(text: str, now: datetime, instance: str, user: str) -> Absolute:
    plan = compile_query(text, builtin()).plan
    window = resolve(plan, Context(round(now.timestamp()) * 1_000_000, instance, user, {})).window
    if window is None:
        raise ValueError(f"no window: {text}")
    return window


def _span(window: Absolute) -> str:
    return f"{_local(window.start, window.zone)} to {_local(window.end, window.zone)}"


def _local(micros: int, zone: str) -> str:
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d %H:%M" + (":%S" if moment.second else ""))
