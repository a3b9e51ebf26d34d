"""What older releases stored is still read: each fixture of a format, opened by the current code.

Comes in: the folders of `tests/fixtures/formats/`, each with what was said of it when it was made. Goes out: nothing.
Invariant: a copy is opened as a portal opens its folder, migrations and recovery included, with the clock at the
fixture's instant; every answer must be the same.
"""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

from muster.checkup import findings
from portal.settings import Settings
from storage.control.api import open_control
from storage.tables.files import Files
from storage.tables.journal import journal_numbers, read_journal
from storage.tables.manifest import read_manifest
from tests.fixtures.formats.reading import ANSWERS, API, answer, copied, counts, facts, opened

pytestmark = pytest.mark.slow

FORMATS = Path(__file__).parents[1] / "fixtures" / "formats"
FIXTURES = sorted(path.parent for path in FORMATS.glob(f"*/{ANSWERS}"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def fixture(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def said(fixture: Path) -> dict[str, Any]:
    """What was said of the fixture when it was made."""
    found: dict[str, Any] = json.loads((fixture / ANSWERS).read_bytes())
    return found


@pytest.fixture
def settings(fixture: Path, tmp_path: Path) -> Settings:
    return copied(fixture, tmp_path / "data")


def test_there_is_a_fixture() -> None:
    assert [path.name for path in FIXTURES][:1] == ["1"]


def test_the_fixture_holds_every_case(fixture: Path, settings: Settings, said: dict[str, Any]) -> None:
    held = said["control"]
    assert {one["state"] for one in held["executions"]} == {"success", "failure", "waiting_on_device", "in_progress"}
    assert len({one["version"] for one in held["versions"]}) == 2
    assert 0 < said["relayed"] < held["outbox"][-1]["sequence"]
    frames = [item for n in journal_numbers(settings.tables) for item in read_journal(Files(), settings.tables, n)]
    assert len(frames) > 1
    assert list((settings.tables / "segments").iterdir())
    manifest = read_manifest(settings.tables)
    assert manifest is not None
    kinds = {kind for day in manifest.days for kind in day.rollups}
    assert kinds == (set() if fixture.name == "1" else {"device", "quarter", "daily"})


def test_control_database(settings: Settings, said: dict[str, Any]) -> None:
    control = open_control(settings.control, now=said["now"])
    try:
        found = facts(control)
        assert found.keys() == said["control"].keys()
        for part, values in said["control"].items():
            assert found[part] == values, part
        assert control.outbox.relayed() == said["relayed"]
    finally:
        control.close()


def test_portal(fixture: Path, settings: Settings, said: dict[str, Any]) -> None:
    async def scene() -> None:
        async with opened(settings, said["now"]) as (portal, client):
            assert portal.keys.current.public_key().public_bytes_raw().hex() == said["public_key"]
            assert portal.tables.zone == said["zone"]
            log = [entry for entry in said["control"]["audit"] if not entry["action"].startswith("execution.")]
            rows = dict(said["rows"])
            rows["platform.audit_logs"] += len(log)  # what was logged before the tables had the log goes there too
            assert await counts(portal) == rows
            checked = portal.control.audit.verify()
            before_hashes = len(said["control"]["audit"]) if fixture.name == "1" else 0
            assert (checked.broken, checked.unhashed) == (None, before_hashes)
            for one in said["queries"]:
                found = await answer(client, said["token"], one["text"])
                assert found["columns"] == one["columns"], one["text"]
                assert same(found["rows"], one["rows"]), f"{one['text']}\n{found['rows']}\n{one['rows']}"
            now = facts(portal.control)
            now["audit"] = [entry for entry in now["audit"] if entry["action"] != "lease.taken"]  # of this start
            assert now == said["control"]
            assert portal.control.outbox.relayed() == said["control"]["outbox"][-1]["sequence"]
            person = {"name": said["name"], "password": said["password"]}
            assert (await client.post(f"{API}/session", json=person)).status_code == 200

    asyncio.run(scene())
    assert sound(settings)


def test_doctor(settings: Settings) -> None:
    assert sound(settings)


def same(found: Any, stored: Any) -> bool:
    """Whether values are the same, sums of floats but for their last digits: their order is not fixed."""
    if isinstance(found, list) and isinstance(stored, list):
        return len(found) == len(stored) and all(map(same, found, stored))
    if isinstance(found, float) and isinstance(stored, int | float):
        return math.isclose(found, stored, rel_tol=1e-9)
    return type(found) is type(stored) and bool(found == stored)


def sound(settings: Settings) -> bool:
    """Whether nobody finds anything wrong with a folder that is not open."""
    looked = list(findings(settings.data))
    assert [one for one in looked if one.problem] == []
    return bool(looked)
