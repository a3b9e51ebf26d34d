"""One portal that the contract tests share, with those who may ask everything, and those who may not.

Comes in: a folder of the session. Goes out: `World`. Invariant: nobody adds devices to it, nor moves its clock.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest

from portal.logs import configure
from portal.settings import Settings
from storage.control.enrolment import Device
from tests.contracts.surfaces import Target, targets
from tests.portal.conftest import API, EVERYTHING, MANIFEST, PASSWORD, SECOND, House, opened
from tests.portal.modern.scenes import credential, token
from tests.storage.control.template import place

T = TypeVar("T")
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LIMITS = {"nql_per_second": 10_000, "nql_per_day": 10**9, "exports_per_day": 10**9}


@dataclass
class World:
    """A portal. `known` is the header of who may ask everything, by `kind_of` a surface; `strangers` those of who may
    ask nothing; `narrow` has everything but one permission, and `without` everything but one API."""

    runner: asyncio.Runner
    house: House
    listed: list[Target]
    device: Device
    secrets: frozenset[str]
    known: dict[str, str]
    strangers: dict[str, list[str]]
    narrow: dict[tuple[str, str], str]
    without: dict[str, str]
    client: httpx.AsyncClient

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the portal's loop."""
        return self.runner.run(work)

    def headers(self, target: Target) -> dict[str, str]:
        """What opens a route."""
        return {"Authorization": self.known[kind_of(target)]}

    @property
    def taking(self) -> list[Target]:
        """Those that take a body of JSON."""
        return [target for target in self.listed if target.form is not None]

    async def ask(
        self, target: Target, content: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Ask a route, as who may unless headers say otherwise."""
        given = self.headers(target) if headers is None else headers
        if content is None and target.form is not None:
            content = b"{}"
        said = FORM if target.surface in ("token", "nxql") else JSON
        given = (said if content is not None else {}) | given
        method, url = more.pop("method", target.method), more.pop("url", target.url)
        self.client.cookies.clear()
        return await self.client.request(method, url, content=content, headers=given, **more)


def kind_of(target: Target) -> str:
    """By what a surface knows who asks."""
    if target.surface == "own":
        return "own"
    return "basic" if target.surface in ("classic act", "engines", "nxql") else "modern"


def basic(name: str, secret: str) -> str:
    """The header of a name and a password."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The shared portal."""
    configure("critical")
    folder = tmp_path_factory.mktemp("surfaces") / "data"
    place(folder / "control" / "control.db")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        house = runner.run(stack.enter_async_context(opened(Settings(folder, imports=True))))
        try:
            yield runner.run(_made(runner, house))
        finally:
            runner.run(stack.aclose())


async def _made(runner: asyncio.Runner, house: House) -> World:
    device = house.enrol()
    ann = await house.program()
    assert (await ann.post(f"{API}/actions", json=MANIFEST)).status_code == 201
    text = "devices | where name == $name | list name"
    assert (await ann.put(f"{API}/saved-queries/named", json={"name": "Named", "text": text})).status_code < 300
    await house.settle()
    listed = targets(house)
    apis = sorted({target.api for target in listed if target.api})
    strangers = await _strangers(house, ann, apis)
    pair = await credential(house, ann, name="all", allow=apis, limits=LIMITS)
    held = await token(house, pair)
    own = ann.headers["Authorization"].removeprefix("Bearer ")
    without = {}
    for api in apis:
        others = [one for one in [*apis, "muster"] if one != api]
        given = await credential(house, ann, name=f"no-{api}", allow=others, limits=LIMITS)
        without[api] = f"Bearer {await token(house, given)}"
    known = {"own": f"Bearer {own}", "modern": f"Bearer {held}", "basic": basic("ann", PASSWORD)}
    secrets = frozenset({own, held, pair[1], PASSWORD, str(house.portal.settings.data), "Traceback", ".py"})
    narrow = await _narrow(house, ann, apis)
    client = await house.client()
    return World(runner, house, listed, device, secrets, known, strangers, narrow, without, client)


async def _strangers(house: House, ann: httpx.AsyncClient, apis: list[str]) -> dict[str, list[str]]:
    """Headers of those whose time is over, one a reason."""
    bob = await house.program("bob", EVERYTHING)
    over = [await _token(house, ann, name, apis, **more) for name, more in (
        ("short", {"expires_in": 60}), ("revoked", {"expires_in": 7200}), ("old", {}), ("bobs", {"account": "bob"}),
    )]  # fmt: skip
    gone = await house.program("zoe")
    house.time.now += 901 * SECOND  # the tokens are over; new ones of the others would not be
    over += [await _token(house, ann, name, apis, account="bob") for name in ("bobs-too", "to-be-revoked")]
    assert (await ann.delete(f"{API}/credentials/to-be-revoked")).status_code == 204
    for name in ("bob", "zoe"):
        house.portal.control.accounts.disable(name, by="portal", now=house.time.now)
    nonsense = ["", "Bearer", "Bearer x", "Bearer a.b.c", "Digest x", "Basic ?", "Bearer " + "x" * 5000]
    theirs = [client.headers["Authorization"] for client in (bob, gone)]
    passwords = [basic("ann", "wrong"), basic("nobody", PASSWORD), basic("bob", PASSWORD), "Basic YQ=="]
    return {
        "own": [*nonsense, *theirs, *over, basic("ann", PASSWORD)],
        "modern": [*nonsense, *over, *theirs, ann.headers["Authorization"], basic("ann", PASSWORD)],
        "basic": [*nonsense, *theirs, *over, *passwords],  # List Engines takes tokens, but not these
    }


async def _token(house: House, ann: httpx.AsyncClient, name: str, apis: list[str], **more: Any) -> str:
    return f"Bearer {await token(house, await credential(house, ann, name=name, allow=apis, **more))}"


async def _narrow(house: House, ann: httpx.AsyncClient, apis: list[str]) -> dict[tuple[str, str], str]:
    """Headers of accounts that have all permissions but one, by kind and permission."""
    found = {}
    for lacking in EVERYTHING:
        name = f"lacks-{lacking}"
        client = await house.program(name, tuple(one for one in EVERYTHING if one != lacking))
        found["own", lacking] = client.headers["Authorization"]
        found["modern", lacking] = await _token(house, ann, name, apis, account=name, limits=LIMITS)
        found["basic", lacking] = basic(name, PASSWORD)
    return found
