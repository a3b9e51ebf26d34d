"""What really happened in a simulated world, written down by the world itself and by nobody who is tested.

In: starts and ends of scripts, what devices wrote down and what portals handed out, changes as they became durable.
Out: the same, for `judge`; `problems`, found at once where only the instant shows them; a story to read. Invariant:
nothing here asks the product, and nothing of the product reads it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from storage.control.states import State

Key = tuple[str, str, int]  # device, run, attempt
AT_ONCE = 2


@dataclass(frozen=True)
class End:
    """How a script ended: its state, and the number that it brought as its output."""

    state: str
    number: int


@dataclass(frozen=True)
class Handed:
    """An order that a portal gave out for the first time: in the order of all of these, and when, by true time."""

    order: int
    at: int


@dataclass
class Ledger:
    """The book of one world."""

    starts: Counter[Key] = field(default_factory=Counter)
    started_at: dict[Key, int] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)
    ends: dict[Key, End] = field(default_factory=dict)
    said: defaultdict[Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    accepted: Counter[Key] = field(default_factory=Counter)
    handed: dict[Key, Handed] = field(default_factory=dict)
    crashes: Counter[str] = field(default_factory=Counter)
    closing: set[str] = field(default_factory=set)  # whom somebody asked to revoke
    revoked: dict[str, int] = field(default_factory=dict)  # when it was durable
    copied: set[str] = field(default_factory=set)  # whom another machine went by at some time
    history: defaultdict[tuple[str, str], list[tuple[int, State]]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    ticks: int = 0  # grows with everything that is written down

    def tell(self, at: int, text: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{at / 1_000_000:14.3f}  {text}")

    def problem(self, text: str) -> None:
        """Something that must never happen did."""
        self.problems.append(text)

    def start(self, key: Key, at: int) -> None:
        """A script starts."""
        self.starts[key] += 1
        self.started_at[key] = at
        self.running[key[0]] += 1
        if key[0] in self.copied:
            return  # each machine for itself
        if self.starts[key] > 1:
            self.problem(f"the script of {name(key)} started {self.starts[key]} times")
        if self.running[key[0]] > AT_ONCE:
            self.problem(f"{self.running[key[0]]} scripts run at once on {key[0]}")

    def changed(self, run: str, device: str, state: State) -> None:
        """A change is durable in the control database."""
        self.ticks += 1
        self.history[run, device].append((self.ticks, state))

    def between(self, run: str, device: str, first: int, last: int) -> set[State]:
        """The states that an execution had at some time from one count of `ticks` to another."""
        changes = self.history.get((run, device), [])
        before = [state for at, state in changes if at <= first]
        return {*before[-1:], *(state for at, state in changes if first < at <= last)}


def name(key: Key) -> str:
    """A key as the story and the problems show it."""
    device, run, attempt = key
    return f"run {run[-6:]} on {device[-6:]}, attempt {attempt}"
