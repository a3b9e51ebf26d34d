"""Content in a portal: read, put there, and removed.

In: a portal as one account sees it, items. Out: items; what was done. Invariants: what the portal has already is not
sent; actions and workflows are never removed, since what ran is about them; a schedule belongs to who puts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.statements import fingerprint
from muster.api import Api, segment
from muster.content import items
from muster.content.items import Item, Kind
from muster.errors import RefusedError
from muster.signing import Signature


class Portal:
    """The content of one portal."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def read(self) -> list[Item]:
        """Everything there, those that others need first."""
        return [self._read(kind, said) for kind in items.KINDS for said in self._listed(kind)]

    def matching(self, wanted: list[Item]) -> dict[tuple[int, str], Item]:
        """What is there of the kinds that are wanted, by key; of actions only those of the same ids."""
        ids = {item.nql_id for item in wanted if item.kind == "action"}
        kinds = {item.kind for item in wanted}
        found = [
            self._read(kind, said)
            for kind in kinds
            for said in self._listed(kind)
            if kind != "action" or said["nql_id"] in ids
        ]
        return {item.key: item for item in found}

    def unsigned(self, item: Item) -> list[Signature]:
        """The signatures of an item that the portal lacks."""
        if not item.signatures:
            return []
        try:
            said = self._api.get(f"/actions/{segment(item.nql_id)}/signatures")
        except RefusedError as error:
            if error.status != 404:
                raise
            return list(item.signatures)
        if said["version"] != item.version:
            return list(item.signatures)
        known = {one["fingerprint"]: one["serial"] for one in said["signatures"]}  # one that is signed anew goes, too
        return [one for one in item.signatures if known.get(fingerprint(one.author), 0) < one.serial]

    def put(self, item: Item, *, known: bool) -> None:
        """Put an item in the place of what is there. Raises RefusedError, QueryFailedError."""
        match item.kind:
            case "action":
                self._api.post("/actions", item.body)
            case "query":
                self._api.put(f"/saved-queries/{segment(item.nql_id)}", item.body, text=item.body["text"])
            case "campaign":
                self._api.post("/campaigns", item.body)
            case "workflow":
                self._api.post("/workflows", item.body)
            case "schedule" if known:
                self._api.put(f"/schedules/{segment(item.nql_id)}", item.body)
            case "schedule":
                self._api.post("/schedules", {**item.body, "nql_id": item.nql_id})

    def sign(self, item: Item, signature: Signature) -> None:
        """Hand in a signature of an action. Raises RefusedError."""
        self._api.post(f"/actions/{segment(item.nql_id)}/signatures", items.signature_said(item, signature))

    def remove(self, item: Item) -> None:
        """Remove a saved query or a schedule. Raises RefusedError."""
        place = {"query": "saved-queries", "schedule": "schedules"}[item.kind]
        self._api.delete(f"/{place}/{segment(item.nql_id)}")

    def _listed(self, kind: Kind) -> Iterator[dict[str, Any]]:
        match kind:
            case "action":
                yield from self._api.get("/actions")["actions"]
            case "query":
                yield from self._api.get("/saved-queries")["queries"]
            case "campaign":
                yield from (one["definition"] for one in self._api.get("/campaigns")["campaigns"])
            case "workflow":
                yield from self._api.get("/workflows")["workflows"]
            case "schedule":
                yield from self._api.get("/schedules")["schedules"]

    def _read(self, kind: Kind, said: dict[str, Any]) -> Item:
        nql_id = said["nql_id"]
        match kind:
            case "action":
                return items.action(self._api.get(f"/actions/{segment(nql_id)}/manifest"))
            case "query":
                return items.query(nql_id, said, f"the saved query {nql_id}")
            case "campaign":
                return items.campaign(nql_id, said, f"the campaign {nql_id}")
            case "workflow":
                said = self._api.get(f"/workflows/{segment(nql_id)}/definition")
                return items.workflow(nql_id, said, f"the workflow {nql_id}")
            case "schedule":
                body = {name: said[name] for name in ("name", "definition", "enabled")}
                return items.schedule(nql_id, body, f"the schedule {nql_id}")
