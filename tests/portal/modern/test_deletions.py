"""Device deletions and the hand-off to Spark, as other people's clients ask for them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.portal.conftest import House, Play
from tests.portal.modern.scenes import client

pytestmark = pytest.mark.slow
PATH = "/api/v1/data-management/device/deletions"


def test_deletions(play: Play) -> None:
    async def scene(house: House) -> None:
        one, two, three = (house.enrol(number) for number in (1, 2, 3))
        await house.settle()
        ours = await client(house)
        request = str(uuid4())
        devices = [
            {"uid": one.uid.upper(), "name": "PC-1"},
            {"uid": two.uid, "name": "pc-1"},
            {"uid": str(uuid4()), "name": "pc-9"},
            {"uid": "no guid", "name": "pc-1"},
            {"name": "pc-3"},
            {"uid": three.uid},
        ]
        answer = await ours.post(PATH, json={"devices": devices}, headers={"x-request-id": request})
        assert answer.status_code == 202, answer.text
        assert answer.headers["x-request-id"] == request
        assert answer.headers["x-trace-id"]
        states = ["SCHEDULED", "INVALID", "INVALID", "INVALID", "INVALID", "SCHEDULED"]
        assert answer.json() == {
            "scheduledCount": 2,
            "status": "ACCEPTED",
            "devices": [
                {"uid": device.get("uid", ""), "name": device.get("name", ""), "status": state}
                for device, state in zip(devices, states, strict=True)
            ],
        }
        await house.portal.erasures.carry_on()
        left = {device.name for device in house.portal.control.enrolment.devices()}
        assert "pc-1" not in left
        again = await ours.post(PATH, json={"devices": devices[:1]})
        assert again.json()["devices"][0]["status"] == "INVALID"

    play(scene)


def test_what_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await client(house)
        json, bad = {"Content-Type": "application/json"}, "INVALID_REQUEST"
        device = {"uid": str(uuid4()), "name": "pc"}
        odd: list[Any] = [None, 1, 1.5, True, "x", {}]
        cases: list[tuple[str, dict[str, Any]]] = [
            ("EMPTY_REQUEST", {"json": {"devices": []}}),
            ("EMPTY_REQUEST", {"json": {}}),
            ("BATCH_SIZE_EXCEEDED", {"json": {"devices": [device] * 101}}),
            *[(bad, {"json": {"devices": value}}) for value in odd],
            *[(bad, {"json": {"devices": [value]}}) for value in odd[:5]],
            *[(bad, {"json": {"devices": [{**device, "uid": value}]}}) for value in odd if value != "x"],
            *[(bad, {"json": value}) for value in odd if value is not None and value != {}],
            (bad, {"content": b"{", "headers": json}),
            (bad, {"content": b'{"devices": [], "devices": []}', "headers": json}),
            (bad, {"content": b"\xff", "headers": json}),
            (bad, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ]
        for code, asked in cases:
            answer = await ours.post(PATH, **asked)
            assert (answer.status_code, answer.json()["code"]) == (400, code), (asked, answer.text)
            assert set(answer.json()) == {"code", "message"}
            assert answer.headers["x-request-id"]
        house.account("bob", ("query", "execute", "manage"))
        bobs = await client(house, await house.program(), name="bobs", account="bob")
        refused = await bobs.post(PATH, json={"devices": [device]})
        assert (refused.status_code, refused.json()["code"]) == (403, "FEATURE_NOT_ENABLED")

    play(scene)


def test_spark_is_not_offered(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await client(house)
        message = {"message": {"parts": [{"type": "TEXT", "text": "help"}]}}
        answer = await ours.post("/api/v1/spark/handoff", json=message, headers={"User-Principal-Name": "a@b.c"})
        assert (answer.status_code, set(answer.json())) == (404, {"message"})
        assert (await (await house.client()).post("/api/v1/spark/handoff", json=message)).status_code == 401

    play(scene)
