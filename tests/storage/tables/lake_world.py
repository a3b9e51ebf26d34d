"""A store with a lake that tests hold in their hands: looks are made one by one, and the object store is in memory.

In: a folder, an object store that may fail. Out: what lies where. Invariant: what is expected follows from the manifest
and from the bytes, by plain Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from storage.tables.errors import LakeAway
from storage.tables.fakes import FaultyBucket
from storage.tables.lake import joined, lake_files
from storage.tables.mirror import Mirror
from tests.storage.tables.world import batch, compact, open_store

BATCHES = [batch(number) for number in range(6)]
URL = "s3://fake/estate"
LATER = 1 << 61  # long after every file was used last


class World:
    """A store with compacted days, its lake, and what keeps that as it should be."""

    def __init__(self, folder: Path, bucket: FaultyBucket, *, budget: int = 1 << 40, now: int = LATER) -> None:
        self.folder, self.bucket = folder, bucket
        self.store = open_store(folder)
        try:
            self.mirror = self.mirrored(budget, now)
        except LakeAway:
            self.store.abandon()
            raise

    def mirrored(self, budget: int, now: int = LATER) -> Mirror:
        """Another mirror, as after a restart."""
        lake = joined(self.store.files, self.folder, URL, self.bucket)
        assert lake is not None
        self.lake = lake
        return Mirror(lake, self.store.files, self.store.named, lambda: now, budget)

    def fill(self, first: int = 0, last: int = 3) -> None:
        """Store batches and compact them."""
        for item in BATCHES[first:last]:
            self.store.commit([item])
        compact(self.store)

    def look(self) -> str:
        """A look just after a failure, too; what is wrong."""
        self.lake.forgive()
        self.mirror.look()
        return self.mirror.state.problem

    def local(self) -> set[str]:
        """The closed days that lie in the folder."""
        return {name for name in lake_files(self.store.manifest) if (self.folder / name).exists()}

    def there(self) -> set[str]:
        """The closed days that lie in the lake, whole."""
        named = lake_files(self.store.manifest)
        return {name for name, item in named.items() if len(self.bucket.held.get(name, b"")) == item.bytes}


def missing(held: Mapping[str, bytes]) -> set[str]:
    """What the Delta logs of a bucket name and is not there whole."""
    found: dict[str, int] = {}
    for name in sorted(name for name in held if "/_delta_log/" in name):
        place = name.partition("_delta_log/")[0]
        for line in held[name].splitlines():
            action = json.loads(line)
            if "add" in action:
                found[place + action["add"]["path"]] = action["add"]["size"]
            if "remove" in action:
                found.pop(place + action["remove"]["path"])
    return {name for name, size in found.items() if len(held.get(name, b"")) != size}


def seen_in(held: Mapping[str, bytes]) -> bytes:
    """All that a bucket holds, uncompressed."""
    whole = b""
    for name, data in held.items():
        whole += data
        if name.endswith(".parquet"):
            whole += str(pl.read_parquet(data, hive_partitioning=False).to_dicts()).encode()
        if name.endswith(".arrow"):
            whole += str(pl.read_ipc(data).to_dicts()).encode()
    return whole
