"""Every route that can be asked from outside, as one list, and the form that an error has on each surface.

Comes in: a house. Goes out: `Target`s, made from the routes themselves; `hold`, which says whether an answer is one
that its surface may give. Invariant: a route that belongs to no known surface is an error here, so that a new one is
covered or noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from starlette.routing import Mount, Route

from portal.app import endpoints
from portal.classic.errors import CODES, STATUS
from portal.classic.routes import ACT, ENGINES, MOST_BYTES, NXQL
from portal.endpoints import PREFIX
from portal.modern.errors import DELETION_CODES, OAUTH_CODES
from portal.modern.nql import FILES
from portal.modern.token import PATHS
from portal.modern.ways import WayRoute
from portal.pages.routes import Nowhere
from tests.portal.conftest import House

BESIDE = re.compile(r"/|/sign-in|/static|/healthz|/metrics|/agent/v1/.*|/2/editor/.*")  # pages, figures, devices
UNKNOWN = "00000000-0000-7000-8000-000000000000"
MODERN = {400, 401, 403, 404, 405, 406, 429, 503}
OWN = MODERN | {408, 409, 413, 415, 422, 504, 507}


@dataclass(frozen=True)
class Target:
    """One method of one path. `form` is the type of its body, None where it takes none; `api` what a credential has to
    allow."""

    method: str
    path: str
    surface: str
    form: Any = None
    api: str = ""
    needs: str = ""
    most_bytes: int = 0
    open: bool = False

    @property
    def url(self) -> str:
        """An address of it, of things that do not exist."""
        return re.sub(r"\{[^}]*\}", UNKNOWN, self.path)

    def takes(self, method: str, url: str) -> bool:
        """Whether this is what is asked with a method at an address."""
        return self.method == method and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", self.path), url) is not None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class ActBody(msgspec.Struct):
    """What the classic Act API takes, in the spelling of its documents."""

    remoteActionUid: str  # noqa: N815
    deviceUids: list[str]  # noqa: N815
    requestUid: str | None = None  # noqa: N815
    engineDatabaseUids: list[str] | None = None  # noqa: N815
    timeoutSeconds: int | None = None  # noqa: N815
    params: dict[str, str] | None = None


def targets(house: House) -> list[Target]:
    """All of them."""
    found = []
    for endpoint in endpoints(house.portal):
        body, needs = endpoint.body or endpoint.reads, endpoint.needs.value if endpoint.needs else ""
        path, most = PREFIX + endpoint.path, endpoint.most_bytes
        found.append(Target(endpoint.method, path, "own", body, "", needs, most, endpoint.open))
    own = {target.path for target in found}
    for route in house.app.routes:
        if isinstance(route, WayRoute):
            found += [
                Target(way.method, way.path, way.surface.value, way.body, way.api, way.needs.value, way.most_bytes)
                for way in route.ways
            ]
        elif isinstance(route, Route) and route.path not in own:
            found += _other(route.path)
        else:
            assert isinstance(route, Route | Mount | Nowhere), route
    return found


def _other(path: str) -> list[Target]:
    if path in ACT:
        return [Target("POST", path, "classic act", ActBody, "", "api", MOST_BYTES)]
    if path == ENGINES:
        return [Target("GET", path, "engines", needs="query")]
    if path == NXQL:
        return [Target("GET", path, "nxql", needs="query"), Target("POST", path, "nxql", needs="query")]
    if path in PATHS:
        return [Target("POST", path, "token", open=True)]
    if path.startswith(FILES):
        return [Target("GET", path, "nql", open=True)]
    assert BESIDE.fullmatch(path), f"{path} belongs to no surface that is known here"
    return []


# --- what an error looks like ------------------------------------------------------------------
def _texts(*names: str) -> Callable[[Any, int], bool]:
    return lambda said, status: set(said) == set(names) and all(isinstance(said[name], str) for name in names)


def _own(said: Any, status: int) -> bool:
    wrong = said["error"]
    return set(said) == {"error"} and bool(wrong["code"] and wrong["message"]) and isinstance(wrong["hint"], str)


def _nql(said: Any, status: int) -> bool:
    return set(said) == {"message", "code", "source"} and said["code"] == status and bool(said["message"])


def _enrichment(said: Any, status: int) -> bool:
    if status == 403:
        return set(said) == {"message"}
    told = {"message", "code"} <= said.keys() or bool(said.get("errors"))
    return told and (status != 400 or (said["status"] == "error" and isinstance(said["errors"], list)))


def _act(said: Any, status: int) -> bool:
    return set(said) == {"code", "error"} and said["code"] in CODES and STATUS.get(said["code"], 400) == status


def _token(said: Any, status: int) -> bool:
    return set(said) == {"error", "error_description"} and said["error"] in OAUTH_CODES | {"temporarily_unavailable"}


def _deletions(said: Any, status: int) -> bool:
    return set(said) == {"code", "message"} and said["code"] in DELETION_CODES


JSON: Mapping[str, Callable[[Any, int], bool]] = {
    "own": _own,
    "token": _token,
    "act": _texts("code", "message"),
    "nql": _nql,
    "enrichment": _enrichment,
    "deletions": _deletions,
    "campaigns": _texts("code", "message"),
    "workflows": _texts("code", "details"),
    "spark": _texts("message"),
    "classic act": _act,
}
PLAIN = {"engines": {401, 403, 404, 429, 503}, "classic act": {401, 404, 429, 503}}  # a line of text


def hold(target: Target, answer: httpx.Response, secrets: frozenset[str]) -> None:
    """Fail unless this is an answer that the surface of a target gives."""
    said = f"{target} {answer.status_code} {answer.text[:500]}"
    everything = f"{answer.text} {list(answer.headers.items())}"
    assert not [secret for secret in secrets if secret in everything], said
    assert answer.headers["muster-request"], said
    assert answer.headers["x-content-type-options"] == "nosniff", said
    if answer.status_code < 300:
        return
    assert answer.status_code in (OWN if target.surface in ("own", "nxql") else MODERN), said
    assert answer.status_code != 405 or answer.headers["allow"], said
    assert answer.status_code not in (429, 503) or int(answer.headers["retry-after"]) > 0, said
    _hold_form(target, answer, said)


def _hold_form(target: Target, answer: httpx.Response, said: str) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if target.surface == "nxql":
        assert kind == "text/html", said
        assert answer.text.startswith("<html>"), said
        assert all(name in answer.text for name in ('id="error_message"', 'id="error_options"')), said
    elif answer.status_code in PLAIN.get(target.surface, ()):
        assert kind == "text/plain", said
        assert answer.text.strip(), said
    elif answer.status_code == 401 and target.surface not in ("own", "token", "campaigns"):
        assert not answer.content, said
        assert answer.headers["www-authenticate"], said
    else:
        assert kind == "application/json", said
        assert JSON[target.surface](answer.json(), answer.status_code), said
