"""Scripts under other accounts: whose account it is, and that a script there is cut off from the agent's own.

Comes in: account entries of the test's own making (the system knows none of them), and, as root, processes that really
change accounts. Goes out: how scripts ended. Invariant: no run leaves a folder behind, wherever it lies.
"""

from __future__ import annotations

import os
import pwd
import resource
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import msgspec
import pytest

from agent import run_folder, wire
from agent.accounts import AccountError, Accounts
from agent.clock import SteadyClock
from agent.runner import Ended, ProcessRunner
from tests.agent.scripts import job
from tests.agent.test_secrets import KEY, sealed

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only the system changes accounts")
USER = 20_000 + os.getpid() % 30_000  # of this process alone: tests beside us have others


def entry(name: str, user: int = USER, home: str = "/home/anna") -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", user, user + 1, "", home, "/bin/sh"))


KNOWN = {e.pw_name: e for e in (entry("anna"), entry("bert", USER + 10), entry("www", 33), entry("agent", 0))}


def accounts(*people: str) -> Accounts:
    return Accounts(lambda: people, KNOWN.__getitem__, me=0)


def run(folder: Path, text: str, run_as: str, service: str | None = None, *, people: tuple[str, ...] = ()) -> Ended:
    work = job(text, outputs={"s": "string", "l": "string_list"}, inputs={"path": "/x"})
    work = replace(work, content=msgspec.structs.replace(work.content, run_as=run_as, service=service))
    return ProcessRunner(folder / "runs", SteadyClock(), accounts(*people)).run(work, lambda _: None, Event())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    yield tmp_path
    assert list((tmp_path / "runs").glob("*")) == []
    assert [path for path in run_folder.ELSEWHERE.glob("muster-*") if _owner(path) == USER] == []


def test_the_system_is_the_agents_own_account() -> None:
    assert accounts().of("system", None) is None
    assert accounts().of("service", "agent") is None


@pytest.mark.parametrize(
    ("run_as", "service", "said"),
    [
        ("service", "nobody_at_all", "the service account nobody_at_all does not exist"),
        ("service", None, "runs nothing as 'service'"),
        ("somebody", None, "runs nothing as 'somebody'"),
    ],
)
def test_what_no_account_is(run_as: str, service: str | None, said: str) -> None:
    with pytest.raises(AccountError, match=said):
        accounts("anna").of(run_as, service)


def test_who_is_not_the_system_changes_no_account() -> None:
    ours = Accounts(lambda: ("anna", "bert"), KNOWN.__getitem__, me=USER)
    with pytest.raises(AccountError, match="may not change accounts"):
        ours.of("service", "www")
    assert ours.of("user", None) is None
    assert ours.of("service", "anna") is None


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ((), "nobody is logged in"),
        (("www", "unknown", "agent"), "nobody is logged in"),
        (("anna", "bert", "anna"), r"exactly one person, and 2 are logged in \(anna, bert\)"),
    ],
)
def test_a_user_is_exactly_one_person(people: tuple[str, ...], said: str) -> None:
    with pytest.raises(AccountError, match=f"user context is not available: .*{said}"):
        accounts(*people).of("user", None)


def test_the_one_person_twice_is_one() -> None:
    account = accounts("anna", "www", "anna").of("user", None)
    assert account is not None
    assert (account.name, account.user, account.group, account.groups) == ("anna", USER, USER + 1, (USER + 1,))


WHO = r"""
. "$MUSTER/output.sh"
muster_output string s "$1 $MUSTER_INPUT_PATH $HOME $USER $LOGNAME $SHELL"
muster_output string_list l "$(id -u)" "$(id -g)" "$(id -G)" "$(stat -c %u:%a "$MUSTER")" "$(ls "$MUSTER_AGENT" 2>&1)"
touch "$MUSTER/mine" "$TMPDIR/mine" && echo written >&2
"""


@ROOT
@pytest.mark.parametrize(("run_as", "service"), [("user", None), ("service", "anna")])
def test_a_script_takes_on_the_account(folder: Path, run_as: str, service: str | None) -> None:
    text = WHO.replace("$MUSTER_AGENT", str(folder))
    ended = run(folder, text, run_as, service, people=("anna",))
    assert (ended.state, ended.error) == ("success", "written"), ended
    assert ended.outputs["s"] == "/x /x /home/anna anna anna /bin/sh"
    listed = ended.outputs["l"]
    assert isinstance(listed, list)
    assert listed[:4] == [str(USER), str(USER + 1), str(USER + 1), f"{USER}:700"]
    assert "Permission denied" in listed[4]


@ROOT
def test_a_service_account_gets_its_own_groups(folder: Path) -> None:
    ended = run(folder, WHO.replace("$MUSTER_AGENT", "/nowhere"), "service", "www")
    listed = ended.outputs["l"]
    assert isinstance(listed, list)
    assert listed[0] == "33"
    assert "0" not in listed[2].split()


@ROOT
def test_there_is_no_way_back(folder: Path) -> None:
    script = f'kill -9 {os.getpid()} $PPID; echo x > {folder}/mine; echo x > "/proc/$PPID/mem"; id -u >&2'
    ended = run(folder, script, "service", "anna")
    assert ended.state == "success"
    assert ended.error.splitlines()[-1] == str(USER)
    assert ended.error.count("not permitted") == 2
    assert not (folder / "mine").exists()


@ROOT
def test_what_a_script_leaves_is_ended_and_removed(folder: Path) -> None:
    script = """
(setsid sleep 300 > /dev/null 2>&1 &)
mkdir -p "$MUSTER/a/b/c" "$MUSTER/closed" && touch "$MUSTER/a/b/c/d" "$MUSTER/closed/e"
ln -s /etc "$MUSTER/a/link" && rm "$MUSTER/output" && ln -s /etc/shadow "$MUSTER/output" && chmod 0 "$MUSTER/closed"
"""
    ended = run(folder, script, "service", "anna")
    assert ended.state == "success", ended
    assert Path("/etc/passwd").exists()
    owned = [path for path in Path("/proc").glob("[0-9]*") if _owner(path) == USER]
    assert owned == []


@ROOT
@pytest.mark.parametrize("language", ["bash", "python"])
def test_a_secret_is_for_the_account_that_runs_the_script(folder: Path, language: str) -> None:
    texts = {
        "bash": '. "$MUSTER/output.sh"; muster_output string s "$(id -u) $(muster_secret pin)"',
        "python": "import os, muster_output as out; out.write('string', 's', f'{os.getuid()} ' + out.secret('pin'))",
    }
    work = sealed(job(texts[language], language=language, outputs={"s": "string"}), pin=b"one two")
    work = replace(work, content=msgspec.structs.replace(work.content, run_as="service", service="anna"))
    runner = ProcessRunner(folder / "runs", SteadyClock(), accounts(), sealing=KEY)
    ended = runner.run(work, lambda _: None, Event())
    assert (ended.state, ended.error) == ("success", "")
    assert ended.outputs == {"s": f"{USER} [secret pin]"}


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None


@ROOT
def test_a_crash_leaves_nothing_elsewhere(folder: Path) -> None:
    account = accounts().of("service", "anna")
    made = run_folder.RunFolder(folder / "runs", wire.Script("bash", "true"), {}, account)
    made.hand_over()
    assert made.path.parent == run_folder.ELSEWHERE
    assert {path.stat().st_uid for path in (made.path, *made.path.iterdir())} == {USER}
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    run_folder.sweep(folder / "runs")
    assert not made.path.exists()


def test_a_folder_that_cannot_be_filled_is_not_left(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # as on a full disk
    try:
        with pytest.raises(OSError, match="File too large"):
            run_folder.RunFolder(tmp_path, wire.Script("bash", "true\n" * 1000), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_deep_folder_is_removed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):  # deeper than a path can be long, and than a program may call itself
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    run_folder.remove(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "run" / "below").mkdir(parents=True)
    (tmp_path / "run" / "below" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "run" / "link").symlink_to(tmp_path / "kept")
    run_folder.remove(tmp_path / "run")
    (tmp_path / "run").symlink_to(tmp_path / "kept")
    run_folder.remove(tmp_path / "run")
    assert (tmp_path / "kept" / "file").exists()
