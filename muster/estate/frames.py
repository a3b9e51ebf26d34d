"""The estate as frames: devices and what is installed on them, and the columns that most event tables share.

In: the devices of the population. Out: Polars frames to cross with time, and expressions in the stored form of the
catalog. Invariant: a column is called as the catalog's table stores it (`memory.sum`, `@device`); working columns
have no dot and no `@`, and are left behind by `shaped`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from muster.estate import dice
from muster.estate.dice import Dice, mix, word
from muster.estate.population import Device
from muster.estate.rhythm import DAY, HOUR
from muster.estate.software import BAD, PROGRAMS, Program

BAD_SHARE = 0.35  # of the Windows devices get the bad version
CONTEXT = (
    pl.col("country").alias("context.location.country"),
    pl.col("province").alias("context.location.state"),
    pl.col("location").alias("context.location.type"),
    pl.when(pl.col("location") == "Onsite")
    .then(pl.col("site"))
    .otherwise(pl.lit("Home office"))
    .alias("context.location.site"),
    pl.col("platform").alias("context.device_platform"),
    pl.col("entity").alias("context.organization.entity"),
)
AWAY_SHARE = 0.35  # of the time a laptop is not in the office
BUCKET = (
    pl.col("start").alias("start_time"),
    (pl.col("start") + pl.col("length")).alias("end_time"),
    pl.col("length").alias("bucket_duration"),
)
DEVICE = pl.col("device").alias("@device")
USER = pl.col("user").alias("@user")


@dataclass(frozen=True, slots=True)
class Estate:
    """What a history is written from: the span, the people whose devices are in use, the devices that are not (`away`),
    and the two frames that every table of events starts from."""

    seed: int
    now: int
    days: int
    connected: int
    people: tuple[Device, ...]
    away: tuple[Device, ...]
    devices: pl.DataFrame
    installed: pl.DataFrame

    @property
    def start(self) -> int:
        """The first instant of the history."""
        return self.now - self.days * DAY

    @property
    def everybody(self) -> tuple[Device, ...]:
        """The devices in use and those that are not: all that there are objects of."""
        return self.people + self.away


def estate(seed: int, people: Sequence[Device], now: int, days: int, connected: int = 0) -> Estate:
    """The frames of a population; the first `connected` devices are on in the last hours, whatever the time of day."""
    used = tuple(person for person in people if person.away is None or person.number < connected)
    away = tuple(person for person in people if person.away is not None and person.number >= connected)
    return Estate(seed, now, days, connected, used, away, device_frame(used), installed_frame(used, now, days))


def device_frame(people: Sequence[Device]) -> pl.DataFrame:
    """One row a device, `base` is its state to draw from."""
    rows = {
        "number": [d.number for d in people],
        "device": [d.uid for d in people],
        "user": [d.user.uid for d in people],
        "form": [d.hardware.form for d in people],
        "platform": [d.platform for d in people],
        "country": [d.place.country for d in people],
        "province": [d.place.state for d in people],
        "site": [d.place.site for d in people],
        "entity": [d.place.entity for d in people],
        "offset": [d.place.offset for d in people],
        "latency": [d.place.latency for d in people],
        "boot": [d.place.boot * d.hardware.age**0.4 for d in people],
        "age": [d.hardware.age for d in people],
        "load": [d.user.department.load for d in people],
        "threads": [d.hardware.threads for d in people],
        "memory": [d.memory for d in people],
        "disk": [d.disk for d in people],
        "free": [d.free for d in people],
        "fill": [d.fill for d in people],
        "always": [d.always for d in people],
        "virtual": [d.virtual.kind if d.virtual else None for d in people],
        "protocol": [d.virtual.broker.protocol if d.virtual else None for d in people],
        "image": [d.virtual.image if d.virtual else None for d in people],
        "visitor": [d.visitor for d in people],
        "data": [d.data or None for d in people],
        "data_free": [d.data_free if d.data else None for d in people],
        "at_home": [0.45 if d.hardware.form == "laptop" else 0.0 for d in people],
    }
    base = pl.Series("base", [d.state for d in people], dtype=pl.UInt64)
    texts = dict.fromkeys(("virtual", "protocol", "image", "visitor"), pl.String)
    numbers = dict.fromkeys(("data", "data_free"), pl.Int64)
    return pl.DataFrame(rows, schema_overrides={**texts, **numbers}).with_columns(base)


def installed_frame(people: Sequence[Device], now: int, days: int) -> pl.DataFrame:
    """One row a device and program on it: the version `before` and `after` the instant `switch` (null if it never
    changes)."""
    rows = [
        (person.number, program.key, *versions(person, program, now, days))
        for person in people
        for program in PROGRAMS
        if has(person, program)
    ]
    held = pl.DataFrame(
        rows,
        schema={"number": pl.Int64, "program": pl.String, "before": pl.String, "after": pl.String, "switch": pl.Int64},
        orient="row",
    )
    return held.join(program_frame(), on="program", maintain_order="left")


def has(person: Device, program: Program) -> bool:
    """Whether a program is on a device."""
    return program.platform == person.platform and Dice(person.state).share(f"has {program.key}") < program.share


def versions(person: Device, program: Program, now: int, days: int) -> tuple[str, str, int | None]:
    """The version of a program on a device before and after it changes, and when it does (None: it stays)."""
    draws = Dice(mix(person.state, word(program.key)))
    span = days * DAY
    if program.key == "outlook" and bad_version(person):
        return program.versions[-1], BAD, now - int(span * 0.45) + int(draws.between("wave", 0, 5) * HOUR)
    number = draws.whole("version", 0, len(program.versions) - 1)
    if number + 1 < len(program.versions) and draws.share("updates") < 0.5:
        return (
            program.versions[number],
            program.versions[number + 1],
            now - int(span * draws.between("when", 0.05, 0.95)),
        )
    return program.versions[number], program.versions[number], None


def bad_version(person: Device) -> bool:
    """Whether a device gets the bad version of Outlook during the history."""
    return person.platform == "windows" and Dice(mix(person.state, word("outlook"))).share("bad") < BAD_SHARE


def program_frame() -> pl.DataFrame:
    """The programs as a frame, joined by `program`."""
    names = ("binary", "application", "hourly", "cpu", "focus", "crashes", "visibility", "category")
    columns = {name: [getattr(program, name) for program in PROGRAMS] for name in names}
    columns |= {
        "program": [p.key for p in PROGRAMS],
        "footprint": [p.memory for p in PROGRAMS],
        "packaged": [p.packaged for p in PROGRAMS],
    }
    return pl.DataFrame(columns)


def context_of(person: Device, dice: Dice) -> dict[str, str]:
    """The context columns of one event of a device, for tables made row by row."""
    away = person.hardware.form == "laptop" and dice.share("away") < AWAY_SHARE
    return {
        "context.location.country": person.place.country,
        "context.location.state": person.place.state,
        "context.location.type": "Remote" if away else "Onsite",
        "context.location.site": "Home office" if away else person.place.site,
        "context.device_platform": person.platform,
        "context.organization.entity": person.place.entity,
    }


def gauge(name: str, mean: pl.Expr, count: pl.Expr, spread: float = 0.3, *, whole: bool = False) -> list[pl.Expr]:
    """The four stored columns of a gauge around its mean; `spread` is how far least and greatest lie from it, as a
    share of it."""

    def held(value: pl.Expr) -> pl.Expr:
        return value.round(0).cast(pl.Int64) if whole else value.round(3)

    return [
        held(mean * count).alias(f"{name}.sum"),
        count.cast(pl.Int64).alias(f"{name}.count"),
        held(mean * (1 - spread)).alias(f"{name}.min"),
        held(mean * (1 + spread)).alias(f"{name}.max"),
    ]


def level(name: str, value: pl.Expr, count: pl.Expr, *, whole: bool = False) -> list[pl.Expr]:
    """The four stored columns of a gauge that does not move within a bucket."""
    return gauge(name, value, count, 0.0, whole=whole)


def moment(label: str) -> pl.Expr:
    """An instant of the span in which a device is on, for frames with `first` and `last`."""
    return (pl.col("first") + (pl.col("last") - pl.col("first") - 1) * dice.share(label)).cast(pl.Int64).alias("time")


def shaped(frame: pl.DataFrame | pl.LazyFrame, *columns: pl.Expr | Sequence[pl.Expr]) -> pl.DataFrame:
    """The frame with these columns alone, lists of columns laid flat."""
    flat = [column for entry in columns for column in ([entry] if isinstance(entry, pl.Expr) else entry)]
    return frame.lazy().select(flat).collect()
