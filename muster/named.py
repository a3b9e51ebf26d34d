"""What a portal keeps under names: actions, saved queries, schedules, and the devices it knows.

In: ids with or without `#`, uids, records in the portal's form. Out: frames for lists, plain records for one.
Invariant: records are as the portal gives and takes them, so that what `get` gave can be changed and saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from muster.api import Api, segment
from muster.manifests import manifests

Record = Mapping[str, Any]


class Actions:
    """The remote actions that are defined."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> pl.DataFrame:
        """All actions: their ids, names, inputs and outputs. Raises MusterError."""
        rows = [
            {name: item[name] for name in ("nql_id", "name", "description", "platforms", "number", "updated_at")}
            | {"inputs": [one["name"] for one in item["inputs"]], "outputs": [one["name"] for one in item["outputs"]]}
            for item in self._api.get("/actions")["actions"]
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def get(self, action: str) -> Record:
        """One action with its scripts. Raises RefusedError."""
        found: Record = self._api.get(f"/actions/{_segment(action)}")["action"]
        return found

    def apply(self, path: str | Path) -> Sequence[str]:
        """Define the actions of a folder or manifest file; the ids of all that were sent. Raises MusterError."""
        return [self._api.post("/actions", manifest)["action"]["nql_id"] for manifest in manifests(Path(path))]


class SavedQueries:
    """Queries that are kept under ids."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> pl.DataFrame:
        """All of them. Raises MusterError."""
        return _frame(self._api.get("/saved-queries")["queries"])

    def get(self, identifier: str) -> Record:
        """One of them: `nql_id`, `name`, `description`, `text`. Raises RefusedError."""
        found: Record = self._api.get(f"/saved-queries/{_segment(identifier)}")["query"]
        return found

    def save(self, identifier: str, text: str, *, name: str, description: str = "") -> Record:
        """Keep a query, in the place of the one that had this id. Raises QueryFailedError, MusterError."""
        body = {"name": name, "text": text, "description": description}
        saved: Record = self._api.put(f"/saved-queries/{_segment(identifier)}", body, text=text)["query"]
        return saved

    def delete(self, identifier: str) -> None:
        """Keep it no longer. Raises RefusedError."""
        self._api.delete(f"/saved-queries/{_segment(identifier)}")


class Schedules:
    """What runs by itself."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> pl.DataFrame:
        """All schedules: their ids, names, owners, whether they are on, when they are due next (UTC). Raises
        MusterError."""
        names = ("nql_id", "name", "enabled", "owner", "revision", "next_at")
        return _frame([{name: one[name] for name in names} for one in self._api.get("/schedules")["schedules"]])

    def get(self, identifier: str) -> Record:
        """One schedule, with its definition (docs/schedules.md). Raises RefusedError."""
        found: Record = self._api.get(f"/schedules/{_segment(identifier)}")["schedule"]
        return found

    def create(self, identifier: str, *, name: str, definition: Record, enabled: bool = True) -> Record:
        """Make a schedule; it runs under the rights of who asks. Raises MusterError."""
        body = {"nql_id": nql_id(identifier), "name": name, "definition": definition, "enabled": enabled}
        made: Record = self._api.post("/schedules", body)["schedule"]
        return made

    def enable(self, identifier: str) -> Record:
        """Switch it on. Raises RefusedError."""
        changed: Record = self._api.post(f"/schedules/{_segment(identifier)}/enable", {})["schedule"]
        return changed

    def disable(self, identifier: str) -> Record:
        """Switch it off. Raises RefusedError."""
        changed: Record = self._api.post(f"/schedules/{_segment(identifier)}/disable", {})["schedule"]
        return changed

    def delete(self, identifier: str) -> None:
        """Remove it. Raises RefusedError."""
        self._api.delete(f"/schedules/{_segment(identifier)}")


class Devices:
    """The devices that the portal knows; lists of them are queries."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, uid: str) -> Record:
        """One device: what it is and how it is enrolled. Raises RefusedError."""
        found: Record = self._api.get(f"/devices/{segment(uid)}")["device"]
        return found


def nql_id(text: str) -> str:
    """An id as the portal writes it, with its #."""
    return text if text.startswith("#") else f"#{text}"


def _segment(text: str) -> str:
    return segment(text.removeprefix("#"))


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)
