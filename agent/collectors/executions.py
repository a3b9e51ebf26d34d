"""What ran and what it cost: `execution.events`, with the `binary.binaries` and `user.users` it speaks of.

In: a host's process table, looked at every few seconds. Out: one row a bucket, account and program. Invariants:
buckets lie on the 15-minute grid of UTC, only the first may be shorter; a program or account is told before or with
the first row that names it, and once a day after that.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.collectors.accounting import Accounting, Usage
from agent.collectors.base import DAY, MINUTE, Names, Rights
from agent.collectors.users import user_rows
from agent.host.base import Binary, Host
from agent.rows import Rows, rows

BUCKET = 15 * MINUTE
EVENT_COLUMNS = (
    "start_time", "end_time", "bucket_duration", "@user", "@binary", "cpu_time", "execution_duration",
    "number_of_started_processes", "number_of_page_faults", "memory.sum", "memory.count", "memory.min", "memory.max",
)  # fmt: skip
BINARY_COLUMNS = (
    "uid", "name", "version", "platform", "architecture", "size", "md5_hash", "sha256_hash", "product_name", "company",
)  # fmt: skip


class Executions:
    """Tells what programs did."""

    name = "executions"
    tables = ("execution.events", "binary.binaries", "user.users")
    rights = Rights.NONE  # without the system's rights, programs of other accounts are known by their short name
    every = BUCKET
    buckets = True

    def __init__(self, names: Names) -> None:
        self._names = names
        self._accounting = Accounting()
        self._told: dict[str, int] = {}

    def sample(self, host: Host, now: int) -> None:
        """Look at the process table."""
        self._accounting.look(host.processes(now), now)

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """The bucket, and what its rows name."""
        events: dict[tuple[str, str], Usage] = {}
        binaries: dict[str, Binary] = {}
        for (account, program), usage in self._accounting.take().items():
            binary = host.binary(program)
            if binary is not None and not _idle(usage):
                binaries[binary.key] = binary
                known = events.setdefault((account, binary.key), usage)
                if known is not usage:
                    _add(known, usage)
        accounts = {account for account, _ in events}
        users = {one.key: self._names.user(one) for one in host.accounts()}
        fresh = [binary for key, binary in binaries.items() if self._due(key, until)]
        people = [one for one in host.accounts() if one.key in accounts and self._due(f"user {one.key}", until)]
        found = [_binary_rows(host, fresh)] if fresh else []
        found += [user_rows(self._names, host, people)] if people else []
        records = [
            (
                since, until, until - since, users.get(account, self._names.user(account)), key,
                usage.cpu, usage.duration, usage.started, usage.faults,
                usage.memory_sum, usage.memory_count, usage.memory_min, usage.memory_max,
            )
            for (account, key), usage in events.items()
        ]  # fmt: skip
        return [*found, rows("execution.events", EVENT_COLUMNS, records)] if records else found

    def _due(self, key: str, now: int) -> bool:
        if now - self._told.get(key, -DAY) < DAY:
            return False
        self._told[key] = now
        return True


def _binary_rows(host: Host, binaries: Sequence[Binary]) -> Rows:
    records = [
        (b.key, b.name, b.version, host.platform, b.architecture, b.size, b.md5, b.sha256, b.product, b.company)
        for b in binaries
    ]
    return rows("binary.binaries", BINARY_COLUMNS, records)


def _idle(usage: Usage) -> bool:
    """Whether there is nothing to tell: no time, and no process that was there at a look."""
    return not usage.cpu and not usage.duration and not usage.memory_count


def _add(known: Usage, more: Usage) -> None:
    """Two paths to the same file are one program. Its memory at a look is not known for both together: the looks
    count apart."""
    known.cpu += more.cpu
    known.duration += more.duration
    known.started += more.started
    known.faults += more.faults
    if more.memory_count:
        known.memory_min = min(known.memory_min, more.memory_min) if known.memory_count else more.memory_min
        known.memory_max = max(known.memory_max, more.memory_max)
        known.memory_sum += more.memory_sum
        known.memory_count += more.memory_count
