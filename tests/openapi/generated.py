"""Requests that schemathesis makes of the OpenAPI document, in a process of its own: `tests.openapi.asked` runs it.

In: the address of a portal and how many requests a case has; on standard input a token, ids of things by paths, then
numbers of cases. Out: a line of JSON for each case: its operation, how many requests it sent, what was wrong.
Invariant: a case is one operation with requests that fit its forms, or that do not, in two of three cases about things
that there are; the same number makes the same requests of the same document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
LEFT_OUT = frozenset({"post_keys_rotate"})  # each one makes another key, for ever
SECONDS = 20.0
MOST = 2000  # characters of what was wrong


def operations(address: str) -> list[Any]:
    """All operations, in an order that stays."""
    schema = schemathesis.openapi.from_url(f"{address}/api/muster/v1/openapi.json")
    found = sorted((one.ok() for one in schema.get_all_operations()), key=lambda one: (one.path, one.method))
    return [one for one in found if one.definition.raw.get("operationId") not in LEFT_OUT]


def sender(address: str, token: str) -> Callable[[Any], None]:
    """What sends a request and looks at its answer."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def send(case: Any) -> None:
        answer = case.call(base_url=address, session=session, timeout=SECONDS)
        case.validate_response(answer, checks=CHECKS)

    return send


def asked(
    operation: Any, number: int, each: int, *, fits: bool, about: dict[str, str] | None, send: Callable[[Any], None]
) -> tuple[int, str]:
    """One case: how many requests were sent, and what was wrong with the first that was."""
    sent = 0
    mode = GenerationMode.POSITIVE if fits else GenerationMode.NEGATIVE

    @seed(number)
    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode, path_parameters=about))
    def check(case: Any) -> None:
        nonlocal sent
        sent += 1
        send(case)

    try:
        check()
    except FailureGroup as group:
        return sent, "\n".join(str(one) for one in group.exceptions)[:MOST]
    except Exception as error:
        return sent, f"{type(error).__name__}: {error}"[:MOST]
    return sent, ""


def main(address: str, each: int) -> None:
    """Run the cases that are asked for."""
    send, known = sender(address, sys.stdin.readline().strip()), operations(address)
    things = json.loads(sys.stdin.readline())
    print(len(known), flush=True)
    for line in sys.stdin:
        number = int(line)
        operation = known[number % len(known)]
        fits = (number // len(known) + number) % 2 == 0
        about = things.get(f"{operation.method.upper()} {operation.path}") if number % 3 else None
        sent, wrong = asked(operation, number, each, fits=fits, about=about, send=send)
        said = {"operation": operation.label, "fits": fits, "requests": sent, "wrong": wrong}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
