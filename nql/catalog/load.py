"""Reads the catalog files that lie beside this module, once.

In: JSON, one file a namespace and `context.json`. Out: a `Catalog`. Invariant: loading takes under 30 ms, so a
command line may pay for it; the version is the digest of the files' bytes, so that every cache key changes with them.
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nql.catalog.model import Catalog, Field, Table, TableKind
from nql.datatypes import DataType, Kind


@cache
def builtin() -> Catalog:
    """The catalog as shipped."""
    folder = Path(__file__).parent
    files = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    digest = sha256(b"\0".join(files.values())).hexdigest()[:16]
    context = [_field(item) for item in json.loads(files.pop("context"))["fields"]]
    return Catalog([_table(item, context) for text in files.values() for item in json.loads(text)["tables"]], digest)


def _table(item: dict[str, Any], context: list[Field]) -> Table:
    fields = [_field(entry) for entry in item["fields"]] + (context if item.get("context") else [])
    return Table(
        name=item["name"],
        kind=TableKind(item["kind"]),
        record=item["record"],
        fields=MappingProxyType({entry.name: entry for entry in fields}),
        doc=item["doc"],
        shortcut=item.get("shortcut"),
        links=MappingProxyType(item.get("links", {})),
        time=item.get("time"),
        key=tuple(item.get("key", ())),
        default=tuple(item.get("default", ())),
        activity=item.get("activity"),
        writer=item["writer"],
        retention_days=item.get("retention_days"),
        resolution=tuple(item.get("resolution", ())),
        context=item.get("context", False),
    )


def _field(item: dict[str, Any]) -> Field:
    dtype = DataType(Kind(item["type"]), item.get("unit"), tuple(item.get("members", ())), item.get("closed", False))
    return Field(
        name=item["name"],
        dtype=dtype,
        doc=item["doc"],
        metric=item.get("metric"),
        days_since=item.get("days_since"),
        same_as=item.get("same_as"),
        server=item.get("server", False),
        template=item.get("template", False),
        guess=item.get("guess", False),
        ours=item.get("ours", False),
        confidence=item.get("confidence", "high"),
        entries=DataType(Kind(item["entries"])) if "entries" in item else None,
    )
