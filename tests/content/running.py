"""Running an action of the starter library for real, under the agent's own runner.

Comes in: an action's id, its inputs, and, where a program has to be another (a `systemctl` without a systemd), a folder
of such programs that comes first. Goes out: how the script ended. Invariant: a test that brings no programs of its own
runs with those of the machine alone.
"""

from __future__ import annotations

from pathlib import Path
from threading import Event

import msgspec

from agent import wire
from agent.accounts import Accounts
from agent.clock import SteadyClock
from agent.orders import Job
from agent.run_folder import SEARCH
from agent.runner import Ended, ProcessRunner
from muster.manifests import manifests
from storage.control.manifest import Manifest, content
from tests.architecture.project import ROOT

FOLDER = ROOT / "content" / "actions"
MANIFESTS = {item["nql_id"]: msgspec.convert(item, Manifest) for item in manifests(FOLDER)}


def run(tmp_path: Path, nql_id: str, *, programs: Path | None = None, **inputs: str) -> Ended:
    """Run an action with these inputs, and the defaults of the others."""
    manifest = MANIFESTS[nql_id]
    read = msgspec.json.decode(msgspec.json.encode(content(manifest)), type=wire.Content)
    assert set(inputs) <= {item.name for item in manifest.inputs}
    values = {item.name: inputs.get(item.name, item.default or "") for item in manifest.inputs}
    job = Job("run", 1, "nonce", nql_id, 0, read, read.scripts["linux"], values)
    search = SEARCH if programs is None else f"{programs}:{SEARCH}"
    runner = ProcessRunner(tmp_path / "runs", SteadyClock(), Accounts(), search=search)
    return runner.run(job, lambda _: None, Event())


def program(folder: Path, name: str, text: str) -> Path:
    """Put a shell script into a folder of programs; the folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder


def number(ended: Ended, name: str) -> float:
    """An output that is a number."""
    value = ended.outputs[name]
    assert isinstance(value, int | float)
    return value


def texts(ended: Ended, name: str) -> list[str]:
    """An output that is a list of texts."""
    value = ended.outputs[name]
    assert isinstance(value, list)
    return value
