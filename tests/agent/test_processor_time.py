"""The processor time that the agent tells of a program is what the kernel counted for it, within five percent.

Comes in: a process of our own that burns a set amount of processor time at a word and waits in between. Goes out: the
buckets of `execution.events`. Invariant: the comparison is with what the kernel says when the process is gathered
(`wait4`), which the agent cannot ask, and with /proc as read here; no wall clock plays a part.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from agent.clock import SteadyClock
from agent.collectors.base import Names
from agent.collectors.executions import BUCKET, Executions
from agent.host.linux import LinuxHost
from agent.rows import Rows

START = 1_800_000_000_000_000
NAME = "muster-test-burner"
BURN = "while read -r _; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; done"
HALF = 0.4  # seconds of processor time: forty of the ticks in which the kernel tells it


class Burner:
    """A program of its own name and content, so that no other process is counted with it."""

    def __init__(self, folder: Path) -> None:
        shell = Path(shutil.copy(Path("/bin/sh").resolve(), folder / NAME))
        with shell.open("ab") as file:
            file.write(b"not the shell of others")
        self.process = subprocess.Popen([shell, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def used(self) -> float:
        """Seconds of processor time as /proc tells them."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def burn(self, seconds: float) -> None:
        """Return once it has used this much since it began, and waits."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        while self.used() < seconds:
            self.process.stdin.write("more\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "done\n"

    def end(self) -> float:
        """Seconds of processor time in its whole life, as the kernel told whoever waited for it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.stdout.close()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        assert self.process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    def stop(self) -> None:
        """End it if a failed test has left it running."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


class Told:
    """What the agent told of the burner, over several collections: a program is named once."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def seconds(self, found: Iterable[Rows]) -> float:
        """Those of `execution.events ... summarize cpu_time.sum() by binary.name` in one collection."""
        tables = {rows.table: rows.columns for rows in found}
        if named := tables.get("binary.binaries"):
            self._keys.update(key for key, name in zip(named["uid"], named["name"], strict=True) if name == NAME)
        events = tables["execution.events"]
        pairs = zip(events["@binary"], events["cpu_time"], strict=True)
        return float(sum(cpu for key, cpu in pairs if key in self._keys)) / 1e6


@pytest.fixture
def burner(tmp_path: Path) -> Iterator[Burner]:
    """A burner that has not burnt yet."""
    made = Burner(tmp_path)
    yield made
    made.stop()


@pytest.mark.slow
def test_time_by_program_agrees_with_the_kernel(burner: Burner, tmp_path: Path) -> None:
    host, executions = LinuxHost(tmp_path / "runs", SteadyClock()), Executions(Names("device"))
    told = Told()
    executions.sample(host, START)
    burner.burn(HALF)
    executions.sample(host, START + BUCKET)
    first = told.seconds(executions.collect(host, START, START + BUCKET))
    assert first == pytest.approx(burner.used(), rel=0.05)

    burner.burn(2 * HALF)
    executions.sample(host, START + 2 * BUCKET - 1)
    burner.burn(3 * HALF)  # seen by no look: it is found in what the parent got when the process ended
    whole = burner.end()
    executions.sample(host, START + 2 * BUCKET)
    second = told.seconds(executions.collect(host, START + BUCKET, START + 2 * BUCKET))
    assert whole >= 3 * HALF
    assert first + second == pytest.approx(whole, rel=0.05)
