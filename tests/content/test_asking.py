"""The starter action that asks: it does what its person says, and nothing else.

Comes in: a made-up home, a presenter that answers by hand. Goes out: nothing. Invariant: without a yes no file goes.
"""

import os
import pwd
from pathlib import Path
from threading import Event

import msgspec
import pytest

from agent import wire
from agent.accounts import Accounts
from agent.campaigns.desk import Asking, Desk
from agent.campaigns.person import Person
from agent.campaigns.questions import Answered, Reply, reply
from agent.clock import SteadyClock
from agent.orders import Job
from agent.runner import Ended, ProcessRunner
from storage.control.manifest import content
from tests.content.running import MANIFESTS

YEAR = 365 * 86_400


class Says:
    """A presenter whose person answers at once."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered

    def show(self, asking: Asking) -> Reply:
        asking.shown()
        return reply(asking.sheet.campaign, self._answered)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "home"
    (made / ".cache" / "program").mkdir(parents=True)
    for name in ("old", "new"):
        (made / ".cache" / "program" / name).write_bytes(b"x" * 10_000)
    (made / "kept").write_bytes(b"x")
    (made / ".cache" / "link").symlink_to(made / "kept")
    for path in (made / ".cache" / "program" / "old", made / "kept"):
        state = path.stat()
        os.utime(path, (state.st_atime - YEAR, state.st_mtime - YEAR))
    monkeypatch.setenv("HOME", str(made))
    return made


def run(tmp_path: Path, nql_id: str, answered: Answered) -> Ended:
    read = msgspec.json.decode(msgspec.json.encode(content(MANIFESTS[nql_id])), type=wire.Content)
    values = {item.name: item.default or "" for item in MANIFESTS[nql_id].inputs}
    job = Job("run", 1, "nonce", nql_id, 0, read, read.scripts["linux"], values)
    us = pwd.getpwuid(os.geteuid())
    desk = Desk((Says(answered),), lambda account: Person(us.pw_name, us.pw_uid, us.pw_gid), "portal.example")
    return ProcessRunner(tmp_path / "runs", SteadyClock(), Accounts(), desk=desk).run(job, lambda _: None, Event())


@pytest.mark.parametrize(
    ("answered", "status", "choice", "files", "left"),
    [
        (Answered("fully", {"what": ["remove"]}), "fully", "remove", 1, ["new"]),
        (Answered("fully", {"what": ["count"]}), "fully", "count", 1, ["new", "old"]),
        (Answered("declined"), "declined", "-", 0, ["new", "old"]),
        (Answered("postponed", {"what": ["remove"]}), "postponed", "-", 0, ["new", "old"]),
    ],
    ids=["remove", "count", "declined", "postponed"],
)
def test_it_goes_by_the_answer(
    tmp_path: Path, home: Path, answered: Answered, status: str, choice: str, files: int, left: list[str]
) -> None:
    tmp_path.chmod(0o700)
    ended = run(tmp_path, "#ask_and_clear_cache", answered)
    assert (ended.state, ended.error) == ("success", "")
    found = {name: ended.outputs[name] for name in ("status", "choice", "files", "removed")}
    assert found == {"status": status, "choice": choice, "files": files, "removed": choice == "remove"}
    assert (float(str(ended.outputs["space"])) > 0) == (files > 0)
    assert sorted(path.name for path in (home / ".cache" / "program").iterdir()) == left
    assert (home / "kept").exists()
