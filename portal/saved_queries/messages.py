"""The JSON of the routes of saved queries: what comes in with its bounds, and what goes out.

Data only. An id is written with its leading `#` in bodies, with or without it in addresses.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class SavedQueryBody(Struct, forbid_unknown_fields=True):
    """A query to keep. A name and a text there must be."""

    name: Annotated[str, Meta(max_length=255)] = ""
    description: Annotated[str, Meta(max_length=4096)] = ""
    text: Annotated[str, Meta(max_length=20_000)] = ""


class SavedQueryInfo(Struct):
    """A query that is kept."""

    nql_id: str
    name: str
    description: str
    text: str
    updated_at: str
    updated_by: str


class SavedQueryOne(Struct):
    """One query."""

    query: SavedQueryInfo


class SavedQueryList(Struct):
    """All queries, by id."""

    queries: list[SavedQueryInfo]
