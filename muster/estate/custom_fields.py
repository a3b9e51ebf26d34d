"""The custom fields of the company: what it adds to its devices, people, binaries and packages.

In: a device, person, binary or package. Out: the typed map `custom_fields` of its row, and the fields as items to
configure. Invariant: a value is held as its field is declared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.estate.dice import Dice, word
from muster.estate.population import Device
from muster.estate.rhythm import DAY
from muster.estate.software import Program
from nql.catalog.configured import CustomField, Item
from nql.datatypes import BOOLEAN, DATETIME, FLOAT, STRING, VERSION, DataType, Physical

DEVICE, USER, BINARY, PACKAGE = "device.devices", "user.users", "binary.binaries", "package.packages"
FIELDS: Mapping[str, Mapping[str, tuple[DataType, bool]]] = {  # with whether somebody sets it by hand
    DEVICE: {
        "business_unit": (STRING, True),
        "cost_centre": (STRING, True),
        "purchased": (DATETIME, True),
        "warranty_ends": (DATETIME, True),
        "lifecycle": (STRING, False),
        "health": (FLOAT, False),
        "organization.region": (STRING, False),
    },
    USER: {"vip": (BOOLEAN, True), "employment": (STRING, True), "organization.business_area": (STRING, False)},
    BINARY: {"approved": (BOOLEAN, True), "owner": (STRING, True)},
    PACKAGE: {"required_version": (VERSION, True), "yearly_price": (FLOAT, True)},
}
SLOTS = {
    Physical.UTF8: "text",
    Physical.INT64: "number",
    Physical.BOOL: "number",
    Physical.FLOAT64: "real",
}
REGIONS = {"CH": "Central Europe", "FR": "Central Europe", "GB": "Northern Europe", "US": "Americas"}
YEAR = 365 * DAY
PRICES = {"Microsoft Corporation": 130.0, "SAP SE": 900.0, "Zoom Communications": 95.0, "Zscaler Inc.": 60.0}
Entries = list[dict[str, Any]]


def items() -> list[Item]:
    """The custom fields as they are configured in a portal."""
    return [
        CustomField(table, name, dtype, manual)
        for table, fields in FIELDS.items()
        for name, (dtype, manual) in fields.items()
    ]


def of_device(person: Device, now: int) -> Entries:
    """The custom fields of a device; a few were never recorded."""
    dice, age = Dice(person.state), person.hardware.age
    bought = now - int((age + dice.between("bought", 0, 0.8)) * YEAR)
    recorded = dice.share("recorded") < 0.94
    ends = bought + 4 * YEAR
    return _entries(
        DEVICE,
        {
            "business_unit": person.user.department.name if recorded else None,
            "cost_centre": f"{person.place.code.upper()}-{dice.whole('cost centre', 10, 24)}" if recorded else None,
            "purchased": bought if recorded and person.virtual is None else None,
            "warranty_ends": ends if recorded and person.virtual is None else None,
            "lifecycle": "to be replaced" if ends < now else "new" if age < 1.2 else "in use",
            "health": round(
                max(0.05, 1 - 0.1 * age - (0.3 if person.free < 0.05 else 0) - dice.share("health") / 5), 2
            ),
            "organization.region": REGIONS.get(person.place.country_code, "Asia"),
        },
    )


def of_user(person: Device) -> Entries:
    """The custom fields of a person."""
    dice, unit = Dice(word(person.user.uid)), person.user.department.name
    return _entries(
        USER,
        {
            "vip": dice.share("vip") < (0.3 if "Director" in person.user.title else 0.03),
            "employment": dice.weighted("employment", (("permanent", 80.0), ("contractor", 15.0), (None, 5.0))),
            "organization.business_area": "Customers" if unit in {"Sales", "Marketing", "Customer Care"} else "Company",
        },
    )


def of_binary(program: Program) -> Entries:
    """The custom fields of every version of a program."""
    dice = Dice(word("approved", program.key))
    owner = dice.pick("owner", ("Workplace", "Security", "Business applications"))
    return _entries(BINARY, {"approved": program.key != "sdhelper", "owner": owner if program.packaged else None})


def of_package(program: Program) -> Entries:
    """The custom fields of every version of a program's package: the newest version is the required one."""
    required = program.versions[-1] if len(program.versions) > 1 else None
    return _entries(PACKAGE, {"required_version": required, "yearly_price": PRICES.get(program.company)})


def _entries(table: str, held: Mapping[str, Any]) -> Entries:
    fields = FIELDS[table]
    return [
        {"name": name, SLOTS[fields[name][0].physical]: int(value) if isinstance(value, bool) else value}
        for name, value in held.items()
        if value is not None
    ]
