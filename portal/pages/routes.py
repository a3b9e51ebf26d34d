"""The pages' routes: shells for who is signed in, sign-in for who is not, and static files with caching.

In: a browser's request. Out: HTML, or files of the bundle. Invariant: a page tells nothing to somebody who is signed
out; after sign-in one comes back to an address of this portal only.
"""

from __future__ import annotations

import secrets
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from portal.access.guard import HeaderGuard
from portal.access.routes import account_info
from portal.caller import Caller, Permission
from portal.errors import ApiError
from portal.pages.shell import page, policy
from portal.queries.service import Queries

STATIC = Path(__file__).resolve().parents[1] / "static"
YEAR = "public, max-age=31536000, immutable"


class CachedFiles(StaticFiles):
    """Static files: for ever under the version that the page names, else checked each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, with how long a browser may keep it."""
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=") or path.startswith("parts/")
        response.headers["Cache-Control"] = YEAR if versioned else "no-cache"
        return response


def routes(guard: HeaderGuard, queries: Queries, *, site: str, version: str, static: Path = STATIC) -> list[BaseRoute]:
    """The pages and the files they load."""
    pages = _Pages(guard, queries, site, version, static)
    return [
        Route("/", pages.investigations),
        Route("/sign-in", pages.sign_in),
        Mount("/static", CachedFiles(directory=static, check_dir=False)),
    ]


class _Pages:
    def __init__(self, guard: HeaderGuard, queries: Queries, site: str, version: str, static: Path) -> None:
        self._guard = guard
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
        styles = [path for path in ("styles/console.css", f"{name}.css") if (self._static / path).is_file()]
        html = page(name, title, boot, nonce=nonce, styles=styles, version=_bundle(self._static))
        return HTMLResponse(html, headers={"Content-Security-Policy": policy(nonce), "Cache-Control": "no-store"})


@cache
def _bundle(static: Path) -> str:
    """A short name of what the bundle holds now, so that browsers never mix two of them."""
    digest = sha256()
    for path in sorted(static.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(static).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
