"""A Linux machine, read from `/proc`, `/sys` and `/etc`.

In: nothing but the machine. Out: what `agent.host.base` asks. Invariants: nothing is changed and no program is
started but the scripts of jobs; a fact that this machine does not tell (a container without DMI, an account that may
not look) is None, never a guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.accounts import Accounts, of_number
from agent.campaigns import person
from agent.campaigns.desk import Desk
from agent.campaigns.questions import Campaign, Reply, Sheet
from agent.campaigns.talk import Awaits
from agent.clock import Clock
from agent.host import dpkg, people
from agent.host.base import Account, Binary, Cpu, Disk, Load, Login, Machine, Package, Process, Session, Volume
from agent.host.procfs import SECTOR, Procfs
from agent.host.programs import Programs
from agent.orders import Job
from agent.runner import Ended, ProcessRunner, Started, unheard

ARCHITECTURES = {"x86_64": "x64", "i686": "x86", "i386": "x86", "aarch64": "arm64"}
DMI = Path("/sys/class/dmi/id")
LAPTOPS, VIRTUAL = {"8", "9", "10", "14", "30", "31", "32"}, {"1"}
HYPERVISORS = {
    "KVM": "KVM",
    "QEMU": "QEMU",
    "VMware": "VMware",
    "VirtualBox": "VirtualBox",
    "Xen": "Xen",
    "Microsoft": "Hyper-V",
}
REAL_FILE_SYSTEMS = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "ntfs", "ntfs3", "exfat", "f2fs", "zfs", "overlay"}
)


class LinuxHost:
    """This machine. `runs` is the folder in which scripts get theirs; `sealing` opens their secrets; at
    `desk` its person is asked; `called` is the device's name where it is not the host name."""

    platform = "linux"
    simulated = False

    def __init__(
        self,
        runs: Path,
        clock: Clock,
        sealing: X25519PrivateKey | None = None,
        desk: Desk | None = None,
        called: str | None = None,
    ) -> None:
        self._called, self._desk = called, desk or Desk()
        self._procfs = Procfs()
        self._programs = Programs()
        self._runner = ProcessRunner(runs, clock, Accounts(_logged_in), desk=desk, sealing=sealing)

    def name(self) -> str:
        """The host name."""
        return socket.gethostname() or "localhost"

    def privileged(self) -> bool:
        """Whether we are root."""
        return os.geteuid() == 0

    def machine(self, now: int) -> Machine:
        """What it is."""
        release, system = _os_release(), os.uname()
        vendor, model = _dmi("sys_vendor"), _dmi("product_name")
        hypervisor = next((name for word, name in HYPERVISORS.items() if word in f"{vendor} {model}"), None)
        architecture = ARCHITECTURES.get(system.machine)
        bits = f" ({system.machine})"
        return Machine(
            name=self._called or self.name(),
            platform=self.platform,
            os_name=release.get("PRETTY_NAME", system.sysname) + bits,
            os_build=system.release.split("-", 1)[0],
            architecture=architecture,
            memory=self._procfs.memory()[0],
            kind=_kind(hypervisor),
            manufacturer=vendor,
            model=model,
            product_line=_dmi("product_family"),
            machine_serial=_dmi("product_serial"),
            chassis_serial=_dmi("chassis_serial"),
            hypervisor=hypervisor,
            last_update=dpkg.changed(),
            cpus=_cpus(),
            disks=tuple(_disks()),
            volumes=tuple(_volumes()),
        )

    def boot_time(self, now: int) -> int | None:
        """When it started."""
        return self._procfs.boot_time()

    def address(self) -> str | None:
        """The address of the way out; nothing is sent."""
        for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                return str(probe.getsockname()[0])
        return None

    def accounts(self) -> Sequence[Account]:
        """Every account."""
        return people.accounts()

    def administrators(self) -> Sequence[str] | None:
        """root, and who may become it."""
        return sorted({"root", *people.administrators()})

    def logins(self, since: int, now: int) -> Sequence[Login]:
        """Logins of the log."""
        return people.logins(since)

    def sessions(self, now: int) -> Sequence[Session]:
        """Who is logged in."""
        return people.sessions()

    def people(self) -> Sequence[Account]:
        """Who has a desktop or a shell on a terminal; of the accounts of this machine."""
        if not self._desk.open:
            return []
        there = {str(user) for user in person.present()}
        return [account for account in people.accounts() if account.key in there]

    async def ask(
        self, campaign: Campaign, key: str, seconds: float, gone: Callable[[], bool], shown: Callable[[], None]
    ) -> Reply:
        """Ask at the desk."""
        if (account := of_number(int(key))) is None:
            return Reply("notificationfailed", f"the account {key} is not known here")
        sheet = Sheet(campaign, self._desk.asker, "")
        return await asyncio.to_thread(self._desk.ask, sheet, account, seconds, gone, shown)

    def packages(self, now: int) -> Sequence[Package] | None:
        """What dpkg installed."""
        return None if dpkg.changed() is None else dpkg.packages()

    def processes(self, now: int) -> Sequence[Process]:
        """All processes but those of the kernel."""
        return self._procfs.processes()

    def binary(self, program: str) -> Binary | None:
        """The file of a program."""
        return self._programs.binary(program)

    def load(self, now: int) -> Load:
        """How busy it is."""
        return self._procfs.load(tuple(_volumes()))

    async def execute(self, job: Job, started: Started, cancelled: Event, awaits: Awaits = unheard) -> Ended:
        """Run the script of a job as a process."""
        return await asyncio.to_thread(self._runner.run, job, started, cancelled, awaits)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def _dmi(name: str) -> str | None:
    return _text(DMI / name)


def _os_release() -> dict[str, str]:
    lines = (_text(Path("/etc/os-release")) or "").splitlines()
    return {name: value.strip("\"'") for name, found, value in (line.partition("=") for line in lines) if found}


def _kind(hypervisor: str | None) -> str | None:
    if hypervisor or " hypervisor" in (_text(Path("/proc/cpuinfo")) or ""):
        return "virtual"
    chassis = _dmi("chassis_type")
    if chassis is None or chassis in VIRTUAL:
        return None
    return "laptop" if chassis in LAPTOPS else "desktop"


def _cpus() -> tuple[Cpu, ...]:
    models: dict[str, tuple[int, set[tuple[str, str]]]] = {}
    for block in (_text(Path("/proc/cpuinfo")) or "").split("\n\n"):
        facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in block.splitlines())}
        if "processor" in facts:
            model = facts.get("model name") or facts.get("Hardware") or os.uname().machine
            logical, cores = models.get(model, (0, set()))
            core = (facts.get("physical id", "0"), facts.get("core id", facts["processor"]))
            models[model] = (logical + 1, cores | {core})
    return tuple(Cpu(name, _frequency(name), len(cores), logical) for name, (logical, cores) in models.items())


def _frequency(model: str) -> float | None:
    """The nominal clock in GHz, where the model's name tells it."""
    _, found, text = model.rpartition("@")
    with contextlib.suppress(ValueError):
        return float(text.strip().removesuffix("GHz")) if found else None
    return None


def _disks() -> Iterator[Disk]:
    root = Path("/").stat().st_dev
    boot = f"{os.major(root)}:{os.minor(root)}"
    for folder in sorted(Path("/sys/block").glob("*")):
        if not (folder / "device").exists():
            continue
        size = int(_text(folder / "size") or 0) * SECTOR
        numbers = [_text(path) for path in (folder / "dev", *folder.glob(f"{folder.name}*/dev"))]
        kind = {"0": "ssd", "1": "hdd"}.get(_text(folder / "queue" / "rotational") or "")
        model = _text(folder / "device" / "model")
        yield Disk(f"{model} ({folder.name})" if model else folder.name, size, boot in numbers, kind)


def _volumes() -> Iterator[Volume]:
    seen = set()
    for line in (_text(Path("/proc/self/mounts")) or "").splitlines():
        device, place, kind, *_ = line.split(" ")
        if kind not in REAL_FILE_SYSTEMS or device in seen:
            continue
        place = place.replace("\\040", " ")
        with contextlib.suppress(OSError):
            found = os.statvfs(place)
            if found.f_blocks:
                seen.add(device)
                yield Volume(place, found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, place == "/")


def _logged_in() -> list[str]:
    return [session.account for session in people.sessions() if session.state == "active"]
