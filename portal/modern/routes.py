"""All routes of the interfaces that other people's clients speak.

In: what the portal has. Out: Starlette routes. Invariant: what is listed here works; what is not offered is not here,
but for the one that its clients expect to be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.routing import Route

from portal.actions.service import Actions
from portal.endpoints import Refused
from portal.modern import act, token, ways
from portal.modern.tokens import AccessTokens
from portal.modern.ways import Gate, Way
from portal.queries.service import Queries
from portal.threads import Threads
from storage.control.api import Control
from storage.control.key_ring import KeyRing


@dataclass(frozen=True, slots=True)
class Parts:
    """What these interfaces are made of."""

    control: Control
    keys: KeyRing
    threads: Threads
    clock: Callable[[], int]
    refused: Refused


def listed(actions: Actions, queries: Queries) -> list[Way]:
    """Every way but that of tokens."""
    return [*act.listed(actions, queries)]


def routes(parts: Parts, actions: Actions, queries: Queries) -> list[Route]:
    """The routes."""
    tokens = AccessTokens(parts.keys)
    gate = Gate(parts.control, parts.threads, tokens, parts.clock, parts.refused)
    return [
        *token.routes(parts.control, parts.threads, tokens, parts.clock),
        *ways.routes(listed(actions, queries), gate),
    ]
