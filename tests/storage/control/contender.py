"""A process that shares a control database with others and does what must have one order or happen once.

Comes in: an address and a name on the command line. Goes out: what it got, as JSON on standard output. Invariant:
every process does the same, so that they are in each other's way all the time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from storage.control import audit, outbox
from storage.control.api import Control
from storage.control.errors import UnavailableError
from storage.control.leases import Leases
from tests.storage.control.conftest import HOUR, NOW, SECOND, ask

T = TypeVar("T")
ROUNDS = 40
DEVICES = [f"device-{number}" for number in range(ROUNDS)]


def main(address: str, name: str) -> dict[str, object]:
    """Do it all, again where the server was away."""
    control = again(lambda: Control(address, now=NOW))
    got: list[tuple[str, list[str], int | None]] = []
    refused = sum(write(control, f"{name}-{number}") for number in range(ROUNDS))
    for number, device in enumerate(DEVICES):
        run = again(partial(ask, control, f"own-{number}", idempotency_key=f"key-{number}"))
        orders = again(partial(control.dispatch.claim_work, device, now=NOW))
        token = again(partial(take, control.leases, name, NOW + HOUR + number * SECOND))
        got.append((run.id, [order.device for order in orders], token))
    control.close()
    runs, claimed, tokens = zip(*got, strict=True)
    return {"claimed": [one for some in claimed for one in some], "runs": runs, "tokens": tokens, "refused": refused}


def write(control: Control, subject: str) -> int:
    """Write a subject once; how often that was refused before. What was refused must not be there."""
    refused = 0
    while True:
        try:
            control._database.write(partial(both, subject=subject))
            return refused
        except UnavailableError:
            refused += 1


def both(connection: Connection, subject: str) -> None:
    """An entry of the log and a message, in one transaction."""
    audit.record(connection, audit.Entry(NOW, "portal", "test", subject, {}))
    outbox.put(connection, [("test", {"subject": subject})], now=NOW)


def take(leases: Leases, name: str, now: int) -> int | None:
    """Hold a lease of this instant for a moment; its token."""
    token = leases.acquire("turn", name, now=now)
    if token is not None:
        leases.release("turn", token, now=now)
    return token


def again(work: Callable[[], T]) -> T:
    """What work gives, once the server is there."""
    while True:
        try:
            return work()
        except UnavailableError:
            continue


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
