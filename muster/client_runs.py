"""A run for programs: begin it, follow it, take its results, end it.

In: a portal, an action, a target. Out: `RemoteRun`s, their executions as frames, previews. Invariants: a run that is
begun twice by one call (because the portal was too busy to say that it had) is one run; what a device answered is never
changed here.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from muster.api import Api
from muster.errors import UsageError
from muster.runs import Run, Runs

Target = str | Iterable[str] | pl.Series
EXECUTION = ("state", "detail", "started_at", "finished_at", "exit_code", "error")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a target means now: how many devices, of which platforms, some of them, and the fields that decide it though
    only the devices say them."""

    count: int
    platforms: Mapping[str, int]
    sample: pl.DataFrame
    claimed: tuple[str, ...]


class RemoteRun:
    """A run of a remote action. What it says of itself is as of the last look (`refresh`, `wait`)."""

    def __init__(self, runs: Runs, run: Run) -> None:
        self._runs = runs
        self._run = run

    @property
    def id(self) -> str:
        """Its id."""
        return self._run.id

    @property
    def state(self) -> str:
        """`running`, `halted` or `ended`."""
        return self._run.state

    @property
    def detail(self) -> str:
        """Why it is halted, or does not go on in full."""
        return self._run.state_detail

    @property
    def counts(self) -> Mapping[str, int]:
        """How many devices are in which state."""
        return self._run.counts

    @property
    def complete(self) -> bool:
        """Whether every device is done."""
        return self._run.complete

    @property
    def successful(self) -> bool:
        """Whether every device is done, and well."""
        return self._run.successful

    def refresh(self) -> RemoteRun:
        """Look again. Raises MusterError."""
        self._run = self._runs.get(self.id)
        return self

    def wait(self, timeout: float | None = None, told: Callable[[RemoteRun], None] | None = None) -> RemoteRun:
        """Return when it is complete or halted, or after `timeout` seconds as it then stands. `told` hears of every
        change. Raises MusterError."""

        def hear(run: Run) -> None:
            self._run = run
            if told is not None:
                told(self)

        self._run = self._runs.wait(self.id, timeout=timeout, told=hear)
        return self

    def events(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What happens to it until it is complete: `run` with its counts, `execution` for each change of one, `done`. A
        stream that breaks is opened again where it was. Raises MusterError."""
        for name, said in self._runs.events(self.id):
            if name:
                yield name, said

    def results(self) -> pl.DataFrame:
        """A row a device: `device.uid`, `device.name`, `state`, ..., its outputs as columns `outputs.<name>`. Raises
        MusterError."""
        return executions(self._runs, self.id)

    def cancel(self, device: str | None = None) -> RemoteRun:
        """Cancel what is still open, or one device (by its uid). Raises MusterError."""
        self._runs.cancel(self.id, device)
        return self.refresh()

    def halt(self, reason: str | None = None) -> RemoteRun:
        """Have nothing more of it handed out until it is resumed. Raises MusterError."""
        self._run = self._runs.halt(self.id, reason)
        return self

    def resume(self) -> RemoteRun:
        """Have it go on; where a gate halted it, with the next wave. Raises MusterError."""
        self._run = self._runs.resume(self.id)
        return self

    def __repr__(self) -> str:
        return f"<muster.RemoteRun {self.id} {self._run.action} {self.state} {dict(self.counts)}>"


class ClientRuns:
    """The runs of a portal."""

    def __init__(self, api: Api) -> None:
        self._runs = Runs(api)

    def get(self, identifier: str) -> RemoteRun:
        """A run by its id. Raises RefusedError."""
        return RemoteRun(self._runs, self._runs.get(identifier))

    def list(self, limit: int = 50) -> builtins.list[RemoteRun]:
        """The newest runs, at most 200. Raises MusterError."""
        return [RemoteRun(self._runs, run) for run in self._runs.list(limit)]


def executions(runs: Runs, run: str) -> pl.DataFrame:
    """Every execution of a run."""
    rows = []
    for item in runs.records(run):
        device = {"device.uid": item["device"]["uid"], "device.name": item["device"]["name"]}
        facts = {name: item[name] for name in EXECUTION}
        outputs = {f"outputs.{name}": value for name, value in item["outputs"].items()}
        rows.append(device | {"device.simulated": item["device"]["simulated"]} | facts | outputs)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], infer_schema_length=None)


def preview_of(said: Mapping[str, Any]) -> Preview:
    """A preview from its JSON."""
    sample = pl.DataFrame(said["sample"], schema={"uid": pl.String, "name": pl.String, "simulated": pl.Boolean})
    return Preview(said["count"], said["platforms"], sample, tuple(said["claimed"]))


def target_of(target: Target) -> dict[str, Any]:
    """A target as the portal takes it: a text is NQL, all else uids of devices. Raises UsageError for none."""
    if isinstance(target, str):
        return {"nql": target}
    uids = list(dict.fromkeys(map(str, target)))
    if not uids:
        raise UsageError("There is no device to run on.", "Give uids of devices, or a query.", "no_devices")
    return {"devices": uids}
