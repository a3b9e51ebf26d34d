"""In whose request the running code works, so that the audit log can say by which credential and in which request.

In: what began a request. Out: the same, anywhere below it, in the threads that work for it, too. Invariants: it counts
for entries of its own actor alone, so that what the portal does by itself is never a request's; who waits with others
for one commit is not taken for one of them (`database` keeps each with its own).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """A request: who asks, as the audit log names an actor, under which id, and by which credential, by its name."""

    actor: str
    request: str
    credential: str | None = None


_ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current() -> Origin | None:
    """The request that the running code works for, None if it is nobody's (yet)."""
    return _ORIGIN.get()


def begin(origin: Origin) -> None:
    """It is known who asks."""
    _ORIGIN.set(origin)


@contextmanager
def apart() -> Iterator[None]:
    """Nothing of a request that begins here is left behind when it ends."""
    token = _ORIGIN.set(None)
    try:
        yield
    finally:
        _ORIGIN.reset(token)
