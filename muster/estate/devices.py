"""What the store knows of each device: the machine, its system and place, and its parts.

In: the estate. Out: frames for `device.*`. Invariant: a device's row and the rows of its parts tell the same (its
processors stand in `device.devices` as a list and in `device.cpus` as rows), and they tell what the events tell: a
full drive is full in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from muster.estate.custom_fields import of_device
from muster.estate.dice import Dice
from muster.estate.frames import Estate
from muster.estate.population import Device
from muster.estate.rhythm import DAY, HOUR, SECOND
from muster.estate.world import ANTIVIRUS, COMPANY, DOMAIN, FIREWALL, GIB, MONITORS, PLACES

PUBLIC, UNLOCATED = ("country", "isp", "ip_address", "state", "city"), 0.04
AGENT, AGENT_BEFORE = "0.1.0", "0.0.9"
UNSUPPORTED = 90  # days without an update of the system
CONNECTED_BY = {
    "laptop": (("wifi", 85.0), ("ethernet", 9.0), ("cellular", 4.0), ("bluetooth", 2.0)),
    "desktop": (("ethernet", 92.0), ("wifi", 8.0)),
    "virtual": (("ethernet", 1.0),),
}
PROTECTED = {
    "windows": (("enabled", 95.0), ("disabled", 3.0), ("partially_enabled", 2.0)),
    "macos": (("enabled", 97.0), ("disabled", 2.0), ("not_reported", 1.0)),
    "linux": (("enabled", 50.0), ("disabled", 10.0), ("not_reported", 40.0)),
}
TAGS = (("pilot",), ("executive",), ("meeting room",), ("field", "pilot"))
Row = dict[str, Any]


def devices(estate: Estate) -> pl.DataFrame:
    """Rows of `device.devices`; the last boot and login in the history are left for its end."""
    return pl.DataFrame([_device(estate, person) for person in estate.everybody], infer_schema_length=None)


def before(estate: Estate) -> Iterator[pl.DataFrame]:
    """Rows of `device.devices` with what was there before the history: the last boot and login of those that do not
    tell of their own, and when those not in use were last heard of."""
    if quiet := [person for person in estate.everybody if person.number >= estate.connected]:
        yield pl.DataFrame([_before(estate, person) for person in quiet])
    if estate.away:
        seen = [estate.start - (person.away or 0) * DAY for person in estate.away]
        yield pl.DataFrame({"uid": [person.uid for person in estate.away], "last_seen": seen})


def parts(estate: Estate) -> Mapping[str, pl.DataFrame]:
    """Rows of the tables of parts, by table."""
    rows: dict[str, list[Row]] = {name: [] for name in PARTS}
    for person in estate.everybody:
        for name, found in PARTS.items():
            rows[name] += [{"@device": person.uid, **row} for row in found(estate, person)]
    return {f"device.{name}": pl.DataFrame(found, infer_schema_length=None) for name, found in rows.items() if found}


def mobile_devices(estate: Estate) -> pl.DataFrame:
    """Rows of `device.mobile_devices`: every fourth person has a phone of the company."""
    owners = [person for person in estate.people if person.number % 4 == 0]
    names = [f"{person.user.given}'s phone {person.number + 1}" for person in owners]
    encrypted = [Dice(person.state).share("phone") < 0.92 for person in owners]
    return pl.DataFrame({"name": names, "governance.is_encrypted": encrypted})


def vdi_sessions(estate: Estate) -> pl.DataFrame:
    """Rows of `session.vdi_sessions`."""
    names = [f"{person.name}/{person.user.name}" for person in estate.people if person.virtual]
    return pl.DataFrame({"name": names}, schema={"name": pl.String})


def _device(estate: Estate, person: Device) -> Row:
    dice, place = Dice(person.state), person.place
    lists = {name: json.dumps(list(found(estate, person)), separators=(",", ":")) for name, found in PARTS.items()}
    return {
        "uid": person.uid,
        "name": person.name,
        "simulated": True,
        "first_seen": estate.start - dice.whole("first seen", 30, 700) * DAY,
        "site": "default",
        "organization.entity": place.entity,
        "configuration_tag": f"{place.code}-standard",
        "user_account_control_status": dice.weighted("uac", [("ok", 19.0), ("at_risk", 1.0)])
        if person.platform == "windows"
        else None,
        **lists,
        **_collector(person, dice),
        "connectivity.last_connectivity_type": dice.weighted("connected by", CONNECTED_BY[person.hardware.form]),
        **_hardware(person, dice),
        **_system(estate, person, dice),
        **_location(person, dice),
        "login.last_login_user_name": person.user.name,
        **_virtualization(estate, person, dice),
        "custom_fields": of_device(person, estate.now),
        "tags": list(dice.pick("tags", TAGS)) if dice.share("tagged") < 0.15 else [],
    }


def _before(estate: Estate, person: Device) -> Row:
    """Machines that are never switched off boot seldom."""
    dice, last = Dice(person.state), estate.start - (person.away or 0) * DAY
    seconds = dice.between("boot before", 18, 60) * person.place.boot * person.hardware.age**0.4
    booted = last - int(dice.share("booted") ** 2 * (45 if person.always else 4) * DAY) - HOUR
    return {
        "uid": person.uid,
        "boot.last_full_boot": booted,
        "boot.last_full_boot_duration": int(seconds) * SECOND,
        "login.last_login_time": booted + int((last - booted) * dice.share("logged in")),
    }


def _collector(person: Device, dice: Dice) -> Row:
    """The agent on the device: one in ten waits for its update or failed it; old systems stay at the version before."""
    unsupported = person.system.updated > UNSUPPORTED
    late = not unsupported and dice.share("agent late") < 0.1
    state = dice.weighted("agent update", [("pending", 2.0), ("failed", 1.0)]) if late else "up_to_date"
    facts = {
        "uid": person.collector,
        "tag_id": 100 + PLACES.index(person.place),
        "tag_string": person.place.code,
        "local_ip": person.address,
        "version": AGENT_BEFORE if unsupported or late else AGENT,
        "target_version": AGENT_BEFORE if unsupported else AGENT,
        "update_group": "Unsupported OS" if unsupported else "everybody",
        "update_status": state,
    }
    return {f"collector.{name}": value for name, value in facts.items()}


def _hardware(person: Device, dice: Dice) -> Row:
    hardware = person.hardware
    facts = {
        "manufacturer": hardware.manufacturer,
        "model": hardware.model,
        "type": hardware.form,
        "memory": person.memory,
        "product_line": hardware.line,
        "product_id": f"{hardware.line[:3].upper()}{dice.whole('product', 100, 999)}",
        "product_version": hardware.model,
        "chassis_serial_number": person.serial,
        "machine_serial_number": person.serial,
        "bios_serial_number": person.serial,
    }
    return {f"hardware.{name}": value for name, value in facts.items()}


def _system(estate: Estate, person: Device, dice: Dice) -> Row:
    updated = estate.now - int((person.system.updated + dice.between("updated", 0, 8)) * DAY)
    facts = {
        "name": person.system.name,
        "platform": person.platform,
        "architecture": person.system.architecture,
        "build": person.system.build,
        "last_update": updated,
    }
    return {f"operating_system.{name}": value for name, value in facts.items()}


def _location(person: Device, dice: Dice) -> Row:
    place, remote = person.place, person.hardware.form == "laptop" and dice.share("now at home") < 0.45
    if dice.share("no public address") < UNLOCATED:
        return _placed(person, remote) | {f"public_ip.{name}": None for name in PUBLIC}
    return _placed(person, remote) | {
        "public_ip.country": place.country,
        "public_ip.isp": place.provider,
        "public_ip.ip_address": f"{'203.0.113' if remote else '198.51.100'}.{dice.whole('public', 1, 250)}",
        "public_ip.state": place.state,
        "public_ip.city": place.entity,
    }


def _placed(person: Device, remote: bool) -> Row:
    place = person.place
    return {
        "location.type": "remote" if remote else "onsite",
        "location.site": "Home office" if remote else place.site,
        "location.country": place.country,
        "location.state": place.state,
    }


def _virtualization(estate: Estate, person: Device, dice: Dice) -> Row:
    desktop = person.virtual
    if desktop is None:
        names = ("type", "desktop_broker", "desktop_pool", "disk_image", "environment_name", "hostname")
        more = ("hypervisor_name", "instance_size", "region", "last_update")
        return {f"virtualization.{name}": None for name in (*names, *more)}
    facts = {
        "type": desktop.kind,
        "desktop_broker": desktop.broker.key,
        "desktop_pool": f"{person.place.code}-{desktop.kind}-1",
        "disk_image": desktop.image,
        "environment_name": desktop.broker.environment,
        "hostname": f"host-{dice.whole('host', 1, 6):02d}.{DOMAIN}",
        "hypervisor_name": desktop.broker.hypervisor,
        "instance_size": dice.pick("instance", desktop.broker.instances),
        "region": person.place.region,
        "last_update": estate.now - dice.whole("refreshed", 1, 20) * DAY,
    }
    return {f"virtualization.{name}": value for name, value in facts.items()}


def _antiviruses(estate: Estate, person: Device) -> Iterable[Row]:
    dice = Dice(person.state)
    protected = dice.weighted("protected", PROTECTED[person.platform])
    fresh = "yes" if dice.share("fresh") < 0.94 else "no"
    yield {
        "name": ANTIVIRUS[person.platform],
        "real_time_protection": protected,
        "is_up_to_date": "not_reported" if protected == "not_reported" else fresh,
    }


def _firewalls(estate: Estate, person: Device) -> Iterable[Row]:
    state = Dice(person.state).weighted("firewall", PROTECTED[person.platform])
    yield {"name": FIREWALL[person.platform], "real_time_protection": state}


def _cpus(estate: Estate, person: Device) -> Iterable[Row]:
    hardware = person.hardware
    yield {
        "name": hardware.cpu,
        "frequency": hardware.gigahertz,
        "number_of_cores": hardware.cores,
        "number_of_logical_processors": hardware.threads,
    }


def _disks(estate: Estate, person: Device) -> Iterable[Row]:
    yield {
        "name": "NVMe SSD" if person.hardware.age < 4 else "SATA SSD",
        "size": person.disk,
        "boot_disk": True,
        "type": "ssd",
    }
    if person.hardware.form == "desktop":
        yield {"name": "SATA HDD", "size": person.data, "boot_disk": False, "type": "hdd"}


def _gpus(estate: Estate, person: Device) -> Iterable[Row]:
    yield {"name": person.hardware.gpu, "memory": (4 if "NVIDIA" in person.hardware.gpu else 1) * GIB}


def _monitors(estate: Estate, person: Device) -> Iterable[Row]:
    dice = Dice(person.state)
    for number in range(0 if person.virtual else dice.whole("monitors", 0, 2)):
        name, resolution = dice.pick(f"monitor {number}", MONITORS)
        serial = dice.digits(f"monitor serial {number}", 7).upper()
        yield {
            "name": name if number == 0 else f"{name} ({number + 1})",
            "serial_number": serial,
            "resolution": resolution,
        }


def _volumes(estate: Estate, person: Device) -> Iterable[Row]:
    left = max(0.002, person.free - person.fill * estate.days)
    name = "C:" if person.platform == "windows" else "/"
    yield {"name": name, "size": person.disk, "free_space": int(person.disk * left), "is_system": True}
    if person.hardware.form == "desktop":
        other = "D:" if person.platform == "windows" else "/data"
        yield {"name": other, "size": person.data, "free_space": person.data_free, "is_system": False}


def _local_admins(estate: Estate, person: Device) -> Iterable[Row]:
    yield {"name": "Administrator" if person.platform == "windows" else "root", "type": "user"}
    if person.platform == "windows":
        yield {"name": f"{COMPANY.upper()}\\Workplace Admins", "type": "group"}
    if Dice(person.state).share("local admin") < 0.12:
        yield {"name": person.user.name, "type": "user"}
    if person.visitor is not None:
        yield {"name": f"{person.name}\\helpdesk", "type": "user"}


PARTS = {
    "antiviruses": _antiviruses,
    "firewalls": _firewalls,
    "cpus": _cpus,
    "gpus": _gpus,
    "disks": _disks,
    "monitors": _monitors,
    "volumes": _volumes,
    "local_admins": _local_admins,
}
