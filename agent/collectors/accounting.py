"""Whose processor time it was: from two looks at the process table to time an account and program.

In: successive lists of processes. Out: usage by (account, program). A process that lived between two looks leaves its
time only in its parent's `child_cpu`; what is not yet accounted for there goes to the children that vanished, in
proportion to what they last used, else to the kind of child that this parent usually has, else to the parent.
Invariant: the time handed out is the growth of all counters, no more: nothing is counted in a process and again in
its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.host.base import Process

Owner = tuple[str, str]  # account, program
Key = tuple[int, int]  # pid, start


@dataclass(slots=True)
class Usage:
    """What one account's processes of one program used since the last `take`. Memory is a gauge over looks."""

    cpu: int = 0
    duration: int = 0
    started: int = 0
    faults: int = 0
    memory_sum: int = 0
    memory_count: int = 0
    memory_min: int = 0
    memory_max: int = 0

    def gauge(self, memory: int) -> None:
        """One look at the memory of all of them together."""
        self.memory_min = memory if not self.memory_count else min(self.memory_min, memory)
        self.memory_max = max(self.memory_max, memory)
        self.memory_sum += memory
        self.memory_count += 1


class Accounting:
    """Running totals between two collections."""

    def __init__(self) -> None:
        self._before: dict[Key, Process] = {}
        self._rates: dict[Key, tuple[int, int]] = {}  # own time and time of waited children in the last stretch
        self._usual: dict[Key, Owner] = {}
        self._usage: dict[Owner, Usage] = {}
        self._looked: int | None = None

    def look(self, processes: Sequence[Process], now: int) -> None:
        """Account for what happened since the last look; the first only sets the start."""
        current = {(process.pid, process.started): process for process in processes}
        if self._looked is not None:
            passed = max(0, now - self._looked)
            self._living(current, passed)
            self._vanished(current, passed)
        self._gauges(processes)
        self._rates = {key: self._rate(key, process) for key, process in current.items()}
        by_pid = {process.pid: key for key, process in current.items()}
        usual = {by_pid[p.parent]: (p.account, p.program) for p in processes if p.parent in by_pid}
        self._usual = {key: owner for key, owner in self._usual.items() if key in current} | usual
        self._before, self._looked = current, now

    def take(self) -> dict[Owner, Usage]:
        """The totals since the last time, and begin anew."""
        found, self._usage = self._usage, {}
        return found

    def _of(self, owner: Owner) -> Usage:
        return self._usage.setdefault(owner, Usage())

    def _rate(self, key: Key, process: Process) -> tuple[int, int]:
        before = self._before.get(key)
        if before is None:  # at the first look nothing is known of the stretch before
            return (0, 0) if self._looked is None else (process.cpu, process.child_cpu)
        return max(0, process.cpu - before.cpu), max(0, process.child_cpu - before.child_cpu)

    def _living(self, current: dict[Key, Process], passed: int) -> None:
        for key, process in current.items():
            usage, before = self._of((process.account, process.program)), self._before.get(key)
            if before is None:
                usage.started += 1
                usage.duration += passed // 2  # it began somewhere between
            else:
                usage.duration += passed
            usage.cpu += max(0, process.cpu - (before.cpu if before else 0))
            usage.faults += max(0, process.faults - (before.faults if before else 0))

    def _vanished(self, current: dict[Key, Process], passed: int) -> None:
        gone: dict[int, list[Key]] = {}
        for key, process in self._before.items():
            if key not in current:
                gone.setdefault(process.parent, []).append(key)
                self._of((process.account, process.program)).duration += passed // 2
        for key, process in current.items():
            before = self._before.get(key)
            grown = process.child_cpu - (before.child_cpu if before else 0)
            if grown > 0:
                self._share(key, process, grown, list(self._family(process.pid, gone)))

    def _share(self, key: Key, parent: Process, grown: int, dead: list[Key]) -> None:
        known = sum(self._before[one].cpu + self._before[one].child_cpu for one in dead)
        rest = grown - known
        if rest <= 0:
            return
        weights = [item for one in dead for item in self._expected(one)]
        total = sum(weight for _, weight in weights)
        if not total:
            weights, total = [(self._usual.get(key, (parent.account, parent.program)), 1)], 1
        left = rest
        for owner, weight in weights:
            part = min(left, -(-rest * weight // total))
            self._of(owner).cpu += part
            left -= part

    def _expected(self, key: Key) -> list[tuple[Owner, int]]:
        """Whose time a vanished process may have left, and how much it was in the stretch before: its own, and that of
        the children that it waited for."""
        process, (own, waited) = self._before[key], self._rates[key]
        owner = (process.account, process.program)
        return [(owner, own + 1), (self._usual.get(key, owner), waited)]

    def _family(self, pid: int, gone: dict[int, list[Key]]) -> Iterable[Key]:
        """The vanished children of a process, and theirs."""
        queue = [pid]
        while queue:
            for key in gone.pop(queue.pop(), []):
                yield key
                queue.append(key[0])

    def _gauges(self, processes: Sequence[Process]) -> None:
        totals: dict[Owner, int] = {}
        for process in processes:
            owner = (process.account, process.program)
            totals[owner] = totals.get(owner, 0) + process.memory
        for owner, memory in totals.items():
            self._of(owner).gauge(memory)
