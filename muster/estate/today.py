"""One day of the estate, with the frames that several tables are made from, each made once.

In: the estate and a day. Out: who is on (`active`, by bucket; `daily`, by device), which programs run (`running`) and
which pages are opened (`views`). Invariant: these frames depend on the estate and the day alone, never on which
tables are asked for.
"""

from __future__ import annotations

from functools import cached_property

import polars as pl

from muster.estate import dice
from muster.estate.dice import word
from muster.estate.frames import Estate
from muster.estate.identifiers import application_uid, binary_uid
from muster.estate.rhythm import DAY, HOUR, Day, active, device_days
from muster.estate.software import APPLICATIONS, BAD, BROWSERS, PROGRAMS, WEB

IDLE = 0.35  # how much likelier a program rests when nobody is there
VIEWS = 1.5  # applications opened in an attended bucket, on average
OUTAGE_HOURS = (9, 12)  # of the day before the last one, UTC: the CRM's servers are slow


class Today:
    """One day; frames are made when first asked for."""

    def __init__(self, estate: Estate, day: Day) -> None:
        self.estate = estate
        self.day = day

    @cached_property
    def active(self) -> pl.DataFrame:
        """One row a device and bucket it is on."""
        return active(self.estate.devices, self.day, self.estate.now, self.estate.connected)

    @cached_property
    def daily(self) -> pl.DataFrame:
        """One row a device that is on during the day."""
        return device_days(self.active, self.day)

    @cached_property
    def running(self) -> pl.DataFrame:
        """One row a device, bucket and program that runs in it, with the key of its binary and whether it is the bad
        version."""
        kept = ["number", "start", "length", "state", "attended", "load", "threads", *SHARED]
        switched = pl.col("switch").is_not_null() & (pl.col("start") >= pl.col("switch"))
        version = pl.when(switched).then(pl.col("after")).otherwise(pl.col("before"))
        chance = pl.col("hourly") * pl.when(pl.col("attended") | (pl.col("visibility") == "system")).then(
            1.0
        ).otherwise(IDLE)
        held = self.estate.installed.lazy().with_columns(
            pl.col("program").replace_strict(SEEDS, return_dtype=pl.UInt64).alias("seed")
        )
        return (
            self.active.lazy()
            .select(kept)
            .join(held, on="number")
            .with_columns(dice.mixed(pl.col("state"), pl.col("seed")).alias("state"))
            .filter(dice.share("runs") < chance)
            .with_columns(version.alias("version"))
            .join(BINARIES.lazy(), on=["program", "version"])
            .with_columns(((pl.col("program") == "outlook") & (pl.col("version") == BAD)).alias("bad"))
            .sort("start", "number", "program")
            .collect()
        )

    @cached_property
    def views(self) -> pl.DataFrame:
        """One row a device, attended bucket and application it opens in a browser, with the state of that pair."""
        browsers = (
            self.running.lazy()
            .filter(pl.col("program").is_in(ALL_BROWSERS))
            .select("number", "start", "binary_uid", "switch")
        )
        seen = self.active.lazy().filter(pl.col("attended") | (pl.col("number") < self.estate.connected))
        total = sum(item.weight for item in WEB)
        outage = self.estate.now - self.estate.now % DAY - DAY
        slow = (pl.col("site_key") == "crm") & pl.col("start").is_between(
            outage + OUTAGE_HOURS[0] * HOUR, outage + OUTAGE_HOURS[1] * HOUR
        )
        return (
            seen.join(browsers.unique(["number", "start"], keep="first", maintain_order=True), on=["number", "start"])
            .join(SITES.lazy(), how="cross")
            .with_columns(dice.mixed(pl.col("state"), pl.col("site_seed")).alias("state"))
            .filter(dice.share("opens") < VIEWS * pl.col("weight") / total)
            .with_columns(slow.alias("outage"))
            .sort("start", "number", "site_key")
            .collect()
        )


SHARED = ("device", "user", "platform", "country", "province", "site", "entity", "location", "latency", "age")
SEEDS = {program.key: word("program", program.key) for program in PROGRAMS}
ALL_BROWSERS = [key for keys in BROWSERS.values() for key in keys]
BINARIES = pl.DataFrame(
    [
        (program.key, version, binary_uid(program.key, version))
        for program in PROGRAMS
        for version in (*program.versions, *((BAD,) if program.key == "outlook" else ()))
    ],
    schema={"program": pl.String, "version": pl.String, "binary_uid": pl.String},
    orient="row",
)
SITES = pl.DataFrame(
    [
        (item.key, word("site", item.key), application_uid(item.key), item.host, item.weight, item.load, item.errors)
        for item in WEB
    ],
    schema={
        "site_key": pl.String,
        "site_seed": pl.UInt64,
        "application_uid": pl.String,
        "host": pl.String,
        "weight": pl.Float64,
        "load_time": pl.Float64,
        "errors": pl.Float64,
    },
    orient="row",
)
APPLICATION_UIDS = {item.key: application_uid(item.key) for item in APPLICATIONS}
