"""`muster schedules` against a real portal: made, listed, looked at, stopped, fired and removed."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pytest

from muster.api import Api
from muster.cli import main
from muster.commands.schedules import arguments, cadence, when
from muster.errors import UsageError
from tests.muster.conftest import Running

Capture = pytest.CaptureFixture[str]
MANIFEST = {
    "nql_id": "#look",
    "name": "Look",
    "triggers": ["schedule"],
    "scripts": {"linux": {"language": "bash", "text": "true\n"}},
}
MAKING = ("schedules", "create", "nightly", "--action", "look", "--nql", "devices", "--zone", "Europe/Zurich")


def said(capsys: Capture, *given: str, code: int = 0) -> str:
    assert main(list(given)) == code
    return capsys.readouterr().out


def json_of(capsys: Capture, *given: str) -> Any:
    return json.loads(said(capsys, *given, "--json"))


def define(settled: Running) -> None:
    with Api(settled.url, settled.token) as portal:
        portal.post("/actions", MANIFEST)


def test_a_schedule_from_its_making_to_its_end(settled: Running, capsys: Capture, tmp_path: Path) -> None:
    define(settled)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"limits": {"devices": 100}}))
    text = said(capsys, *MAKING, "--daily", "03:00", "--jitter", "10min", "--plan", str(plan))
    assert text.startswith(
        "#nightly  nightly  (enabled, of admin)\n#look, daily at 03:00 in Europe/Zurich, next due 20"
    )
    shown = json_of(capsys, "schedules", "show", "nightly")["schedule"]["definition"]
    assert (shown["jitter"], shown["plan"]) == (600, {"limits": {"devices": 100}})
    assert main([*MAKING, "--daily", "03:00"]) != 0
    assert "there is a schedule #nightly already" in capsys.readouterr().err.lower()
    said(capsys, *MAKING, "--every", "1h", "--replace")
    listed = said(capsys, "schedules", "list")
    assert "every 1h" in listed
    times = json_of(capsys, "schedules", "next", "#nightly", "--count", "3")
    assert len(times) == 3
    assert "disabled" in said(capsys, "schedules", "disable", "nightly")
    assert "enabled" in said(capsys, "schedules", "enable", "nightly")
    assert json_of(capsys, "schedules", "firings", "nightly") == []
    said(capsys, "schedules", "delete", "nightly")
    assert json_of(capsys, "schedules", "list") == []


def test_a_real_portal_fires_by_itself(settled: Running, capsys: Capture) -> None:
    define(settled)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    said(capsys, *MAKING[:2], "soon", *MAKING[3:], "--once", soon, "--allow-draft")
    deadline = time.monotonic() + 60
    found: list[dict[str, Any]] = []
    while not found:
        assert time.monotonic() < deadline, "nothing fired in time"
        time.sleep(0.2)
        found = json_of(capsys, "schedules", "firings", "soon")
    assert found[0]["outcome"] == "run"
    assert json_of(capsys, "runs", "show", found[0]["run"])["run"]["trigger"] == "scheduled"
    said(capsys, "runs", "cancel", found[0]["run"])
    said(capsys, "schedules", "delete", "soon")


def test_a_query_that_cannot_be_is_shown_where_it_is_wrong(settled: Running, capsys: Capture) -> None:
    define(settled)
    wrong = ["schedules", "create", "wrong", "--action", "look", "--nql", "devices | whre name == 1", "--every", "1h"]
    assert main(wrong) == 3
    assert "^^^^" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected", "words"),
    [
        (["--every", "15min"], {"every": "15min"}, "every 15min"),
        (["--cron", "0 3 * * 1-5"], {"cron": "0 3 * * 1-5"}, "cron 0 3 * * 1-5"),
        (["--hourly", "5"], {"hourly": {"minute": 5}}, "hourly at minute 5"),
        (["--daily", "03:00"], {"daily": {"at": "03:00"}}, "daily at 03:00"),
        (["--weekly", "mon,thu@03:00"], {"weekly": {"days": ["mon", "thu"], "at": "03:00"}}, "mon, thu at 03:00"),
        (["--monthly", "1@03:00"], {"monthly": {"day": 1, "at": "03:00"}}, "monthly on day 1 at 03:00"),
        (["--monthly", "last@03:00"], {"monthly": {"day": "last", "at": "03:00"}}, "on the last of a month at 03:00"),
        (["--once", "2026-12-01T03:00:00Z"], {"once": "2026-12-01T03:00:00Z"}, "once, 2026-12-01T03:00:00Z"),
    ],
)
def test_every_cadence_has_its_option(given: list[str], expected: dict[str, Any], words: str) -> None:
    parser = argparse.ArgumentParser()
    arguments(parser)
    options = parser.parse_args(["create", "x", "--action", "look", "--nql", "devices", *given])
    assert cadence(options) == expected
    assert when(expected) == words


def test_days_without_a_time_are_refused() -> None:
    parser = argparse.ArgumentParser()
    arguments(parser)
    options = parser.parse_args(["create", "x", "--action", "look", "--nql", "devices", "--weekly", "mon"])
    with pytest.raises(UsageError, match="lacks its time"):
        cadence(options)
