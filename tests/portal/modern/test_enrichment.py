"""Enrichment as other people's clients ask for it: what is set, what is not, and how that is said."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from nql.catalog.configured import CustomField
from nql.catalog.load import builtin
from nql.datatypes import BOOLEAN, DATETIME, FLOAT, STRING
from portal.modern.enriching import UnfitError, put
from storage.tables.api import Batch, Rows
from tests.portal.conftest import API, NOW, House, Play
from tests.portal.modern.scenes import client

PATH = "/api/v1/enrichment/data/fields"
DEVICES = "devices | list name, configuration_tag, virtualization.type, #room, #size, #since, #leased | sort name asc"
FIELDS = (("room", STRING), ("size", FLOAT), ("since", DATETIME), ("leased", BOOLEAN), ("organization.level", STRING))


async def ready(house: House) -> httpx.AsyncClient:
    """Two devices, a person, a binary, custom fields, and a client."""
    for number in (1, 2):
        house.enrol(number)
    await house.settle()
    portal = house.portal
    items = [CustomField("device.devices", name, dtype) for name, dtype in FIELDS]
    items += [CustomField("user.users", "organization.area", STRING), CustomField("binary.binaries", "owner", STRING)]
    portal.control.configured.declare(items, by="portal", now=NOW)
    portal.catalogs.refresh()
    rows = (
        Rows("user.users", {"uid": ["u-1"], "sid": ["S-1-5-21"], "upn": ["Ann@corp.test"], "name": ["ann"]}),
        Rows("binary.binaries", {"uid": ["b-1"], "name": ["tool.exe"]}),
    )
    await portal.tables.append(Batch("import:x", 1, "e", 1, NOW, rows))
    return await client(house)


def item(name: str, value: str, **fields: Any) -> dict[str, Any]:
    """An enrichment; `__` in names stands for `/`, a leading `_` of the last part for `#`."""
    spelled = {field.replace("__", "/").replace("/_", "/#"): held for field, held in fields.items()}
    return {
        "identification": [{"name": name, "value": value}],
        "fields": [{"name": field, "value": held} for field, held in spelled.items()],
    }


async def ask(house: House, text: str) -> list[list[Any]]:
    rows: list[list[Any]] = (await (await house.program()).post(f"{API}/query", json={"text": text})).json()["rows"]
    return rows


@pytest.mark.slow
def test_what_is_set(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        uid = (await ask(house, 'devices | where name == "pc-2" | list uid'))[0][0]
        body = {"domain": "cmdb", "enrichments": [
            item("device/device/name", "PC-1", device__device__configuration_tag="lab", device__device___room="A1",
                 device__device__virtualization__type=2, device__device___size="1.5"),
            item("device/device/uid", uid.upper(), device__device___since="2026-01-01", device__device___leased="true"),
            item("user/user/upn", "ann@corp.test", user__user__ad__city="Lyon",
                 user__user__organization___area="Sales"),
            item("binary/binary/uid", "b-1", binary__binary___owner="Security"),
        ]}  # fmt: skip
        answer = await ours.post(PATH, json=body, headers={"x-enrichment-trace-id": "1"})
        assert (answer.status_code, answer.json()) == (200, {"status": "success"}), answer.text
        assert await ask(house, DEVICES) == [
            ["pc-1", "lab", "personal", "A1", 1.5, None, None],
            ["pc-2", None, None, None, None, "2026-01-01T00:00:00Z", True],
        ]
        assert await ask(house, "users | list ad.city, organization.#area") == [["Lyon", "Sales"]]
        assert await ask(house, "binaries | list #owner") == [["Security"]]
        again = {"domain": "cmdb", "enrichments": [
            item("device/device/name", "pc-1", device__device___room="", device__device__configuration_tag=""),
            item("device/device/name", "pc-1", device__device___size=7, device__device__virtualization__type=0),
        ]}  # fmt: skip
        assert (await ours.post(PATH, json=again)).status_code == 200
        assert (await ask(house, DEVICES))[0] == ["pc-1", None, None, None, 7.0, None, None]
        log = [entry for entry in house.portal.control.audit.latest() if entry.action == "enrichment.stored"]
        assert [(entry.actor, entry.detail["objects"]) for entry in log] == [("account:ann", 1), ("account:ann", 4)]

    play(scene)


@pytest.mark.slow
def test_what_cannot_be_set_is_said_for_each_object(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await ready(house)
        tag = {"device__device__configuration_tag": "x"}
        wrong = [
            (item("device/device/name", "pc-9", **tag), ["OBJECT_NOT_FOUND"]),
            (item("device/device/name", "pc-*", **tag), ["OBJECT_NOT_FOUND"]),
            (item("device/device/color", "red", **tag), ["INVALID_IDENTIFICATION"]),
            (item("device/device/name", "pc-1", device__device___nothing="x"), ["INVALID_FIELD"]),
            (item("device/device/name", "pc-1", device__device__last_seen="x", **tag), ["INVALID_FIELD"]),
            (item("device/device/name", "pc-1", user__user__ad__city="x"), ["INVALID_FIELD"]),
            (item("device/device/name", "pc-1", device__device___since="soon", device__device___leased=7),
             ["INVALID_VALUE", "INVALID_VALUE"]),
        ]  # fmt: skip
        body: dict[str, Any] = {"domain": "d", "enrichments": [one for one, _ in wrong]}
        answer = await ours.post(PATH, json=body)
        said = answer.json()
        assert (answer.status_code, said["status"]) == (400, "error")
        assert [[error["code"] for error in one["errors"]] for one in said["errors"]] == [codes for _, codes in wrong]
        assert [one["identification"] for one in said["errors"]] == [one["identification"] for one, _ in wrong]
        assert (await ask(house, DEVICES))[0][1] is None
        body["enrichments"].append(item("device/device/name", "pc-1", **tag))
        answer = await ours.post(PATH, json=body)
        assert (answer.status_code, answer.json()["status"]) == (207, "partial_success")
        assert len(answer.json()["errors"]) == len(wrong)
        assert (await ask(house, DEVICES))[0][1] == "x"

    play(scene)


@pytest.mark.slow
def test_a_view_domain_bounds_what_is_found(play: Play) -> None:
    async def scene(house: House) -> None:
        await ready(house)
        await house.bounded('name == "pc-2"', "query", "manage")
        narrow = await client(house, await house.program(), name="narrow", account="lea")
        for name, status in (("pc-1", 400), ("pc-2", 200)):
            body = {"domain": "d", "enrichments": [item("device/device/name", name, device__device___room="B")]}
            assert (await narrow.post(PATH, json=body)).status_code == status
        person = {"domain": "d", "enrichments": [item("user/user/sid", "S-1-5-21", user__user__ad__city="B")]}
        assert (await narrow.post(PATH, json=person)).status_code == 400

    play(scene)


@pytest.mark.slow
def test_bodies_that_are_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        ours = await client(house)
        one = item("device/device/name", "pc-1", device__device___room="x")
        json = {"Content-Type": "application/json"}
        odd: list[Any] = [None, 1, 1.5, True, {}, "x"]
        cases: list[dict[str, Any]] = [
            *[{"json": {"domain": value, "enrichments": [one]}} for value in (*odd[:5], "", [])],
            *[{"json": {"domain": "d", "enrichments": value}} for value in (*odd, [], [1], [None], [[]])],
            *[{"json": {"domain": "d", "enrichments": [{**one, "identification": v}]}} for v in (*odd, [], [1])],
            {"json": {"domain": "d", "enrichments": [{**one, "identification": one["identification"] * 2}]}},
            *[{"json": {"domain": "d", "enrichments": [{**one, "fields": value}]}} for value in (*odd, [], [1])],
            *[{"json": {"domain": "d", "enrichments": [{**one, "fields": [{"name": "n", "value": value}]}]}}
              for value in (*odd[:1], *odd[2:5], "x" * 1025)],
            {"json": {"domain": "d", "enrichments": [one] * 10_001}},
            *[{"json": value} for value in (*odd[1:], [])],
            {"content": b"{", "headers": json},
            {"content": b'{"domain": "d", "domain": "e", "enrichments": []}', "headers": json},
            {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        ]  # fmt: skip
        for asked in cases:
            answer = await ours.post(PATH, **asked)
            said = answer.json()
            assert (answer.status_code, said["status"], said["errors"]) == (400, "error", []), (asked, said)
            assert said["message"]
            assert isinstance(said["code"], str)
        house.account("bob", ("query", "execute"))
        bobs = await client(house, await house.program(), name="bobs", account="bob")
        refused = await bobs.post(PATH, json={"domain": "d", "enrichments": [one]})
        assert (refused.status_code, set(refused.json())) == (403, {"message"})

    play(scene)


BROKER = "device/device/virtualization/desktop_broker"


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        (BROKER, 1, "citrix_cvad"), (BROKER, "7", "aws_appstream"), (BROKER, "AWS_workspace", "aws_workspace"),
        (BROKER, 0, None), (BROKER, "", None), ("device/device/configuration_tag", 5, "5"),
        ("device/device/virtualization/last_update", "2026-01-01T00:00:00+01:00", 1_767_222_000_000_000),
        ("device/device/virtualization/last_update", 1_767_222_000, 1_767_222_000_000_000),
    ],
)  # fmt: skip
def test_values(name: str, value: str | int, held: Any) -> None:
    assert put(builtin(), "device.devices", name, value).value == held


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (BROKER, 8), (BROKER, -1), (BROKER, "vmware"), ("device/device/configuration_tag", "a\0b"),
        ("device/device/virtualization/last_update", "9999-01-01"), ("device/device/virtualization/last_update", "x"),
        ("device/device/name", "x"), ("device/device/#x", "x"), ("device", "x"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(name: str, value: str | int) -> None:
    with pytest.raises(UnfitError):
        put(builtin(), "device.devices", name, value)
