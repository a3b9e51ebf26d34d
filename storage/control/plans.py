"""How a run goes about its devices: who is in it, in which waves, when, how often again. Values and pure functions.

In: a plan decoded from JSON (msgspec checks shapes and bounds), instants in microseconds UTC. Out: the wave of each
device, instants, or RefusedError with every problem found. Invariant: nothing here depends on anything but its
arguments, so that a restarted portal comes to the same waves and instants. A plan that says nothing is a run of one
wave, at once, on frozen devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import pairwise
from math import ceil, floor
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from storage.control.errors import RefusedError

SECOND = 1_000_000
DAY_SECONDS = 86_400
LONGEST_BACKOFF = DAY_SECONDS
MOST_DEVICES = 200_000  # of a run: an estate, not a list
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_AHEAD = 16  # days: a weekly opening that a change of clocks swallows is found the week after

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeText = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
WaveText = Annotated[str, Meta(pattern=r"^([1-9][0-9]{0,4}|[0-9]{1,3}(\.[0-9]{1,2})?%)$(?!\n)")]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What stops a run before it starts: more than `devices`, or more than `growth` percent above `preview`."""

    devices: Annotated[int, Meta(ge=1, le=MOST_DEVICES)] | None = None
    preview: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    growth: Annotated[float, Meta(ge=0, le=1000)] | None = None


class Retries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often an execution is tried in all, and the seconds before the second attempt; the pause doubles."""

    attempts: Annotated[int, Meta(ge=1, le=10)]
    backoff: Annotated[int, Meta(ge=1, le=DAY_SECONDS)] = 60


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When devices may begin: on these days from one time of day to another, which is on the next day unless it is
    later than the first."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)]
    opens: TimeText = msgspec.field(name="from")
    closes: TimeText = msgspec.field(name="to")
    zone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything about a run beside what is run and for whom. `waves` are cumulative, `soak` and `once_every` are
    seconds, `gate` is NQL that lists what is wrong."""

    mode: Literal["frozen", "follow"] = "frozen"
    waves: Annotated[tuple[WaveText, ...], Meta(max_length=20)] = ()
    soak: Annotated[int, Meta(ge=0, le=7 * DAY_SECONDS)] = 0
    gate: Annotated[str, Meta(min_length=1, max_length=20_000)] | None = None
    limits: Limits | None = None
    retries: Retries | None = None
    once_every: Annotated[int, Meta(ge=60, le=366 * DAY_SECONDS)] | None = None
    window: Window | None = None


def check(plan: Plan) -> None:
    """Raise RefusedError with every problem that shapes and bounds alone do not show."""
    if problems := list(_problems(plan)):
        raise RefusedError("bad_plan", "; ".join(problems))


def most_devices(limits: Limits | None) -> int:
    """The most devices that limits allow; MOST_DEVICES without any."""
    if limits is None:
        return MOST_DEVICES
    grown = MOST_DEVICES if limits.preview is None else floor(limits.preview * (100 + (limits.growth or 0.0)) / 100)
    return min(limits.devices or MOST_DEVICES, grown)


def stops(limits: Limits | None, count: int) -> str | None:
    """Why a run of `count` devices must not start, with the way out; None where it may."""
    if limits is None or count <= most_devices(limits):
        return None
    if limits.preview is None or (limits.devices is not None and count > limits.devices):
        most = limits.devices or MOST_DEVICES
        return f"the target has {counted(count)}, the limit is {most}; narrow the target or raise the limit"
    return (
        f"the target has {counted(count)}, the preview had {limits.preview} and {limits.growth or 0.0:g} % more are "
        "allowed; look at the preview again"
    )


def counted(devices: int) -> str:
    """`1 device`, `2 devices`."""
    return f"{devices} device{'' if devices == 1 else 's'}"


def waves_of(plan: Plan, devices: Iterable[str], seed: str) -> dict[str, int]:
    """The wave of each device, counted from 0. The order is that of a digest with `seed` (the run's id), so that no
    name or uid is always the first to be tried on."""
    order = sorted(set(devices), key=lambda uid: sha256(f"{seed}\n{uid}".encode()).digest())
    waves: dict[str, int] = {}
    for number, text in enumerate(plan.waves or ("100%",)):
        for uid in order[len(waves) : _reach(text, len(order))]:
            waves[uid] = number
    return waves


def last_wave(plan: Plan) -> int:
    """The number of the last wave: that of devices which join a run later."""
    return max(len(plan.waves) - 1, 0)


def window_open(window: Window | None, now: int) -> bool:
    """Whether devices may begin at this instant (microseconds UTC)."""
    return next_open(window, now) == now


def next_open(window: Window | None, now: int) -> int:
    """The next instant at which devices may begin: `now` where they may now."""
    if window is None:
        return now
    today = (EPOCH + timedelta(microseconds=now)).astimezone(ZoneInfo(window.zone)).date()
    spans = (_span(window, today + timedelta(days=ahead)) for ahead in range(-2, LOOK_AHEAD))
    return min(max(opens, now) for opens, closes in filter(None, spans) if closes > max(opens, now))


def check_time(plan: Plan, now: int, expires_at: int) -> None:
    """Raise RefusedError where a run that begins `now` would expire before each of its devices may begin."""
    if (why := too_late(plan, now, expires_at)) is not None:
        message = f"the run would expire before all its devices may begin: {why}; give it more time (expires_in)"
        raise RefusedError("expires_too_soon", message)


def too_late(plan: Plan, now: int, expires_at: int) -> str | None:
    """Why some device could never begin before the run expires; None where each may, as far as the plan tells."""
    begins = next_open(plan.window, now)
    if begins >= expires_at:
        return f"its window opens at {_shown(begins)}, and it expires at {_shown(expires_at)}"
    for _ in range(last_wave(plan)):
        begins = next_open(plan.window, begins + plan.soak * SECOND)
    if begins >= expires_at:
        kept = "its pauses and its window let" if plan.window else "the pauses between its waves let"
        return f"{kept} the last wave begin at {_shown(begins)} at the earliest, and it expires at {_shown(expires_at)}"
    return None


def backoff(retries: Retries, attempt: int) -> int:
    """The pause after a failed attempt (counted from 1), in microseconds; at most a day."""
    return min(retries.backoff << min(attempt - 1, 30), LONGEST_BACKOFF) * SECOND


def _problems(plan: Plan) -> Iterator[str]:
    if plan.waves:
        yield from _wave_problems(plan.waves)
    for name, given in (("soak", plan.soak), ("gate", plan.gate)):
        if given and len(plan.waves) < 2:
            yield f"{name} is for what is between waves: give at least two waves, as 5% and 100%"
    if plan.limits is not None and plan.limits.growth is not None and plan.limits.preview is None:
        yield "limits.growth needs limits.preview, the count that was seen"
    if plan.window is not None:
        if len(set(plan.window.days)) < len(plan.window.days):
            yield "a day of the window is named twice"
        if not _is_zone(plan.window.zone):
            yield f"there is no time zone {plan.window.zone!r}; zones are named as Europe/Zurich"


def _wave_problems(waves: tuple[str, ...]) -> Iterator[str]:
    if waves[-1] != "100%":
        yield "waves count up to all devices: the last one is 100%"
    for of_kind in ([w for w in waves if w.endswith("%")], [w for w in waves if not w.endswith("%")]):
        sizes = [float(text.rstrip("%")) for text in of_kind]
        if any(later <= earlier for earlier, later in pairwise(sizes)):
            yield "waves count up: each is larger than the one before"
        if any(text.endswith("%") and not 0 < size <= 100 for text, size in zip(of_kind, sizes, strict=True)):
            yield "a wave is between 0.01% and 100% of the devices"


def _shown(instant: int) -> str:
    return f"{EPOCH + timedelta(microseconds=instant):%Y-%m-%d %H:%M} UTC"


def _reach(text: str, count: int) -> int:
    if not text.endswith("%"):
        return min(int(text), count)
    whole, _, part = text.rstrip("%").partition(".")
    hundredths = int(whole) * 100 + int(part.ljust(2, "0"))
    return ceil(count * hundredths / 10_000)


def _span(window: Window, day: date) -> tuple[int, int] | None:
    if DAYS[day.weekday()] not in window.days:
        return None
    end = day if window.closes > window.opens else day + timedelta(days=1)
    opens, closes = _instant(day, window.opens, window.zone), _instant(end, window.closes, window.zone)
    return (opens, closes) if opens < closes else None


def _instant(day: date, text: str, zone: str) -> int:
    # A time of day that a change of clocks repeats is its first one; one that is skipped goes by the offset before
    # the change, as calendars do (RFC 5545, 3.3.5).
    local = datetime.combine(day, time.fromisoformat(text), ZoneInfo(zone))
    return (local.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
