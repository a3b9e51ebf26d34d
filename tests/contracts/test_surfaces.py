"""All routes times all that can be wrong with a request: the status, the form of the surface, and no secret.

Comes in: the list of routes and the shared portal. Goes out: nothing. Invariant: a new route is asked by all of this
without a line here; where a route is of no known surface, the list itself fails.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from portal.endpoints import BODY_SECONDS
from tests.contracts import bodies
from tests.contracts.conftest import FORM, JSON, World, kind_of
from tests.contracts.surfaces import Target, hold

pytestmark = pytest.mark.slow
MIB = 1 << 20
DEEP = 3  # where it is only one type within another, one decoder looks at all
SETTLED = {"POST /api/muster/v1/session", "GET /api/muster/v1/openapi.json"}  # open to everybody, of the own API
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_the_list_holds_every_surface(world: World) -> None:
    surfaces = {target.surface for target in world.listed}
    assert surfaces >= {"own", "token", "act", "nql", "enrichment", "deletions", "spark", "classic act", "nxql"}
    assert len({str(target) for target in world.listed}) == len(world.listed) > 80
    open_ = {str(target) for target in world.listed if target.open and target.surface == "own"}
    assert open_ == SETTLED


def test_who_is_not_known(world: World) -> None:
    async def scene() -> None:
        for target in world.listed:
            if target.open:
                continue
            for header in world.strangers[kind_of(target)] if target.method == "POST" else [""]:
                answer = await world.ask(target, headers={"Authorization": header} if header else {})
                assert answer.status_code == 401, (str(target), header)
                hold(target, answer, world.secrets)

    world.run(scene())


def test_who_lacks_something(world: World) -> None:
    async def scene() -> None:
        for target in world.listed:
            if target.needs:
                header = {"Authorization": world.narrow[kind_of(target), target.needs]}
                answer = await world.ask(target, headers=header)
                assert answer.status_code == 403, (str(target), answer.text)
                hold(target, answer, world.secrets)
            if target.api:
                answer = await world.ask(target, headers={"Authorization": world.without[target.api]})
                assert answer.status_code == 403, (str(target), answer.text)
                hold(target, answer, world.secrets)

    world.run(scene())


def test_methods_that_an_address_does_not_take(world: World) -> None:
    async def scene() -> None:
        for target in {target.path: target for target in world.listed}.values():
            for method in METHODS:
                if not any(other.takes(method, target.url) for other in world.listed):
                    answer = await world.ask(target, method=method)
                    wanted = 404 if target.surface in ("classic act", "engines") else 405
                    assert answer.status_code == wanted, (str(target), method)
                    hold(target, answer, world.secrets)

    world.run(scene())


def test_bodies_that_are_no_bodies(world: World) -> None:
    async def scene() -> None:
        for target in world.taking:
            for raw in bodies.RAW:
                if bodies.fits(target.form, raw):
                    continue
                answer = await world.ask(target, raw)
                wanted = 413 if target.surface == "own" and len(raw) > target.most_bytes else 400
                assert answer.status_code == wanted, (str(target), raw[:30])
                hold(target, answer, world.secrets)
            for said in (
                "text/plain",
                "",
                "application/x-www-form-urlencoded",
                "application/xml",
                "multipart/form-data",
            ):
                answer = await world.ask(target, b"{}", world.headers(target) | {"Content-Type": said})
                assert answer.status_code == (415 if target.surface == "own" else 400), (str(target), said)
                hold(target, answer, world.secrets)
            for more in ({"Content-Encoding": "gzip"}, {"Content-Type": "application/json; charset=utf-16"}):
                answer = await world.ask(target, "{}".encode("utf-16"), world.headers(target) | JSON | more)
                assert answer.status_code == 400, (str(target), more)
                hold(target, answer, world.secrets)

    world.run(scene())


def test_every_type_in_every_field(world: World) -> None:
    async def scene() -> None:
        for target in world.taking:
            good = bodies.sample(target.form)
            some = (
                2 if target.surface == "own" else len(bodies.ODD)
            )  # one decoder for all: a type at each place in turn
            for at, place in enumerate(place for place in bodies.places(good) if len(place) <= DEEP):
                odd = [bodies.ODD[(at * some + one) % len(bodies.ODD)] for one in range(some)]
                wrong = [bodies.without(good, place), *(bodies.changed(good, place, one) for one in odd)]
                for body in wrong:
                    text = json.dumps(body).encode()
                    if bodies.fits(target.form, text):
                        continue  # what it means is for the tests of its part, and for those that are generated
                    answer = await world.ask(target, text)
                    wanted = 413 if target.surface == "own" and len(text) > target.most_bytes else 400
                    assert answer.status_code == wanted, (str(target), text[:300], answer.text)
                    hold(target, answer, world.secrets)

    world.run(scene())


def test_names_that_stand_twice_or_are_not_known(world: World) -> None:
    async def scene() -> None:
        for target in world.taking:
            good = bodies.sample(target.form)
            if not isinstance(good, dict) or not good:
                continue
            answer = await world.ask(target, bodies.twice(good, next(iter(good))))
            hold(target, answer, world.secrets)
            assert answer.status_code == 400 or target.surface == "own", (str(target), answer.text)
            more = await world.ask(target, json.dumps({**good, "nobody knows": 1}).encode())
            hold(target, more, world.secrets)

    world.run(scene())


def test_large_bodies_are_refused_early(world: World) -> None:
    async def scene() -> None:
        for target in (t for t in world.listed if t.form is not None or (t.surface, t.method) == ("nxql", "POST")):
            pulled = 0

            async def large() -> AsyncIterator[bytes]:
                nonlocal pulled
                for _ in range(100):
                    pulled += 1
                    yield b" " * MIB

            kind = FORM if target.surface == "nxql" else JSON
            known = world.headers(target) | kind
            answers = [await world.ask(target, large(), known | {"Content-Length": str(100 * MIB)})]
            assert pulled == 0, str(target)
            answers.append(await world.ask(target, large(), known))
            assert pulled <= target.most_bytes // MIB + 1, str(target)
            for answer in answers:
                assert answer.status_code in (400, 413), (str(target), answer.text)
                hold(target, answer, world.secrets)

    world.run(scene())


def test_a_body_that_does_not_come_is_not_waited_for(world: World) -> None:
    async def one(target: Target) -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        answer = await world.ask(target, slow(), world.headers(target) | JSON)
        assert answer.status_code in (400, 408), (str(target), answer.text)
        hold(target, answer, world.secrets)

    async def scene() -> None:
        waiting = asyncio.gather(*map(one, world.taking))
        loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time
        late = 0.0
        loop.time = lambda: began() + late  # type: ignore[method-assign]  # the clock of this test's loop goes on
        async with asyncio.timeout(600):
            while not waiting.done():
                await asyncio.sleep(0)
                late += BODY_SECONDS / 100
            await waiting

    world.run(scene())


def test_a_thousand_at_once(world: World) -> None:
    kinds = ("GET /api/v1/act/remote-action", "POST /api/v1/nql/execute", "POST /api/v2/nql/execute", "GET /2/query",
             "GET /api/configuration/v1/engines", "POST /api/v1/act/execute", "GET /api/muster/v1/session",
             "POST /oauth2/default/v1/token")  # fmt: skip
    asked = [target for target in world.listed if str(target) in kinds]
    content: dict[str, Any] = {
        "nql": json.dumps({"queryId": "#named", "parameters": {"name": "pc-1"}}).encode(),
        "act": json.dumps({"remoteActionId": "#clear_cache", "devices": [world.device.collector_uid]}).encode(),
    }

    async def one(target: Target) -> httpx.Response:
        body = content.get(target.surface) if target.method == "POST" else None
        more = {"params": {"query": "(select (name) (from device))"}} if target.surface == "nxql" else {}
        return await world.ask(target, body, **more)

    async def scene() -> None:
        async with asyncio.timeout(120):
            answers = await asyncio.gather(*(one(asked[number % len(asked)]) for number in range(1000)))
        assert threading.active_count() < 100
        for number, answer in enumerate(answers):
            hold(asked[number % len(asked)], answer, world.secrets)
        good = sum(answer.status_code == 200 for answer in answers)
        assert good >= 500, good
        assert (await one(asked[0])).status_code == 200

    assert len(asked) == len(kinds)
    world.run(scene())
