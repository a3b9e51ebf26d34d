"""What a request carries to say who asks: an API token, or a short token that a credential's id and secret are given
for.

In: a token, or a credential. Out: httpx's form of authorization. Invariants: the secret goes to the token endpoint of
that one portal alone; a short token is asked for when there is none, shortly before it ends, and once more when it is
refused.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx

from muster.errors import NotAllowedError, RefusedError, UsageError

TOKEN = "/oauth2/default/v1/token"
GRANT = {"grant_type": "client_credentials", "scope": "service:integration"}
EARLY = 60.0  # seconds before its end
UNAUTHORIZED = 401
HINT = "Make one with `muster credentials create NAME --allow muster`."
Credential = tuple[str, str]


class BearerToken(httpx.Auth):
    """A token that stays."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Put it into a request."""
        request.headers["Authorization"] = self._header
        yield request


class CredentialToken(httpx.Auth):
    """Short tokens of a credential."""

    requires_response_body = True

    def __init__(self, url: str, credential: Credential, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url + TOKEN
        self._credential = credential
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Put a token into a request, a new one where that is due. Raises NotAllowedError, RefusedError."""
        given = ""
        if self._clock() >= self._until:
            given = self._taken((yield self._asking()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == UNAUTHORIZED and not given:
            self._taken((yield self._asking()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _asking(self) -> httpx.Request:
        basic = httpx.BasicAuth(*self._credential)
        asking = httpx.Request("POST", self._url, data=GRANT, headers={"Accept": "application/json"})
        return next(basic.auth_flow(asking))

    def _taken(self, answer: httpx.Response) -> str:
        if answer.status_code == UNAUTHORIZED:
            raise NotAllowedError("The portal does not take this credential.", HINT, "invalid_client")
        try:
            said = answer.raise_for_status().json()
            token, seconds = str(said["access_token"]), float(said["expires_in"])
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
            wait = answer.headers.get("Retry-After")
            way = f"Try again in {wait} s." if wait else "Is this a portal of Muster?"
            message = f"The credential was not looked at ({answer.status_code})."
            raise RefusedError(message, way, "token_endpoint", answer.status_code) from None
        with self._lock:
            self._token, self._until = token, self._clock() + max(seconds - EARLY, 1.0)
        return token


def find_token(file: Path | None = None) -> str | None:
    """The token of the environment: MUSTER_TOKEN, a given file, MUSTER_TOKEN_FILE, or `~/.config/muster/token`; None
    without one."""
    if file is None and (token := os.environ.get("MUSTER_TOKEN", "").strip()):
        return token
    named = file or (Path(found) if (found := os.environ.get("MUSTER_TOKEN_FILE")) else None)
    place = named or Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "muster" / "token"
    try:
        return place.read_text(encoding="utf-8").strip() or None
    except OSError as error:
        if named is None:
            return None
        raise UsageError(f"The token file {place} cannot be read: {error.strerror}.", code="token_file") from error


def find_credential() -> Credential | None:
    """The credential of the environment, MUSTER_CREDENTIAL_ID and MUSTER_CREDENTIAL_SECRET; None without one. Raises
    UsageError for half of one."""
    found = os.environ.get("MUSTER_CREDENTIAL_ID", "").strip(), os.environ.get("MUSTER_CREDENTIAL_SECRET", "").strip()
    if any(found) and not all(found):
        message = "Of MUSTER_CREDENTIAL_ID and MUSTER_CREDENTIAL_SECRET one is missing."
        raise UsageError(message, "Set both.", "half_credential")
    return found if all(found) else None
