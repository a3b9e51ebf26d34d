"""Looks through every byte of a data folder for words: raw, and as those who read the files see them.

Comes in: a folder and words. Goes out: a line for each file and word that was found. Invariant: what is compressed is
read by its own reader; case does not count; nothing is left out because of its name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl


def found(folder: Path, *words: str) -> list[str]:
    """Where words stand."""
    return [
        f"{path.relative_to(folder)}: {word} ({how})"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for how, whole in _seen(path)
        for word in words
        if word.lower().encode() in whole
    ]


def _seen(path: Path) -> Iterator[tuple[str, bytes]]:
    raw = path.read_bytes()
    yield "raw", raw.lower() + path.name.lower().encode()
    if path.suffix == ".arrow":
        yield "read", _told(pl.read_ipc(path))
    elif path.suffix == ".parquet":
        yield "read", _told(pl.read_parquet(path, hive_partitioning=False))
    elif raw.startswith(b"SQLite format 3\0"):
        with closing(sqlite3.connect(path)) as database:
            yield "read", "\n".join(database.iterdump()).lower().encode()


def _told(frame: pl.DataFrame) -> bytes:
    return repr(frame.to_dicts()).lower().encode()
