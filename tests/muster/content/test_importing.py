"""Scripts as other products have them become actions unchanged, and run on our agent as they are.

Comes in: scripts in files. Goes out: folders of actions. Invariant held here: bytes are kept, and a script that cannot
be taken leaves nothing behind.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from agent import wire
from agent.accounts import Accounts
from agent.clock import SteadyClock
from agent.orders import Job
from agent.runner import ProcessRunner
from muster.cli import main
from muster.content import folder
from muster.content.importing import make
from muster.errors import UsageError
from storage.control.manifest import Manifest, content

SHELL = """#!/bin/bash
. "${NEXTHINK}"/bash/nxt_ra_script_output.sh
# NXT_PARAMETERS_BEGIN
path="$1"
depth="$2"
# NXT_PARAMETERS_END
nxt_write_output_string "Told" "$path and $depth"
nxt_write_output_uint32 Count 3
nxt_write_output_ratio Share 0.5
"""
POWERSHELL = """\ufeffparam(
  [Parameter(Mandatory=$true)][ValidateSet('1', '2')][string]$depth,
  [string]$path = 'C:\\',
  [switch]$verbose_log
)
Add-Type -Path "$env:NEXTHINK\\RemoteActions\\nxtremoteactions.dll"
[Nxt]::WriteOutputString('Told', $path)
[Nxt]::WriteOutputUInt32('Count', 3)
""".replace("\n", "\r\n")


@pytest.fixture
def scripts(tmp_path: Path) -> tuple[str, str]:
    shell, power = tmp_path / "check.sh", tmp_path / "check.ps1"
    shell.write_bytes(SHELL.encode())
    power.write_bytes(POWERSHELL.encode())
    return str(shell), str(power)


def test_scripts_for_two_platforms(scripts: tuple[str, str], tmp_path: Path) -> None:
    made = make(scripts[::-1], "#check_all", "Check all", tmp_path / "actions")
    assert made.folder == tmp_path / "actions" / "check_all"
    assert (made.folder / "linux.sh").read_bytes() == SHELL.encode()
    assert (made.folder / "windows.ps1").read_bytes() == POWERSHELL.encode()
    manifest = json.loads((made.folder / "manifest.json").read_text())
    assert manifest["inputs"] == [
        {"name": "path", "default": "C:\\"},
        {"name": "depth", "allowed": ["1", "2"]},
        {"name": "verbose_log", "platforms": ["windows"]},
    ]
    assert manifest["outputs"] == [
        {"name": "Told", "type": "string"},
        {"name": "Count", "type": "uint32"},
        {"name": "Share", "type": "ratio", "platforms": ["linux"]},
    ]
    [item] = folder.read(made.folder)
    assert item.body == made.body


def test_an_imported_script_runs_on_our_agent(scripts: tuple[str, str], tmp_path: Path) -> None:
    made = make(scripts, "check", "Check", tmp_path)
    said = msgspec.json.encode(content(msgspec.convert(made.body, Manifest)))
    read = msgspec.json.decode(said, type=wire.Content)
    given = {"path": "/a 'b", "depth": "2"}
    job = Job("run", 1, "nonce", "#check", 0, read, read.scripts["linux"], given)
    ended = ProcessRunner(tmp_path / "runs", SteadyClock(), Accounts()).run(job, lambda _: None, Event())
    assert (ended.state, ended.error) == ("success", "")
    assert ended.outputs == {"Told": "/a 'b and 2", "Count": 3, "Share": 50.0}


@pytest.mark.parametrize(
    ("name", "text", "language", "platform"),
    [
        ("a.zsh", "echo", "zsh", "macos"),
        ("a.sh", "#!/bin/zsh\necho", "zsh", "macos"),
        ("a.sh", "#!/usr/bin/env bash\necho", "bash", "linux"),
        ("a", "#!/usr/bin/env -S python3 -B\n", "python", "linux"),
        ("A.PS1", "exit", "powershell", "windows"),
        ("a.py", "pass", "python", "linux"),
    ],
)
def test_languages(tmp_path: Path, name: str, text: str, language: str, platform: str) -> None:
    (tmp_path / name).write_text(text)
    made = make([str(tmp_path / name)], "one", "One", tmp_path / "actions")
    assert made.body["scripts"] == {platform: {"language": language, "text": text}}


def test_the_platform_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "a=b.sh").write_text("true")
    file = str(tmp_path / "a=b.sh")
    made = make([f"macos={file}", file], "one", "One", tmp_path)
    assert set(made.body["scripts"]) == {"macos", "linux"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.sh": 'nxt_write_output_bool "$x" true'}, "linux, line 1: the name of an output is not a literal"),
        ({"a.sh": "true", "b.py": "pass"}, "two scripts for linux"),
        ({"a.txt": "true"}, "no language that is known"),
        ({"a.sh": "muster_output bool a true", "b.ps1": "[Nxt]::WriteOutputString('a', 1)"}, "several types"),
        ({"a.sh": b"\xff"}, "not UTF-8"),
        ({"a.ps1": "exit".encode("utf-16")}, "not UTF-8"),
        ({"a.sh": "echo\r\n"}, "line 1: lines end with CR and LF"),
    ],
)
def test_what_cannot_be_taken_leaves_nothing(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=said):
        make([str(tmp_path / name) for name in files], "one", "One", tmp_path / "actions")
    assert not (tmp_path / "actions").exists()


def test_nothing_is_written_over(scripts: tuple[str, str], tmp_path: Path) -> None:
    make(scripts, "check", "Check", tmp_path)
    with pytest.raises(UsageError, match="is there already"):
        make(scripts, "check", "Check", tmp_path)


def test_from_the_command_line(scripts: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["actions", "import", *scripts, "--id", "#check", "--name", "Check", "--to", str(tmp_path)]) == 0
    assert "Count   uint32" in capsys.readouterr().out
    assert main(["actions", "check", str(tmp_path / "check")]) == 0
    assert capsys.readouterr().out == "#check manifest and scripts agree\n"
    file = tmp_path / "check" / "linux.sh"
    file.write_text(SHELL.replace("Share", "Part"))
    assert main(["actions", "check", str(tmp_path)]) == 6
    assert capsys.readouterr().out.splitlines() == [
        "#check linux: line 9: output Part (ratio) is written, but the manifest does not declare it",
        "#check linux: output Share is declared, but the script never writes it",
    ]
    assert main(["actions", "check", str(tmp_path), "--json"]) == 6
    assert len(json.loads(capsys.readouterr().out)["#check"]) == 2
    assert main(["actions", "import", str(file), "--id", "#a b", "--name", "x", "--to", str(tmp_path)]) == 2
