"""Installed packages: `package.packages` and `package.installed_packages`.

In: a host. Out: every package as an object, and the device's whole set of them. Invariant: told when it changed since
the agent started, and once a day, as the set is large and rarely another.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.collectors.base import DAY, HOUR, Rights
from agent.host.base import Host
from agent.rows import Rows, rows


class Packages:
    """Tells what is installed."""

    name = "packages"
    tables = ("package.packages", "package.installed_packages")
    rights = Rights.NONE
    every = HOUR
    buckets = False

    def __init__(self) -> None:
        self._told: int | None = None
        self._told_at = 0

    def sample(self, host: Host, now: int) -> None:
        """Nothing passes between two collections."""

    def collect(self, host: Host, since: int, until: int) -> Sequence[Rows]:
        """The whole set, if there is a reason to tell it."""
        found = host.packages(until)
        if found is None:
            return []
        digest = hash(tuple((package.key, package.installed) for package in found))
        if digest == self._told and until - self._told_at < DAY:
            return []
        self._told, self._told_at = digest, until
        objects = [(p.key, p.name, p.version, p.publisher, "program", host.platform) for p in found]
        installed = [(p.key, p.installed) for p in found]
        return [
            rows("package.packages", ("uid", "name", "version", "publisher", "type", "platform"), objects),
            rows("package.installed_packages", ("@package", "installation_time"), installed),
        ]
