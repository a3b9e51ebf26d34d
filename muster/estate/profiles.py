"""A device of the estate as the machine that a simulated agent runs on.

In: a seed and a device's number. Out: a `Profile` for `agent.host.fake`. Invariant: what the connected device tells
of itself is what the estate's history told of it: the same name, hardware, system, person and binaries, under the
same keys.
"""

from __future__ import annotations

from agent.host.base import Account, Binary, Cpu, Disk, Machine, Volume
from agent.host.fake import Profile, Program
from muster.estate import frames, inventory
from muster.estate.dice import Dice
from muster.estate.population import Device, device
from muster.estate.software import MIB, PROGRAMS
from muster.estate.software import Program as Software

HOUR = 3600


def profile(seed: int, number: int) -> Profile:
    """The machine of one device."""
    made = device(seed, number)
    programs = tuple(_program(made, item) for item in PROGRAMS if frames.has(made, item))
    return Profile(f"{seed}/{number}", number, _machine(made), made.address, _person(made), programs)


def _machine(made: Device) -> Machine:
    hardware, windows = made.hardware, made.platform == "windows"
    volumes = [Volume("C:" if windows else "/", made.disk, int(made.disk * made.free), True)]
    disks = [Disk("NVMe SSD" if hardware.age < 4 else "SATA SSD", made.disk, True, "ssd")]
    if hardware.form == "desktop":
        volumes.append(Volume("D:" if windows else "/data", made.data, made.data_free, False))
        disks.append(Disk("SATA HDD", made.data, False, "hdd"))
    return Machine(
        name=made.name,
        platform=made.platform,
        os_name=made.system.name,
        os_build=made.system.build,
        architecture=made.system.architecture,
        memory=made.memory,
        kind=hardware.form,
        manufacturer=hardware.manufacturer,
        model=hardware.model,
        product_line=hardware.line,
        machine_serial=made.serial,
        chassis_serial=made.serial,
        hypervisor=made.virtual.broker.hypervisor if made.virtual else None,
        cpus=(Cpu(hardware.cpu, hardware.gigahertz, hardware.cores, hardware.threads),),
        disks=tuple(disks),
        volumes=tuple(volumes),
    )


def _person(made: Device) -> Account:
    person = made.user
    return Account(person.sid, person.name, "domain", f"{person.given} {person.family}", person.uid)


def _program(made: Device, item: Software) -> Program:
    """A program in the version that the history ends with."""
    _, version, _ = frames.versions(made, item, 0, 0)
    facts = inventory.binary_facts(item, version)
    binary = Binary(
        key=facts["uid"],
        name=facts["name"],
        size=facts["size"],
        version=version,
        architecture=facts["architecture"],
        sha256=facts["sha256_hash"],
        md5=facts["md5_hash"],
        product=facts["product_name"],
        company=facts["company"],
    )
    share = item.hourly * item.cpu / HOUR * (0.5 + Dice(made.state).share(f"load {item.key}"))
    return Program(binary, share, int(item.memory * MIB), item.visibility == "system")
