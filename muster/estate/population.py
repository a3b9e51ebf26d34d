"""Who and what is in the estate: each device with its machine, place and person, told by the seed and its number
alone.

In: a seed and a number. Out: `Device` and `User` facts that do not change over the history. Invariant: the facts of
device 17 depend on the seed and on 17, never on how many devices there are or on the time, so that the simulated
device that connects as number 17 is the one whose history the estate wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from muster.estate.dice import Dice, mix, word
from muster.estate.world import (
    BROKERS,
    COMPANY,
    DEPARTMENTS,
    DOMAIN,
    FAMILY_NAMES,
    GIB,
    GIVEN_NAMES,
    HARDWARE,
    IMAGES,
    PLACES,
    PLATFORMS,
    SYSTEMS,
    Broker,
    Department,
    Hardware,
    Place,
    System,
)

FORMS = {"laptop": "lt", "desktop": "dt", "virtual": "vd"}
FULL_SHARE = 0.06  # of the devices have nearly no space left
AWAY_SHARE = 0.025  # of the devices lie in a cupboard
VISITED_SHARE = 0.08  # of the devices have a local account beside their user's
VIRTUAL = (("personal", 3.0), ("pooled", 3.0), ("shared", 2.0))


@dataclass(frozen=True, slots=True)
class User:
    """A person. `uid` is the key of the user in every table."""

    uid: str
    name: str
    given: str
    family: str
    sid: str
    department: Department
    title: str
    place: Place

    @property
    def upn(self) -> str:
        """The principal name, which is the mail address too."""
        return f"{self.name}@{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Desktop:
    """What makes a device a virtual desktop: how it is given out, what serves it, and the image it was made from."""

    kind: str
    broker: Broker
    image: str


@dataclass(frozen=True, slots=True)
class Device:
    """A machine. `state` seeds everything drawn for it; `always` says that it is never switched off; `free` is the
    share of its system drive that is free and `fill` how much of the drive fills up a day; `memory`, `disk`, `data`
    (a second drive, 0 where there is none) and `data_free` in bytes; `visitor` is the key of a local account; `away`
    says how many days before the history it was last heard of (None: it is in use)."""

    number: int
    state: int
    uid: str
    collector: str
    name: str
    serial: str
    hardware: Hardware
    system: System
    place: Place
    user: User
    memory: int
    disk: int
    free: float
    fill: float
    always: bool
    virtual: Desktop | None
    address: str
    data: int
    data_free: int
    visitor: str | None
    away: int | None

    @property
    def platform(self) -> str:
        """The family of its operating system."""
        return self.hardware.platform


def devices(seed: int, count: int) -> Iterator[Device]:
    """The first `count` devices of a seed."""
    return (device(seed, number) for number in range(count))


def device(seed: int, number: int) -> Device:
    """One device by its number, counted from 0."""
    dice = Dice(mix(word(seed, "device"), number))
    place = dice.weighted("place", [(place, place.weight) for place in PLACES])
    platform = dice.weighted("platform", PLATFORMS)
    hardware = dice.weighted("hardware", [(item, item.weight) for item in HARDWARE if item.platform == platform])
    virtual = _desktop(dice) if hardware.form == "virtual" else None
    full = dice.share("full") < FULL_SHARE
    uid, data = dice.uid("uid"), dice.pick("data disk", (512, 1024, 2048)) * GIB if hardware.form == "desktop" else 0
    return Device(
        number=number,
        state=dice.state,
        uid=uid,
        collector=dice.uid("collector"),
        name=f"{place.code}-{FORMS[hardware.form]}-{number + 1:04d}",
        serial=dice.digits("serial", 8).upper(),
        hardware=hardware,
        system=_system(dice, hardware),
        place=place,
        user=user(seed, number),
        memory=dice.pick("memory", hardware.memory) * GIB,
        disk=dice.pick("disk", hardware.disk) * GIB,
        free=dice.between("free", 0.01, 0.045) if full else dice.between("free", 0.15, 0.8),
        fill=dice.between("fill", 0.0, 0.0004) if full else dice.between("fill", 0.0, 0.002),
        always=virtual is not None or dice.share("always") < 0.05,
        virtual=virtual,
        address=f"{place.network}.{dice.whole('subnet', 1, 250)}.{dice.whole('address', 10, 250)}",
        data=data,
        data_free=int(data * dice.between("data free", 0.04, 0.9)),
        visitor=f"{uid}:helpdesk" if virtual is None and dice.share("visited") < VISITED_SHARE else None,
        away=dice.whole("away", 2, 25) if number and dice.share("put away") < AWAY_SHARE else None,
    )


def _system(dice: Dice, hardware: Hardware) -> System:
    fitting = [item for item in SYSTEMS if item.platform == hardware.platform and item.oldest <= hardware.age]
    return dice.weighted("system", [(item, item.weight) for item in fitting])


def _desktop(dice: Dice) -> Desktop:
    kind = dice.weighted("virtual", VIRTUAL)
    broker = dice.weighted("broker", [(item, item.weight) for item in BROKERS if kind in item.kinds])
    return Desktop(kind, broker, dice.weighted("image", IMAGES))


def user(seed: int, number: int) -> User:
    """The person who uses the device of that number."""
    dice = Dice(mix(word(seed, "user"), number))
    place = Dice(mix(word(seed, "device"), number)).weighted("place", [(place, place.weight) for place in PLACES])
    department = dice.weighted("department", [(item, item.weight) for item in DEPARTMENTS])
    given, family = dice.pick("given", GIVEN_NAMES), dice.pick("family", FAMILY_NAMES)
    return User(
        uid=dice.uid("uid"),
        name=f"{given}.{family}.{number + 1}".lower(),
        given=given,
        family=family,
        sid="S-1-5-21-"
        + "-".join(str(Dice(word(COMPANY)).whole(part, 10**8, 2**31)) for part in "abc")
        + f"-{1100 + number}",
        department=department,
        title=dice.pick("title", department.titles),
        place=place,
    )
