"""Bringing a portal to what a folder says, and telling beforehand what that would change.

In: the items of a folder, a portal. Out: `Change`s, done or only told. Invariants: what a portal has already is left
alone, so that doing it twice does nothing; nothing is removed unless that was asked for, and what runs are about
never is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from muster.content import differences
from muster.content.items import Item
from muster.content.portal import Portal
from muster.errors import MusterError

STAYS = {
    "action": "an action stays, since its runs are about it",
    "campaign": "a campaign stays, since responses are about it; make it retired",
    "workflow": "a workflow stays, since its executions are about it; make it inactive",
}
What = Literal["same", "new", "changed", "signed", "removed", "kept", "failed"]


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one item. `lines` show a change, `said` is why it failed or is kept."""

    item: Item
    what: What
    lines: tuple[str, ...] = ()
    said: str = ""

    @property
    def differs(self) -> bool:
        """Whether folder and portal are not the same about it."""
        return self.what not in ("same", "kept")


def told(wanted: list[Item], portal: Portal, *, prune: bool) -> list[Change]:
    """What would be done, in the order in which it would be."""
    there = portal.matching(wanted)
    changes = [_change(item, there.get(item.key), portal) for item in sorted(wanted, key=lambda item: item.key)]
    return changes + (list(_left_over(wanted, portal)) if prune else [])


def done(changes: list[Change], portal: Portal) -> Iterator[Change]:
    """Do it, one after the other. What cannot be done is told and keeps nothing else from being done."""
    for change in changes:
        try:
            _do(change, portal)
        except MusterError as error:
            yield replace(change, what="failed", said=str(error))
        else:
            yield change


def _change(item: Item, there: Item | None, portal: Portal) -> Change:
    if there is None:
        return Change(item, "new")
    if there != item:
        return Change(item, "changed", tuple(differences.lines(there, item)))
    return Change(item, "signed" if portal.unsigned(item) else "same")


def _left_over(wanted: list[Item], portal: Portal) -> Iterator[Change]:
    """What the portal has and the folder has not, those first that need others."""
    keys = {item.key for item in wanted}
    for item in sorted(portal.read(), key=lambda item: item.key, reverse=True):
        if item.key not in keys:
            if item.kind in STAYS:
                yield Change(item, "kept", said=STAYS[item.kind])
            else:
                yield Change(item, "removed")


def _do(change: Change, portal: Portal) -> None:
    item = change.item
    match change.what:
        case "new" | "changed":
            portal.put(item, known=change.what == "changed")
        case "removed":
            portal.remove(item)
    if change.what in ("new", "changed", "signed"):
        for signature in portal.unsigned(item):
            portal.sign(item, signature)
