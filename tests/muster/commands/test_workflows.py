"""Workflows from the command line, against a real portal. No device answers: what is looked at is what the portal
says, and what it does by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muster.cli import main
from tests.muster.conftest import Running

Capture = pytest.CaptureFixture[str]
STEPS: list[dict[str, Any]] = [
    {"kind": "condition", "id": "which", "nql": "devices | where name != $name", "then": "ear", "otherwise": "end"},
    {"kind": "wait", "id": "ear", "listen": ["answer"]},
    {"kind": "stop", "id": "end", "outcome": "no_action_taken", "details": "not this one"},
]


def json_of(capsys: Capture, *arguments: str, code: int = 0) -> Any:
    assert main([*arguments, "--json"]) == code, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def said(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code, capsys.readouterr()
    return capsys.readouterr().out


def test_a_workflow_is_shown_run_watched_and_cancelled(settled: Running, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "workflows").mkdir()
    parameters = [{"name": "name", "default": "nobody", "description": "Whom to leave alone"}]
    body = {"name": "Ask around", "description": "Waits.", "parameters": parameters, "steps": STEPS}
    (tmp_path / "workflows" / "ask_around.json").write_text(json.dumps(body))
    said(capsys, "apply", str(tmp_path))
    assert "#ask_around  Ask around  1        yes" in said(capsys, "workflows", "list")
    assert [one["nql_id"] for one in json_of(capsys, "workflows", "list")] == ["#ask_around"]
    shown = said(capsys, "workflows", "show", "ask_around").splitlines()
    assert shown[:3] == ["#ask_around Ask around, version 1", "Waits.",
                         "parameter name (default nobody): Whom to leave alone"]  # fmt: skip
    assert "devices | where name != $name: then ear, else end" in "\n".join(shown)
    assert "for answer, 86400 s at most" in shown[-2]
    assert json_of(capsys, "workflows", "show", "ask_around")["steps"][2]["details"] == "not this one"

    names = json_of(capsys, "query", "devices | list name | sort name asc")
    name = names["rows"][0][0] if "rows" in names else names[0]["device.name"]
    one = f'devices | where name == "{name}"'
    printed = said(capsys, "workflows", "run", "ask_around", "--nql", one, "--param", f"name={name}", "--watch")
    assert "no_action_taken" in printed
    begun = json_of(capsys, "workflows", "run", "#ask_around", "--nql", one, "--idempotency-key", "k", "--reason", "t")
    again = json_of(capsys, "workflows", "run", "ask_around", "--nql", one, "--idempotency-key", "k")
    assert (again, len(begun["executions"])) == (begun, 1)
    request, [execution] = begun["request"], begun["executions"]
    assert main(["workflows", "watch", request, "--timeout", "1s"]) != 0
    assert "is not over on every device" in capsys.readouterr().err
    assert name in said(capsys, "workflows", "show", request)
    assert f"device: {name}" in said(capsys, "workflows", "show", execution)
    assert main(["workflows", "trigger", execution]) == 1
    assert "A value for answer is missing" in capsys.readouterr().err
    third = json_of(capsys, "workflows", "run", "ask_around", "--nql", one)["executions"][0]
    assert main(["workflows", "watch", json_of(capsys, "workflows", "show", third)["request"], "--timeout", "2s"]) != 0
    capsys.readouterr()
    printed = said(capsys, "workflows", "trigger", third, "--param", "answer=yes")
    assert printed == f"#ask_around on {name} goes on: step end\n"
    assert said(capsys, "workflows", "cancel", execution) == "1 cancelled\n"
    assert json_of(capsys, "workflows", "cancel", request) == {"cancelled": 0}
    assert main(["workflows", "watch", request]) != 0
    assert "did not end well" in capsys.readouterr().err
    for verb in ("show", "cancel", "watch"):
        assert main(["workflows", verb, "00000000-0000-7000-8000-000000000000"]) == 1
        assert "There is no such" in capsys.readouterr().err
    assert main(["workflows", "run", "none", "--nql", "devices"]) == 1
    assert "There is no workflow #none" in capsys.readouterr().err
