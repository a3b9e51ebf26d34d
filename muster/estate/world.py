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
    """A site of the company. `offset` is its hours from UTC; `latency` and `boot` say how many times slower it is;
    `region` is the data centre that serves its virtual desktops; `upn` how its people's names are kept."""

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
    region: str = "switzerlandnorth"
    upn: str = "cleartext"


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
    """A release of an operating system. `updated` is how many days ago its last update came, at least; `oldest` says
    from which age of a machine on it is found there."""

    platform: str
    name: str
    build: str
    weight: float
    updated: int = 4
    architecture: str = "x64"
    oldest: float = 0.0


SYSTEMS = records("systems", System)


@dataclass(frozen=True, slots=True)
class Broker:
    """What serves virtual desktops of some `kinds`, and over which protocol people see them."""

    key: str
    kinds: tuple[str, ...]
    protocol: str
    environment: str
    hypervisor: str
    instances: tuple[str, ...]
    weight: float


BROKERS = records("brokers", Broker)
IMAGES = (("win11-office-2026.10", 6.0), ("win11-office-2026.08", 3.0), ("win11-office-2026.03", 2.0))
OLD_IMAGE = "win11-office-2026.03"  # its display driver makes sessions lag


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
