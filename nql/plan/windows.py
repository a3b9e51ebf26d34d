"""Time selections, as written and as resolved.

Symbolic windows keep what the user said ("past 7d"); `nql.semantics.resolve` turns them into `Absolute` with the
clock and the zones. Precision is known from the writing alone: in days, or dates without a clock time, means
day-precise. All instants are microseconds since 1970 in UTC; ranges are half-open.
"""

from __future__ import annotations

from enum import Enum

from nql.value import value


class Precision(Enum):
    """Day-precise windows are cut at midnights of the instance zone and read daily samples; clock-precise ones in the
    user zone.
    """

    DAY = "day"
    CLOCK = "clock"


@value
class Moment:
    """A written date, with a clock time if `hour` is set; `year` is None where it was left out (the latest such day
    not in the future). `zone` is how many minutes ahead of UTC the clock time was written, None in the reader's zone.
    """

    year: int | None
    month: int
    day: int
    hour: int | None = None
    minute: int = 0
    second: int = 0
    zone: int | None = None

    @property
    def precision(self) -> Precision:
        """Day unless a clock time was written."""
        return Precision.DAY if self.hour is None else Precision.CLOCK


@value
class Ago:
    """`<count><unit> ago`; unit is `min`, `h` or `d`."""

    count: int
    unit: str

    @property
    def precision(self) -> Precision:
        """Day when counted in days."""
        return Precision.DAY if self.unit == "d" else Precision.CLOCK


Point = Moment | Ago


@value
class Past:
    """`past <count><unit>`; unit is `min`, `h` or `d`."""

    count: int
    unit: str

    @property
    def precision(self) -> Precision:
        """Day when counted in days."""
        return Precision.DAY if self.unit == "d" else Precision.CLOCK


@value
class Between:
    """`from <start> to <end>`: day-precise if both points are."""

    start: Point
    end: Point

    @property
    def precision(self) -> Precision:
        """Day only when both points are day-precise."""
        both = self.start.precision is Precision.DAY and self.end.precision is Precision.DAY
        return Precision.DAY if both else Precision.CLOCK


@value
class OnDay:
    """`on <date>`."""

    day: Moment

    @property
    def precision(self) -> Precision:
        """Always a day."""
        return Precision.DAY


@value
class Retention:
    """No time selection on an event table: everything that is kept, `days` back from now. Read at full resolution."""

    days: int

    @property
    def precision(self) -> Precision:
        """Stored samples are read as they are."""
        return Precision.CLOCK


@value
class Given:
    """`past $name`: a `Past` whose length is the value of a parameter, such as `7d`."""

    name: str

    @property
    def precision(self) -> Precision:
        """Known with the value alone; until then nothing is claimed of days."""
        return Precision.CLOCK


@value
class Shifted:
    """A selection moved back by `count` units (`min`, `h`, `d`), days by the calendar of the zone that cuts it."""

    window: Past | Given | Between | OnDay
    count: int
    unit: str

    @property
    def precision(self) -> Precision:
        """That of the selection."""
        return self.window.precision


@value
class Weeks:
    """A window over weekly samples: extended to whole weeks, which start on Monday 00:00 UTC."""

    window: Past | Given | Between | OnDay | Retention | Shifted

    @property
    def precision(self) -> Precision:
        """Stored samples are read as they are."""
        return self.window.precision


@value
class Absolute:
    """A resolved window `[start, end)` in microseconds UTC, and the zone whose clock cut it."""

    start: int
    end: int
    precision: Precision
    zone: str


Window = Past | Given | Between | OnDay | Retention | Shifted | Weeks | Absolute


def length_given(window: Window | None) -> Given | None:
    """The parameter that a window's length waits for, None if it is known."""
    while isinstance(window, Shifted | Weeks):
        window = window.window
    return window if isinstance(window, Given) else None


@value
class Period:
    """`by <count><unit>` of summarize; unit is `min`, `h`, `d`, `w` or `month`. Buckets start at the window's start,
    weeks on the Monday and months on the first day before it. `fill` asks for a row for empty buckets too.
    """

    count: int
    unit: str
    fill: bool = False


@value
class Buckets:
    """A resolved period. `edges` has one entry more than there are buckets, ascending; equal steps unless a clock
    change lies inside or they are months. The first `filled` buckets have a row even if they are empty.
    """

    edges: tuple[int, ...]
    filled: int = 0

    @property
    def step(self) -> int | None:
        """The common width in microseconds, None if widths differ."""
        steps = {b - a for a, b in zip(self.edges, self.edges[1:], strict=False)}
        return steps.pop() if len(steps) == 1 else None
