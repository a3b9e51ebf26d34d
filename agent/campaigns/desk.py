"""Where a device's one person is asked: one question at a time, whatever number of scripts has some.

In: a sheet, who is to be asked, how long, a way to see that nobody waits for the answer any more. Out: a `Reply`.
Invariants: never two questions at once; who does not want to be disturbed is not; whoever presents a question takes it
away when its time is over or `gone` says so. How a question is shown is the matter of presenters, tried in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from agent.accounts import Account
from agent.campaigns.person import Find, Person, UnknownPersonError
from agent.campaigns.questions import Reply, Sheet


class CannotShowError(Exception):
    """This presenter has no way to show a question to this person; the text says why."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question on its way. `until` is an instant of `time.monotonic`; `gone` says that nobody waits for the answer;
    `shown` is called once, when it is on the screen."""

    sheet: Sheet
    person: Person
    until: float
    gone: Callable[[], bool]
    shown: Callable[[], None]

    def left(self) -> float:
        """Seconds until its time is over."""
        return self.until - time.monotonic()

    def over(self) -> Reply | None:
        """What to answer if it has to be taken away now."""
        if self.gone():
            return Reply("timeout", "nobody waits for the answer any more")
        return Reply("timeout") if self.left() <= 0 else None


class Presenter(Protocol):
    """One way to show a question."""

    def show(self, asking: Asking) -> Reply:
        """Show it until it is answered or `asking.over`. Raises CannotShowError before it is shown."""
        ...


def _nobody(account: Account | None) -> Person:
    raise UnknownPersonError("this device has no way to ask anybody")


class Desk:
    """The one place on a device at which somebody is asked. `asker` is who asks, in words."""

    def __init__(self, presenters: Sequence[Presenter] = (), find: Find = _nobody, asker: str = "") -> None:
        self._presenters, self._find, self.asker = presenters, find, asker
        self._turn = Lock()

    @property
    def open(self) -> bool:
        """Whether anybody could ever be asked here."""
        return bool(self._presenters)

    def ask(
        self,
        sheet: Sheet,
        account: Account | None,
        seconds: float,
        gone: Callable[[], bool],
        shown: Callable[[], None],
    ) -> Reply:
        """Ask the person of an account, or whoever is logged in. Blocks."""
        if not self._turn.acquire(blocking=False):
            return Reply("notificationfailed", "another question is on the screen")
        try:
            person = self._find(account)
            reply = self._present(Asking(sheet, person, time.monotonic() + seconds, gone, shown))
            return replace(reply, person=person.name, comments={} if sheet.kept else reply.comments)
        except UnknownPersonError as error:
            return Reply("notificationfailed", str(error))
        finally:
            self._turn.release()

    def _present(self, asking: Asking) -> Reply:
        reasons = []
        for presenter in self._presenters:
            try:
                return presenter.show(asking)
            except CannotShowError as error:
                reasons.append(str(error))
        return Reply("notificationfailed", "; ".join(reasons)[:1000])
