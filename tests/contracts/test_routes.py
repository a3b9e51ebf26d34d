"""The routes and the OpenAPI document say the same: every route is there, nothing else is, and its forms resolve."""

from __future__ import annotations

import json
import re
from typing import Any

from portal.app import endpoints
from portal.endpoints import PREFIX
from tests.portal.conftest import API, House, Play, play, settings

__all__ = ["play", "settings"]


def references(value: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(value)))


def test_document_and_routes_agree(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        document = (await client.get(f"{API}/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
        said = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
        assert said == {(endpoint.method, PREFIX + endpoint.path) for endpoint in endpoints(house.portal)}
        operations = [op for methods in document["paths"].values() for op in methods.values()]
        assert len({op["operationId"] for op in operations}) == len(operations)
        assert references(document) <= set(document["components"]["schemas"])

    play(scene)


def test_answers_have_the_form_that_is_said(play: Play) -> None:
    async def scene(house: House) -> None:
        house.enrol()
        await house.settle()
        client = await house.program()
        document = (await client.get(f"{API}/openapi.json")).json()
        schemas = document["components"]["schemas"]
        query = (await client.post(f"{API}/query", json={"text": "devices | list name"})).json()
        for path, value in (
            ("/session", (await client.get(f"{API}/session")).json()),
            ("/catalog", (await client.get(f"{API}/catalog")).json()),
            ("/runs", (await client.get(f"{API}/runs")).json()),
            ("/audit", (await client.get(f"{API}/audit")).json()),
        ):
            operation = document["paths"][PREFIX + path]["get"]
            [name] = references(operation["responses"]["200"])
            assert set(value) == set(schemas[name]["properties"])
        assert set(query) == set(schemas["QueryResult"]["properties"])
        assert set(query["columns"][0]) == set(schemas["ColumnInfo"]["properties"])

    play(scene)
