"""Every command against a real portal and a real folder: output for people, JSON for programs, errors in words.

Comes in: a portal with a small estate, and its folder. Goes out: nothing. Invariants held here: --json prints JSON
alone; a folder that a portal holds is not opened, and who holds it is told.
"""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from muster import folder_accounts
from muster.cli import main
from muster.folder import control
from tests.muster.conftest import PASSWORD, PERMISSIONS, Running, portal
from tests.muster.demo_process import Demo

Capture = pytest.CaptureFixture[str]
ALL = "devices | list name, entity | sort name asc"


def said(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    return capsys.readouterr().out


def json_of(capsys: Capture, *arguments: str) -> Any:
    return json.loads(said(capsys, *arguments, "--json"))


def test_a_query_as_a_table(settled: Running, capsys: Capture) -> None:
    assert main(["query", f"{ALL} | limit 3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("device.name  device.entity\n")
    assert len(printed.out.splitlines()) == 5
    assert "3 rows" in printed.err


def test_a_query_as_json(settled: Running, capsys: Capture) -> None:
    found = json_of(capsys, "query", ALL)
    assert [column["name"] for column in found["columns"]] == ["device.name", "device.entity"]
    assert found["row_count"] == len(found["rows"]) == 30


def test_a_query_as_csv(settled: Running, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["query", ALL, "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert rows[0] == ["device.name", "device.entity"]
    assert len(rows) == 31


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_query_as_a_file(settled: Running, tmp_path: Path, form: str) -> None:
    file = tmp_path / form
    assert main(["query", ALL, "--format", form, "--output", str(file)]) == 0
    read = pl.read_parquet if form == "parquet" else pl.read_ipc_stream
    assert read(file.read_bytes()).height == 30


def test_a_query_with_parameters(settled: Running, capsys: Capture) -> None:
    text = "devices | where entity in $places | list entity"
    found = json_of(capsys, "query", text, "--param", "places=Lyon", "--param", "places=Zurich")
    assert {row[0] for row in found["rows"]} <= {"Lyon", "Zurich"}


def test_diagnostics_and_nothing_else(settled: Running, capsys: Capture) -> None:
    assert main(["query", "devices | list nam"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "  devices | list nam\n                 ^^^" in printed.err


def test_strict_refuses_what_is_ours(settled: Running, tmp_path: Path, capsys: Capture) -> None:
    text = "devices | list name,"
    assert json_of(capsys, "query", text)["row_count"] == 30
    for form in ("json", "csv"):
        assert main(["query", text, "--strict", "nexthink", "--format", form]) == 3
        assert "NQL510" in capsys.readouterr().err
    own = ["--data", str(tmp_path / "own")]
    assert main(["estate", "--devices", "1", "--days", "1", *own, "--json"]) == 0
    assert main(["query", text, "--strict", "nexthink", *own]) == 3
    assert "NQL510" in capsys.readouterr().err


def test_a_portal_says_what_is_configured(settled: Running, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "a.nql"
    file.write_text("remote_action.#nobody_made_it.executions during past 7d | list status")
    assert main(["nql", "check", str(file)]) == 0
    assert main(["nql", "check", "--url", settled.url, str(file)]) == 3
    assert f"{file}:1:1: error NQL213: " in capsys.readouterr().out
    assert main(["nql", "check", "--url", "http://127.0.0.1:1", str(file)]) == 1
    assert "No portal answers" in capsys.readouterr().err


def test_a_held_folder_tells_its_holder(settled: Running, capsys: Capture) -> None:
    for arguments in (["query", ALL], ["estate", "--devices", "1", "--days", "1"]):
        assert main([*arguments, "--data", str(settled.data)]) == 4
        printed = capsys.readouterr()
        assert f"is held by process {settled.process.pid} (" in printed.err
        assert "since 20" in printed.err


@pytest.mark.slow
def test_a_stopped_folder_answers(tmp_path: Path, capsys: Capture) -> None:
    assert main(["estate", "--devices", "3", "--days", "1", "--data", str(tmp_path / "own"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] > 100
    found = json_of(capsys, "query", ALL, "--data", str(tmp_path / "own"))
    assert found["row_count"] == 3


def test_a_query_over_a_folder_that_is_not_there(tmp_path: Path, capsys: Capture) -> None:
    assert main(["query", ALL, "--data", str(tmp_path / "missing")]) == 2
    assert "There is no data folder" in capsys.readouterr().err
    assert not (tmp_path / "missing").exists()


@pytest.mark.slow
def test_an_estate_over_the_wire(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_accounts.create(tmp_path, "loader", PASSWORD, ["import"], "UTC")
    monkeypatch.setenv("MUSTER_TOKEN", folder_accounts.create_token(tmp_path, "loader", "load")["secret"])
    given = ["estate", "--devices", "2", "--days", "1", "--seed", "9", "--now", "2026-11-20T12:00:00Z"]
    with portal(tmp_path, "--imports") as empty:
        first, second = (json_of(capsys, *given, "--url", empty.url) for _ in range(2))
    assert first["rows"] > 100
    assert (second["rows"], first["repeated_batches"]) == (0, 0)
    assert second["repeated_batches"] > 0


@pytest.mark.parametrize("given", [["--devices", "0"], ["--days", "400"], ["--now", "yesterday"]])
def test_an_estate_out_of_bounds(settled: Running, given: list[str], capsys: Capture) -> None:
    assert main(["estate", *given]) == 2
    assert capsys.readouterr().err.startswith("muster: ")


@pytest.mark.parametrize("place", ["portal", "folder"])
def test_accounts(settled: Running, place: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ["--data", str(settled.data)] if place == "folder" else []
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    made = json_of(capsys, "users", "create", f"anna-{place}", "--permissions", "query", *where)
    assert made == {"name": f"anna-{place}", "permissions": ["query"], "zone": "UTC"}
    generated = json_of(capsys, "users", "create", f"ben-{place}", "--generate", *where)
    assert len(generated["password"]) == 20
    said(capsys, "users", "disable", f"ben-{place}", *where)
    found = {row["name"]: row for row in json_of(capsys, "users", "list", *where)}
    assert found[f"anna-{place}"]["disabled_at"] is None
    assert found[f"ben-{place}"]["disabled_at"] is not None
    assert main(["users", "create", f"anna-{place}", "--generate", *where]) == 1
    assert "already" in capsys.readouterr().err


def test_a_password_from_standard_input_is_checked(
    settled: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["users", "create", "carla"]) == 2
    assert "10 to 256 characters" in capsys.readouterr().err


def test_a_new_password(settled: Running, capsys: Capture) -> None:
    where = ["--data", str(settled.data)]
    json_of(capsys, "users", "create", "dora", "--generate", *where)
    assert len(json_of(capsys, "users", "password", "dora", "--generate", *where)["password"]) == 20


@pytest.mark.parametrize("place", ["portal", "folder"])
def test_tokens(settled: Running, place: str, capsys: Capture) -> None:
    where = ["--data", str(settled.data), "--account", "admin"] if place == "folder" else []
    made = json_of(capsys, "tokens", "create", f"of {place}", *where)
    listed = {row["id"]: row for row in json_of(capsys, "tokens", "list", *where)}
    assert listed[made["id"]]["name"] == f"of {place}"
    assert "secret" not in listed[made["id"]]
    said(capsys, "tokens", "revoke", made["id"], *where)
    os.environ["MUSTER_TOKEN"] = made["secret"]
    try:
        assert main(["tokens", "list"]) == 1
    finally:
        del os.environ["MUSTER_TOKEN"]


def test_the_secret_of_a_token_stands_alone(settled: Running, capsys: Capture) -> None:
    assert len(said(capsys, "tokens", "create", "alone").split()) == 1


@pytest.mark.parametrize("place", ["portal", "folder"])
def test_enrolment_keys(settled: Running, place: str, capsys: Capture) -> None:
    where = ["--data", str(settled.data)] if place == "folder" else []
    assert len(said(capsys, "enroll-key", "create", "--count", "3", *where).split()) == 3
    assert len(json_of(capsys, "enroll-key", "list", *where)) >= 3
    assert main(["enroll-key", "create", "--count", "0", *where]) == 2


def test_a_device_that_never_enrolled_cannot_be_revoked(settled: Running, capsys: Capture) -> None:
    for where in ([], ["--data", str(settled.data)]):
        assert main(["devices", "revoke", "nobody", *where]) == 1
        assert capsys.readouterr().err.startswith("muster: ")


@pytest.mark.parametrize("place", ["portal", "folder"])
@pytest.mark.slow
def test_devices_that_two_machines_go_by(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """In a folder of their own: others count the devices of the shared portal."""
    data = tmp_path / "own"
    folder_accounts.create(data, "admin", PASSWORD, PERMISSIONS, "UTC")
    if place == "folder":
        _two_machines(data, place, ["--data", str(data)], capsys)
        return
    monkeypatch.setenv("MUSTER_TOKEN", folder_accounts.create_token(data, "admin", "tests")["secret"])
    with portal(data) as found:
        monkeypatch.setenv("MUSTER_URL", found.url)
        _two_machines(data, place, [], capsys)


def _two_machines(data: Path, place: str, where: list[str], capsys: Capture) -> None:
    assert json_of(capsys, "devices", "cloned", *where) == []
    assert main(["devices", "release", *where]) == 2
    assert "--all" in capsys.readouterr().err
    held = []
    with control(data) as opened:
        create = opened.enrolment.create_enrol_keys
        for number, (_, secret) in enumerate(create(2, simulated=False, expires_at=2, by="test", now=1)):
            key = f"{place} {number}".encode().rjust(32)
            device = opened.enrolment.consume_enrol_key(secret, key, key, "copied", now=1)
            held.append(device.uid)
            assert opened.enrolment.hold(device.uid, "trail", now=number)
    shown = json_of(capsys, "devices", "cloned", *where)
    assert [(one["uid"], one["cloned_at"][:10]) for one in shown] == [(uid, "1970-01-01") for uid in held]
    assert held[0] in said(capsys, "devices", "release", held[0], *where)
    assert json_of(capsys, "devices", "release", "--all", *where) == {"released": held[1:]}
    assert main(["devices", "release", "nobody", *where]) == 1


def test_actions(settled: Running, tmp_path: Path, capsys: Capture) -> None:
    script = {"linux": {"language": "bash", "text": "true"}}
    manifest = {"nql_id": "#listed", "name": "Listed", "scripts": script, "outputs": [{"name": "n", "type": "uint32"}]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert [item["id"] for item in json_of(capsys, "apply", str(tmp_path))] == ["#listed"]
    [line] = [line for line in said(capsys, "actions", "list").splitlines() if line.startswith("#listed")]
    assert line.split()[:3] == ["#listed", "Listed", "1"]
    assert "  draft" in line
    shown = said(capsys, "actions", "show", "listed")
    assert "--- linux (bash) ---" in shown
    assert "runs as system, at most 60 s; a draft: no author signed it" in shown
    named = 'devices | where name != "nobody"'
    told = said(capsys, "actions", "run", "listed", "--nql", named, "--preview")
    assert "The target rests on what devices say of themselves: device.name." in told
    preview = json_of(capsys, "actions", "run", "listed", "--nql", "devices", "--preview")
    assert preview["claimed"] == []
    assert preview["count"] >= 30
    assert json_of(capsys, "runs", "list") == []


def test_two_places_are_one_too_many(settled: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["query", ALL, "--data", "x", "--url", settled.url]
    monkeypatch.setattr("sys.argv", ["muster", *given])
    assert main(given) == 2
    assert "Give one of them" in capsys.readouterr().err


def test_a_run_from_its_start_to_its_end(demo: Demo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_URL", demo.url)
    monkeypatch.setenv("MUSTER_TOKEN", demo.token())
    some = "devices | where simulated == true | sort name asc | list name | limit 2"
    begun = json_of(capsys, "runs", "start", "get_uptime", "--nql", some, "--reason", "a test")["run"]
    ended = json_of(capsys, "runs", "wait", begun["id"], "--timeout", "60s")
    assert ended["run"]["counts"]["success"] == len(ended["executions"]) == 2
    assert ended["run"]["reason"] == "a test"
    assert ended["executions"][0]["outputs"]["processes"] > 0
    shown = said(capsys, "runs", "show", begun["id"])
    assert "2 success" in shown
    assert "(simulated)" in shown
    assert begun["id"] in said(capsys, "runs", "list")


def test_a_run_that_does_not_end_well_is_told(demo: Demo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_URL", demo.url)
    monkeypatch.setenv("MUSTER_TOKEN", demo.token())
    target = ["--nql", "devices | where simulated == true | limit 1", "--wait", "--timeout", "60s"]
    assert main(["actions", "run", "unknown_action", *target]) == 1
    assert capsys.readouterr().err.startswith("muster: ")
    cancelled = json_of(capsys, "actions", "run", "disk_hot_spots", "--nql", "devices | where simulated == true")
    json_of(capsys, "runs", "cancel", cancelled["run"]["id"])
    code = main(["runs", "wait", cancelled["run"]["id"], "--timeout", "60s"])
    printed = capsys.readouterr()
    assert (code == 5) == ("cancelled" in printed.out)
