"""The made-up company behind the estate: where it works, on what machines, with which people.

In: nothing. Out: plain facts, chosen so that questions have answers: one slow site, old systems, a few virtual
desktops, six time zones. Invariant: every person, place inside a company and address is invented (names of products
and cities are real); public addresses come from the ranges kept for documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from muster.estate.records import names, records

COMPANY = "Helvora"
DOMAIN = "helvora.example"
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Place:
    """A site of the company. `offset` is its hours from UTC; `latency` and `boot` say how many times slower it is."""

    entity: str
    code: str
    site: str
    country: str
    country_code: str
    state: str
    offset: int
    network: str
    provider: str
    weight: float
    latency: float = 1.0
    boot: float = 1.0


PLACES = records("places", Place)


@dataclass(frozen=True, slots=True)
class Hardware:
    """A model of machine and what is in it. `age` in years says how slow it is."""

    platform: str
    form: str
    manufacturer: str
    model: str
    line: str
    cpu: str
    gigahertz: float
    cores: int
    threads: int
    memory: tuple[int, ...]
    disk: tuple[int, ...]
    gpu: str
    weight: float
    age: float = 1.0


HARDWARE = records("hardware", Hardware)

PLATFORMS = (("windows", 70.0), ("macos", 20.0), ("linux", 10.0))


@dataclass(frozen=True, slots=True)
class System:
    """A release of an operating system. `updated` is how many days ago its last update came, at least."""

    platform: str
    name: str
    build: str
    weight: float
    updated: int = 4


SYSTEMS = records("systems", System)


@dataclass(frozen=True, slots=True)
class Department:
    """People with the same kind of work. `load` is how hard they drive their machines."""

    name: str
    titles: tuple[str, ...]
    weight: float
    load: float = 1.0


DEPARTMENTS = records("departments", Department)

GIVEN_NAMES, FAMILY_NAMES = names("given"), names("family")

ANTIVIRUS = {"windows": "Microsoft Defender Antivirus", "macos": "XProtect", "linux": "ClamAV"}
FIREWALL = {"windows": "Windows Defender Firewall", "macos": "Application Firewall", "linux": "nftables"}
MONITORS = (
    ("DELL U2723QE", "3840x2160"),
    ("DELL P2422H", "1920x1080"),
    ("LEN T27h-30", "2560x1440"),
    ("HP E24 G5", "1920x1080"),
)
WIFI = ("HELVORA-CORP", "HELVORA-5G")
BAD_BLUE_SCREENS = (
    ("DRIVER_IRQL_NOT_LESS_OR_EQUAL", 0xD1),
    ("WHEA_UNCORRECTABLE_ERROR", 0x124),
    ("VIDEO_TDR_FAILURE", 0x116),
)
