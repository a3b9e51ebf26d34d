"""The OpenAPI 3.1 document, made from the same list that the routes are made from, with the examples beside them.

In: `Endpoint`s; examples by method and path, in which `$name` stands for the id of a thing. Out: the document as JSON
values. Invariants: a route cannot be missing here, nor be here and not exist; forms come from the message types that
decode and encode; each example is a request that a test sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, get_args

import msgspec

from portal.endpoints import PREFIX, Endpoint
from portal.webhooks.messages import Event, EventBody

TITLE = "Muster"
EVENTS: tuple[str, ...] = get_args(Event)
NUMBERS = frozenset({"limit", "offset", "count"})
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": {"type": "string", "description": "Stable; what programs go by."},
                "message": {"type": "string", "description": "What is wrong, for people."},
                "hint": {"type": "string", "description": "The way out, if one is known."},
                "diagnostics": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}
EVENT = {  # of a stream, one after the other
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "Of a run's events: what to come back with in Last-Event-ID."},
        "event": {"type": "string"},
        "data": {"type": "string", "description": "JSON."},
    },
}
FORMS = {"application/json": {"type": "object"}, "text/event-stream": EVENT}
REFUSALS = {
    400: "Something of the request cannot be read; of a query, `diagnostics` says what and where.",
    401: "Nobody is known by the token or cookie.",
    403: "Who asks may not do this.",
    404: "There is no such thing, or none that who asks may know of.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
}
SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, or the short token of a credential of the API `muster`.",
    },
    "credential": {
        "type": "oauth2",
        "description": "A credential of the API `muster` (`muster credentials create NAME --allow muster`).",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth2/default/v1/token", "scopes": {}}},
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "muster",
        "description": "What changes something needs the header X-Muster-CSRF, too.",
    },
}


def document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """The whole document."""
    listed = list(endpoints)
    types = [EventBody, *(kind for e in listed for kind in (e.body, e.reads, e.answer) if kind is not None)]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in listed:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version},
        "paths": paths,
        "webhooks": {event: {"post": _told(event)} for event in EVENTS},
        "components": {"schemas": {**components, "Error": ERROR}, "securitySchemes": SECURITY},
    }


@cache
def examples() -> tuple[Mapping[str, str], Mapping[str, Mapping[str, Any]]]:
    """The ids that stand for things, by their names; for each operation, as `GET /runs/{id}`, what is asked."""
    said = json.loads(resources.files("portal").joinpath("examples.json").read_text(encoding="utf-8"))
    return said["things"], said["examples"]


def filled(example: Any, things: Mapping[str, Any]) -> Any:
    """An example with things in the place of their names."""
    match example:
        case str() if example.startswith("$"):
            return things.get(example[1:], example)
        case dict():
            return {name: filled(item, things) for name, item in example.items()}
        case list():
            return [filled(item, things) for item in example]
    return example


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    things, known = examples()
    example = filled(known.get(f"{endpoint.method} {endpoint.path}", {}), things)
    operation: dict[str, Any] = {
        "operationId": _name(endpoint),
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint, example),
        "responses": _responses(endpoint),
        "security": [] if endpoint.open else [{"token": []}, {"credential": []}, {"session": []}],
    }
    if endpoint.needs is not None:
        operation["description"] = f"Needs the permission `{endpoint.needs.value}`."
    form = endpoint.body or endpoint.reads
    if form is not None:
        said = {"example": example["body"]} if "body" in example else {}
        operation["requestBody"] = {"required": True, "content": _json(form.__name__, said)}
    return operation


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    empty = not (endpoint.answer or endpoint.media or endpoint.open)
    found = {str(204 if empty else status): _answer(endpoint) for status in (endpoint.status, *endpoint.also)}
    takes = endpoint.body or endpoint.reads
    said = {
        400: takes or endpoint.query or endpoint.headers,
        401: True,  # of an open route: a wrong password
        403: not endpoint.open or endpoint.changes,
        404: "{" in endpoint.path,
        413: takes,
        415: takes,
    }
    refusals = {str(status): _refusal(REFUSALS[status]) for status, holds in said.items() if holds}
    others = {
        "4XX": _refusal("A refusal. Of 429, the header Retry-After says when to try again."),
        "5XX": _refusal("The portal cannot do it now (503, 507: Retry-After says when to try again), or failed."),
    }
    return found | refusals | others


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": _json("Error", {})}


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {} if endpoint.answer is None else _json(endpoint.answer.__name__, {})
    content |= {media: {"schema": FORMS.get(media, {"type": "string"})} for media in endpoint.media}
    return {"description": "Done.", **({"content": content} if content else {})}


def _parameters(endpoint: Endpoint, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    inside = [(name, "path") for name in re.findall(r"{([a-z_]+)}", endpoint.path)]
    beside = [(name, "query") for name in endpoint.query] + [(name, "header") for name in endpoint.headers]
    groups = {"path": "path", "query": "query", "header": "headers"}
    return [
        {
            "name": name,
            "in": place,
            "required": place == "path",
            "schema": {"type": "integer", "minimum": 0} if name in NUMBERS else {"type": "string", "maxLength": 300},
        }
        | ({"example": given[name]} if name in (given := example.get(groups[place], {})) else {})
        for name, place in inside + beside
    ]


def _told(event: str) -> dict[str, Any]:
    """What a webhook is sent."""
    things, _ = examples()
    over = event != "run.halted"
    run = {
        "id": things["run"],
        "action": "#clear_cache",
        "version": things["version"],
        "state": "ended" if over else "halted",
        "detail": None if over else "the gate found 3 rows",
        "trigger": "api",
        "schedule": None,
        "requested_by": "ann",
        "requested_at": "2026-11-22T09:00:00.000Z",
        "ended_at": "2026-11-22T10:00:00.000Z" if over else None,
        "devices": 200,
        "skipped": 0,
        "counts": {"success": 198, "failure": 2},
    }
    body = {"id": things["webhook"], "event": event, "time": "2026-11-22T10:00:00.000Z", "run": run}
    headers = ("Muster-Signature", "Muster-Event", "Muster-Delivery")
    return {
        "summary": f"Sent to webhooks that asked for {event}, until the answer is 2xx.",
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in headers
        ],
        "requestBody": {"required": True, "content": _json("EventBody", {"example": body})},
        "responses": {"2XX": {"description": "Taken."}},
    }


def _json(name: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}, **beside}}


def _name(endpoint: Endpoint) -> str:
    words = [word for word in re.split(r"[^a-z]+", endpoint.path) if word]
    return "_".join([endpoint.method.lower(), *words])
