"""The device itself and its parts: `device.devices`, `device.cpus`, `device.disks`, `device.volumes`,
`device.local_admins`.

In: a host. Out: one row of the device and the whole set of each kind of part. Invariant: the server's facts (uid,
first and last seen, entity, site, collector uid) are never among the columns. Told hourly, as sizes and addresses
change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from agent import wire
from agent.collectors.base import DAY, HOUR, Rights
from agent.host.base import Host, Machine
from agent.rows import Rows, rows
from agent.version import __version__


class Inventory:
    """Tells what the device is."""

    name = "inventory"
    tables = ("device.devices", "device.cpus", "device.disks", "device.volumes", "device.local_admins")
    rights = Rights.NONE
    every = HOUR
    buckets = False

    def sample(self, host: Host, now: int) -> None:
        """Nothing passes between two collections."""

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """The device and its parts, as of now."""
        machine = host.machine(until)
        admins = host.administrators()
        cpus = [(part.name, part.frequency, part.cores, part.logical) for part in machine.cpus]
        disks = [(part.name, part.size, part.boot, part.type) for part in machine.disks]
        volumes = [(part.name, part.size, part.free, part.system) for part in machine.volumes]
        found = [
            _device(host, machine, until),
            rows("device.cpus", ("name", "frequency", "number_of_cores", "number_of_logical_processors"), _once(cpus)),
            rows("device.disks", ("name", "size", "boot_disk", "type"), _once(disks)),
            rows("device.volumes", ("name", "size", "free_space", "is_system"), _once(volumes)),
        ]
        if admins is not None:
            found.append(rows("device.local_admins", ("name", "type"), [(name, "user") for name in admins]))
        return found


def _device(host: Host, machine: Machine, now: int) -> Rows:
    logins = host.logins(now - 90 * DAY, now)
    last = logins[-1] if logins else None
    facts: dict[str, Any] = {
        "name": machine.name,
        "cpus": _objects(machine.cpus, {"cores": "numberOfCores", "logical": "numberOfLogicalProcessors"}),
        "disks": _objects(machine.disks, {"boot": "bootDisk"}),
        "volumes": _objects(machine.volumes, {"free": "freeSpace", "system": "isSystem"}),
        "boot.last_full_boot": host.boot_time(now),
        "collector.version": __version__,
        "collector.local_ip": host.address(),
        "hardware.manufacturer": machine.manufacturer,
        "hardware.model": machine.model,
        "hardware.type": machine.kind,
        "hardware.memory": machine.memory,
        "hardware.product_line": machine.product_line,
        "hardware.machine_serial_number": machine.machine_serial,
        "hardware.chassis_serial_number": machine.chassis_serial,
        "operating_system.name": machine.os_name,
        "operating_system.platform": machine.platform,
        "operating_system.architecture": machine.architecture,
        "operating_system.build": machine.os_build,
        "operating_system.last_update": machine.last_update,
        "virtualization.hypervisor_name": machine.hypervisor,
        "login.last_login_user_name": last.account if last else None,
        "login.last_login_time": last.time if last else None,
    }
    return rows("device.devices", list(facts), [list(facts.values())])


def _objects(parts: Sequence[Any], names: dict[str, str]) -> str:
    """The JSON of a list of parts, under the names that exports use."""
    return wire.encode([{names.get(key, key): value for key, value in asdict(part).items()} for part in parts]).decode()


def _once(records: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Records by their name: two parts of one name are told apart by a number."""
    seen: dict[str, int] = {}
    found = []
    for name, *rest in records:
        seen[name] = seen.get(name, 0) + 1
        found.append((name if seen[name] == 1 else f"{name} #{seen[name]}", *rest))
    return found
