"""Whose account a script runs under, by what its action says and who is logged in.

In: `run_as` and `service` of an action, names of those who are logged in. Out: the `Account` to change to, or None for
the agent's own; `AccountError` with the sentence that the execution ends with. Invariants: only an agent that is the
system changes accounts; a person's account is taken only where exactly one person is logged in, so that nobody's
session gets what was meant for another's.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable
from dataclasses import dataclass

PEOPLE_FROM = 1000
NOBODY = 65_534
NO_USER = "the user context is not available: "


class AccountError(Exception):
    """The script cannot run under the account that its action names."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as a process takes it on."""

    name: str
    user: int
    group: int
    groups: tuple[int, ...]
    home: str
    shell: str

    def environment(self) -> dict[str, str]:
        """What a program of this account expects to find."""
        known = {"HOME": self.home or "/", "USER": self.name, "LOGNAME": self.name, "SHELL": self.shell or "/bin/sh"}
        place = f"/run/user/{self.user}"
        return known | ({"XDG_RUNTIME_DIR": place} if os.path.isdir(place) else {})  # noqa: PTH112


People = Callable[[], Iterable[str]]
Find = Callable[[str], pwd.struct_passwd]


class Accounts:
    """The accounts of this machine. `people` gives the names of those who are logged in and active; `me` is the agent's
    own user id."""

    def __init__(self, people: People = tuple, find: Find = pwd.getpwnam, me: int | None = None) -> None:
        self._people, self._find = people, find
        self._me = os.geteuid() if me is None else me

    def of(self, run_as: str, service: str | None) -> Account | None:
        """The account for a script; None for the agent's own. Raises AccountError."""
        match run_as:
            case "system":
                return None
            case "user":
                return None if self._me != 0 else _account(_person(self._people(), self._find))
            case "service" if service:
                return self._service(service)
        raise AccountError(f"this version of the agent runs nothing as {run_as[:64]!r}")

    def _service(self, name: str) -> Account | None:
        try:
            entry = self._find(name)
        except KeyError:
            raise AccountError(f"the service account {name} does not exist on this device") from None
        if entry.pw_uid == self._me:
            return None
        if self._me != 0:
            raise AccountError(f"the agent may not change accounts: it is not the system, and cannot become {name}")
        return _account(entry)


def _person(names: Iterable[str], find: Find) -> pwd.struct_passwd:
    """The one person who is logged in."""
    found = {}
    for name in names:
        try:
            entry = find(name)
        except KeyError:
            continue
        if entry.pw_uid >= PEOPLE_FROM and entry.pw_uid != NOBODY:
            found[entry.pw_uid] = entry
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise AccountError(f"{NO_USER}nobody is logged in")
    names = ", ".join(sorted(entry.pw_name for entry in found.values())[:5])
    raise AccountError(f"{NO_USER}it needs exactly one person, and {len(found)} are logged in ({names})")


def of_number(user: int) -> Account | None:
    """An account of this machine; None for one that is not known here."""
    try:
        return _account(pwd.getpwuid(user))
    except (KeyError, OverflowError):
        return None


def _account(entry: pwd.struct_passwd) -> Account:
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_shell)
