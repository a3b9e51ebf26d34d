"""A folder and a real portal: applied, compared, changed, signed, pruned, exported, and the same again.

Comes in: an empty portal as a process of its own. Goes out: nothing. Invariant: what `diff` tells is what `apply` does;
after it, `diff` is empty.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muster import folder_accounts, signing
from muster.api import Api
from muster.cli import main
from muster.content import folder
from tests.architecture.project import ROOT
from tests.muster.conftest import PASSWORD, PERMISSIONS, portal

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]
QUERY = "// Devices\n// All of them.\n\ndevices\n| list name\n"
DEFINITION = {"action": "#get_uptime", "target": "devices", "cadence": {"hourly": {}}}
SCHEDULE = {"name": "Hourly", "definition": DEFINITION}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty portal, as the environment of a person who uses it; its address."""
    data = tmp_path / "data"
    folder_accounts.create(data, "admin", PASSWORD, PERMISSIONS, "UTC")
    monkeypatch.setenv("MUSTER_TOKEN", folder_accounts.create_token(data, "admin", "tests")["secret"])
    with portal(data) as found:
        monkeypatch.setenv("MUSTER_URL", found.url)
        yield found.url


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The starter library with a query and a schedule; its workflows among it."""
    place = tmp_path / "content"
    for kind in ("actions", "campaigns", "workflows"):
        shutil.copytree(ROOT / "content" / kind, place / kind)
    (place / "queries").mkdir()
    (place / "schedules").mkdir()
    (place / "queries" / "everything.nql").write_text(QUERY)
    (place / "schedules" / "hourly_uptime.json").write_text(json.dumps(SCHEDULE))
    return place


def said(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code, capsys.readouterr()
    return capsys.readouterr().out


def what(capsys: Capture, *arguments: str, code: int = 0) -> dict[str, str]:
    return {one["id"]: one["what"] for one in json.loads(said(capsys, *arguments, "--json", code=code))}


def test_the_way_of_content(empty: str, content: Path, tmp_path: Path, capsys: Capture) -> None:
    place, count = str(content), len(folder.read(content))
    assert set(what(capsys, "diff", place, code=6).values()) == {"new"}
    assert "action #get_uptime is new" in said(capsys, "diff", place, code=6)
    assert said(capsys, "apply", place).endswith(f"{count} made\n")
    assert said(capsys, "diff", place) == ""
    assert said(capsys, "apply", place) == f"{count} unchanged\n"

    # what was applied is there to be used
    assert "How is it now?" in said(capsys, "campaigns", "list")
    send = ["campaigns", "send", "how_is_it_now", "--user", "nobody", "--param", "subject=x", "--expires", "3d"]
    sent = said(capsys, *send, code=5)
    assert "The user is not known." in sent
    assert said(capsys, "campaigns", "responses", "how_is_it_now") == ""
    assert main(["campaigns", "cancel", "none"]) != 0
    capsys.readouterr()

    # an edit is shown, and applied
    script = content / "actions" / "get_uptime" / "linux.sh"
    script.write_text(script.read_text() + "# edited\nmuster_output bool new true\n")
    (content / "queries" / "everything.nql").write_text(QUERY.replace("list name", "list entity"))
    (content / "schedules" / "hourly_uptime.json").write_text(json.dumps(SCHEDULE | {"enabled": False}))
    waiting = content / "workflows" / "free_disk_space.json"
    waiting.write_text(waiting.read_text().replace('"seconds": 300', '"seconds": 600'))
    shown = said(capsys, "diff", place, code=6).splitlines()
    edits = [
        "+# edited",
        "-| list name",
        "+| list entity",
        "-steps.pause.seconds: 300",
        "+steps.pause.seconds: 600",
        "-enabled: true",
        "+enabled: false",
    ]
    assert [line for line in shown if line in edits] == edits
    assert main(["apply", place]) == 0
    printed = capsys.readouterr()
    assert "note: #get_uptime linux: line 16: output new (bool) is written, but" in printed.err
    assert printed.out.splitlines() == [
        "changed   action #get_uptime",
        "changed   query #everything",
        "changed   workflow #free_disk_space",
        "changed   schedule #hourly_uptime",
        f"{count - 4} unchanged, 4 changed",
    ]
    assert said(capsys, "diff", place) == ""

    # what is exported is the same, to the byte of each script
    other = tmp_path / "exported"
    said(capsys, "export", str(other))
    assert said(capsys, "diff", str(other), "--prune") == ""
    assert folder.read(other) == folder.read(content)
    assert (other / "actions" / "get_uptime" / "linux.sh").read_bytes() == script.read_bytes()
    assert said(capsys, "export", place).endswith("; 0 files written\n")


def test_what_is_not_in_the_folder(empty: str, content: Path, capsys: Capture) -> None:
    said(capsys, "apply", str(content))
    for file in (
        "queries/everything.nql", "schedules/hourly_uptime.json", "actions/get_uptime/manifest.json",
        "workflows/free_disk_space.json",
    ):  # fmt: skip
        (content / file).unlink()
    place = str(content)
    assert said(capsys, "diff", place) == ""
    assert said(capsys, "diff", place, "--prune", code=6).splitlines() == [
        "schedule #hourly_uptime is only in the portal",
        "query #everything is only in the portal",
    ]
    assert main(["apply", place, "--prune"]) == 2
    assert "query #everything" in (told := capsys.readouterr().err)
    assert "--yes" in told
    found = what(capsys, "apply", place, "--prune", "--yes")
    assert {id for id, one in found.items() if one == "removed"} == {"#hourly_uptime", "#everything"}
    assert found["#get_uptime"] == found["#free_disk_space"] == "kept"
    assert said(capsys, "diff", place, "--prune") == ""


def test_what_the_portal_refuses_keeps_nothing_else_from_being_done(empty: str, content: Path, capsys: Capture) -> None:
    (content / "queries" / "wrong.nql").write_text("devices | lst name")
    (content / "schedules" / "wrong.json").write_text(
        json.dumps({"name": "Wrong", "definition": DEFINITION | {"action": "#nowhere"}})
    )
    assert main(["apply", str(content)]) == 1
    printed = capsys.readouterr()
    assert "failed    query #wrong: " in printed.out
    assert "failed    schedule #wrong: " in printed.out
    assert "2 of " in printed.err
    assert set(what(capsys, "diff", str(content), code=6)) == {"#wrong"}


def test_signatures_go_with_their_actions(empty: str, content: Path, capsys: Capture) -> None:
    key = Ed25519PrivateKey.generate()
    place = content / "actions" / "get_uptime"
    [item] = folder.read(place)
    form = signing.form_of(dict(item.body))
    signing.write(place, form, signing.sign(key, form, now=1_700_000_000_000_000))
    assert main(["apply", str(place)]) == 1
    assert "is not known here" in capsys.readouterr().out
    assert said(capsys, "diff", str(place), code=6) == "action #get_uptime has a signature that the portal lacks\n"
    with Api(empty, os.environ["MUSTER_TOKEN"]) as api:
        api.post("/authors", {"name": "Ann", "key": base64.b64encode(signing.public(key)).decode()})
    assert said(capsys, "apply", str(place)) == "signed    action #get_uptime\n1 signed\n"
    assert said(capsys, "diff", str(place)) == ""
