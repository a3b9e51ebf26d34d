"""Accounts, logins and sessions of a Unix machine, from its own files.

In: paths of `passwd`, `wtmp` and `utmp` (tests bring their own). Out: `Account`, `Login`, `Session`. Invariants: a
file that is not there or is damaged means that there is nothing to tell; at most `MOST_RECORDS` of a log are read,
the newest.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import struct
from collections.abc import Iterator
from pathlib import Path

from agent.accounts import NOBODY, PEOPLE_FROM
from agent.host.base import Account, Login, Session

ENTRY = struct.Struct("hi32s4s32s256shhiii4i20x")  # struct utmp of glibc on machines of 64 bits
USER_PROCESS = 7
MOST_RECORDS = 20_000
ADMIN_GROUPS = ("sudo", "wheel", "admin")


def accounts() -> list[Account]:
    """Every account of the machine."""
    admins = administrators()
    return [
        Account(str(p.pw_uid), p.pw_name, _kind(p.pw_uid, p.pw_name in admins), _full_name(p)) for p in pwd.getpwall()
    ]


def administrators() -> set[str]:
    """Names of the accounts that may become the system."""
    names = set()
    for group in ADMIN_GROUPS:
        with contextlib.suppress(KeyError):
            names.update(grp.getgrnam(group).gr_mem)
    return names


def logins(since: int, path: Path = Path("/var/log/wtmp")) -> list[Login]:
    """Logins after an instant, oldest first."""
    found = [
        Login(time, user, bool(host))
        for kind, user, _, host, time in _records(path)
        if kind == USER_PROCESS and time > since
    ]
    return sorted(found, key=lambda login: login.time)


def sessions(path: Path = Path("/run/utmp")) -> list[Session]:
    """Who is logged in, and when each terminal last had input."""
    found = [(user, line) for kind, user, line, _, _ in _records(path) if kind == USER_PROCESS]
    return [Session(user, _last_input(line)) for user, line in found]


def _kind(number: int, admin: bool) -> str:
    if number < PEOPLE_FROM or number == NOBODY:
        return "system"
    return "local_admin" if admin else "local_user"


def _full_name(entry: pwd.struct_passwd) -> str | None:
    return entry.pw_gecos.split(",", 1)[0].strip() or None


def _records(path: Path) -> Iterator[tuple[int, str, str, str, int]]:
    """Kind, user, line, host and time of each record."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            count = min(size // ENTRY.size, MOST_RECORDS)
            file.seek(size // ENTRY.size * ENTRY.size - count * ENTRY.size)
            data = file.read(count * ENTRY.size)
    except OSError:
        return
    for fields in ENTRY.iter_unpack(data[: len(data) // ENTRY.size * ENTRY.size]):
        kind, _, line, _, user, host, _, _, _, seconds, micros, *_ = fields
        yield kind, _text(user), _text(line), _text(host), seconds * 1_000_000 + micros


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _last_input(line: str) -> int | None:
    if not line or ".." in line:
        return None
    with contextlib.suppress(OSError):
        return Path("/dev", line).stat().st_atime_ns // 1000
    return None
