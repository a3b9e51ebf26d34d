"""The OpenAPI 3.1 document, made from the same list that the routes are made from.

In: `Endpoint`s. Out: the document as JSON values. Invariant: a route cannot be missing here, nor be here and not
exist; forms come from the message types that decode and encode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from portal.endpoints import PREFIX, Endpoint

TITLE = "Muster"
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": "string"},
                "diagnostics": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """The whole document."""
    listed = list(endpoints)
    types = [kind for e in listed for kind in (e.body, e.reads, e.answer) if kind is not None]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in listed:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "muster"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _name(endpoint),
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": {
            str(endpoint.status if endpoint.answer or endpoint.media or endpoint.open else 204): _answer(endpoint),
            "default": {"description": "An error.", "content": _json("Error")},
        },
        "security": [] if endpoint.open else [{"token": []}, {"session": []}],
    }
    if endpoint.needs is not None:
        operation["description"] = f"Needs the permission `{endpoint.needs.value}`."
    form = endpoint.body or endpoint.reads
    if form is not None:
        operation["requestBody"] = {"required": True, "content": _json(form.__name__)}
    return operation


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {} if endpoint.answer is None else _json(endpoint.answer.__name__)
    content |= {media: {"schema": {"type": "string"}} for media in endpoint.media}
    return {"description": "Done.", **({"content": content} if content else {})}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    inside = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{([a-z_]+)}", endpoint.path)
    ]
    numbers = {"limit", "offset"}
    beside = [(name, "query") for name in endpoint.query] + [(name, "header") for name in endpoint.headers]
    return inside + [
        {"name": name, "in": place, "required": False, "schema": {"type": "integer" if name in numbers else "string"}}
        for name, place in beside
    ]


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _name(endpoint: Endpoint) -> str:
    words = [word for word in re.split(r"[^a-z]+", endpoint.path) if word]
    return "_".join([endpoint.method.lower(), *words])
