"""What is frozen once a day: the custom trends of the company and their snapshots.

In: the estate. Out: frames for `custom_trend.*`, and the trends as items to configure. Invariant: the last snapshot of
a device tells what its own row tells; before the history there is one snapshot a week, for as long as trends are asked
about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from muster.estate.dice import Dice
from muster.estate.frames import Estate
from muster.estate.population import Device
from muster.estate.rhythm import DAY
from muster.estate.world import SYSTEMS, System
from nql.catalog import configured
from nql.datatypes import BOOLEAN, SIZE, STRING, VERSION
from storage.control.outcomes import values

WEEKS = 8  # before the history
FREE_SHARE = 0.25  # less of the drive is free on the devices that `disk_space` follows
TRENDS = (
    (
        "windows_migration",
        "Move to Windows 11",
        "The system of every Windows device.",
        {"operating_system_name": STRING, "operating_system_build": VERSION, "hardware_model": STRING},
    ),
    (
        "disk_space",
        "Space on small drives",
        "The free space of devices that had little of it.",
        {"system_drive_free_space": SIZE, "system_drive_capacity": SIZE, "nearly_full": BOOLEAN},
    ),
)
OLD = next(item for item in SYSTEMS if item.name.startswith("Windows 10 Enterprise"))
SLOTS = {"string": "string", "version": "string", "bytes": "uint32", "boolean": "bool"}
NEARLY_FULL = 0.05


def items() -> list[configured.Item]:
    """The trends as they are configured in a portal."""
    return [configured.Trend(nql_id, fields) for nql_id, _, _, fields in TRENDS]


def custom_trends(estate: Estate) -> pl.DataFrame:
    """Rows of `custom_trend.custom_trends`."""
    rows = [(f"#{nql_id}", name, text) for nql_id, name, text, _ in TRENDS]
    return pl.DataFrame(rows, schema=["nql_id", "name", "description"], orient="row")


def snapshots(estate: Estate) -> pl.DataFrame:
    """Rows of `custom_trend.snapshots`."""
    starts = pl.DataFrame({"start_time": list(_days(estate))})
    rows = pl.concat([_systems(estate, starts), _spaces(estate, starts)])
    end = (pl.col("start_time") + DAY).alias("end_time")
    return rows.with_columns(end, pl.lit(DAY, dtype=pl.Int64).alias("bucket_duration")).sort(
        "start_time", "@custom_trend", "@device"
    )


def _days(estate: Estate) -> Iterator[int]:
    """The midnights that the snapshots are of, oldest first: whole days that are over, and the weeks before."""
    last = estate.now // DAY * DAY - DAY
    first = last - max(estate.days - 1, 0) * DAY
    yield from (first - week * 7 * DAY for week in range(WEEKS, 0, -1))
    yield from range(first, last + DAY, DAY)


def _systems(estate: Estate, starts: pl.DataFrame) -> pl.DataFrame:
    """What ran on a device each day: most of those with Windows 11 moved to it within the last weeks."""
    followed = [person for person in estate.people if person.platform == "windows"] or list(estate.people[:1])
    moved = [
        (person.uid, _moved(estate, person), _ran(person, person.system), _ran(person, OLD)) for person in followed
    ]
    schema = {"@device": pl.String(), "moved": pl.Int64(), "now": VALUES, "was": VALUES}
    rows = starts.join(pl.DataFrame(moved, schema=schema, orient="row"), how="cross")
    return rows.select(
        "start_time",
        "@device",
        pl.lit("#windows_migration").alias("@custom_trend"),
        pl.when(pl.col("start_time") < pl.col("moved")).then(pl.col("was")).otherwise(pl.col("now")).alias("values"),
    )


def _moved(estate: Estate, person: Device) -> int | None:
    """When a device got Windows 11; None if it has another system, or had it before anybody looked."""
    moved = estate.now - int(Dice(person.state).between("moved", 0, 1.6) * WEEKS * 7 * DAY)
    return moved if person.system.name.startswith("Windows 11") and moved < estate.now - DAY else None


def _ran(person: Device, system: System) -> list[dict[str, Any]]:
    held = {"operating_system_name": system.name, "operating_system_build": system.build}
    return _entries("windows_migration", {**held, "hardware_model": person.hardware.model})


def _spaces(estate: Estate, starts: pl.DataFrame) -> pl.DataFrame:
    little = [person for person in estate.people if person.free < FREE_SHARE] or list(estate.people[:1])
    rows = [
        (start, person.uid, "#disk_space", _entries("disk_space", _space(estate, person, start)))
        for start in starts["start_time"]
        for person in little
    ]
    schema = {"start_time": pl.Int64(), "@device": pl.String(), "@custom_trend": pl.String(), "values": VALUES}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _space(estate: Estate, person: Device, start: int) -> dict[str, Any]:
    left = max(0.002, person.free - person.fill * (start - estate.start) / DAY)
    return {
        "system_drive_free_space": int(person.disk * min(left, 1.0)),
        "system_drive_capacity": person.disk,
        "nearly_full": left < NEARLY_FULL,
    }


def _entries(nql_id: str, held: dict[str, Any]) -> list[dict[str, Any]]:
    return values({name: SLOTS[dtype.kind.value] for name, dtype in FIELDS[nql_id].items()}, held)


VALUES = pl.List(pl.Struct({"name": pl.String, "text": pl.String, "number": pl.Int64}))
FIELDS = {nql_id: fields for nql_id, _, _, fields in TRENDS}
