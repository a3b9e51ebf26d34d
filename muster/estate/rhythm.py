"""When the devices of the estate are at work: buckets of time, and which device is on in which.

In: a window of whole buckets and the devices' frame. Out: one row a device and bucket it is on, with a state to draw
from. Invariants: buckets lie on the grid of 15 minutes and never reach past `now`; they are hours in the past and
quarters of an hour in the last hours, so that sums over a day are true at both. Weekends are quiet, sites follow
their own clock, machines that never sleep are always on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from muster.estate import dice

SECOND = 1_000_000
MINUTE = 60 * SECOND
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DENSE = 8  # hours before now that are kept in quarters
VISITS = 0.12  # of the days of a device with a local account are that account's
AWAKE = 3  # hours before now in which the connected devices are on for sure
PRESENT = (0.93, 0.95, 0.94, 0.93, 0.86, 0.07, 0.05)  # Monday to Sunday


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of the history, `number` since 1970, cut to the span that the history has."""

    number: int
    start: int
    end: int


def days(now: int, count: int) -> Iterator[Day]:
    """The days of a history that ends at the last whole quarter of an hour, oldest first. The first one begins
    `count` times 24 hours before."""
    end = now - now % QUARTER
    start = end - count * DAY
    start -= start % HOUR
    for number in range(start // DAY, (end - 1) // DAY + 1):
        yield Day(number, max(start, number * DAY), min(end, (number + 1) * DAY))


def buckets(day: Day, now: int) -> list[tuple[int, int]]:
    """Start and length of each bucket of a day."""
    dense = now - now % HOUR - DENSE * HOUR
    found, start = [], day.start
    while start < day.end:
        length = HOUR if start < dense and start + HOUR <= day.end else QUARTER
        found.append((start, length))
        start += length
    return found


def active(devices: pl.DataFrame, day: Day, now: int, connected: int) -> pl.DataFrame:
    """Device and bucket pairs with somebody or something at work: the devices' columns, `start`, `length`, `local`
    (hours), `state`."""
    slots = pl.DataFrame(buckets(day, now), schema={"start": pl.Int64, "length": pl.Int64}, orient="row")
    local = pl.col("start") + pl.col("offset") * HOUR
    hour = (local % DAY) / HOUR
    grid = (
        devices.lazy()
        .join(slots.lazy(), how="cross")
        .with_columns(hour.alias("local"), (local // DAY).alias("local_day"))
    )
    grid = grid.with_columns(dice.mixed(pl.col("base"), pl.col("local_day")).alias("day_state"))
    begin = dice.between("begin", 7.2, 9.4, "day_state")
    end = begin + dice.between("span", 8.0, 10.6, "day_state")
    at_work = present() & (pl.col("local") >= begin) & (pl.col("local") < end)
    awake = (pl.col("number") < connected) & (pl.col("start") >= now - now % QUARTER - AWAKE * HOUR)
    return (
        grid.filter(pl.col("always") | at_work | awake)
        .with_columns(
            dice.mixed(pl.col("base"), pl.col("start")).alias("state"),
            pl.when(dice.share("place", "day_state") < pl.col("at_home"))
            .then(pl.lit("Remote"))
            .otherwise(pl.lit("Onsite"))
            .alias("location"),
            at_work.alias("attended"),
            pl.when(visited(now)).then(pl.col("visitor")).otherwise(pl.col("user")).alias("user"),
        )
        .sort("start", "number")
        .collect()
    )


def visited(now: int) -> pl.Expr:
    """Whether somebody else is at the device that day, under its local account; not in the last two days, for the
    device's own row tells who was there last."""
    earlier = pl.col("local_day") < now // DAY - 1
    return pl.col("visitor").is_not_null() & earlier & (dice.share("visit", "day_state") < VISITS)


def present() -> pl.Expr:
    """Whether somebody comes to work on the local day, by weekday."""
    weekday = (pl.col("local_day") + 3) % 7
    chance = pl.lit(pl.Series("present", list(PRESENT))).gather(weekday)
    return dice.share("present", "day_state") < chance


def device_days(rows: pl.DataFrame, day: Day) -> pl.DataFrame:
    """One row a device that is on during the day: `first` and `last` instant, the local hour of both, with a state to
    draw from."""
    passing = {"start", "length", "local", "local_day", "day_state", "state", "number", "attended"}
    return (
        rows.group_by("number", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in rows.columns if name not in passing),
            pl.col("start").min().alias("first"),
            (pl.col("start") + pl.col("length")).max().alias("last"),
            pl.col("local").min().alias("first_hour"),
            pl.col("local").max().alias("last_hour"),
            pl.col("attended").any(),
        )
        .with_columns(dice.mixed(pl.col("base"), day.number).alias("state"))
        .sort("number")
    )
