"""What `docs/actions.md` shows is so: its manifest and scripts agree and run, its query and schedule are content.

Comes in: the page. Goes out: nothing.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import Event
from typing import Any, Literal

import msgspec
import pytest

from agent import wire
from agent.accounts import Accounts
from agent.clock import SteadyClock
from agent.orders import LANGUAGES as RUN_HERE
from agent.orders import Job
from agent.runner import MOST_PROCESSES, Ended, ProcessRunner
from muster.content import folder
from storage.control.manifest import LANGUAGES, PARAMETER_BYTES, SCRIPT_BYTES, Manifest, Script, check, content
from storage.control.scripts.api import disagreements, find
from storage.control.scripts.found import TYPES
from tests.architecture.project import ROOT
from tests.content.running import MANIFESTS

PAGE = (ROOT / "docs" / "actions.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
[MANIFEST, SCHEDULE] = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
[BASH] = [text for kind, text in BLOCKS if kind == "bash"]
[PYTHON] = [text for kind, text in BLOCKS if kind == "python"]
[QUERY] = [text for kind, text in BLOCKS if text.startswith("//")]


def whole(language: Literal["bash", "python"], text: str, **changes: Any) -> Manifest:
    return msgspec.convert(MANIFEST | {"scripts": {"linux": {"language": language, "text": text}}} | changes, Manifest)


def run(tmp_path: Path, manifest: Manifest, inputs: dict[str, str]) -> Ended:
    read = msgspec.json.decode(msgspec.json.encode(content(manifest)), type=wire.Content)
    job = Job("run", 1, "nonce", manifest.nql_id, 0, read, read.scripts["linux"], inputs)
    return ProcessRunner(tmp_path / "runs", SteadyClock(), Accounts()).run(job, lambda _: None, Event())


@pytest.fixture
def place(tmp_path: Path) -> str:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "file").write_bytes(b"x" * 50_000)
    return str(tmp_path / "place")


def test_the_script_in_bash(tmp_path: Path, place: str) -> None:
    manifest = whole("bash", BASH)
    check(manifest)
    assert disagreements(manifest) == []
    [found] = find(manifest.scripts["linux"]).inputs
    assert (found.name, found.allowed, found.default, found.custom) == ("path", ("/home", "/var"), "/var", True)
    ended = run(tmp_path, manifest, {"path": place})
    assert (ended.state, ended.error) == ("success", "")
    assert 50_000 <= float(str(ended.outputs["used"])) < 60_000


def test_the_script_in_python(tmp_path: Path, place: str) -> None:
    outputs = [*MANIFEST["outputs"], {"name": "names", "type": "string_list"}]
    manifest = whole("python", PYTHON, outputs=outputs)
    assert disagreements(manifest) == []
    assert run(tmp_path, manifest, {"path": place}).outputs == {"used": 50_000.0, "names": ["file"]}


def test_the_query_and_the_schedule(tmp_path: Path) -> None:
    for name in ("queries", "schedules"):
        (tmp_path / name).mkdir()
    (tmp_path / "queries" / "full_drives.nql").write_text(QUERY)
    (tmp_path / "schedules" / "nightly_cleanup.json").write_text(json.dumps(SCHEDULE))
    query, schedule = folder.read(tmp_path)
    assert query.body["name"] == "Full drives"
    definition = schedule.body["definition"]
    assert set(definition["parameters"]) <= {item.name for item in MANIFESTS[definition["action"]].inputs}
    assert "schedule" in MANIFESTS[definition["action"]].triggers


def test_what_it_says_is_so() -> None:
    table = PAGE.partition("## Outputs")[2].partition("## Limits")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == TYPES
    assert f"{SCRIPT_BYTES:,} bytes" in PAGE
    assert f"| values of one run together | {PARAMETER_BYTES:,} bytes |" in PAGE
    assert f"| processes of a script at once | {MOST_PROCESSES} |" in PAGE
    rows = PAGE.partition("| field |")[2].partition("##")[0].splitlines()
    fields = {
        name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1] if row.startswith("| `") else "")
    }
    assert fields == set(Manifest.__struct_fields__)
    assert len(MANIFESTS) >= 20
    assert {platform: sorted(languages) for platform, languages in LANGUAGES.items()} == {
        platform: sorted(languages) for platform, languages in RUN_HERE.items()
    }
    assert find(Script("powershell", "[Nxt]::WriteOutputBitRate('a', 1)")).outputs[0].type == "bitrate"
