"""Loads an estate into a data folder that no portal holds.

In: a folder, an estate. Out: what was stored. Invariant: the folder is made if it is not there, with the layout that
a portal opens, and knows what the estate needs configured.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from muster.clock import now
from muster.errors import MusterError
from muster.estate.configured import items
from muster.estate.frames import Estate
from muster.estate.load import Progress, Stored, store
from muster.folder import actor, control, opening
from nql.catalog.load import builtin
from portal.settings import Settings
from storage.tables.api import open_tables


def store_estate(data: Path, whole: Estate, progress: Progress) -> Stored:
    """Store the estate. Raises FolderHeldError, MusterError."""
    settings = Settings(data)
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise MusterError(f"The folder {data} cannot be made: {error.strerror}.") from error
    with opening(data):
        stored = asyncio.run(_store(settings, whole, progress))
    with control(data, make=True) as opened:
        opened.configured.declare(items(), by=actor(), now=now())
    return stored


async def _store(settings: Settings, whole: Estate, progress: Progress) -> Stored:
    tables = await open_tables(settings.tables, builtin())
    try:
        return await store(tables, builtin(), whole, progress)
    finally:
        await tables.close()
