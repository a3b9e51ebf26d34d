"""Devices by the ids that others know them by: the device's own uid, or that of its Collector.

In: texts, a source, a view domain. Out: for each text that names a device the uid of that device. Invariants: a GUID is
the same in every spelling (case, braces, without dashes); a device outside the view domain is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import polars as pl

from engine.source import Source
from portal.queries.domains import Domain

DEVICES = "device.devices"
UID, COLLECTOR = "uid", "collector.uid"


def guid(text: str) -> str:
    """A GUID in the one spelling that is stored; any other text as it is."""
    try:
        return str(UUID(text))
    except ValueError:
        return text


def identified(source: Source, texts: Collection[str], domain: Domain) -> dict[str, str]:
    """The uid of each device that is named, by the text that names it. Blocks."""
    wanted = pl.Series(sorted(set(texts)), dtype=pl.String()).implode()
    named = pl.col(UID).is_in(wanted) | pl.col(COLLECTOR).is_in(wanted)
    found = domain.among(source.scan(DEVICES, [UID, COLLECTOR]).filter(named), source).collect()
    known = {collector: uid for uid, collector in found.select(UID, COLLECTOR).rows() if collector is not None}
    return known | {uid: uid for uid in found[UID]}
