"""The measured estate: devices, binaries, actions, and a week of what they did, always the same.

In: how large it is, and which instant is now. Out: frames of objects, and frames of events an hour at a time, in
order of time. Invariant: every value follows from a row's number and nothing else, so that a day is the same however
it is cut; dense ids are row positions. Skewed as estates are: a few devices and binaries do most, nights and
weekends are quiet, some devices are never heard of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY_HOURS = 24
DAY = DAY_HOURS * HOUR
BUCKET = 900 * SECOND
BINARIES = {"windows": (0, 3_500), "macos": (3_500, 4_600), "linux": (4_600, 5_000)}
STEMS = ("office", "browser", "agent", "helper", "service", "code", "mail", "sync")
COUNTRIES = ("Switzerland", "Germany", "France", "Spain", "India", "Japan", "Brazil", "Canada")
ENTITIES = tuple(f"{place}/{room}" for place in ("Lausanne", "Berlin", "Pune", "Osaka") for room in range(8))
ACTIONS = 60
_STEP = 7_919  # a prime: ranks of activity are spread over the ids
_QUIET = 0.08  # of the devices are never heard of
SAMPLES = "execution.events"
CRASHES = "execution.crashes"
EXECUTIONS = "remote_action.executions"
EVENT_TABLES = (SAMPLES, CRASHES, EXECUTIONS)
TIMES = {SAMPLES: "start_time", CRASHES: "time", EXECUTIONS: "time"}


@dataclass(frozen=True, slots=True)
class Estate:
    """How large an estate is. `hours` before the hour of `now` (microseconds UTC) it has `samples` in all."""

    devices: int
    samples: int
    crashes: int
    executions: int
    hours: int
    now: int

    @property
    def first(self) -> int:
        """The first instant with events."""
        return self.now // HOUR * HOUR - self.hours * HOUR

    def rows(self, table: str) -> int:
        """How many rows an event table has."""
        return {SAMPLES: self.samples, CRASHES: self.crashes, EXECUTIONS: self.executions}[table]


def of_scale(scale: float, now: int) -> Estate:
    """The estate of the goals, or a part of it: 100,000 devices, 30 million samples over seven days."""
    return Estate(
        max(100, int(100_000 * scale)),
        max(3_000, int(30_000_000 * scale)),
        max(600, int(600_000 * scale)),
        max(1_000, int(1_000_000 * scale)),
        168,
        now,
    )


def of_one_day(scale: float, now: int) -> Estate:
    """The second estate: 1,500 samples a device, all of one day."""
    week = of_scale(scale, now)
    return Estate(week.devices, week.devices * 1_500, week.crashes // 7, week.executions // 7, DAY_HOURS, now)


def devices(estate: Estate) -> pl.DataFrame:
    """All devices, with their dense ids."""
    known = pl.select(pl.int_range(estate.devices).alias("id"))
    key = pl.col("id")
    return known.select(
        key.cast(pl.Int32),
        pl.format("pc-{}", key.cast(pl.String).str.zfill(6)).alias("name"),
        pl.format("{}-{}", key.hash(11).cast(pl.String), key).alias("uid"),
        platform(key).alias("platform"),
        _picked(key, 12, ("11", "10", "2025", "24")).alias("os_release"),
        (2 ** (3 + share(key, 13) * 3.9).floor() * 2**30).cast(pl.Int64).alias("memory"),
        _picked(key, 14, ("laptop", "desktop", "virtual")).alias("type"),
        _picked(key, 15, ENTITIES).alias("entity"),
    ).with_columns(pl.format("{} {}", pl.col("platform"), pl.col("os_release")).alias("os"))


def binaries() -> pl.DataFrame:
    """All binaries. Names are shared: a name has one to two versions."""
    known = pl.select(pl.int_range(BINARIES["linux"][1]).alias("id"))
    key, named = pl.col("id"), pl.col("id") * 5 // 8
    return known.select(
        key.cast(pl.Int32),
        pl.format("binary-{}", key).alias("uid"),
        pl.format("{}{}.exe", _picked(named, 21, STEMS), named).alias("name"),
    )


def users(estate: Estate) -> pl.DataFrame:
    """All users."""
    known = pl.select(pl.int_range(_user_count(estate)).alias("id"))
    return known.select(pl.col("id").cast(pl.Int32), pl.format("S-1-5-21-{}", pl.col("id")).alias("uid"))


def actions() -> pl.DataFrame:
    """All remote actions."""
    known = pl.select(pl.int_range(ACTIONS).alias("id"))
    return known.select(
        pl.col("id").cast(pl.Int32),
        pl.format("#action_{}", pl.col("id")).alias("nql_id"),
        pl.format("Action {}", pl.col("id")).alias("name"),
    )


def hours(estate: Estate, table: str) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of an event table, an hour at a time, with the instant the hour begins at."""
    weights = [_weight(estate.first // HOUR + at) for at in range(estate.hours)]
    total, done, passed = sum(weights), 0, 0.0
    make = {SAMPLES: _samples, CRASHES: _crashes, EXECUTIONS: _executions}[table]
    for at, weight in enumerate(weights):
        passed += weight
        end = estate.rows(table) if at + 1 == len(weights) else int(estate.rows(table) * passed / total)
        start = estate.first + at * HOUR
        rows = pl.select(pl.int_range(done, end).alias("row")).lazy()
        place = (pl.col("row") - done) * HOUR // max(1, end - done)
        yield start, make(rows, start + place, estate).collect()
        done = end


def share(key: pl.Expr, seed: int) -> pl.Expr:
    """A number from 0 up to 1 that follows from the key."""
    return (key.hash(seed) % 2**32).cast(pl.Float64) / 2**32


def platform(device: pl.Expr) -> pl.Expr:
    """The platform of a device."""
    at = share(device.cast(pl.Int64), 16)
    return pl.when(at < 0.72).then(pl.lit("windows")).when(at < 0.92).then(pl.lit("macos")).otherwise(pl.lit("linux"))


def _samples(rows: pl.LazyFrame, time: pl.Expr, estate: Estate) -> pl.LazyFrame:
    row = pl.col("row")
    rows = rows.with_columns((time // BUCKET * BUCKET).alias("start_time"), (row // 3).alias("sample"))
    rows = rows.with_columns(_device(pl.col("sample"), estate, 1.5).alias("device"))
    rows = rows.with_columns(_binary(row).alias("binary"), _user(estate).alias("user"))
    size = 2 ** (share(pl.col("binary"), 31) * 9 + share(pl.col("device"), 32) * 2 + share(row, 33) * 4)
    rows = rows.with_columns((size * 64).cast(pl.Int64).alias("pages"))
    page = pl.col("pages") * 4_096
    received, sent = share(row, 38), share(row, 39)
    return rows.select(
        "row",
        pl.col("device").cast(pl.Int32),
        pl.col("user").cast(pl.Int32),
        pl.col("binary").cast(pl.Int32),
        "start_time",
        pl.when(share(row, 34) < 0.5)
        .then(pl.lit(900))
        .otherwise(1 + (share(row, 35) * 899).cast(pl.Int64))
        .mul(SECOND)
        .alias("execution_duration"),
        ((share(row, 36) ** 8 * 900_000).cast(pl.Int64) * 1_000).alias("cpu_time"),
        (page * 15).alias("memory_sum"),
        pl.lit(15, pl.Int64).alias("memory_count"),
        (page * 7 // 8).alias("memory_min"),
        (page * 5 // 4).alias("memory_max"),
        pl.when(share(row, 37) < 0.006).then(1 + row % 3).otherwise(0).alias("number_of_freezes"),
        (share(row, 40) ** 3 * 20_000).cast(pl.Int64).alias("number_of_page_faults"),
        pl.when(received < 0.4).then(2 ** (received * 70)).cast(pl.Int64).alias("incoming_traffic"),
        pl.when(sent < 0.3).then(2 ** (sent * 80)).cast(pl.Int64).alias("outgoing_traffic"),
        _picked(row, 41, ("background", "background", "foreground", "system")).alias("visibility"),
        _picked(pl.col("device"), 42, COUNTRIES).alias("country"),
    )


def _crashes(rows: pl.LazyFrame, time: pl.Expr, estate: Estate) -> pl.LazyFrame:
    row = pl.col("row")
    rows = rows.with_columns(time.alias("time"), _device(row + 7, estate, 2.5).alias("device"), row.alias("sample"))
    return rows.select(
        "row",
        pl.col("device").cast(pl.Int32),
        _user(estate).cast(pl.Int32).alias("user"),
        _binary(row).cast(pl.Int32).alias("binary"),
        "time",
        (1 + (share(row, 51) ** 6 * 3).cast(pl.Int64)).alias("number_of_crashes"),
        (share(row, 52) < 0.2).alias("crash_on_start"),
    )


def _executions(rows: pl.LazyFrame, time: pl.Expr, estate: Estate) -> pl.LazyFrame:
    row = pl.col("row")
    rows = rows.with_columns(time.alias("time"), _device(row + 3, estate, 1.1).alias("device"))
    return rows.select(
        "row",
        pl.col("device").cast(pl.Int32),
        (share(row, 61) ** 3 * ACTIONS).cast(pl.Int32).alias("remote_action"),
        "time",
        (pl.col("time") - (share(row, 62) ** 4 * 600).cast(pl.Int64) * SECOND).alias("request_time"),
        _picked(row, 63, ("success",) * 8 + ("failure", "expired")).alias("status"),
        _picked(row, 64, ("manual", "scheduled", "scheduled", "api")).alias("trigger_method"),
        ((share(row, 65) ** 4 * 120_000).cast(pl.Int64) * 1_000).alias("duration"),
    )


def _device(key: pl.Expr, estate: Estate, skew: float) -> pl.Expr:
    """A device; the greater `skew`, the more rows the busiest ones have."""
    rank = (share(key, 71) ** skew * (estate.devices * (1 - _QUIET))).cast(pl.Int64)
    return rank * _STEP % estate.devices


def _binary(row: pl.Expr) -> pl.Expr:
    """A binary of the device's platform, the first ones far more often."""
    kind, popular = platform(pl.col("device")), share(row, 72) ** 4
    picked = {name: first + (popular * (end - first)).cast(pl.Int64) for name, (first, end) in BINARIES.items()}
    windows, macos = kind == "windows", kind == "macos"
    return pl.when(windows).then(picked["windows"]).when(macos).then(picked["macos"]).otherwise(picked["linux"])


def _user(estate: Estate) -> pl.Expr:
    """Mostly the device's own user."""
    visiting = (pl.col("sample").hash(73) % 12 == 0).cast(pl.Int64)
    return (pl.col("device") + visiting * 17) % _user_count(estate)


def _user_count(estate: Estate) -> int:
    return max(20, estate.devices * 9 // 10)


def _picked(key: pl.Expr, seed: int, values: tuple[str, ...]) -> pl.Expr:
    at = (share(key.cast(pl.Int64), seed) * len(values)).cast(pl.UInt32)
    return pl.lit(pl.Series(values)).gather(at)


def _weight(hour: int) -> float:
    """How busy an hour is, counted since 1970: working hours of several continents, quiet weekends."""
    day, of_day = divmod(hour, 24)
    weekend = (day + 3) % 7 >= 5  # 1970 began on a Thursday
    busy = 1.0 if 7 <= of_day < 17 else 0.55 if 5 <= of_day < 20 else 0.3
    return busy * (0.4 if weekend else 1.0)
