"""What a machine says of itself: files of /proc, of logins and of dpkg laid out by the test; simulated devices.

Comes in: folders made by the test. Goes out: facts. Invariant: what is missing or damaged is told as nothing, never as
an error; what really ran on this machine is found with its real time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from agent import wire
from agent.campaigns.questions import Campaign, Choice, Question
from agent.clock import SteadyClock
from agent.collectors.accounting import Accounting
from agent.host import dpkg, people
from agent.host.base import Volume
from agent.host.fake import FakeHost
from agent.host.linux import LinuxHost
from agent.host.procfs import Procfs
from agent.host.profiles import profile
from agent.host.programs import Programs
from agent.host.simulate import Simulation, SimulationError
from agent.orders import Job

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def proc(root: Path, pid: int, name: str, *, parent: int = 1, ticks: int = 100, start: int = 7) -> None:
    """One process of a made-up /proc."""
    folder = root / str(pid)
    folder.mkdir(parents=True)
    fields = ["S", parent, 0, 0, 0, 0, 0, 11, 0, 3, 0, ticks, 50, 20, 10, 0, 0, 1, 0, start, 0, 25]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(map(str, fields))}\n")


def test_processes_are_read_with_any_name(tmp_path: Path) -> None:
    proc(tmp_path, 1, "init", parent=0)
    proc(tmp_path, 2, "kthreadd", parent=0)
    proc(tmp_path, 3, "kworker/0:1", parent=2)
    proc(tmp_path, 40, "a) R 9 (b")
    (tmp_path / "41").mkdir()  # it ended while it was read
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "stat").write_text("garbage")
    found = {one.pid: one for one in Procfs(tmp_path, ticks=100, page=4096).processes()}
    assert set(found) == {1, 40}
    odd = found[40]
    assert (odd.program, odd.cpu, odd.child_cpu) == ("[a) R 9 (b]", 1_500_000, 300_000)
    assert (odd.memory, odd.faults, odd.account) == (25 * 4096, 14, str(os.geteuid()))


def test_an_empty_proc_says_nothing(tmp_path: Path) -> None:
    procfs = Procfs(tmp_path, ticks=100, page=4096)
    assert procfs.processes() == []
    assert procfs.boot_time() is None
    assert procfs.memory() == (0, 0)
    assert procfs.load(()).busy == 0


def test_load_is_read(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  10 1 5 1000 50 0 2 0 0 0\ncpu0 1\ncpu1 1\nbtime 1700\nprocs_running 4\n")
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\n")
    (tmp_path / "vmstat").write_text("pswpin 2\npswpout 3\npgfault 9\n")
    load = Procfs(tmp_path, ticks=100, page=4096).load((Volume("/", 9, 4, True),))
    assert (load.processors, load.busy, load.queue) == (2, 180_000, 3.0)
    assert (load.memory, load.free_memory, load.swapped) == (1_024_000, 409_600, 5 * 4096)


@pytest.mark.slow
def test_the_time_of_a_program_that_really_ran() -> None:
    procfs, accounting, clock = Procfs(), Accounting(), SteadyClock()
    accounting.look(procfs.processes(), clock.now())
    burn = (
        "import os,time\nwhile sum(os.times()[:2]) < 0.6: pass\nprint(sum(os.times()[:2]), flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        real = float(child.stdout.readline())
        table = procfs.processes()
        accounting.look(table, clock.now())
        seen = next(one.cpu for one in table if one.pid == child.pid)
        child.kill()
    assert seen / 1e6 == pytest.approx(real, rel=0.05)
    usage = accounting.take()
    program = str(Path(sys.executable).resolve())
    assert usage[str(os.geteuid()), program].cpu >= seen


def entry(kind: int, user: bytes, line: bytes, host: bytes, seconds: int) -> bytes:
    fields = (kind, 5, line, b"ts", user, host, 0, 0, 1, seconds, 250, 0, 0, 0, 0)
    return people.ENTRY.pack(*fields)


def test_a_device_goes_by_the_name_it_was_given(tmp_path: Path) -> None:
    named = LinuxHost(tmp_path / "runs", SteadyClock(), called="desk-7")
    assert named.machine(NOW).name == "desk-7"
    assert LinuxHost(tmp_path / "runs", SteadyClock()).machine(NOW).name == named.name() == socket.gethostname()


def test_logins_and_sessions(tmp_path: Path) -> None:
    assert people.ENTRY.size == 384
    log = tmp_path / "wtmp"
    log.write_bytes(
        entry(2, b"reboot", b"~", b"", 50)
        + entry(7, b"ann", b"pts/0", b"10.0.0.9", 300)
        + entry(7, b"bob", b"tty1", b"", 200)
        + entry(7, b"\xff\xfe" * 16, b"../../etc", b"", 400)
        + b"torn"
    )
    found = people.logins(200_000_250, log)
    assert [(one.time, one.account, one.remote) for one in found[:1]] == [(300_000_250, "ann", True)]
    assert len(found) == 2
    assert [one.account for one in people.sessions(log)][:2] == ["ann", "bob"]
    assert people.logins(0, tmp_path / "nothing") == []
    assert people.sessions(tmp_path) == []


def test_packages(tmp_path: Path) -> None:
    (tmp_path / "info").mkdir()
    (tmp_path / "info" / "curl.list").write_text("")
    (tmp_path / "status").write_bytes(
        b"Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.88.1-10\n"
        b"Maintainer: Al Mare <a@b>\n"
        b"Description: x\n Version: not this one\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        b"Package: odd\xff\nStatus: install ok installed\nVersion: 2\n"
    )
    found = dpkg.packages(tmp_path)
    assert [(one.key, one.publisher, one.installed is not None) for one in found] == [
        ("dpkg:curl:amd64:7.88.1-10", "Al Mare", True),
        ("dpkg:odd\ufffd::2", None, False),
    ]
    assert dpkg.packages(tmp_path / "nothing") == []
    assert dpkg.changed(tmp_path / "nothing") is None


def test_programs_are_known_by_their_content(tmp_path: Path) -> None:
    programs = Programs()
    one, same, other = tmp_path / "one", tmp_path / "same", tmp_path / "other"
    one.write_bytes(b"x" * 300_000)
    same.write_bytes(b"x" * 300_000)
    other.write_bytes(b"y")
    first = programs.binary(str(one))
    assert first is not None
    assert first.key == first.sha256
    assert (found := programs.binary(str(same))) is not None
    assert found.key == first.key
    assert (found := programs.binary(str(other))) is not None
    assert found.key != first.key
    one.unlink()
    assert programs.binary(str(one)) == first  # it runs on, though its file was replaced
    assert (found := programs.binary("[short]")) is not None
    assert (found.name, found.sha256) == ("short", None)


# --- simulated devices -------------------------------------------------------------------------
FACTS = {"name": "pc", "platform": "windows", "free_disk": 1000, "memory": 8}
OUTPUTS = (wire.Output("word", "string"), wire.Output("size", "size"), wire.Output("words", "string_list"))


def simulation(execution: str = "run") -> Simulation:
    return Simulation(FACTS, {"path": "/tmp"}, "device", execution)


def reply(block: dict[str, Any], execution: str = "run") -> Any:
    return simulation(execution).reply(block, OUTPUTS)


def test_values_of_a_simulation() -> None:
    found = reply({
        "duration": {"range": [1, 2]}, "frees": {"product": [{"field": "free_disk"}, 0.5]},
        "outputs": {"word": {"text": "{name} at {input.path}"}, "size": {"sum": [{"field": "free_disk"}, 24]},
                    "words": ["a", "b"]},
    })  # fmt: skip
    assert found.outputs == {"word": "pc at /tmp", "size": 1024.0, "words": ["a", "b"]}
    assert 1 <= found.duration <= 2
    assert (found.frees, found.exit_code, found.problems) == (500, 0, [])


def test_cases_of_a_simulation() -> None:
    block = {
        "outputs": {"word": "usual", "size": 1},
        "when": [
            {"if": {"all": [{"field": "platform", "is": "macos"}]}, "exit_code": 9},
            {
                "if": {"any": [{"field": "free_disk", "less": 2000}, {"chance": 0}]},
                "exit_code": 4,
                "outputs": {"word": "few"},
            },
        ],
    }
    found = reply(block)
    assert (found.exit_code, found.outputs) == (4, {"word": "few", "size": 1.0})


ASKED = (
    Campaign(
        "#ask", "May we?", (Question("when", "When?", "single", (Choice("now", "Now"), Choice("later", "Later"))),)
    ),
)
SAYS = {"campaign": {"#ask": {"answers": {"when": "now"}, "after": 3}}}


def test_a_simulated_person_answers() -> None:
    words = {"word": {"answer": "when"}, "words": [{"status": "#ask"}]}
    block = {
        **SAYS,
        "outputs": {"word": {"answer": "when"}},
        "when": [{"if": {"answer": "when", "is": "now"}, "frees": 7}],
    }
    found = simulation().reply(block, OUTPUTS, ASKED)
    assert (found.outputs, found.frees, found.asks) == ({"word": "now"}, 7, (3,))
    no = {"campaign": {"#ask": {"status": "declined", "answers": {"when": "now"}}}, "outputs": words}
    no["when"] = [{"if": {"status": "#ask", "is": "declined"}, "outputs": {"word": {"status": "#ask"}, "words": []}}]
    assert simulation().reply(no, OUTPUTS, ASKED).outputs == {"word": "declined", "words": []}
    silent = {"campaign": {"#ask": {"status": "timeout"}}, "outputs": {"word": {"answer": "when"}}}
    assert simulation().reply(silent, OUTPUTS, ASKED).outputs == {"word": ""}


@pytest.mark.parametrize(
    "campaign",
    [
        {"#other": {}}, {"#ask": 1}, {"#ask": {"status": "maybe"}}, {"#ask": {}},
        {"#ask": {"answers": {"when": "soon"}}}, {"#ask": {"answers": {"when": ["now", "later"]}}},
        {"#ask": {"status": "declined", "after": "soon"}}, [],
    ],
    ids=str,
)  # fmt: skip
def test_a_simulated_person_answers_only_what_is_asked(campaign: Any) -> None:
    with pytest.raises(SimulationError):
        simulation().reply({"campaign": campaign}, OUTPUTS, ASKED)


def test_a_simulated_device_waits_for_its_user() -> None:
    host, waits = FakeHost(profile(1, 3), SteadyClock()), list[int | None]()
    block = {"duration": 0, "campaign": {"#ask": {"answers": {"when": "now"}, "after": 0.01}}}
    work = job(block)
    work = replace(work, content=msgspec.structs.replace(work.content, campaigns=ASKED))
    ended = asyncio.run(host.execute(work, lambda at: None, Event(), waits.append))
    assert (ended.state, [at is None for at in waits]) == ("success", [False, True])
    cancelled = Event()
    cancelled.set()
    assert asyncio.run(host.execute(work, lambda at: None, cancelled)).state == "cancelled"


def test_choices_belong_to_the_device_and_failures_to_the_execution() -> None:
    block = {"outputs": {"word": {"choice": ["a", "b", "c"]}}, "fail_rate": 0.5}
    found = [reply(block, f"run {number}") for number in range(200)]
    assert len({one.outputs["word"] for one in found}) == 1
    assert 60 < sum(one.exit_code for one in found) < 140


@pytest.mark.parametrize(
    "block",
    [
        {"outputs": {"word": {"field": "nothing"}}}, {"outputs": {"word": {"import": "os"}}}, {"duration": "soon"},
        {"outputs": []}, {"when": {"if": 1}}, {"when": [{"if": {"field": "name", "like": "x"}}]}, {"when": [{}]},
        {"outputs": {"word": {"sum": ["x"]}}}, {"outputs": {"word": {"field": "name", "input": "path"}}},
        {"outputs": {"size": {"sum": [{"sum": [{"sum": [{"sum": [{"sum": [{"sum": [{"sum": [{"sum": [{"sum": [
            {"sum": [1]}]}]}]}]}]}]}]}]}]}}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_of_the_form_is_said(block: dict[str, Any]) -> None:
    with pytest.raises(SimulationError):
        reply(block)


def test_outputs_of_a_simulation_are_typed_like_a_scripts() -> None:
    found = reply({"outputs": {"size": -1, "nobody": 1, "word": "x" * 2000}})
    assert found.outputs == {"word": "x" * 1024}
    assert len(found.problems) == 2


def job(simulate: dict[str, Any] | None, timeout: int = 5) -> Job:
    content = wire.Content({}, timeout, outputs=OUTPUTS, simulate=simulate)
    return Job("run", 1, "nonce", "#a", 1 << 60, content, None, {})


@pytest.mark.slow
def test_simulated_devices_answer() -> None:
    host = FakeHost(profile(1, 3), SteadyClock())

    def run(simulate: dict[str, Any] | None, timeout: int = 5, *, cancel: bool = False) -> Any:
        cancelled = Event()
        if cancel:
            cancelled.set()
        return asyncio.run(host.execute(job(simulate, timeout), lambda at: None, cancelled))

    assert run({"duration": 0, "outputs": {"word": {"field": "name"}}}).outputs == {"word": host.name()}
    assert run(None).detail.startswith("not simulated")
    assert run({"duration": 0, "exit_code": 3, "error": "no"}).error == "no"
    assert run({"platforms": ["beos"]}).state == "no_script"
    assert run({"duration": 9}, 1).detail.startswith("timed out after 1 s")
    assert run({"duration": 9}, cancel=True).state == "cancelled"


def test_an_action_changes_what_the_device_says() -> None:
    host = FakeHost(profile(1, 3), SteadyClock())
    before = host.machine(NOW).volumes[0]
    asyncio.run(host.execute(job({"duration": 0, "frees": 12345}), lambda at: None, Event()))
    assert host.machine(NOW).volumes[0].free == before.free + 12345


@pytest.mark.parametrize("number", range(5))
def test_a_simulated_device_is_the_same_each_time_and_its_counters_grow(number: int) -> None:
    one, other = (FakeHost(profile(1, number), SteadyClock()) for _ in range(2))
    assert one.machine(NOW) == other.machine(NOW)
    tables = [one.processes(NOW + step * 60_000_000) for step in range(200)]
    assert tables[7] == list(other.processes(NOW + 7 * 60_000_000))
    for before, after in pairwise(tables):
        if before[0].started == after[0].started:
            assert all(a.cpu >= b.cpu for a, b in zip(after, before, strict=True))
    assert one.load(NOW + HOUR).busy > one.load(NOW).busy
