"""Who asks, from the headers of a request: a session's cookie, an API token, or the short token of a credential.

In: a request. Out: the caller. Invariants: a browser's request that changes something needs the session's CSRF token
and must not come from another site's page; a token needs neither, since no page can make a browser send one. No
forwarded address or host is believed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request

from portal.access.service import Access
from portal.caller import Caller
from portal.errors import ApiError

CSRF_HEADER = "x-muster-csrf"


class HeaderGuard:
    """The guard of all own routes."""

    def __init__(
        self, access: Access, *, secure: bool, credential: Callable[[str], str | None] = lambda token: None
    ) -> None:
        """`credential` gives the id of the credential that a short token stands for now, None if it is none."""
        self._access = access
        self._secure = secure
        self._credential = credential

    @property
    def cookie(self) -> str:
        """The cookie's name; over TLS with the prefix that ties it to this host."""
        return "__Host-muster" if self._secure else "muster"

    async def caller(self, request: Request) -> Caller:
        """The caller. Raises ApiError 401 without one, 403 for a browser's request that another page may have made."""
        header = request.headers.get("authorization")
        if header is not None:
            return await self._bearer(header)
        cookie = request.cookies.get(self.cookie)
        caller = await self._access.by_cookie(cookie) if cookie else None
        if caller is None or caller.session is None:
            raise ApiError(401, "signed_out", "You are not signed in.", headers={"WWW-Authenticate": "Bearer"})
        if request.method not in ("GET", "HEAD"):
            given = request.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(given.encode(), caller.session.csrf.encode()):
                raise ApiError(403, "csrf", "The request lacks the session's CSRF token.", "Reload the page.")
        return caller

    def same_origin(self, request: Request) -> None:
        """Raises ApiError 403 if a page of another site made the request, as far as the browser says where it comes
        from."""
        foreign = ApiError(403, "foreign_origin", "This request was made by a page of another site.")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise foreign
        origin = request.headers.get("origin")
        if origin is None:
            return
        parts = urlsplit(origin) if origin.isascii() else urlsplit("")
        scheme = "https" if self._secure else "http"
        if parts.scheme != scheme or parts.netloc.lower() != request.headers.get("host", "").lower():
            raise foreign

    async def _bearer(self, header: str) -> Caller:
        scheme, _, secret = header.partition(" ")
        caller = await self._carrying(secret.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            message = "The token is not valid, or not any more."
            raise ApiError(401, "bad_token", message, headers={"WWW-Authenticate": "Bearer"})
        return caller

    async def _carrying(self, token: str) -> Caller | None:
        identifier = self._credential(token)
        if identifier is None:
            return await self._access.by_token(token)
        return await self._access.by_credential(identifier)
