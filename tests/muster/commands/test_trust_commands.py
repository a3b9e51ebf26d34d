"""Authors, signatures, secrets and keys on the command line, against a real portal.

Comes in: a portal's process, a folder with an action. Goes out: files, and what the portal knows then. Invariant: a
private key and a secret's value are on no command line, in no output and in no file but the one they were put into.
"""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from muster.cli import main
from muster.content import folder as content_folder
from tests.muster.conftest import Running

Capture = pytest.CaptureFixture[str]


def json_of(capsys: Capture, *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def failed(capsys: Capture, *arguments: str) -> str:
    assert main(list(arguments)) != 0
    return capsys.readouterr().err


@pytest.fixture
def action(tmp_path: Path) -> Path:
    folder = tmp_path / "signed_one"
    folder.mkdir()
    script = {"linux": {"language": "bash", "file": "linux.sh"}}
    said = {"nql_id": "#signed_one", "name": "Signed", "scripts": script, "inputs": [{"name": "m", "allowed": ["x"]}]}
    (folder / "manifest.json").write_text(json.dumps(said))
    (folder / "linux.sh").write_text("echo 1\n")
    return folder


def test_an_author_is_made_and_signs(capsys: Capture, tmp_path: Path, action: Path) -> None:
    key = tmp_path / "author.key"
    made = json_of(capsys, "authors", "create", "anna", "--key-file", str(key))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (tmp_path / "author.key.pub").read_text().startswith("muster-author ")
    assert b"PRIVATE" not in (tmp_path / "author.key.pub").read_bytes()
    assert len(made["fingerprint"]) == 16
    assert "never written over" in failed(capsys, "authors", "create", "anna", "--key-file", str(key))
    assert main(["actions", "sign", str(action), "--key-file", str(key)]) == 0
    printed = capsys.readouterr()
    for word in ("#signed_one", "linux: bash, 7 bytes", "m: 'x'"):
        assert word in printed.err
    [item] = content_folder.read(action)
    [signature] = item.signatures
    assert item.version in printed.out
    again = ["actions", "sign", str(action), "--key-file", str(key)]
    assert main(again) == 0
    assert "1 signed already" in capsys.readouterr().err
    assert content_folder.read(action)[0].signatures == (signature,)
    assert main([*again, "--again"]) == 0
    assert [one.serial > signature.serial for one in content_folder.read(action)[0].signatures] == [True]
    whole = (action / "signature.json").read_text()
    (action / "signature.json").write_text(whole.replace(f'"serial": {_newest(action)}', '"serial": 1'))
    assert main(again) == 0  # one that is not genuine counts for nothing
    assert "signed already" not in capsys.readouterr().err
    (action / "linux.sh").write_text("echo 2\n")
    assert content_folder.read(action)[0].signatures == ()  # what was changed after it was signed is a draft
    key.chmod(0o644)
    assert "chmod 600" in failed(capsys, "actions", "sign", str(action), "--key-file", str(key))
    assert "does not open" in failed(capsys, "actions", "sign", str(action), "--key-file", str(_private(tmp_path)))


def _newest(action: Path) -> int:
    return content_folder.read(action)[0].signatures[0].serial


def _private(folder: Path) -> Path:
    file = folder / "noise"
    file.write_text("noise")
    file.chmod(0o600)
    return file


def test_a_locked_key_wants_its_passphrase(capsys: Capture, tmp_path: Path, action: Path) -> None:
    key, right, wrong = tmp_path / "locked.key", tmp_path / "right", tmp_path / "wrong"
    right.write_text("open sesame\n")
    wrong.write_text("guess\n")
    json_of(capsys, "authors", "create", "anna", "--key-file", str(key), "--passphrase-file", str(right))
    assert b"ENCRYPTED" in key.read_bytes()
    sign = ["actions", "sign", str(action), "--key-file", str(key)]
    assert "does not open" in failed(capsys, *sign, "--passphrase-file", str(wrong))
    assert "passphrase" in failed(capsys, *sign)
    assert main([*sign, "--passphrase-file", str(right)]) == 0


def test_a_portal_learns_of_authors_and_signatures(
    settled: Running, capsys: Capture, tmp_path: Path, action: Path
) -> None:
    first, second = tmp_path / "first.key", tmp_path / "second.key"
    for key, name in ((first, "anna"), (second, "ben")):
        json_of(capsys, "authors", "create", name, "--key-file", str(key))
    sign = ["actions", "sign", str(action), "--key-file", str(first)]
    assert main(["apply", str(action)]) == 0
    capsys.readouterr()
    assert "not known here" in failed(capsys, *sign, "--push")
    anna = json_of(capsys, "authors", "add", f"{first}.pub")["fingerprint"]
    ben = json_of(capsys, "authors", "add", f"{second}.pub")["fingerprint"]
    assert json_of(capsys, "actions", "show", "signed_one")["draft"]
    assert main(["apply", str(action)]) == 0  # the signature lies beside the manifest by now
    capsys.readouterr()
    assert json_of(capsys, "actions", "show", "signed_one")["signed_by"] == ["anna"]
    serial = content_folder.read(action)[0].signatures[0].serial
    assert main([*sign, "--again"]) == 0  # anew, as before a version may run again after a newer one
    assert main(["apply", str(action)]) == 0
    capsys.readouterr()
    assert _serial(settled) > serial
    endorsed = json_of(capsys, "authors", "endorse", f"{second}.pub", "--key-file", str(first))
    assert endorsed["endorsed_by"] == anna
    assert main(["authors", "remove", ben]) == 0
    capsys.readouterr()
    listed = {one["fingerprint"]: one["removed_at"] for one in json_of(capsys, "authors", "list")}
    assert (listed[anna], listed[ben] is None) == (None, False)
    assert "names no author" in failed(capsys, "authors", "add", str(first))


def _serial(portal: Running) -> int:
    headers = {"Authorization": f"Bearer {portal.token}"}
    found = httpx.get(f"{portal.url}/api/muster/v1/actions/signed_one/signatures", headers=headers).json()
    serial: int = found["signatures"][0]["serial"]
    return serial


def test_secrets_are_kept_and_granted(
    settled: Running, capsys: Capture, tmp_path: Path, action: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["apply", str(action)]) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hide-me-well\n")))
    assert main(["secrets", "set", "pin"]) == 0
    (tmp_path / "value").write_bytes(b"hide-me-too")
    assert main(["secrets", "set", "pin", "--file", str(tmp_path / "value")]) == 0
    assert main(["secrets", "grant", "pin", "signed_one"]) == 0
    printed = capsys.readouterr()
    assert "warning: #signed_one does not name pin" in printed.err
    assert "hide-me" not in printed.out + printed.err
    found = {one["name"]: one["actions"] for one in json_of(capsys, "secrets", "list")}
    assert found["pin"] == ["#signed_one"]
    assert main(["secrets", "revoke", "pin", "#signed_one"]) == 0
    assert main(["secrets", "delete", "pin"]) == 0
    assert "no secret pin" in failed(capsys, "secrets", "grant", "pin", "signed_one").lower()
    (tmp_path / "value").write_bytes(b"\xff\xfe")
    assert "UTF-8" in failed(capsys, "secrets", "set", "pin", "--file", str(tmp_path / "value"))


def test_keys_are_rotated(settled: Running, capsys: Capture) -> None:
    before = json_of(capsys, "keys", "list")
    after = json_of(capsys, "keys", "rotate")
    assert after[: len(before)] == [one | {"current": False} for one in before]
    assert [one["current"] for one in after] == [False] * len(before) + [True]
