"""Copies of a data folder that may be written to and killed, made in an instant.

In: a closed data folder. Out: another one with the same content. Invariant: sealed files, which never change, are
linked; what is written in place is copied, so the first folder stays as it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITTEN_IN_PLACE = (".log", ".json")


@contextmanager
def copied(store: Path, name: str, within: Path) -> Iterator[Path]:
    """A folder that holds a copy of the store under a name, removed afterwards."""
    folder = within / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(store, folder / name, copy_function=_taken, ignore=shutil.ignore_patterns("lock"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _taken(source: str, target: str) -> None:
    if source.endswith(_WRITTEN_IN_PLACE):
        shutil.copy2(source, target)
    else:
        os.link(source, target)
