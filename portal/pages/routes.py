"""The pages' routes: shells for who is signed in, sign-in for who is not, and static files with caching.

In: a browser's request. Out: HTML, or files of the bundle. Invariant: a page tells nothing to somebody who is signed
out; after sign-in one comes back to an address of this portal only.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from portal.access.guard import HeaderGuard
from portal.access.routes import account_info
from portal.access.service import Access
from portal.caller import Caller, Permission
from portal.classic.basic import caller_of
from portal.classic.errors import plain
from portal.endpoints import allow
from portal.errors import ApiError
from portal.pages.shell import nowhere, page, policy
from portal.queries.service import Queries

STATIC = Path(__file__).resolve().parents[1] / "static"
MACHINES = ("/api/", "/static/", "/agent/", "/healthz", "/metrics")  # where no page is looked for
NXQL_EDITOR = "/2/editor/nxql_editor.html"
YEAR = "public, max-age=31536000, immutable"


class CachedFiles(StaticFiles):
    """Static files: for ever under the version that the page names, else checked each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, with how long a browser may keep it."""
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=") or path.startswith("parts/")
        response.headers["Cache-Control"] = YEAR if versioned else "no-cache"
        return response


def routes(
    guard: HeaderGuard, queries: Queries, access: Access, *, site: str, version: str, static: Path = STATIC
) -> list[BaseRoute]:
    """The pages and the files they load. `access` knows names and passwords, by which the NXQL editor is opened."""
    pages = _Pages(guard, queries, access, site, version, static)
    return [
        Route("/", pages.investigations),
        Route("/sign-in", pages.sign_in),
        Route(NXQL_EDITOR, pages.nxql),
        Mount("/static", CachedFiles(directory=static, check_dir=False)),
        Nowhere(pages.nowhere),
    ]


class Nowhere(BaseRoute):
    """Every address where nothing else is, for browsers alone: the last route. Programs, and whoever asks below a
    machine's address, are told in JSON by the frame."""

    def __init__(self, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        self._endpoint = endpoint

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a person's browser looks for a page."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(MACHINES):
            return Match.NONE, {}
        reads = "text/html" in Headers(scope=scope).get("accept", "")
        return (Match.FULL if reads else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page."""
        response = await self._endpoint(Request(scope, receive))
        await response(scope, receive, send)


class _Pages:
    def __init__(
        self, guard: HeaderGuard, queries: Queries, access: Access, site: str, version: str, static: Path
    ) -> None:
        self._guard = guard
        self._access = access
        self._queries = queries
        self._site = site
        self._version = version
        self._static = static

    async def investigations(self, request: Request) -> Response:
        caller = await self._caller(request)
        if caller is None or not caller.may(Permission.QUERY):
            back = quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""), safe="")
            return RedirectResponse(f"/sign-in?return={back}", 303)
        return self._page("investigations", "Investigations", caller)

    async def sign_in(self, _request: Request) -> Response:
        return self._page("sign_in", "Sign in", None)

    async def nxql(self, request: Request) -> Response:
        """By name and password, as the interface that it asks: the browser gives that the same."""
        try:
            allow(await caller_of(request, self._access), Permission.QUERY)
        except ApiError as error:
            return plain(error)
        return self._page("nxql", "NXQL", None)

    async def nowhere(self, request: Request) -> Response:
        html = nowhere(request.url.path, styles=self._styles("nowhere"), version=_bundle(self._static))
        return HTMLResponse(
            html,
            404,
            headers={"Content-Security-Policy": policy(secrets.token_urlsafe(18)), "Cache-Control": "no-store"},
        )

    def _styles(self, name: str) -> list[str]:
        return [path for path in ("styles/console.css", f"{name}.css") if (self._static / path).is_file()]

    async def _caller(self, request: Request) -> Caller | None:
        try:
            return await self._guard.caller(request)
        except ApiError:
            return None

    def _page(self, name: str, title: str, caller: Caller | None) -> Response:
        nonce = secrets.token_urlsafe(18)
        boot: dict[str, object] = {"version": self._version}
        if caller is not None:
            boot |= {
                "account": account_info(caller.account),
                "csrf": caller.session.csrf if caller.session else "",
                "catalog_version": self._queries.catalog.version,
                "zone": self._queries.zone,
                "site": self._site,
            }
        html = page(name, title, boot, nonce=nonce, styles=self._styles(name), version=_bundle(self._static))
        return HTMLResponse(html, headers={"Content-Security-Policy": policy(nonce), "Cache-Control": "no-store"})


@cache
def _bundle(static: Path) -> str:
    """A short name of what the bundle holds now, so that browsers never mix two of them."""
    digest = sha256()
    for path in sorted(static.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(static).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
