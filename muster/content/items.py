"""An item of content in one form, wherever it was read: an action, a query, a campaign, a workflow, a schedule.

In: what a file or a portal says of it. Out: `Item`, whose body is what the portal takes, with every field in its place.
Invariant: two items that mean the same are equal, whichever way each was written: what may be left out is filled in,
blanks around texts are gone; scripts are as they are, to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from muster.content import workflow_files
from muster.errors import UsageError
from muster.signing import Signature, form_of
from portal.saved_queries.messages import SavedQueryBody
from portal.schedules.messages import ScheduleBody
from storage.control.campaign_definition import CampaignDefinition
from storage.control.manifest import Manifest
from storage.control.scripts import api as scripts

Kind = Literal["action", "query", "campaign", "workflow", "schedule"]
T = TypeVar("T")
KINDS: tuple[Kind, ...] = ("action", "query", "campaign", "workflow", "schedule")  # in the order of need
ID = re.compile(r"#[a-z0-9_]{2,255}\Z")


@dataclass(frozen=True, slots=True)
class Item:
    """An action, a query, a campaign, a workflow or a schedule. `signatures` are those of an action's very version
    that lie beside it; `version` is that of an action."""

    kind: Kind
    nql_id: str
    body: Mapping[str, Any]
    version: str = field(default="", compare=False)
    signatures: tuple[Signature, ...] = field(default=(), compare=False)

    @property
    def key(self) -> tuple[int, str]:
        """What orders items, so that what is needed comes first."""
        return KINDS.index(self.kind), self.nql_id

    @property
    def label(self) -> str:
        """The item as people name it."""
        return f"{self.kind} {self.nql_id}"


def action(manifest: dict[str, Any], signatures: tuple[Signature, ...] = ()) -> Item:
    """An action, from its manifest with the scripts in it. Raises UsageError."""
    form = form_of(manifest)
    body = msgspec.to_builtins(form.manifest)
    return Item("action", form.manifest.nql_id, body, form.version, signatures)


def disagreements(item: Item) -> list[str]:
    """In what an action's manifest and its scripts disagree; nothing for other items."""
    return scripts.disagreements(msgspec.convert(item.body, Manifest)) if item.kind == "action" else []


def query(nql_id: str, said: Mapping[str, Any], place: str) -> Item:
    """A saved query. `place` is where it was read. Raises UsageError."""
    given = _converted({name: said.get(name, "") for name in ("name", "description", "text")}, SavedQueryBody, place)
    body = {
        "name": " ".join(given.name.split()),
        "description": "\n".join(line.rstrip() for line in given.description.strip().splitlines()),
        "text": given.text.replace("\r\n", "\n").strip(),
    }
    if not body["text"]:
        raise UsageError(f"{place} holds no query.", "Write the query below the comment that names it.")
    return Item("query", _identifier(nql_id, place), body)


def schedule(nql_id: str, said: Mapping[str, Any], place: str) -> Item:
    """A schedule. Raises UsageError."""
    given = _converted(said, ScheduleBody, place)
    return Item("schedule", _identifier(nql_id, place), msgspec.to_builtins(given))


def campaign(nql_id: str, said: Mapping[str, Any], place: str) -> Item:
    """A campaign. Raises UsageError."""
    try:
        return Item("campaign", _identifier(nql_id, place), workflow_files.whole(nql_id, said, CampaignDefinition))
    except msgspec.ValidationError as error:
        raise UsageError(f"{place} is not of the form it should have: {error}.") from error


def workflow(nql_id: str, said: Mapping[str, Any], place: str) -> Item:
    """A workflow. Raises UsageError."""
    try:
        return Item("workflow", _identifier(nql_id, place), workflow_files.whole(nql_id, said))
    except msgspec.ValidationError as error:
        raise UsageError(f"{place} is not of the form it should have: {error}.") from error


def signature_said(item: Item, signature: Signature) -> dict[str, Any]:
    """A signature of an action as the portal takes it."""
    return {"version": item.version, **msgspec.to_builtins(signature)}


def _converted(said: Any, form: type[T], place: str) -> T:
    try:
        return msgspec.convert(said, form)
    except msgspec.ValidationError as error:
        raise UsageError(f"{place} is not of the form it should have: {error}.") from error


def _identifier(text: str, place: str) -> str:
    if not ID.match(text):
        raise UsageError(
            f"{place} stands for the id {text!r}, which is none.", "An id is of 2 to 255 small letters, digits and _."
        )
    return text
