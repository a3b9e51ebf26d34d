"""Who asks: the account, what it may do, and what part of the estate it sees. Every service takes one.

Permission rules are data: six words, and which of them a route needs stands beside the route. Invariants: rights are
those of the account as it was found for this request, and can be set in no other way; a service never asks where a
caller came from (cookie or token) but for naming the trigger of a run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from storage.control.accounts import Account
from storage.control.sessions import Session
from storage.control.sites import STANDARD


class Permission(StrEnum):
    """What an account may be allowed to do."""

    QUERY = "query"  # ask, export, see devices, actions and runs
    EXECUTE = "execute"  # run actions, cancel runs
    MANAGE = "manage"  # define actions
    ADMINISTER = "administer"  # accounts, enrolment keys, revoking devices, the audit log
    IMPORT = "import"  # write history under the import identity
    API = "api"  # run actions by the classic Act API, with name and password


EVERYTHING = frozenset(permission.value for permission in Permission)


@dataclass(frozen=True, slots=True)
class Caller:
    """An account at work, with the rights it had when the request came. `session` is set when it came by a browser,
    `credential`, a name, when a program came that acts for the account."""

    account: Account
    session: Session | None = None
    credential: str | None = None

    @property
    def name(self) -> str:
        """The account's name."""
        return self.account.name

    @property
    def actor(self) -> str:
        """How the audit log names this caller."""
        return f"account:{self.account.name}"

    @property
    def domain(self) -> str | None:
        """What is seen, an NQL condition on devices, of the view domain and the sites; None for everything."""
        own = self.account.domain
        if self.sites is None:
            return own
        within = " or ".join(_of_site(name) for name in sorted(self.sites))
        return f"({within})" if own is None else f"({own}\n) and ({within})"

    @property
    def sites(self) -> frozenset[str] | None:
        """The names of the sites whose devices are seen; None for all."""
        return self.account.sites

    @property
    def actions(self) -> frozenset[str] | None:
        """The ids of the actions that may be run; None for all."""
        return self.account.actions

    def at(self, site: str) -> Caller:
        """This caller as far as it sees the devices of one site."""
        return replace(self, account=replace(self.account, sites=frozenset({site})))

    def may(self, permission: Permission) -> bool:
        """Whether the account has a permission."""
        return permission.value in self.account.permissions

    def may_run(self, nql_id: str) -> bool:
        """Whether the account may run (and schedule) an action, by its id with `#`."""
        return self.may(Permission.EXECUTE) and (self.actions is None or nql_id in self.actions)


def _of_site(name: str) -> str:
    """The condition on devices of a site; those that the tables say nothing of belong to the standard one."""
    return f'site == "{name}"' + (" or site == null" if name == STANDARD else "")
