"""Processes and load of a Linux machine, read from `/proc`.

In: the folder (tests lay one out of their own). Out: `Process` and `Load`. Invariants: a process that ends while it
is read is left out; a name is looked up once a process and again only when it changed its program; what may not be
read (another account's program) falls back to the name that everyone may see.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from agent.host.base import Load, Process, Volume

SECTOR = 512
KERNEL_THREADS = 2  # the process whose children they are


class Procfs:
    """Reads one `/proc`."""

    def __init__(self, root: Path = Path("/proc"), *, ticks: int | None = None, page: int | None = None) -> None:
        self._root = root
        self._tick = 1_000_000 // (ticks or os.sysconf("SC_CLK_TCK"))
        self._page = page or os.sysconf("SC_PAGE_SIZE")
        self._programs: dict[tuple[int, int], tuple[str, str, str]] = {}  # (pid, start) -> short name, account, program

    def processes(self) -> list[Process]:
        """Every process but those of the kernel."""
        seen: dict[tuple[int, int], tuple[str, str, str]] = {}
        found = []
        for pid in self._pids():
            with contextlib.suppress(OSError, ValueError, IndexError):
                process, key, facts = self._process(pid)
                if process is not None:
                    seen[key] = facts
                    found.append(process)
        self._programs = seen
        return found

    def boot_time(self) -> int | None:
        """When the machine started, to the second."""
        return next((int(line[6:]) * 1_000_000 for line in self._lines("stat") if line.startswith("btime ")), None)

    def memory(self) -> tuple[int, int]:
        """All memory, and what is free to be used, in bytes."""
        facts = dict(line.split(":", 1) for line in self._lines("meminfo") if ":" in line)
        size = {name: int(text.split()[0]) * 1024 for name, text in facts.items() if text.split()}
        return size.get("MemTotal", 0), size.get("MemAvailable", size.get("MemFree", 0))

    def load(self, drives: tuple[Volume, ...]) -> Load:
        """How busy the machine is."""
        busy, processors, running = self._processors()
        total, free = self.memory()
        reads, writes, queue = self._disks()
        head = (processors, busy, float(max(0, running - 1)), total, free)
        return Load(*head, self._swapped(), reads, writes, queue, drives)

    def _pids(self) -> Iterator[int]:
        with contextlib.suppress(OSError), os.scandir(self._root) as entries:
            for entry in entries:
                if entry.name.isdigit():
                    yield int(entry.name)

    def _process(self, pid: int) -> tuple[Process | None, tuple[int, int], tuple[str, str, str]]:
        folder = f"{self._root}/{pid}"
        data = _read(f"{folder}/stat")
        short = data[data.index(b"(") + 1 : data.rindex(b")")].decode("utf-8", "replace")
        stat = data[data.rindex(b")") + 2 :].split()
        parent, started = int(stat[1]), int(stat[19]) * self._tick
        key = (pid, started)
        if pid == KERNEL_THREADS or parent == KERNEL_THREADS:
            return None, key, ("", "", "")
        facts = self._programs.get(key)
        if facts is None or facts[0] != short:
            facts = (short, str(_owner(folder)), self._program(folder, short))
        cpu = (int(stat[11]) + int(stat[12])) * self._tick
        child_cpu = (int(stat[13]) + int(stat[14])) * self._tick
        memory, faults = int(stat[21]) * self._page, int(stat[7]) + int(stat[9])
        return Process(pid, parent, started, facts[1], facts[2], cpu, child_cpu, memory, faults), key, facts

    def _program(self, folder: str, short: str) -> str:
        """The path of the program, else the short name in brackets."""
        with contextlib.suppress(OSError):
            return str(Path(folder, "exe").readlink()).removesuffix(" (deleted)")
        with contextlib.suppress(OSError):
            first = _read(f"{folder}/cmdline").split(b"\0", 1)[0].decode("utf-8", "replace")
            if first.startswith("/") and Path(first).is_file():
                return first
        return f"[{short}]"

    def _processors(self) -> tuple[int, int, int]:
        """Busy time over all cores, the number of cores, and tasks that run or wait to."""
        busy = count = running = 0
        for line in self._lines("stat"):
            name, _, rest = line.partition(" ")
            if name == "cpu":
                ticks = [int(text) for text in rest.split()]
                busy = (sum(ticks[:8]) - ticks[3] - ticks[4]) * self._tick  # all but idle and waiting for disks
            elif name.startswith("cpu"):
                count += 1
            elif name == "procs_running":
                running = int(rest)
        return busy, max(count, 1), running

    def _swapped(self) -> int:
        pages = [int(line.split()[1]) for line in self._lines("vmstat") if line.startswith(("pswpin ", "pswpout "))]
        return sum(pages) * self._page

    def _disks(self) -> tuple[int, int, float]:
        """Reads, writes and requests that wait, over all physical disks."""
        reads = writes = waiting = 0
        for line in self._lines("diskstats"):
            part = line.split()
            if len(part) >= 12 and Path(f"/sys/block/{part[2]}/device").exists():
                reads, writes, waiting = reads + int(part[3]), writes + int(part[7]), waiting + int(part[11])
        return reads, writes, float(waiting)

    def _lines(self, name: str) -> list[str]:
        try:
            return _read(f"{self._root}/{name}").decode("utf-8", "replace").splitlines()
        except OSError:
            return []


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, 65_536)
        while len(data) % 65_536 == 0 and (more := os.read(descriptor, 65_536)):
            data += more
        return data
    finally:
        os.close(descriptor)


def _owner(folder: str) -> int:
    return Path(folder).stat().st_uid
