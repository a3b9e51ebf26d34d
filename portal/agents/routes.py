"""What devices ask below `/agent/v1`: who asks, what they ask, and an answer that the portal signs.

In: requests over HTTP, and small ones that came over a channel, which seals them. Out: answers in the forms of
`agent.wire`, the same for both. Invariant: each path reads no more than its bound, and only for a device that exists;
every answer by HTTP to a device that proved itself, a refusal too, is signed over its nonce, so that nothing between
the two can speak for the portal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from agent import wire
from agent.wire_configuration import Configuration, Fetch
from portal.agents.door import Claim, Door, Refuse, answer_headers
from portal.agents.service import Agents, Parts
from portal.clock import elapsed
from portal.endpoints import read_body
from portal.errors import ApiError, answer
from storage.control.enrolment import Device
from storage.control.errors import UnavailableError

T = TypeVar("T")
Told = tuple[int, bytes, dict[str, str]]  # status, body, headers
Work = Callable[[Device, str | None, bytes], Awaitable[Any]]
REFUSED_ENROLMENTS = 60  # a minute; more than that is somebody guessing
MINUTE = 60_000_000
MOST_TOLD = wire.TOLD_BYTES - 512  # of an answer over a channel, without what is around it
log = structlog.get_logger("agents")


def routes(desk: Desk) -> list[BaseRoute]:
    """Every route of devices."""
    return [
        Route(wire.ENROL, desk.enrol, methods=["POST"]),
        Route(wire.WORK, desk.taking(wire.WORK, desk.work), methods=["POST"]),
        Route(wire.REPORTS, desk.taking(wire.REPORTS, desk.reports), methods=["POST"]),
        Route(wire.CONFIG, desk.taking(wire.CONFIG, desk.configuration), methods=["POST"]),
        Route(wire.BATCHES, desk.taking(wire.BATCHES, desk.batch), methods=["POST"]),
    ]


class Desk:
    """Decodes, calls, encodes, signs."""

    def __init__(self, parts: Parts, door: Door) -> None:
        self._agents, self._door, self._keys, self._clock = Agents(parts), door, parts.keys, parts.clock
        self._metrics = parts.metrics
        self._small: dict[str, Work] = {wire.WORK: self.work, wire.REPORTS: self.reports}
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
            return _response(*_refusal(refuse))
        return _response(200, wire.encode(told), {})

    async def work(self, device: Device, pinned: str | None, body: bytes) -> wire.Work:
        """Orders for a device, signed by the key that it goes by."""
        return await self._agents.work(device, self._decoded(body, wire.Pull, device), pinned)

    async def reports(self, device: Device, _pinned: str | None, body: bytes) -> wire.Verdicts:
        """Reports of a device."""
        return await self._agents.reports(device, self._decoded(body, wire.Reports, device))

    async def configuration(self, device: Device, _pinned: str | None, body: bytes) -> Configuration:
        """The configuration of a device."""
        self._decoded(body, Fetch, device)
        return await self._agents.configuration(device)

    async def batch(self, device: Device, _pinned: str | None, body: bytes) -> wire.Stored:
        """Telemetry of a device."""
        return await self._agents.batch(device, body)

    async def asked(self, uid: str, pinned: str, path: str, body: bytes) -> Told:
        """The answer to what a device asks over its channel. `uid` has shown there that it is this device."""
        began, known = elapsed(), path in self._small
        try:
            if not known:
                raise self._agents.refuse(404, "not_found", "This is not asked for over a channel.")
            status, said, headers = await self._taken(await self._door.still(uid), pinned, body, self._small[path])
        except Refuse as refuse:
            status, said, headers = _refusal(refuse)
        except Exception as error:
            log.exception("request_failed", route=path, account=f"device:{uid}")
            status, told, headers = answer(error)
            said = wire.encode(told)
        if len(said) > MOST_TOLD:
            status, said, headers = _refusal(Refuse(413, "too_long", "Ask for this by HTTP."))
        self._metrics.request(path if known else "(none)", "CHANNEL", status, elapsed() - began)
        return status, said, headers

    def taking(self, path: str, work: Work) -> Callable[[Request], Awaitable[Response]]:
        """The route of a path whose requests are signed."""

        async def serve(request: Request) -> Response:
            try:
                claim = await self._door.claim(request.headers)
                body = await read_body(request, wire.MOST_BYTES[path])
                device = self._door.check(claim, "POST", path, body)
            except Refuse as refuse:
                return self._answer(_refusal(refuse), claim if refuse.signed else None)
            request.scope["muster.account"] = f"device:{device.uid}"
            return self._answer(await self._taken(device, claim.pinned, body, work), claim)

        return serve

    async def _taken(self, device: Device, pinned: str | None, body: bytes, work: Work) -> Told:
        try:
            return 200, wire.encode(await work(device, pinned, body)), {}
        except Refuse as refuse:
            return _refusal(refuse)
        except (UnavailableError, ApiError) as error:
            status, said, headers = answer(error)
            return status, wire.encode(said), headers

    def _answer(self, told: Told, claim: Claim | None) -> Response:
        status, body, headers = told
        if claim is not None:
            headers = headers | answer_headers(self._keys.of(claim.pinned), claim, self._clock(), status, body)
        return _response(status, body, headers)

    def _decoded(self, body: bytes, kind: type[T], device: Device | None = None) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._agents.refuse(400, "bad_message", f"The message is not of its form: {error}.", device) from None


def _refusal(refuse: Refuse) -> Told:
    pause = {"Retry-After": str(refuse.pause)} if refuse.pause else {}
    return refuse.status, wire.encode(wire.Refusal(wire.Problem(refuse.code, str(refuse)))), pause


def _response(status: int, body: bytes, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, media_type="application/json")
