"""Who sits at this device, and where he can be reached: his desktop session and his terminals.

In: `/proc`, and the account of a run if a person's. Out: a `Person`, or UnknownPersonError with the reason why nobody
is asked. Invariants: where two persons are logged in, nobody is asked, so that no question comes before the wrong eyes;
of the environment of somebody's programs only what leads to his desktop is taken, and it is used for programs of his
own account alone.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.accounts import NOBODY, PEOPLE_FROM, Account

DESKTOP = (
    "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "XDG_SESSION_ID",
    "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "LANG", "LANGUAGE", "LC_ALL",
)  # fmt: skip
SHELLS = frozenset({"bash", "zsh", "fish", "sh", "dash", "ksh", "tcsh"})
ENVIRONMENT_BYTES = 1 << 18


class UnknownPersonError(Exception):
    """There is not exactly one person to ask; the text says why."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asked. `desktop` is the environment of his session, empty without one; `terminals` are devices."""

    name: str
    user: int
    group: int
    groups: tuple[int, ...] = ()
    home: str = "/"
    desktop: Mapping[str, str] = field(default_factory=dict)
    terminals: tuple[str, ...] = ()


Find = Callable[[Account | None], Person]


@dataclass(slots=True)
class _Seat:
    desktop: dict[str, str] = field(default_factory=dict)
    terminals: list[str] = field(default_factory=list)


def find(
    account: Account | None, proc: Path = Path("/proc"), own: int | None = None, people_from: int = PEOPLE_FROM
) -> Person:
    """The person of an account; without one, whoever is logged in: ourselves, if we are not the system."""
    own = os.geteuid() if own is None else own
    wanted = account.user if account else own or None
    seats = _seats(proc, wanted)
    if wanted is not None:
        return _person(wanted, seats.get(wanted, _Seat()))
    people = sorted(user for user in seats if user >= people_from and user != NOBODY) or sorted(set(seats) & {0})
    if len(people) == 1:
        return _person(people[0], seats[people[0]])
    if not people:
        raise UnknownPersonError("nobody is logged in who could be asked")
    names = ", ".join(_named(user).pw_name for user in people[:5])
    raise UnknownPersonError(f"{len(people)} people are logged in ({names}): it is not clear whom to ask")


def present(proc: Path = Path("/proc"), own: int | None = None, people_from: int = PEOPLE_FROM) -> list[int]:
    """The accounts of the people who are logged in, by number: of ourselves alone, if we are not the system."""
    own = os.geteuid() if own is None else own
    seats = set(_seats(proc, own or None))
    people = {user for user in seats if own or (user >= people_from and user != NOBODY)}
    return sorted(people or seats & {0})


def _person(user: int, seat: _Seat) -> Person:
    entry = _named(user)
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    head = (entry.pw_name, user, entry.pw_gid, groups, entry.pw_dir or "/")
    return Person(*head, seat.desktop, tuple(dict.fromkeys(seat.terminals)))


def _named(user: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(user)
    except KeyError:
        raise UnknownPersonError(f"the account {user} is not known here") from None


def _seats(proc: Path, wanted: int | None) -> dict[int, _Seat]:
    """Where each account is logged in, by its oldest process that knows a desktop and by its shells on terminals."""
    seats: dict[int, _Seat] = {}
    for number in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()):
        folder = proc / str(number)
        with contextlib.suppress(OSError, ValueError, IndexError):
            user = folder.stat().st_uid
            if wanted is not None and user != wanted:
                continue
            terminal, desktop = _terminal(folder, number), _desktop(folder, user)
            if not terminal and not desktop:
                continue
            seat = seats.setdefault(user, _Seat())
            seat.desktop = seat.desktop or desktop
            seat.terminals += [terminal] if terminal else []
    return seats


def _desktop(folder: Path, user: int) -> dict[str, str]:
    try:
        with (folder / "environ").open("rb") as file:
            data = file.read(ENVIRONMENT_BYTES)
    except OSError:
        return {}
    pairs = (item.decode("utf-8", "replace").partition("=") for item in data.split(b"\0"))
    found = {name: value for name, _, value in pairs if name in DESKTOP and value}
    return found if "DISPLAY" in found or "WAYLAND_DISPLAY" in found else {}


def _terminal(folder: Path, number: int) -> str:
    """The terminal of a shell that leads its session."""
    head, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
    name, fields = head.partition("(")[2], rest.split()
    session, device = int(fields[3]), int(fields[4])
    if session != number or not device or name.lstrip("-") not in SHELLS:
        return ""
    major, minor = os.major(device), os.minor(device)
    if 136 <= major <= 143:
        return f"/dev/pts/{minor + 256 * (major - 136)}"
    return f"/dev/tty{minor}" if major == 4 and minor < 64 else ""
