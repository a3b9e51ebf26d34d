"""One signed HTTP request to the portal, and its answer, checked. Blocks; called in a worker thread.

In: a path of `agent.wire`, a body. Out: an `Answer` that the pinned portal signed. Invariants: what the portal did
not sign is no answer at all (a proxy's page, a captive portal, another server behind the name), so nothing is ever
acknowledged, dropped or believed because of it; no more than `wire.ANSWER_BYTES` are read. One connection a request:
a device asks seldom.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from agent import proxies, statements, wire
from agent.clock import Clock
from agent.identity import Enrolment, Keys, verify
from agent.proxies import ProxyError
from agent.tls import Pinning, pinned


class UnreachableError(Exception):
    """No answer of our portal; the text says why."""


class RefusedError(Exception):
    """The portal refused; the text is its own."""

    def __init__(self, status: int, problem: wire.Problem) -> None:
        super().__init__(f"{problem.message} {problem.hint}".strip())
        self.status = status
        self.code = problem.code


@dataclass(frozen=True, slots=True)
class Answer:
    """What the portal said. `offset` is how far its clock is ahead of ours; `pause` what it asked to wait, both in
    microseconds."""

    status: int
    body: bytes
    offset: int
    pause: int = 0


class Exchange:
    """Requests of one enrolled device."""

    def __init__(self, enrolment: Enrolment, keys: Keys, clock: Clock) -> None:
        self.enrolment = enrolment
        self._keys = keys
        self._clock = clock
        self._offset = 0
        self._tls: tuple[list[bytes], Pinning] | None = None

    def send(self, path: str, body: bytes, *, packed: bool = False) -> Answer:
        """Send a request; `packed` says that the body is gzip. A clock that is far off is set right and the request
        repeated. Raises UnreachableError."""
        answer = self._send(path, body, packed)
        if answer.status == 401:
            answer = self._send(path, body, packed)
        return answer

    def sign(self, method: str, path: str, body: bytes) -> dict[str, str]:
        """The headers that make a request ours."""
        time, nonce = self._clock.now() + self._offset, secrets.token_urlsafe(16)
        signature = self._keys.sign(statements.request_bytes(self.enrolment.device, method, path, time, nonce, body))
        return {
            wire.DEVICE_HEADER: self.enrolment.device,
            wire.PINNED_HEADER: statements.fingerprint(self.enrolment.portal_key),
            wire.TIME_HEADER: str(time),
            wire.NONCE_HEADER: nonce,
            wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        }

    @property
    def tls(self) -> Pinning | None:
        """How the portal's server is known; None where it is reached without TLS."""
        if not self.enrolment.url.startswith("https:"):
            return None
        if self._tls is None or self._tls[0] != self.enrolment.tls_pins:
            self._tls = (self.enrolment.tls_pins, pinned(self.enrolment.tls_pins))
        return self._tls[1]

    def learn(self, portal_time: int, asked: int, answered: int) -> int:
        """Note the portal's time as said in the middle between two instants of ours; how far it is ahead."""
        self._offset = portal_time - (asked + answered) // 2
        return self._offset

    def refused(
        self, pinned: bytes, status: int, headers: Mapping[str, str], body: bytes, nonce: str, asked: int
    ) -> bool:
        """Whether a refusal of the channel is our portal's; then its time is learnt. Names of headers are in lower
        case."""
        try:
            self.learn(self._check(pinned, status, headers, body, nonce), asked, self._clock.now())
        except UnreachableError:
            return False
        return True

    def _send(self, path: str, body: bytes, packed: bool) -> Answer:
        pinned, headers = self.enrolment.portal_key, self.sign("POST", path, body)
        asked = self._clock.now()
        status, given, data = post(self.enrolment.url, path, body, headers, packed=packed, context=self.tls)
        nonce = headers[wire.NONCE_HEADER]
        time = self._check(pinned, status, given, data, nonce)
        return Answer(status, data, self.learn(time, asked, self._clock.now()), _pause(given))

    def _check(self, pinned: bytes, status: int, headers: Mapping[str, str], body: bytes, nonce: str) -> int:
        try:
            time = int(headers[wire.TIME_HEADER.lower()])
            signature = base64.b64decode(headers[wire.SIGNATURE_HEADER.lower()], validate=True)
        except (KeyError, ValueError, binascii.Error):
            raise UnreachableError(f"the answer ({status}) is not signed: {said(body)}") from None
        signed = statements.answer_bytes(self.enrolment.device, nonce, time, status, body)
        if not verify(pinned, signature, signed):
            raise UnreachableError(f"the answer ({status}) is not signed by the portal that this device pinned")
        return time


def enrol(url: str, request: wire.Enrol, context: Pinning | None = None) -> wire.Enrolled:
    """Ask a portal to know this device; `context` says how its server is known. Raises UnreachableError,
    RefusedError."""
    status, _, body = post(url, wire.ENROL, wire.encode(request), {}, context=context)
    try:
        if status == 200:
            return msgspec.json.decode(body, type=wire.Enrolled)
        raise RefusedError(status, msgspec.json.decode(body, type=wire.Refusal).error)
    except msgspec.MsgspecError:
        raise UnreachableError(f"{url} does not answer like a portal (status {status}): {said(body)}") from None


def post(
    url: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    packed: bool = False,
    context: ssl.SSLContext | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of the answer. Raises UnreachableError."""
    sent = {**headers, "Content-Type": "application/json", "Connection": "close"} | (
        {"Content-Encoding": "gzip"} if packed else {}
    )
    try:
        connection = proxies.connection(url, context)
    except ProxyError as error:
        raise UnreachableError(str(error)) from error
    try:
        connection.request("POST", urlsplit(url).path + path, body, sent)
        response = connection.getresponse()
        data = response.read(wire.ANSWER_BYTES + 1)
        if len(data) > wire.ANSWER_BYTES:
            raise UnreachableError(f"the answer is larger than {wire.ANSWER_BYTES} bytes")
        return response.status, {name.lower(): value for name, value in response.getheaders()}, data
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def said(body: bytes) -> str:
    """What an error answer says, for a log."""
    try:
        return msgspec.json.decode(body, type=wire.Refusal).error.message[:300]
    except msgspec.MsgspecError:
        return "no message"


def seconds(text: str, most: int) -> int:
    """The value of a Retry-After header, at most `most`; 0 if it is no number of seconds."""
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _pause(headers: Mapping[str, str]) -> int:
    return seconds(headers.get("retry-after", ""), 3600) * 1_000_000
