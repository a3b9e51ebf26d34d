"""List Engines, and who may ask a classic API at all."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter

import httpx
import pytest

from portal.access.service import MOST_WAITING, TURNS
from tests.portal.classic.conftest import basic, world
from tests.portal.conftest import API, PASSWORD, SECOND, House, Play
from tests.portal.modern.scenes import client

pytestmark = pytest.mark.slow
ENGINES = "/api/configuration/v1/engines"


def test_the_engines_by_a_token(play: Play) -> None:
    async def scene(house: House) -> None:
        carl = await basic(house)
        by_token = await client(house, name="itsm")
        assert (await by_token.get(ENGINES)).json() == (await carl.get(ENGINES)).json()
        house.account("mia", ("execute",))
        narrow = await client(house, name="narrow", account="mia")
        assert (await narrow.get(ENGINES)).status_code == 403
        ann = await house.program()
        assert (await ann.get(ENGINES)).status_code == 401  # a token of our own interface is none of these
        assert (await ann.delete(f"{API}/credentials/itsm")).status_code == 204
        assert (await by_token.get(ENGINES)).status_code == 401

    play(scene)


def test_the_engines(play: Play) -> None:
    async def scene(house: House) -> None:
        made = await world(house)
        carl = await basic(house)
        answer = await carl.get(ENGINES)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        first, second = answer.json()
        assert first == {
            "name": "default",
            "databaseUID": made.default,
            "machineID": first["machineID"],
            "description": "",
            "status": "CONNECTED",
            "address": "127.0.0.1",
            "port": 8080,
            "timezone": "UTC",
            "version": first["version"],
        }
        assert len(first["machineID"]) == 36
        assert first["version"]
        told = (second["databaseUID"], second["address"], second["port"], second["timezone"])
        assert told == (made.lyon, "lyon.example.net", 1671, "Europe/Paris")
        assert (await carl.post(ENGINES)).status_code == 404

    play(scene)


def test_who_is_bound_to_sites_is_told_of_these(play: Play) -> None:
    async def scene(house: House) -> None:
        await world(house)
        ann, carl = await house.program(), await basic(house)
        await ann.put(f"{API}/roles/south", json={"permissions": ["query"], "sites": ["Lyon"]})
        await ann.patch(f"{API}/accounts/carl", json={"role": "south"})
        assert [one["name"] for one in (await carl.get(ENGINES)).json()] == ["Lyon"]
        await ann.patch(f"{API}/accounts/carl", json={"role": None, "permissions": ["execute"]})
        assert (await carl.get(ENGINES)).status_code == 403

    play(scene)


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


UNKNOWN = (
    None,
    "Bearer x",
    "Basic",
    "Basic !",
    f"Basic {encoded(b'carl')}",
    f"Basic {encoded(b'carl:wrong')}",
    f"Basic {encoded(b'nobody:' + PASSWORD.encode())}",
    f"Basic {encoded(bytes([255, 58, 255]))}",
    f"Basic {encoded(b'carl:' + b'x' * 1400)}",
    f"Basic {'A' * 5000}",
)


def test_who_is_not_known(play: Play) -> None:
    async def scene(house: House) -> None:
        await basic(house)
        for header in UNKNOWN:
            client = await house.client(**({} if header is None else {"Authorization": header}))
            for answer in (await client.get(ENGINES),):
                assert answer.status_code == 401, header
                assert answer.headers["www-authenticate"].startswith("Basic "), header

    play(scene)


def test_guessing_is_slowed_down_and_a_password_that_changed_opens_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        carl = await basic(house)
        for _ in range(2):
            assert (await carl.get(ENGINES)).status_code == 200
        guess = await house.client()
        guess.auth = httpx.BasicAuth("carl", "wrong password")
        for _ in range(6):
            assert (await guess.get(ENGINES)).status_code == 401
        slowed = await carl.get(ENGINES)
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "1")
        house.time.now += 2 * SECOND
        assert (await carl.get(ENGINES)).status_code == 200
        ann = await house.program()
        await ann.post(f"{API}/accounts/carl/password", json={"password": "another long password"})
        assert (await carl.get(ENGINES)).status_code == 401

    play(scene)


def test_many_at_once_are_answered_in_turn_and_guesses_are_few(play: Play) -> None:
    async def scene(house: House) -> None:
        carl = await basic(house)
        answers = await asyncio.gather(*(carl.get(ENGINES) for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        guess = await house.client()
        guess.auth = httpx.BasicAuth("carl", "wrong password")
        tried = Counter(answer.status_code for answer in await asyncio.gather(*(guess.get(ENGINES) for _ in range(60))))
        assert tried[401] + tried[429] == 60
        assert 5 <= tried[401] < 6 + TURNS

    play(scene)


def test_more_than_can_wait_are_told_so(play: Play) -> None:
    async def scene(house: House) -> None:
        carl = await basic(house)
        access = house.portal.access
        access._waiting = MOST_WAITING
        busy = await carl.get(ENGINES)
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        access._waiting = 0
        assert (await carl.get(ENGINES)).status_code == 200

    play(scene)
