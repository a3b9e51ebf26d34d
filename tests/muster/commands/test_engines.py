"""Sites on the command line, against a real portal; and what `muster serve` takes for the classic APIs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from muster.cli import main
from tests.muster.commands.test_commands import Capture, json_of, said
from tests.muster.conftest import Running


@pytest.mark.slow
def test_engines(settled: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    made = json_of(capsys, "engines", "create", "south", "--address", "south.example.net", "--zone", "Europe/Paris")
    assert (made["name"], made["address"], made["port"], made["status"]) == (
        "south", "south.example.net", None, "CONNECTED",
    )  # fmt: skip
    assert main(["engines", "create", "SOUTH"]) == 1
    assert "already" in capsys.readouterr().err
    changed = json_of(capsys, "engines", "set", "SOUTH", "--port", "1671")
    assert (changed["uid"], changed["port"], changed["zone"]) == (made["uid"], 1671, "Europe/Paris")
    assert main(["engines", "set", "north", "--port", "1671"]) == 1
    assert [one["name"] for one in json_of(capsys, "engines", "list")] == ["default", "south"]
    assert "south.example.net" in said(capsys, "engines", "list")
    monkeypatch.setattr("sys.stdin", io.StringIO("nobody\n\nnobody\n"))
    assert main(["engines", "assign", "south", "-"]) == 1
    assert "nobody" in capsys.readouterr().err
    assert json_of(capsys, "roles", "set", "bound", "--allow", "query", "--engines", "south")["sites"] == ["south"]
    said(capsys, "roles", "delete", "bound")
    assert len(json_of(capsys, "enroll-key", "create", "--site", "south")["keys"]) == 1
    folder = ["enroll-key", "create", "--data", str(settled.data), "--site"]
    assert len(json_of(capsys, *folder, "South")["keys"]) == 1
    assert main([*folder, "north"]) == 1


@pytest.mark.parametrize(
    ("option", "given", "message"),
    [
        ("--act-timeout", "0", "--act-timeout is 0"),
        ("--act-timeout", "601", "--act-timeout is 601"),
        ("--act-devices", "10001", "--act-devices is 10001"),
        ("--engines", " , ", "names no site"),
    ],
)
def test_bounds(option: str, given: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["serve", "--data", str(tmp_path / "data"), "--port", "0", option, given]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
