"""The routes of devices, below `/agent/v1`: who asks, what they ask, and an answer that the portal signs.

In: requests. Out: answers in the forms of `agent.wire`. Invariant: each path reads no more than its bound, and only
for a device that exists; every answer to a device that proved itself, a refusal too, is signed over its nonce, so
that nothing between the two can speak for the portal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from agent import wire
from agent.wire_configuration import Configuration, Fetch
from nql.catalog.model import Catalog
from portal.agents.configuration import Configurations
from portal.agents.door import Claim, Door, Refuse, answer_headers
from portal.agents.service import Agents, Parts
from portal.endpoints import read_body
from portal.errors import ApiError, answer
from portal.metrics import Metrics
from portal.relay import Relay
from portal.threads import Threads
from portal.trust.secrets import Secrets
from storage.control.api import Control
from storage.control.enrolment import Device
from storage.control.errors import UnavailableError
from storage.control.key_ring import KeyRing
from storage.tables.api import Tables

T = TypeVar("T")
Work = Callable[[Claim, bytes], Awaitable[Any]]
REFUSED_ENROLMENTS = 60  # a minute; more than that is somebody guessing
MINUTE = 60_000_000


def routes(
    control: Control,
    tables: Tables,
    catalog: Catalog,
    keys: KeyRing,
    secrets: Secrets,
    threads: Threads,
    metrics: Metrics,
    door: Door,
    relay: Relay,
    configurations: Configurations,
    clock: Callable[[], int],
) -> list[BaseRoute]:
    """Every route of devices."""
    agents = Agents(Parts(control, tables, catalog, keys, secrets, threads, metrics, configurations, clock, relay.wake))
    desk = _Desk(agents, door, keys, clock)
    return [
        Route(wire.ENROL, desk.enrol, methods=["POST"]),
        Route(wire.WORK, desk.taking(wire.WORK, desk.work), methods=["POST"]),
        Route(wire.REPORTS, desk.taking(wire.REPORTS, desk.reports), methods=["POST"]),
        Route(wire.CONFIG, desk.taking(wire.CONFIG, desk.configuration), methods=["POST"]),
        Route(wire.BATCHES, desk.taking(wire.BATCHES, desk.batch), methods=["POST"]),
    ]


class _Desk:
    """Decodes, calls, encodes, signs."""

    def __init__(self, agents: Agents, door: Door, keys: KeyRing, clock: Callable[[], int]) -> None:
        self._agents, self._door, self._keys, self._clock = agents, door, keys, clock
        self._refused: tuple[int, int] = (0, 0)  # minute, count

    async def enrol(self, request: Request) -> Response:
        """Make a device known."""
        try:
            if self._refused[0] == self._clock() // MINUTE and self._refused[1] >= REFUSED_ENROLMENTS:
                raise Refuse(429, "too_many", "Too many enrolments were refused; try again in a minute.", pause=60)
            asked = self._decoded(await read_body(request, wire.MOST_BYTES[wire.ENROL]), wire.Enrol)
            told = await self._agents.enrol(asked)
        except Refuse as refuse:
            minute = self._clock() // MINUTE
            self._refused = (minute, self._refused[1] + 1 if self._refused[0] == minute else 1)
            return _response(refuse.status, _problem(refuse), _pause(refuse.pause))
        return _response(200, wire.encode(told), {})

    async def work(self, claim: Claim, body: bytes) -> wire.Work:
        """Orders for a device, signed by the key that it goes by."""
        return await self._agents.work(claim.device, self._decoded(body, wire.Pull, claim.device), claim.pinned)

    async def reports(self, claim: Claim, body: bytes) -> wire.Verdicts:
        """Reports of a device."""
        return await self._agents.reports(claim.device, self._decoded(body, wire.Reports, claim.device))

    async def configuration(self, claim: Claim, body: bytes) -> Configuration:
        """The configuration of a device."""
        self._decoded(body, Fetch, claim.device)
        return await self._agents.configuration(claim.device)

    async def batch(self, claim: Claim, body: bytes) -> wire.Stored:
        """Telemetry of a device."""
        return await self._agents.batch(claim.device, body)

    def taking(self, path: str, work: Work) -> Callable[[Request], Awaitable[Response]]:
        """The route of a path whose requests are signed."""

        async def serve(request: Request) -> Response:
            try:
                claim = await self._door.claim(request.headers)
                body = await read_body(request, wire.MOST_BYTES[path])
                device = self._door.check(claim, "POST", path, body)
            except Refuse as refuse:
                signer = claim if refuse.signed else None
                return self._answer(refuse.status, _problem(refuse), signer, _pause(refuse.pause))
            request.scope["muster.account"] = f"device:{device.uid}"
            return await self._taken(claim, body, work)

        return serve

    async def _taken(self, claim: Claim, body: bytes, work: Work) -> Response:
        try:
            told = await work(claim, body)
        except Refuse as refuse:
            return self._answer(refuse.status, _problem(refuse), claim, _pause(refuse.pause))
        except (UnavailableError, ApiError) as error:
            status, said, headers = answer(error)
            return self._answer(status, wire.encode(said), claim, headers)
        return self._answer(200, wire.encode(told), claim, {})

    def _answer(self, status: int, body: bytes, claim: Claim | None, headers: dict[str, str]) -> Response:
        if claim is not None:
            headers = headers | answer_headers(self._keys.of(claim.pinned), claim, self._clock(), status, body)
        return _response(status, body, headers)

    def _decoded(self, body: bytes, kind: type[T], device: Device | None = None) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._agents.refuse(400, "bad_message", f"The message is not of its form: {error}.", device) from None


def _problem(refuse: Refuse) -> bytes:
    return wire.encode(wire.Refusal(wire.Problem(refuse.code, str(refuse))))


def _pause(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)} if seconds else {}


def _response(status: int, body: bytes, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="application/json")
