"""What the agent asks of a machine. Collectors and the runtime know this protocol and no platform.

In: the instant of the agent's clock, where an answer depends on it (a simulated device answers from it; a real one
reads its own counters). Out: plain facts; None for what this machine does not tell. Invariants: counters only grow
while their process lives; nothing here raises for a fact that cannot be read; sizes are bytes, durations and instants
microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple, Protocol

from agent.campaigns.questions import Campaign, Reply
from agent.campaigns.talk import Awaits
from agent.orders import Job
from agent.runner import Ended, Started, unheard


@dataclass(frozen=True, slots=True)
class Cpu:
    """One model of processor. `frequency` is its nominal clock in GHz."""

    name: str
    frequency: float | None
    cores: int
    logical: int


@dataclass(frozen=True, slots=True)
class Disk:
    """A physical disk."""

    name: str
    size: int
    boot: bool
    type: str | None


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted volume."""

    name: str
    size: int
    free: int
    system: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine is. `architecture` is x86, x64 or arm64; `kind` laptop, desktop or virtual."""

    name: str
    platform: str
    os_name: str
    os_build: str | None
    architecture: str | None
    memory: int
    kind: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    product_line: str | None = None
    machine_serial: str | None = None
    chassis_serial: str | None = None
    hypervisor: str | None = None
    last_update: int | None = None
    cpus: tuple[Cpu, ...] = ()
    disks: tuple[Disk, ...] = ()
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A local account. `key` is what the system knows it by (a number, a SID); `kind` local_user, local_admin, domain
    or system."""

    key: str
    name: str
    kind: str
    full_name: str | None = None
    uid: str | None = None  # what names it on every device, if a directory does


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody logged in."""

    time: int
    account: str
    remote: bool


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody is logged in. `last_input` is when the terminal last had input; `state` active, locked or
    disconnected."""

    account: str
    last_input: int | None
    state: str = "active"


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package."""

    key: str
    name: str
    version: str
    publisher: str | None = None
    installed: int | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """A program file. `key` names its content, the same on every device."""

    key: str
    name: str
    size: int | None = None
    version: str | None = None
    architecture: str | None = None
    sha256: str | None = None
    md5: str | None = None
    product: str | None = None
    company: str | None = None


class Process(NamedTuple):
    """A process as its counters stand. `started` is unique together with `pid`; `program` is a handle for
    `Host.binary`; `cpu` is its own time and `child_cpu` that of its children that were waited for, theirs included;
    `faults` are its page faults."""

    pid: int
    parent: int
    started: int
    account: str
    program: str
    cpu: int
    child_cpu: int
    memory: int
    faults: int


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a machine is. `busy`, `swapped` (bytes), `reads` and `writes` are counters; `busy` is processor time
    over all cores."""

    processors: int
    busy: int
    queue: float
    memory: int
    free_memory: int
    swapped: int = 0
    reads: int = 0
    writes: int = 0
    disk_queue: float = 0.0
    drives: tuple[Volume, ...] = field(default_factory=tuple)


class Host(Protocol):
    """A machine."""

    @property
    def platform(self) -> str:
        """windows, macos or linux."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether this is a made-up device."""
        ...

    def name(self) -> str:
        """The machine's name."""
        ...

    def privileged(self) -> bool:
        """Whether the agent has the rights of the system."""
        ...

    def machine(self, now: int) -> Machine:
        """What it is."""
        ...

    def boot_time(self, now: int) -> int | None:
        """When it started."""
        ...

    def address(self) -> str | None:
        """The address it uses towards others."""
        ...

    def accounts(self) -> Sequence[Account]:
        """The accounts a person may care for, system ones included."""
        ...

    def administrators(self) -> Sequence[str] | None:
        """Names of the accounts that may do anything; None if it cannot be told."""
        ...

    def logins(self, since: int, now: int) -> Sequence[Login]:
        """Logins after `since`, oldest first."""
        ...

    def sessions(self, now: int) -> Sequence[Session]:
        """Who is logged in."""
        ...

    def people(self) -> Sequence[Account]:
        """The accounts of the people who are logged in and could be asked something."""
        ...

    async def ask(
        self, campaign: Campaign, key: str, seconds: float, gone: Callable[[], bool], shown: Callable[[], None]
    ) -> Reply:
        """Put questions of the portal to the person of an account, for so long and until `gone`; `shown` is called when
        they are on the screen."""
        ...

    def packages(self, now: int) -> Sequence[Package] | None:
        """What is installed; None if it cannot be told."""
        ...

    def processes(self, now: int) -> Sequence[Process]:
        """All processes but those of the kernel."""
        ...

    def binary(self, program: str) -> Binary | None:
        """The file of a process's program; None if it cannot be told."""
        ...

    def load(self, now: int) -> Load:
        """How busy it is."""
        ...

    async def execute(self, job: Job, started: Started, cancelled: Event, awaits: Awaits = unheard) -> Ended:
        """Run a job to its end; `started` is called, in any thread, when its process runs, `awaits` when it waits for
        its user and when it goes on."""
        ...
