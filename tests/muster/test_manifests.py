"""Actions as files: scripts are put into their manifest, and come from its own folder alone.

Comes in: files. Goes out: nothing.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from muster.errors import UsageError
from muster.manifests import manifests, read_json


def write(folder: Path, scripts: Any, name: str = "#one") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"nql_id": name, "name": "One", "scripts": scripts}))
    return folder


def test_a_script_beside_its_manifest_is_put_in(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", {"linux": {"language": "bash", "file": "linux.sh"}})
    (folder / "linux.sh").write_bytes(b"echo \xc3\xa9\n")
    found = list(manifests(folder))
    assert found == list(manifests(folder / "manifest.json")) == list(manifests(tmp_path))
    assert found[0]["scripts"] == {"linux": {"language": "bash", "text": "echo é\n"}}


def test_a_manifest_may_hold_its_script(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", {"linux": {"language": "bash", "text": "true"}})
    assert next(manifests(folder))["scripts"]["linux"]["text"] == "true"


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b", "", ".."])
def test_a_script_lies_in_the_manifests_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(UsageError):
        list(manifests(write(tmp_path / "one", {"linux": {"language": "bash", "file": name}})))


def test_several_come_in_the_order_of_their_folders(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name, {"linux": {"language": "bash", "text": "true"}}, f"#{name}")
    assert [item["nql_id"] for item in manifests(tmp_path)] == ["#a", "#b"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", '{"scripts": 5}', "[" * 100_000, '{"a":' * 5000, '{"scripts": {"a": "\\ud800"}}', "\ufeff{}"],
)
def test_what_is_no_manifest_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UsageError):
        list(manifests(tmp_path))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no action"):
        list(manifests(tmp_path / "missing"))


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    (tmp_path / "one").mkdir()
    os.mkfifo(tmp_path / "one" / "manifest.json")
    for path in (tmp_path / "manifest.json", tmp_path / "one" / "manifest.json"):
        with pytest.raises(UsageError, match="no plain file"):
            read_json(path)
    with pytest.raises(UsageError):
        list(manifests(tmp_path / "one"))
