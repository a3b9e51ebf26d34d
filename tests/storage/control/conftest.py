"""An empty control database for each test, and short ways to fill it.

Comes in: pytest's temporary folder. Goes out: a `Control` on a real file and, in the whole suite, once more on
PostgreSQL; an action, enrolled devices. Invariant: time is a number the test chooses; `NOW` is where it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from storage.control.api import Control
from storage.control.database import Database
from storage.control.enrolment import Device
from storage.control.manifest import Manifest
from storage.control.runs import Run, RunRequest
from tests.postgres import PASSWORD, Server, serving
from tests.storage.control.template import place

NOW = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
SECOND = 1_000_000
HOUR = 3600 * SECOND


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with serving() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a control database without rows lies."""
    if request.param == "sqlite":
        return f"sqlite:///{place(tmp_path / 'control' / 'control.db')}"
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    server: Server = request.getfixturevalue("server")
    return server.cleared()


# For what is about SQLite's own file.
on_sqlite = pytest.mark.parametrize("address", ["sqlite"], indirect=True)


@pytest.fixture
def control(address: str) -> Iterator[Control]:
    opened = Control(address, now=NOW)
    yield opened
    opened.close()


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    opened = Database(address)
    yield opened
    opened.close()


def manifest(**changes: object) -> Manifest:
    """A small action; `changes` replace parts of it."""
    whole = {
        "nql_id": "#clear_cache",
        "name": "Clear cache",
        "scripts": {"linux": {"language": "bash", "text": "true\n"}},
        "timeout": 60,
        "inputs": [{"name": "path", "default": "/tmp"}],
        "outputs": [{"name": "freed", "type": "size"}, {"name": "files", "type": "uint32"}],
    }
    return msgspec.convert({**whole, **changes}, Manifest)


def enrol(control: Control, number: int = 1) -> Device:
    """A device with keys made of its number."""
    [(_, secret)] = control.enrolment.create_enrol_keys(
        1, simulated=False, expires_at=NOW + HOUR, by="account:ann", now=NOW
    )
    key = number.to_bytes(32, "big")
    return control.enrolment.consume_enrol_key(secret, key, key, f"pc-{number}", now=NOW)


def ask(control: Control, *devices: str, now: int = NOW, **changes: object) -> Run:
    """A run of the small action on devices, expiring in an hour."""
    control.actions.save_action(manifest(), by="account:ann", now=NOW)
    values = {"action": "#clear_cache", "devices": devices, "requested_by": "ann", "expires_at": now + HOUR, **changes}
    return control.create_run(RunRequest(**values), now=now)[0]  # type: ignore[arg-type]  # changes are the test's
