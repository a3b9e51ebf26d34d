"""The OpenAPI document: every example in it is sent to a portal, and what comes back is of the form that it states.

Comes in: a portal with devices, runs and an author. Goes out: nothing. Invariants held here: each operation that takes
anything has an example; ids in examples stand for things, and a request with things of this portal is answered as the
document says; what webhooks are told has its stated form.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from agent import statements
from portal.app import endpoints
from portal.endpoints import PREFIX, Endpoint
from portal.openapi import examples, filled
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.authors import Signer
from tests.portal.conftest import API, NOW, PASSWORD, House, Play, eventually
from tests.portal.follower import following

pytestmark = pytest.mark.slow
STREAM, ENDING = "POST /query/live", "DELETE /queries/{id}"
PEOPLE: dict[str, Any] = {
    "source": "people",
    "epoch": "00000000-0000-4000-8000-000000000001",
    "sequence": 1,
    "tables": [{"table": "user.users", "columns": {"uid": ["u-1"], "sid": ["S-1-5-21-1"], "name": ["anna.huber"]}}],
}
Thing = Callable[[], Awaitable[str]]


@dataclass
class World:
    """A portal with what the examples speak of."""

    house: House
    client: httpx.AsyncClient
    document: Mapping[str, Any]
    things: dict[str, str | Thing]

    async def ask(self, endpoint: Endpoint, example: Mapping[str, Any]) -> httpx.Response:
        """Send an example with this portal's things in it."""
        return await self.send(endpoint, await self.said(example))

    async def said(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """An example with this portal's things in it."""
        known = {name: text for name, text in self.things.items() if isinstance(text, str)}
        for name in set(re.findall(r'"\$(\w+)"', json.dumps(example))) & self.things.keys():
            thing = self.things[name]
            known[name] = thing if isinstance(thing, str) else await thing()
        said: dict[str, Any] = filled(example, known)
        return said

    async def send(self, endpoint: Endpoint, said: Mapping[str, Any]) -> httpx.Response:
        """Send what is said."""
        url = PREFIX + endpoint.path.format(**said.get("path", {}))
        more: dict[str, Any] = {"json": said["body"]} if "body" in said else {}
        if said.get("headers"):
            more["headers"] = said["headers"]
        return await self.client.request(endpoint.method, url, params=said.get("query", {}), **more)

    def check(self, endpoint: Endpoint, answer: httpx.Response) -> None:
        """Whether an answer is as the document says."""
        operation = self.document["paths"][PREFIX + endpoint.path][endpoint.method.lower()]
        stated = operation["responses"]
        wanted = [name for name in stated if name.startswith("2")]
        assert str(answer.status_code) in wanted, (endpoint.method, endpoint.path, answer.status_code, answer.text)
        content = stated[str(answer.status_code)].get("content", {})
        media = answer.headers.get("content-type", "").partition(";")[0]
        assert bool(content) == bool(answer.content), (endpoint.path, answer.text)
        if content:
            assert media in content, (endpoint.path, media)
        if media == "application/json":
            self.valid(answer.json(), content[media]["schema"])

    def valid(self, value: Any, schema: Mapping[str, Any]) -> None:
        Draft202012Validator({**schema, "components": self.document["components"]}).validate(value)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def world(house: House) -> World:
    """Devices, a run that ended badly, authors, and how to find what the examples make."""
    client = await house.program()
    devices = [house.enrol(number).uid for number in (1, 2, 3)]
    await house.settle()
    document = (await client.get(f"{API}/openapi.json")).json()
    _, known = examples()
    assert (await client.post(f"{API}/import", json=PEOPLE)).status_code == 200
    await client.post(f"{API}/actions", json=known["POST /actions"]["body"])
    asked = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": devices[:1]}}
    ended = (await client.post(f"{API}/runs", json=asked)).json()["run"]["id"]
    house.answer(ended, devices[0], Outcome(State.FAILURE, 1))
    one, two = Signer("ann"), Signer("ben")
    await client.post(f"{API}/authors", json={"name": "ann", "key": text(one.public)})
    action = (await client.get(f"{API}/actions/clear_cache")).json()["action"]

    def newest(path: str, names: str, key: str = "id") -> Thing:
        async def find() -> str:
            return str((await client.get(API + path)).json()[names][0][key])

        return find

    async def cursor() -> str:
        page = await client.post(f"{API}/query", json={"text": "devices | list name", "page": 1})
        return str(page.json()["next"])

    async def author() -> str:
        found = (await client.get(f"{API}/authors")).json()["authors"]
        return next(str(each["id"]) for each in found if each["name"] == "ben")

    async def token() -> str:
        found = (await client.get(f"{API}/tokens")).json()["tokens"]
        return next(str(each["id"]) for each in found if each["name"] == "laptop")

    async def waiting() -> str:
        found: dict[str, Any] = {}

        async def there() -> bool:
            found.update((await client.get(f"{API}/workflow-executions")).json()["executions"][0])
            return bool(found["state"] == "waiting" or found["run"])

        await eventually(there)
        return str(found["id"])

    things: dict[str, str | Thing] = {
        "run": newest("/runs", "runs"), "ended_run": ended, "device": devices[0], "other_device": devices[1],
        "old_device": devices[2], "token": token, "webhook": newest("/webhooks", "webhooks"),
        "erasure": newest("/erasures", "erasures"), "cursor": cursor, "author": author,
        "workflow_execution": waiting,
        "workflow_request": newest("/workflow-executions", "executions", "request"),
        "response": newest("/campaigns/restart_please/responses", "responses"),
        "author_key": text(one.public), "other_key": text(two.public), "version": action["version"],
        "endorsement": text(one.key.sign(statements.endorsement_bytes(two.public))),
        "signature": text(one.signature("#clear_cache", action["version"], NOW)),
    }  # fmt: skip
    return World(house, client, document, things)


def test_every_example_is_answered_as_the_document_says(play: Play) -> None:
    async def scene(house: House) -> None:
        at = await world(house)
        known = {f"{one.method} {one.path}": one for one in endpoints(house.portal)}
        _, asked = examples()
        for name, example in asked.items():
            endpoint = known[name]
            if name in (STREAM, ENDING):  # the other test, since one needs the other
                continue
            at.check(endpoint, await asyncio.wait_for(at.ask(endpoint, example), 30))

    play(scene)


def test_a_live_query_and_its_end(play: Play) -> None:
    async def scene(house: House) -> None:
        at = await world(house)
        known = {f"{one.method} {one.path}": one for one in endpoints(house.portal)}
        _, asked = examples()
        async with following(house, at.client, **asked[STREAM]["body"]) as stream:
            at.check(known[ENDING], await at.ask(known[ENDING], asked[ENDING]))
            assert (await stream.ended())["code"] == "cancelled"
        assert stream.status == 200
        stated = at.document["paths"][f"{PREFIX}/query/live"]["post"]["responses"]
        assert "text/event-stream" in stated["200"]["content"]

    play(scene)


def test_the_document(play: Play) -> None:
    async def scene(house: House) -> None:
        listed = endpoints(house.portal)
        document = (await (await house.client()).get(f"{API}/openapi.json")).json()
        things, asked = examples()
        assert "$" not in "".join(things.values())
        known = {f"{one.method} {one.path}" for one in listed}
        assert asked.keys() <= known
        taking = {
            f"{one.method} {one.path}"
            for one in listed
            if one.body or one.reads or one.query or one.headers or "{" in one.path
        }
        assert taking <= asked.keys(), taking - asked.keys()
        operations = [one for path in document["paths"].values() for one in path.values()]
        names = [one["operationId"] for one in operations]
        assert len(set(names)) == len(names) == len(listed)
        for one in operations:
            for parameter in one["parameters"]:
                assert "example" in parameter or parameter["name"] in ("before", "offset"), (one, parameter)
        resolver = {"components": document["components"]}
        for one in operations:
            body = one.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                Draft202012Validator({**body["schema"], **resolver}).validate(body["example"])

    play(scene)


def test_what_webhooks_are_told_is_as_stated(play: Play) -> None:
    async def scene(house: House) -> None:
        at = await world(house)
        hook = {"url": "https://example.org/hook", "events": ["run.ended", "run.failed"]}
        made = (await at.client.post(f"{API}/webhooks", json=hook)).json()["webhook"]["id"]
        run = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": [at.things["other_device"]]}}
        begun = (await at.client.post(f"{API}/runs", json=run)).json()["run"]["id"]
        house.answer(begun, str(at.things["other_device"]), Outcome(State.FAILURE, 1))

        async def told() -> bool:
            found = (await at.client.get(f"{API}/webhooks/{made}/deliveries")).json()["deliveries"]
            for one in found:
                stated = at.document["webhooks"][one["event"]]["post"]["requestBody"]["content"]["application/json"]
                at.valid(json.loads(one["body"]), stated["schema"])
                at.valid(stated["example"], stated["schema"])
            return {one["event"] for one in found} == set(hook["events"])

        await eventually(told)
        assert set(at.document["webhooks"]) == {"run.ended", "run.failed", "run.halted"}
        assert (await at.client.post(f"{API}/session", json={"name": "ann", "password": PASSWORD})).status_code == 200

    play(scene)
