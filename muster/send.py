"""Sends an estate to a portal that takes imports.

In: a portal, an estate. Out: what was stored. Invariant: what the estate needs configured is declared first; batches go
one after the other in their order, each until it is acknowledged; one that the portal has already is not stored again.
"""

from __future__ import annotations

import gzip

import msgspec

from muster.api import Api
from muster.estate.batches import Load, epoch_of
from muster.estate.configured import items
from muster.estate.frames import Estate
from muster.estate.load import Progress, Stored, tracked
from nql.catalog.configured import written

NAME = "estate"
LEVEL = 1  # of gzip: fast, and a quarter of the size


def send(portal: Api, whole: Estate, progress: Progress) -> Stored:
    """Send the estate. Raises what the portal refuses."""
    portal.post_packed("/import", declared(whole))
    rows = repeated = 0
    for load in tracked(whole, progress):
        said = portal.post_packed("/import", packed(load))
        rows += said["rows"]
        repeated += said["duplicate"]
    return Stored(rows, repeated)


def packed(load: Load) -> bytes:
    """A batch as the portal takes it: JSON, packed with gzip."""
    tables = [{"table": table, "columns": columns} for table, columns in load.tables]
    body = {"source": NAME, "epoch": load.epoch, "sequence": load.sequence, "received": load.received, "tables": tables}
    return gzip.compress(msgspec.json.encode(body), LEVEL)


def declared(whole: Estate) -> bytes:
    """What the estate needs configured, as the portal takes it: a batch without rows."""
    forms = [written(item) for item in items()]
    body = {"source": NAME, "epoch": epoch_of(whole), "sequence": 1, "tables": [], "configured": forms}
    return gzip.compress(msgspec.json.encode(body), LEVEL)
