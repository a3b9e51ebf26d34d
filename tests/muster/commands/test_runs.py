"""Runs with a plan and webhooks from the command line, against a real portal. No device answers: what is looked at is
what the portal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muster.cli import main
from tests.muster.conftest import Running

Capture = pytest.CaptureFixture[str]
SCRIPT = {"linux": {"language": "bash", "text": "true"}}


def json_of(capsys: Capture, *arguments: str, code: int = 0) -> Any:
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refused(capsys: Capture, *arguments: str) -> str:
    assert main(list(arguments)) != 0
    return capsys.readouterr().err


@pytest.fixture
def action(settled: Running, tmp_path: Path, capsys: Capture) -> str:
    manifest = {"nql_id": "#planned", "name": "Planned", "scripts": SCRIPT}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    json_of(capsys, "apply", str(tmp_path))
    return "planned"


def test_a_run_in_waves_is_halted_resumed_cancelled_and_retried(action: str, capsys: Capture) -> None:
    given = ["--nql", "devices", "--allow-draft", "--waves", "1,10%,100%", "--soak", "1min", "--max-growth", "10%"]
    run = json_of(capsys, "runs", "start", action, *given, "--retries", "2", "--idempotency-key", "k1")["run"]
    assert run["plan"]["limits"] == {"preview": run["target"]["count"], "growth": 10.0}
    assert run["plan"]["retries"] == {"attempts": 3, "backoff": 60}
    assert (
        json_of(capsys, "runs", "start", action, *given, "--retries", "2", "--idempotency-key", "k1")["run"]["id"]
        == run["id"]
    )
    assert main(["runs", "show", run["id"]]) == 0
    printed = capsys.readouterr().out
    assert "wave  size  released  devices" in printed
    assert "held back" in printed
    assert "held: wave 2 of 3" in printed
    assert "next wave" not in printed
    halted = json_of(capsys, "runs", "halt", run["id"], "--reason", "a test")["run"]
    assert (halted["state"], halted["state_detail"]) == ("halted", "admin: a test")
    waited = refused(capsys, "runs", "wait", run["id"], "--timeout", "60s")
    assert "The run is halted: admin: a test." in waited
    assert f"muster runs resume {run['id']}" in waited
    assert json_of(capsys, "runs", "resume", run["id"])["run"]["state"] == "running"
    device = json_of(capsys, "runs", "show", run["id"])["executions"][0]["device"]["uid"]
    assert json_of(capsys, "runs", "cancel", run["id"], "--device", device) == {"cancelled": 1, "asked": 0}
    assert "No device of this run" in refused(capsys, "runs", "retry", run["id"], "--allow-draft")
    assert json_of(capsys, "runs", "cancel", run["id"])["cancelled"] == run["target"]["count"] - 1


def test_a_guard_says_the_way_out(action: str, capsys: Capture) -> None:
    said = refused(capsys, "runs", "start", action, "--nql", "devices", "--allow-draft", "--max-devices", "2")
    assert "the limit is 2; narrow the target or raise the limit" in said
    said = refused(
        capsys, "runs", "start", action, "--nql", "devices", "--allow-draft", "--max-growth", "5%", "--previewed", "1"
    )
    assert "the preview had 1 and 5 % more are allowed" in said


def test_webhooks(settled: Running, capsys: Capture) -> None:
    assert "--allow-local-webhooks" in refused(capsys, "webhooks", "create", "http://127.0.0.1:1/")
    made = json_of(capsys, "webhooks", "create", "https://example.org/x", "--event", "run.failed")
    assert made["secret"].startswith("whsec_")
    identifier = made["webhook"]["id"]
    assert main(["webhooks", "create", "https://example.org/y"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("whsec_")
    other = json_of(capsys, "webhooks", "list")[-1]["id"]
    assert other in printed.err
    json_of(capsys, "webhooks", "delete", other)
    assert [one["id"] for one in json_of(capsys, "webhooks", "list")] == [identifier]
    assert json_of(capsys, "webhooks", "deliveries", identifier) == []
    assert json_of(capsys, "webhooks", "delete", identifier) == {"id": identifier, "deleted": True}
    assert json_of(capsys, "webhooks", "list") == []
