"""Erasing from the command line: nothing without a look and a yes; an older backup forgets again what was forgotten.

Comes in: a portal of its own with a few devices. Goes out: nothing. Invariant held here: who is not meant is still
there, and a list of erasures names nobody.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muster import folder_accounts
from muster.cli import main
from muster.clock import now
from muster.estate.load import planned
from muster.folder_load import store_estate
from tests.muster.conftest import PASSWORD, PERMISSIONS, Running, portal
from tests.portal.scanning import found

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]
ALL = "devices | list name, uid | sort name asc"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five devices, which nobody serves."""
    data = tmp_path_factory.mktemp("erasing") / "data"
    store_estate(data, planned(5, 2, 1, now(), connected=5), lambda _: None)
    folder_accounts.create(data, "admin", PASSWORD, PERMISSIONS, "UTC")
    return data


@pytest.fixture(scope="module")
def own(data: Path) -> Iterator[Running]:
    token = folder_accounts.create_token(data, "admin", "tests")["secret"]
    with portal(data) as running:
        yield Running(running.process, running.url, token, data)


@pytest.fixture(autouse=True)
def _settled(own: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_URL", own.url)
    monkeypatch.setenv("MUSTER_TOKEN", own.token)


def said(capsys: Capture, *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def json_of(capsys: Capture, *arguments: str) -> Any:
    return json.loads(said(capsys, *arguments, "--json"))


def devices(capsys: Capture) -> list[list[str]]:
    rows: list[list[str]] = json_of(capsys, "query", ALL)["rows"]
    return rows


def test_a_device_goes_and_an_older_backup_forgets_it_again(own: Running, capsys: Capture, tmp_path: Path) -> None:
    before = devices(capsys)
    (name, uid), *others = before
    said(capsys, "backup", "--data", str(own.data), str(tmp_path / "old.tar"))
    [shown] = json_of(capsys, "devices", "erase", name, "--preview")
    assert (shown["uid"], shown["rows"]["execution.events"] > 0) == (uid, True)
    text = said(capsys, "devices", "erase", uid, "--preview")
    assert name in text
    assert "execution.events" in text
    assert "confirmed" in said(capsys, "devices", "erase", name, code=2), "a program is not asked"
    assert devices(capsys) == before
    [done] = json_of(capsys, "devices", "erase", name, "--yes")
    assert (done["state"], done["uid"], done["left"]) == ("done", None, [])
    assert devices(capsys) == others
    assert found(own.data, uid) == []
    assert "is not known" in said(capsys, "devices", "erase", name, "--yes", code=2)
    assert "was erased before" in said(capsys, "devices", "erase", uid, "--yes", code=2)

    listed = said(capsys, "erasures", "--json")
    assert [one["id"] for one in json.loads(listed)] == [done["id"]]
    assert uid not in listed
    assert json_of(capsys, "erasures", "--data", str(own.data))[0]["digest"] == json.loads(listed)[0]["digest"]
    assert "done" in said(capsys, "erasures")
    (tmp_path / "erased.json").write_text(listed)
    new, old = str(tmp_path / "new"), str(tmp_path / "old.tar")
    earlier = [one | {"done_at": "2000-01-01T00:00:00Z"} for one in json.loads(listed)]
    (tmp_path / "earlier.json").write_text(json.dumps(earlier))
    again = json_of(capsys, "restore", old, "--data", f"{new}-1", "--erased", str(tmp_path / "earlier.json"))
    assert again["to_erase_again"] == 0, "what was there after it is somebody else"
    again = json_of(
        capsys, "restore", str(tmp_path / "old.tar"), "--data", new, "--erased", str(tmp_path / "erased.json")
    )
    assert again["to_erase_again"] == 1
    assert found(tmp_path / "new", uid)
    token = folder_accounts.create_token(tmp_path / "new", "admin", "again")["secret"]
    with portal(tmp_path / "new") as restored, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUSTER_URL", restored.url)
        patch.setenv("MUSTER_TOKEN", token)
        deadline = time.monotonic() + 60
        while any(one["state"] != "done" for one in json_of(capsys, "erasures")):
            assert time.monotonic() < deadline
        assert devices(capsys) == others
    assert found(tmp_path / "new", uid) == []


def test_a_person_goes(own: Running, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "users | list name, uid, username | sort name asc"
    (name, uid, username), *others = json_of(capsys, "query", text)["rows"]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert "Nothing was erased" in said(capsys, "people", "erase", name, code=2)
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert "erased: " in said(capsys, "people", "erase", name)
    assert json_of(capsys, "query", text)["rows"] == others
    assert found(own.data, uid) == []
    assert found(own.data, username) == []


def test_not_waited_for(own: Running, capsys: Capture) -> None:
    name, _ = devices(capsys)[0]
    assert "asked for" in said(capsys, "devices", "erase", name, "--yes", "--no-wait")


def test_what_is_no_list(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    for file in ("no.json", "nothing"):
        text = said(capsys, "restore", "x", "--data", str(tmp_path / "n"), "--erased", str(tmp_path / file), code=2)
        assert "is no list of erasures" in text
    assert not (tmp_path / "n").exists()
