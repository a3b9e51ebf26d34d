"""The simulated devices of a pool as the estate tells them, so that what connects is what the history is about.

In: a seed and a number of the estate. Out: the profile of that device: the same uid of its person, the same programs
and drive. Invariant: nothing is drawn here that the estate draws elsewhere; what the estate tells and an agent does
not collect stays as it is.
"""

from __future__ import annotations

from agent.host.base import Account, Binary, Cpu, Disk, Machine, Volume
from agent.host.fake import Profile, Program
from muster.estate.dice import Dice, word
from muster.estate.identifiers import binary_uid
from muster.estate.population import Device, device
from muster.estate.software import PROGRAMS
from muster.estate.world import GIB

HOUR = 3600
MOST_PROGRAMS = 14


def estate_profile(seed: int, number: int) -> Profile:
    """Device `number` of the estate of `seed`."""
    known = device(seed, number)
    kind = "local_user" if known.platform == "linux" else "domain"
    full_name = f"{known.user.given} {known.user.family}"
    person = Account(known.user.sid, known.user.name, kind, full_name, uid=known.user.uid)
    return Profile(known.uid, number, _machine(known), known.address, person, _programs(known))


def _machine(known: Device) -> Machine:
    hardware, place = known.hardware, "C:" if known.platform == "windows" else "/"
    volumes = [Volume(place, known.disk, round(known.disk * known.free), True)]
    disks = [Disk("NVMe SSD" if hardware.age < 4 else "SATA SSD", known.disk, True, "ssd")]
    if hardware.form == "desktop":
        volumes.append(Volume("D:" if known.platform == "windows" else "/data", 1024 * GIB, 610 * GIB, False))
        disks.append(Disk("SATA HDD", 1024 * GIB, False, "hdd"))
    return Machine(
        name=known.name,
        platform=known.platform,
        os_name=known.system.name,
        os_build=known.system.build,
        architecture="arm64" if known.platform == "macos" else "x64",
        memory=known.memory,
        kind=hardware.form,
        manufacturer=hardware.manufacturer,
        model=hardware.model,
        product_line=hardware.line,
        machine_serial=known.serial,
        chassis_serial=known.serial,
        hypervisor="Hyper-V" if known.virtual else None,
        cpus=(Cpu(hardware.cpu, hardware.gigahertz, hardware.cores, hardware.threads),),
        disks=tuple(disks),
        volumes=tuple(volumes),
    )


def _programs(known: Device) -> tuple[Program, ...]:
    dice = Dice(known.state)
    found = [item for item in PROGRAMS if item.platform == known.platform and dice.share(item.key) < item.share]
    return tuple(
        Program(
            Binary(
                binary_uid(item.key, item.versions[-1]), item.binary, _size(item.key, item.versions[-1]),
                item.versions[-1], "arm64" if known.platform == "macos" else "x64", product=item.product,
                company=item.company,
            ),
            item.cpu * item.hourly / HOUR, round(item.memory) << 20, item.visibility == "system",
        )
        for item in found[:MOST_PROGRAMS]
    )  # fmt: skip


def _size(program: str, version: str) -> int:
    return Dice(word("binary", program, version)).whole("size", 2 << 20, 180 << 20)
