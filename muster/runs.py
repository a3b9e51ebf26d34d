"""Runs of remote actions as a client sees them: begin one, follow it, read its executions.

In: the portal's JSON. Out: `Run` and `Execution` records. Invariant: a run is complete when no device of it is open
any more, and `wait` returns then, or when it is halted; what a device answered is never changed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from muster.api import Api, segment
from muster.errors import UnreachableError

PAGE = 1000
ENDED_WELL = frozenset({"success"})
OPEN = frozenset({"waiting_on_device", "in_progress", "waiting_on_user"})
AGAIN = 5  # how often a broken stream is opened again before it is an error


@dataclass(frozen=True, slots=True)
class Run:
    """A run and how far it is. `counts` says how many devices are in which state."""

    id: str
    action: str
    target: Mapping[str, Any]
    parameters: Mapping[str, str]
    requested_by: str
    requested_at: str
    expires_at: str
    counts: Mapping[str, int]
    complete: bool
    said: Mapping[str, Any] = field(repr=False)

    @property
    def state(self) -> str:
        """`running`, `halted` or `ended`."""
        return str(self.said["state"])

    @property
    def state_detail(self) -> str:
        """Why it is halted, or does not go on in full."""
        return str(self.said["state_detail"] or "")

    @property
    def halted(self) -> bool:
        """Whether it hands out nothing more until it is resumed."""
        return self.state == "halted"

    @property
    def waves(self) -> Sequence[Mapping[str, Any]]:
        """Its waves with their counts; empty in a list of runs."""
        waves: Sequence[Mapping[str, Any]] = self.said.get("waves", ())
        return waves

    @property
    def stands(self) -> Mapping[str, int]:
        """`counts`, with those apart that are held back."""
        return stands(self.said)

    @property
    def successful(self) -> bool:
        """Whether every device is done, and well."""
        return self.complete and all(state in ENDED_WELL for state, count in self.counts.items() if count)


class Runs:
    """The runs of a portal."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def begin(self, asked: Mapping[str, Any]) -> Run:
        """Ask for a run, in the form of the portal's interface."""
        return run_of(self.api.post("/runs", asked)["run"])

    def get(self, identifier: str) -> Run:
        """One run as it stands."""
        return run_of(self.api.get(f"/runs/{segment(identifier)}")["run"])

    def list(self, limit: int = 50) -> list[Run]:
        """The newest runs."""
        return [run_of(item) for item in self.api.get("/runs", limit=limit)["runs"]]

    def cancel(self, identifier: str, device: str | None = None) -> Mapping[str, int]:
        """Cancel what is still open, or one device: how many at once, and how many devices were asked to stop."""
        said: Mapping[str, int] = self.api.post(f"/runs/{segment(identifier)}/cancel", {"device": device})
        return said

    def halt(self, identifier: str, reason: str | None = None) -> Run:
        """Have nothing more of it handed out until it is resumed."""
        return run_of(self.api.post(f"/runs/{segment(identifier)}/halt", {"reason": reason})["run"])

    def resume(self, identifier: str) -> Run:
        """Have a halted run go on; where a gate halted it, with the next wave."""
        return run_of(self.api.post(f"/runs/{segment(identifier)}/resume", {})["run"])

    def retry(self, identifier: str, asked: Mapping[str, Any]) -> Run:
        """Begin a run for the devices of this one that did not end well."""
        return run_of(self.api.post(f"/runs/{segment(identifier)}/retry", asked)["run"])

    def wait(self, identifier: str, *, timeout: float | None = None, told: Callable[[Run], None] | None = None) -> Run:
        """The run when it is complete or halted, or as it stands after `timeout` seconds. `told` hears of every
        change."""
        until = None if timeout is None else time.monotonic() + timeout
        for run in self._changes(identifier, until):
            if told is not None:
                told(run)
            if run.complete or run.halted or (until is not None and time.monotonic() >= until):
                return run
        return self.get(identifier)

    def records(self, identifier: str) -> Iterator[Mapping[str, Any]]:
        """Every execution of a run, as the portal tells it."""
        after: dict[str, str] = {}
        while True:
            page = self.api.get(f"/runs/{segment(identifier)}/executions", limit=PAGE, **after)
            yield from page["executions"]
            if page["next"] is None:
                return
            after = {"after": page["next"]}

    def events(self, identifier: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What happens to a run until it is complete, with an empty name for each sign of life; over broken streams,
        which go on after the last event that was taken."""
        broken, after = 0, ""
        while True:
            try:
                with self.api.events(f"/runs/{segment(identifier)}/events", after=after) as events:
                    for name, said in events:
                        broken, after = 0, events.last
                        yield name, said
                        if name == "done":
                            return
                lost = UnreachableError("The stream of the run broke.", "Try again.", "unreachable")
            except UnreachableError as error:
                lost = error
            broken += 1
            if broken == AGAIN:
                raise lost

    def _changes(self, identifier: str, until: float | None) -> Iterator[Run]:
        """The run now, and again at every change."""
        latest = self.get(identifier)
        yield latest
        if until is not None and time.monotonic() >= until:
            return
        for name, said in self.events(identifier):
            latest = run_of(said) if name in {"run", "done"} else latest
            yield latest


def stands(said: Mapping[str, Any]) -> dict[str, int]:
    """How many devices are in which state, with those apart that are held back, from a run's JSON."""
    counts = dict(said["counts"])
    if said["held"]:
        counts["waiting_on_device"] -= said["held"]
        counts["held back"] = said["held"]
    return counts


def counted(counts: Mapping[str, int]) -> str:
    """How many devices are in which state."""
    return (
        ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(counts.items()) if count)
        or "no devices"
    )


def run_of(said: Mapping[str, Any]) -> Run:
    """A run from its JSON."""
    return Run(
        id=said["id"],
        action=said["action"],
        target=said["target"],
        parameters=said["parameters"],
        requested_by=said["requested_by"],
        requested_at=said["requested_at"],
        expires_at=said["expires_at"],
        counts=said["counts"],
        complete=said["complete"],
        said=said,
    )
