"""Custom fields over HTTP: they can be asked for at once, keep their type, and are set by enrichment."""

from __future__ import annotations

import pytest

from tests.portal.conftest import API, House, Play
from tests.portal.modern.scenes import client

pytestmark = pytest.mark.slow


def test_a_field_from_its_declaration_to_its_value(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol()
        await house.settle()
        ann = await house.program()
        ask = {"text": "devices | list name, #room, organization.#floor"}
        assert (await ann.post(f"{API}/query", json=ask)).status_code == 400
        for name, kind in (("room", "string"), ("organization.floor", "int")):
            made = await ann.post(f"{API}/custom-fields", json={"object": "device", "name": name, "type": kind})
            assert made.status_code == 200, made.text
        assert made.json()["field"]["query"] == "device.organization.#floor"
        enrichment = {
            "domain": "cmdb",
            "enrichments": [{
                "identification": [{"name": "device/device/name", "value": "pc-1"}],
                "fields": [{"name": "device/device/#Room", "value": "A1"},
                           {"name": "device/device/organization/#floor", "value": "3"}],
            }],
        }  # fmt: skip
        ours = await client(house, ann)
        assert (await ours.post("/api/v1/enrichment/data/fields", json=enrichment)).status_code == 200
        assert (await ann.post(f"{API}/query", json=ask)).json()["rows"] == [["pc-1", "A1", 3]]
        listed = (await ann.get(f"{API}/custom-fields")).json()["fields"]
        assert [(one["query"], one["type"]) for one in listed] == [
            ("device.#room", "string"), ("device.organization.#floor", "int"),
        ]  # fmt: skip

    play(scene)


def test_fields_that_cannot_be(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        good = {"object": "device", "name": "room"}
        assert (await ann.post(f"{API}/custom-fields", json=good)).status_code == 200
        for change, status in (
            ({"name": "a b"}, 422), ({"name": "#room"}, 422), ({"name": ""}, 400), ({"object": "printer"}, 400),
            ({"type": "int"}, 422), ({"type": "map"}, 400), ({"object": "binary", "name": "organization.x"}, 422),
        ):  # fmt: skip
            answer = await ann.post(f"{API}/custom-fields", json=good | change)
            assert answer.status_code == status, (change, answer.text)

    play(scene)
