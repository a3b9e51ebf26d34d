"""The objects that events point to besides devices: people, binaries, packages, applications and their parts.

In: the estate. Out: frames for `user.users`, `binary.binaries`, `package.*`, `application.*`, `ai.tools`. Invariant:
whatever an event of the estate links to has its row here; a package is installed where its program runs, in the
version that runs there at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import polars as pl

from muster.estate.custom_fields import of_binary, of_package, of_user
from muster.estate.dice import Dice, word
from muster.estate.executions import DESTINATIONS
from muster.estate.frames import Estate, shaped
from muster.estate.identifiers import SYSTEM_ACCOUNTS, application_uid, binary_uid, package_uid, system_uid
from muster.estate.population import Device
from muster.estate.rhythm import DAY
from muster.estate.software import APPLICATIONS, BAD, MIB, PROGRAMS, Program
from muster.estate.world import DOMAIN

TOOLS = ("Copilot", "ChatGPT", "Claude", "Gemini")
GUIDES = {
    "crm": ("First lead", ("Open the form", "Fill it in", "Save")),
    "hr": ("Request leave", ("Choose days", "Send")),
}


def users(estate: Estate) -> pl.DataFrame:
    """Rows of `user.users`: the people, the local accounts of some devices, and who runs the programs of a system."""
    rows = [_user(estate, person) for person in estate.everybody]
    rows += [_local(estate, person) for person in estate.everybody if person.visitor]
    rows += [_of_the_system(estate, platform) for platform in SYSTEM_ACCOUNTS]
    return pl.DataFrame(rows, infer_schema_length=None)


def _local(estate: Estate, person: Device) -> dict[str, Any]:
    administers = Dice(person.state).share("local administrator") < 0.5
    return {
        "uid": person.visitor,
        "name": f"{person.name}\\helpdesk",
        "username": "helpdesk",
        "sid": f"S-1-5-21-{Dice(person.state).whole('machine', 10**8, 2**31)}-1001",
        "upn_privacy_level": "none",
        "type": "local_admin" if administers else "local_user",
        "entity": person.place.entity,
        "first_seen": estate.start - Dice(person.state).whole("visitor since", 0, 300) * DAY,
    }


def _of_the_system(estate: Estate, platform: str) -> dict[str, Any]:
    name = SYSTEM_ACCOUNTS[platform]
    return {
        "uid": system_uid(platform),
        "name": name,
        "username": name.rsplit("\\", 1)[-1],
        "sid": "S-1-5-18" if platform == "windows" else "0",
        "upn_privacy_level": "none",
        "type": "system",
        "first_seen": estate.start,
    }


def _user(estate: Estate, device: Device) -> dict[str, Any]:
    person = device.user
    common, unit = f"{person.given} {person.family}", person.department.name
    hashed = person.place.upn == "hashed"
    return {
        "uid": person.uid,
        "name": person.name,
        "username": person.name,
        "sid": person.sid,
        "upn": sha256(person.upn.encode()).hexdigest() if hashed else person.upn,
        "upn_privacy_level": person.place.upn,
        "type": "domain",
        "entity": person.place.entity,
        "first_seen": estate.start - Dice(word(person.uid)).whole("first seen", 0, 700) * DAY,
        "custom_fields": of_user(device),
        "ad.username": person.name,
        "ad.full_name": common,
        "ad.email_address": person.upn,
        "ad.department": unit,
        "ad.job_title": person.title,
        "ad.office": person.place.site,
        "ad.city": person.place.entity,
        "ad.country_code": person.place.country_code,
        "ad.distinguished_name": f"CN={common},OU={unit},DC={DOMAIN.replace('.', ',DC=')}",
        "ad.organizational_unit": f"OU={unit},DC={DOMAIN.replace('.', ',DC=')}",
        "ad.last_update": estate.now - Dice(word(person.uid)).whole("ad", 0, 6) * DAY,
    }


def binaries(estate: Estate) -> pl.DataFrame:
    """Rows of `binary.binaries`: every version of every program."""
    return pl.DataFrame([binary_facts(program, version) for program, version in releases()], infer_schema_length=None)


def binary_facts(program: Program, version: str) -> dict[str, Any]:
    """The row of one version of a program."""
    dice = Dice(word("binary", program.key, version))
    return {
        "uid": binary_uid(program.key, version),
        "name": program.binary,
        "version": version,
        "platform": program.platform,
        "architecture": "arm64" if program.platform == "macos" else program.architecture,
        "size": dice.whole("size", 2 * MIB, 180 * MIB),
        "md5_hash": dice.digits("md5", 32),
        "sha1_hash": dice.digits("sha1", 40),
        "sha256_hash": dice.digits("sha256", 64),
        "product_name": program.product,
        "company": program.company,
        "description": program.product,
        "product_category": program.category,
        "product_subcategory": program.visibility,
        "custom_fields": of_binary(program),
        "has_user_interface": program.visibility == "foreground",
    }


def packages(estate: Estate) -> pl.DataFrame:
    """Rows of `package.packages`."""
    rows = [
        {
            "uid": package_uid(program.key, version),
            "name": program.product,
            "version": version,
            "publisher": program.company,
            "type": "program" if version == program.versions[0] else "update",
            "custom_fields": of_package(program),
            "first_seen": estate.start - Dice(word("package", program.key, version)).whole("first seen", 1, 300) * DAY,
            "parent_name": None if version == program.versions[0] else program.product,
            "platform": program.platform,
        }
        for program, version in releases()
        if program.packaged
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def installed_packages(estate: Estate) -> pl.DataFrame:
    """Rows of `package.installed_packages`: what is there at the end."""
    held = _held(estate)
    since = estate.start - pl.col("number") % 200 * DAY - 40 * DAY
    return shaped(
        held,
        (pl.col("device").alias("@device"), pl.col("after_uid").alias("@package")),
        pl.coalesce(pl.col("switch"), since).cast(pl.Int64).alias("installation_time"),
    )


def changes(estate: Estate) -> pl.DataFrame:
    """The programs that changed their version during the history: device, both packages, and when."""
    return _held(estate).filter(pl.col("switch").is_not_null() & (pl.col("switch") < estate.now))


def _held(estate: Estate) -> pl.DataFrame:
    keys = [(program.key, version, package_uid(program.key, version)) for program, version in releases()]
    uids = pl.DataFrame(keys, schema={"program": pl.String, "version": pl.String, "uid": pl.String}, orient="row")
    held = estate.installed.filter(pl.col("packaged"))
    for side in ("before", "after"):
        held = held.join(
            uids.rename({"version": side, "uid": f"{side}_uid"}), on=["program", side], maintain_order="left"
        )
    return held.join(estate.devices, on="number", maintain_order="left")


def releases() -> Iterator[tuple[Program, str]]:
    """Every program with each of its versions."""
    for program in PROGRAMS:
        yield from ((program, version) for version in program.versions)
        if program.key == "outlook":
            yield program, BAD


def applications(estate: Estate) -> pl.DataFrame:
    """Rows of `application.applications`."""
    columns = {
        "uid": [application_uid(item.key) for item in APPLICATIONS],
        "name": [item.name for item in APPLICATIONS],
        "nql_id": [f"#{item.key}" for item in APPLICATIONS],
        "type": [item.kind for item in APPLICATIONS],
        "category": [item.category for item in APPLICATIONS],
    }
    return pl.DataFrame(columns)


def application_parts(estate: Estate) -> dict[str, pl.DataFrame]:
    """Rows of the tables of an application's parts, by table."""
    domains = [place[0] for place in DESTINATIONS]
    networked = {program.application for program in PROGRAMS if program.application}
    parts = {
        "network_applications": [
            (item.key, name) for item in APPLICATIONS if item.key in networked for name in domains
        ],
        "pages": [(item.key, name) for item in APPLICATIONS for name in item.pages],
        "transactions": [(item.key, name) for item in APPLICATIONS for name in item.transactions],
        "guides": [(key, guide) for key, (guide, _) in GUIDES.items()],
        "guide_steps": [(key, step) for key, (_, steps) in GUIDES.items() for step in steps],
    }
    return {
        f"application.{name}": pl.DataFrame(
            {"@application": [application_uid(key) for key, _ in rows], "name": [part for _, part in rows]}
        )
        for name, rows in parts.items()
    }


def tools(estate: Estate) -> pl.DataFrame:
    """Rows of `ai.tools`."""
    return pl.DataFrame({"name": list(TOOLS)})
