"""Questions of the portal on their way: to the device at which their person sits, and what came of them back.

In: what a device says of who is logged in and what it holds; reports whose state is a `Reaction`. Out: signed
questions and cancels; what became of each report. Invariants: questions go out signed; a report counts only with the
device's own signature, for questions that were handed to that very device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import get_args

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements, wire
from storage.control.api import Control
from storage.control.campaign_dispatch import Ask, Heard, Withdrawn
from storage.control.enrolment import Device

REACTIONS: frozenset[str] = frozenset(get_args(wire.Reaction))
Key = tuple[str, int]


class Questions:
    """The campaign side of what devices ask."""

    def __init__(self, control: Control, clock: Callable[[], int]) -> None:
        self._control, self._clock = control, clock

    def people(self, device: Device, people: Sequence[str], *, now: int) -> None:
        """A device says who is logged in there."""
        self._control.people_present.told(device.uid, people, now=now)

    def look(self, device: Device, held: Collection[Key], *, now: int) -> tuple[bool, list[Withdrawn]]:
        """Whether there is a question for a device, and what it shall take away."""
        dispatch = self._control.campaign_dispatch
        return dispatch.has_question(device.uid, held, now=now), dispatch.withdrawn(device.uid, held)

    def claim(self, device: Device, held: Collection[Key], *, now: int) -> Ask | None:
        """The question that a device shows next."""
        return self._control.campaign_dispatch.claim(device.uid, held, now=now)

    def record(self, device: Device, report: wire.Report, replied: wire.Replied) -> str:
        """What became of a report. Raises NotFoundError, RefusedError."""
        heard = Heard(report.state, replied.detail, replied.answers, replied.comments)
        named = (report.run, device.uid, report.attempt, report.nonce)
        return self._control.campaign_dispatch.take(*named, heard, now=self._clock()).value


def signed(key: Ed25519PrivateKey, ask: Ask) -> wire.Questions:
    """A question as it goes out."""
    head = (ask.response, ask.device, ask.attempt, ask.nonce, ask.person, ask.expires_at)
    made = wire.Questions(*head, msgspec.Raw(ask.content.encode()), bytes(64))
    return msgspec.structs.replace(made, signature=key.sign(statements.questions_bytes(made)))
