"""Installed packages of a Debian-like machine, from dpkg's own files.

In: dpkg's folder. Out: `Package`. Invariants: only what is installed counts; the file is read a line at a time, so
that its size does not matter; a machine without dpkg has no packages to tell.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from agent.host.base import Package

FOLDER = Path("/var/lib/dpkg")


def packages(folder: Path = FOLDER) -> list[Package]:
    """Every installed package, by name."""
    return sorted(_installed(folder), key=lambda package: package.key)


def changed(folder: Path = FOLDER) -> int | None:
    """When packages last changed, in microseconds; None where there is no dpkg."""
    with contextlib.suppress(OSError):
        return (folder / "status").stat().st_mtime_ns // 1000
    return None


def _installed(folder: Path) -> Iterator[Package]:
    for stanza in _stanzas(folder / "status"):
        if stanza.get("Status", "").endswith(" installed") and "Package" in stanza and "Version" in stanza:
            name, version, kind = stanza["Package"], stanza["Version"], stanza.get("Architecture", "")
            publisher = stanza.get("Maintainer", "").split(" <", 1)[0] or None
            yield Package(f"dpkg:{name}:{kind}:{version}", name, version, publisher, _installed_at(folder, name, kind))


def _stanzas(path: Path) -> Iterator[dict[str, str]]:
    stanza: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line == "\n":
                    yield stanza
                    stanza = {}
                elif line[:1] not in (" ", "\t"):
                    name, _, value = line.partition(":")
                    if name in ("Package", "Status", "Version", "Architecture", "Maintainer"):
                        stanza[name] = value.strip()
    except OSError:
        return
    yield stanza


def _installed_at(folder: Path, name: str, kind: str) -> int | None:
    for stem in (name, f"{name}:{kind}"):
        with contextlib.suppress(OSError):
            return (folder / "info" / f"{stem}.list").stat().st_mtime_ns // 1000
    return None
