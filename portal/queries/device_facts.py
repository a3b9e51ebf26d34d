"""What the tables know of devices, for those who show them: name and kind, their platform, a few facts of one.

In: a source, uids, a view domain. Out: facts by uid. Invariant: a device that the domain does not show is as one that
the tables do not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from engine.source import Source
from portal.queries.domains import Domain
from portal.queries.execution import Facts

DEVICES = "device.devices"
PLATFORM = "operating_system.platform"
FACTS = ("name", "simulated", "first_seen", "last_seen", "operating_system.name", "hardware.model")


def one_device(source: Source, uid: str, domain: Domain) -> dict[str, Any] | None:
    """What is known of one device (FACTS), None if nothing or if it is not seen."""
    found = source.scan(DEVICES, ["uid", *FACTS]).filter(pl.col("uid") == uid)
    frame = domain.among(found, source).collect()
    return frame.row(0, named=True) if frame.height else None


def device_facts(source: Source, uids: Sequence[str], domain: Domain, *, platform: bool = False) -> Facts:
    """Name and kind of devices by uid, from the tables, and their platform if asked; of those that are seen."""
    if not uids:
        return {}
    wanted = pl.col("uid").is_in(pl.Series(uids, dtype=pl.String()).implode())
    found = source.scan(DEVICES, ["uid", "name", "simulated", *([PLATFORM] if platform else [])]).filter(wanted)
    rows = domain.among(found, source).collect().to_dicts()
    return {
        row["uid"]: {
            "name": row["name"] or "", "simulated": bool(row["simulated"]),
            **({"platform": row[PLATFORM]} if platform else {}),
        }
        for row in rows
    }  # fmt: skip
