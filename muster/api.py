"""The portal's HTTP interface as calls: JSON in, JSON out, bytes where a result is to stay as it is.

In: an address, a token or a credential. Out: decoded JSON, or an exception of `muster.errors` with the portal's own
words. Invariants: secrets go to that one address only (redirects are not followed) and never unencrypted over a
network; what the portal was too busy for is asked again, as long as that begins nothing twice; nothing here needs
Polars or Arrow, so that the command line starts at once.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from muster.errors import (
    MusterError,
    NotAllowedError,
    QueryFailedError,
    RefusedError,
    UnreachableError,
    UsageError,
    diagnostic,
)
from muster.signing_in import BearerToken, Credential, CredentialToken

PREFIX = "/api/muster/v1"
DEFAULT_URL = "http://127.0.0.1:8080"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
TIMEOUT = httpx.Timeout(10.0, read=120.0)
PATIENCE = 60.0  # seconds that a call waits for a busy portal, in all
PAUSES = (0.5, 1.0, 2.0, 4.0, *[8.0] * 10)  # seconds, where the portal names none
BUSY, AWAY = 429, 503
LONGEST_QUERY = 1200.0  # seconds: an export may wait as long as it may run
TOKEN_HINT = "Make one with `muster tokens create NAME --data DIR` and put it into MUSTER_TOKEN or a token file."


class Api:
    """One portal as one account sees it, by a token or else a credential. `patience` is in seconds."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        credential: Credential | None = None,
        patience: float = PATIENCE,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = checked(url, bool(token or credential))
        self.renews = not token and credential is not None  # what it carries ends by itself, and is taken anew
        self._patience, self._sleep = patience, sleep
        headers = {"Accept": "application/json", "User-Agent": "muster"}
        signing = BearerToken(token) if token else CredentialToken(self.url, credential) if credential else None
        near = urlsplit(self.url).hostname in LOOPBACK
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            auth=signing,
            timeout=TIMEOUT,
            transport=transport,
            trust_env=not near,
            # what SSL_CERT_FILE names is trusted here, too, though no proxy of the environment is asked
            verify=ssl.create_default_context() if near and self.url.startswith("https:") else True,
        )

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON at a path below the interface's root."""
        return self._json(self._send("GET", path, params=query))

    def post(self, path: str, body: Mapping[str, Any], *, text: str = "") -> Any:
        """Send JSON; the JSON that comes back, None for nothing. `text` is the query that diagnostics speak of."""
        return self._json(self._send("POST", path, json=body, text=text))

    def put(self, path: str, body: Mapping[str, Any], *, text: str = "") -> Any:
        """Put JSON in the place of what stands at a path; the JSON that comes back. `text` as for `post`."""
        return self._json(self._send("PUT", path, json=body, text=text))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change parts of what stands at a path; the JSON that comes back."""
        return self._json(self._send("PATCH", path, json=body))

    def post_packed(self, path: str, body: bytes) -> Any:
        """Send JSON that is packed with gzip already; the JSON that comes back."""
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return self._json(self._send("POST", path, content=body, headers=headers))

    def delete(self, path: str) -> None:
        """Remove what stands at a path."""
        self._send("DELETE", path)

    def query(self, text: str, accept: str, **body: Any) -> bytes:
        """The answer to a query in the form of a media type. Who interrupts it (Ctrl-C) has it cancelled in the portal.
        Raises QueryFailedError."""
        return self.answer(text, accept, **body).content

    def following(self, cursor: str, accept: str) -> httpx.Response:
        """The page of an answer that a cursor stands for."""
        return self._send("POST", "/query/next", json={"cursor": cursor}, headers={"Accept": accept})

    def answer(self, text: str, accept: str, **body: Any) -> httpx.Response:
        """As `query`, with the headers."""
        identifier = uuid4().hex
        asked = {"text": text, "id": identifier, **{name: item for name, item in body.items() if item is not None}}
        headers, longest = {"Accept": accept}, httpx.Timeout(10.0, read=LONGEST_QUERY)
        try:
            return self._send("POST", "/query", json=asked, headers=headers, timeout=longest, text=text)
        except KeyboardInterrupt:
            with suppress(MusterError):  # it may have ended by itself
                self.delete(f"/queries/{identifier}")
            raise

    @contextmanager
    def events(self, path: str, body: Mapping[str, Any] | None = None, *, after: str = "") -> Iterator[Events]:
        """Server-sent events at a path, those after the one with an id if it is named. A `body` is sent, with the query
        that diagnostics speak of as its `text`."""
        method, headers = "GET" if body is None else "POST", {"Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": after} if after else {}
        with (
            self._told(path),
            self._http.stream(method, PREFIX + path, json=body, headers=headers) as answer,
        ):
            if answer.is_error:
                answer.read()
                raise refusal(answer, str((body or {}).get("text", "")))
            yield Events(answer.iter_lines(), after)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, path: str, *, text: str = "", **given: Any) -> httpx.Response:
        left, pauses = self._patience, iter(PAUSES)
        while True:
            with self._told(path):
                answer = self._http.request(method, PREFIX + path, **given)
            if answer.is_success:
                return answer
            wait = _pause(answer, repeatable(method, path, given.get("json")), next(pauses, None))
            if wait is None or wait > left:
                raise refusal(answer, text)
            left -= wait
            self._sleep(wait)

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                said = f"This machine does not trust the certificate at {self.url} ({_reason(error)})."
                hint = "Name the file of its authority in the environment variable SSL_CERT_FILE."
                raise UnreachableError(said, hint, "unreachable") from error
            hint = "Is it running? Start it with `muster serve`, or give its address with --url."
            raise UnreachableError(
                f"No portal answers at {self.url} ({_reason(error)}).", hint, "unreachable"
            ) from error
        except httpx.TimeoutException as error:
            raise UnreachableError(
                f"The portal at {self.url} did not answer in time.", "Ask for less, or try again.", "timeout"
            ) from error
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"The connection to {self.url} broke ({_reason(error)}).", "Try again.", "unreachable"
            ) from error

    def _json(self, answer: httpx.Response) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise MusterError(
                f"What answers at {self.url} is no portal of Muster.", "Check the address.", "not_muster"
            ) from error


def checked(url: str, with_token: bool) -> str:
    """The address without a trailing slash. Raises UsageError for one that cannot be, or that would give the token
    away."""
    parts = urlsplit(url)
    try:
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or parts.username or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is no address of a portal.", f"Write one such as {DEFAULT_URL}.", "bad_url")
    if parts.scheme == "http" and with_token and parts.hostname not in LOOPBACK:
        raise UsageError(f"The token would go to {parts.hostname} unencrypted.", "Use an https address.", "unencrypted")
    return url.rstrip("/")


def refusal(answer: httpx.Response, text: str) -> MusterError:
    """The exception for an error the portal answered with."""
    try:
        said = answer.json()["error"]
        message, hint, code = str(said["message"]), str(said.get("hint", "")), str(said["code"])
    except (ValueError, KeyError, TypeError):
        return RefusedError(
            f"The answer was {answer.status_code} {answer.reason_phrase}.",
            "Is this a portal of Muster?",
            "http",
            answer.status_code,
        )
    if said.get("diagnostics"):
        return QueryFailedError(text, [diagnostic(item) for item in said["diagnostics"]])
    if answer.status_code == 401:
        return NotAllowedError(message, hint or TOKEN_HINT, code)
    if answer.status_code == 403:
        return NotAllowedError(message, hint, code)
    return RefusedError(message, hint, code, answer.status_code)


def repeatable(method: str, path: str, body: Mapping[str, Any] | None) -> bool:
    """Whether a request that may have been carried out can be sent again without anything being done twice."""
    if method != "POST" or path.startswith(("/query", "/nql/")) or path.endswith("/preview"):
        return True
    return bool((body or {}).get("idempotency_key"))


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


class Events:
    """Events of a stream as names and decoded JSON; an empty name for each sign of life between them. `last` is the id
    of the newest that was taken."""

    def __init__(self, lines: Iterator[str], last: str = "") -> None:
        self.last = last
        self._taken = self._read(lines)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return self._taken

    def _read(self, lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
        name, data, identifier = "message", "", self.last
        for line in lines:
            if line.startswith("event:"):
                name = line.removeprefix("event:").strip()
            elif line.startswith("id:"):
                identifier = line.removeprefix("id:").strip()
            elif line.startswith("data:"):
                data += line.removeprefix("data:").strip()
            elif line.startswith(":"):
                yield "", None
            elif not line and data:
                self.last = identifier
                yield name, json.loads(data)
                name, data = "message", ""


def _pause(answer: httpx.Response, again: bool, pause: float | None) -> float | None:
    """Seconds after which a refused request is sent again, None where that is no use. A 429 was never carried out."""
    if pause is None or not (answer.status_code == BUSY or (answer.status_code == AWAY and again)):
        return None
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() and len(said) < 9 else pause


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
