"""The software of the estate: programs with their binaries, versions and packages, and the applications people know
them by.

In: nothing. Out: plain facts. One version is bad: it is rolled out to a third of the Windows devices in the middle of
the history and crashes there (`BAD`). Invariant: the key of a program is stable, for uids are made from it; a
program's first version is the one in use before a rollout.
"""

from __future__ import annotations

from dataclasses import dataclass

from muster.estate.records import records

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Program:
    """One program on one platform. `share` of the devices have it; `hourly` is the chance that it runs in an active
    hour; `cpu` the seconds of processor time and `memory` the MiB it takes then; `focus` the share of the hour it is
    in front."""

    key: str
    platform: str
    binary: str
    product: str
    company: str
    category: str
    versions: tuple[str, ...]
    share: float
    hourly: float
    cpu: float
    memory: float
    focus: float = 0.0
    application: str | None = None
    packaged: bool = True
    crashes: float = 0.0004
    visibility: str = "foreground"
    architecture: str = "x64"


BAD = "16.0.19127.20222"  # of outlook
PROGRAMS = records("programs", Program)
BROWSERS = {"windows": ("edge", "chrome"), "macos": ("m-safari", "m-chrome"), "linux": ("l-firefox",)}


@dataclass(frozen=True, slots=True)
class Application:
    """An application as people know it. `weight` is how much it is used on the web (0: not a web application); `load`
    the seconds a page takes; `errors` the share of pages that fail."""

    key: str
    name: str
    kind: str
    category: str
    host: str
    weight: float = 0.0
    load: float = 1.2
    errors: float = 0.004
    pages: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()


APPLICATIONS = records("applications", Application)
WEB = tuple(item for item in APPLICATIONS if item.weight)
