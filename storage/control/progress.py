"""How a run goes on as a whole: waves are released, it halts and is resumed, devices join it, it ends.

In: a run and a decision (of a tick, a gate or a person). Out: the devices that have something to fetch now.
Invariants: a decision counts only in the state it was made for, so that two of them at once are one; a halted run
hands out nothing more; a run ends once, when no execution of it is open and none may join; each of these is in the
audit log and queued for webhooks in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from storage.control import audit, executions, runs, schema, webhooks
from storage.control.database import Database
from storage.control.executions import Change
from storage.control.ids import Random
from storage.control.pacing import recent
from storage.control.plans import MOST_DEVICES, SECOND, last_wave, most_devices, next_open
from storage.control.records import digest_of_devices
from storage.control.runs import Run
from storage.control.states import OPEN, WELL, State

TABLE, RUNS = schema.executions, schema.runs
RUNNING, HALTED, ENDED = "running", "halted", "ended"
_OPEN = [state.value for state in OPEN]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands. `following` is the next wave that has devices; `over_at` when the released waves were over,
    None while they are not."""

    run: Run
    open: int
    following: int | None
    over_at: int | None

    @property
    def next_at(self) -> int | None:
        """When the next wave may be released, if its gate holds."""
        if self.run.state != RUNNING or self.following is None or self.over_at is None:
            return None
        return self.over_at + self.run.plan.soak * SECOND

    def over(self, now: int) -> bool:
        """Whether the run can end now."""
        joins = self.run.plan.mode == "follow" and now < self.run.expires_at
        return self.run.state != ENDED and self.open == 0 and not joins


class Progress:
    """Runs as they go on. `tell` hears of executions that came into being."""

    def __init__(
        self, database: Database, tell: Callable[[Iterable[Change]], None], random: Random = secrets.token_bytes
    ) -> None:
        self._database = database
        self._tell = tell
        self._random = random

    def unended(self) -> list[str]:
        """The runs that have not ended, oldest first."""
        query = select(RUNS.c.id).where(RUNS.c.state.in_([RUNNING, HALTED])).order_by(RUNS.c.id)
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def standing(self, run: str) -> Standing:
        """Where a run stands now. Raises NotFoundError."""
        with self._database.read() as connection:
            return _standing(connection, run)

    def release(self, run: str, wave: int | None, *, now: int) -> list[str]:
        """Release all waves up to `wave`, if the run runs and those before are over; the devices of them."""

        def work(connection: Connection) -> list[str]:
            standing = _standing(connection, run)
            if standing.run.state != RUNNING or standing.following != wave or standing.next_at is None:
                return []
            return _release(connection, standing, audit.PORTAL, now)

        return self._database.write(work)

    def halt(self, run: str, detail: str, *, by: str, now: int) -> bool:
        """Hand out nothing more of a run until it is resumed; False if it does not run. Raises NotFoundError."""

        def work(connection: Connection) -> bool:
            before = runs.load(connection, run)
            entry = audit.Entry(now, by, "run.halted", f"run:{run}", {"wave": before.wave, "detail": detail})
            values = {"state": HALTED, "state_detail": detail[:1000]}
            if not runs.change(connection, run, values, entry, only_from=[RUNNING]):
                return False
            executions.set_open(connection, run, range(before.wave + 1), None)
            webhooks.put(connection, "run.halted", _event(connection, run), now=now)
            return True

        return self._database.write(work)

    def resume(self, run: str, *, by: str, now: int) -> list[str] | None:
        """Go on with a halted run; the devices that may begin, None if it is not halted. Where a wave is over, its
        gate counts as passed. Raises NotFoundError."""

        def work(connection: Connection) -> list[str] | None:
            entry = audit.Entry(now, by, "run.resumed", f"run:{run}", {})
            values = {"state": RUNNING, "state_detail": None}
            if not runs.change(connection, run, values, entry, only_from=[HALTED]):
                runs.load(connection, run)
                return None
            standing = _standing(connection, run)
            opens = next_open(standing.run.plan.window, now)
            devices = executions.set_open(connection, run, range(standing.run.wave + 1), opens)
            if standing.following is not None and standing.over_at is not None:
                devices += _release(connection, standing, by, now)
            return devices

        return self._database.write(work)

    def end(self, run: str, *, now: int) -> bool:
        """End a run in which nothing is open; False if something is, or it has ended. Raises NotFoundError."""

        def work(connection: Connection) -> bool:
            standing = _standing(connection, run)
            if not standing.over(now):
                return False
            counts = executions.count_states(connection, run)
            entry = audit.Entry(now, audit.PORTAL, "run.ended", f"run:{run}", {"counts": counts})
            last = {"state": ENDED, "ended_at": now, "wave": last_wave(standing.run.plan)}
            runs.change(connection, run, last, entry, only_from=[RUNNING, HALTED])
            event = _event(connection, run)
            webhooks.put(connection, "run.ended", event, now=now)
            if any(State(state) not in WELL for state in counts):
                webhooks.put(connection, "run.failed", event, now=now)
            return True

        return self._database.write(work)

    def join(self, run: str, devices: Iterable[str], *, now: int) -> list[str]:
        """Add devices that a run follows to its last wave, those it does not have and as many as its limits allow; the
        added ones. Raises NotFoundError."""

        def work(connection: Connection) -> list[str]:
            return _join(connection, run, set(devices), self._random, now)

        joined = self._database.write(work)
        self._tell(Change(run, uid, State.WAITING_ON_DEVICE) for uid in joined)
        return joined


def _standing(connection: Connection, identifier: str) -> Standing:
    run = runs.load(connection, identifier)
    mine = TABLE.c.run == identifier
    is_open = TABLE.c.state.in_(_OPEN)
    waves = select(TABLE.c.wave, is_open, func.count(), func.max(TABLE.c.changed_at))
    rows = connection.execute(waves.where(mine).group_by(TABLE.c.wave, is_open)).all()
    released = [row for row in rows if row[0] <= run.wave]
    over = None if any(row[1] for row in released) else max([run.wave_at, *(row[3] for row in released)])
    following = min((row[0] for row in rows if row[0] > run.wave and row[1]), default=None)
    return Standing(run, sum(row[2] for row in rows if row[1]), following, over)


def _release(connection: Connection, standing: Standing, by: str, now: int) -> list[str]:
    run, wave = standing.run, standing.following
    if wave is None:
        return []
    entry = audit.Entry(now, by, "run.wave_released", f"run:{run.id}", {"wave": wave})
    runs.change(connection, run.id, {"wave": wave, "wave_at": now}, entry, only_from=[RUNNING])
    opens = next_open(run.plan.window, now)
    return executions.set_open(connection, run.id, range(run.wave + 1, wave + 1), opens)


def _join(connection: Connection, identifier: str, devices: set[str], random: Random, now: int) -> list[str]:
    run = runs.load(connection, identifier)
    if run.state != RUNNING or run.plan.mode != "follow" or now >= run.expires_at:
        return []
    known = executions.known_devices(connection, identifier)
    new = sorted(devices - known)
    if run.plan.once_every is not None:
        ran = recent(connection, run.action, new, since=now - run.plan.once_every * SECOND, apart_from=run.id)
        new = [uid for uid in new if uid not in ran]
    most = min(MOST_DEVICES, most_devices(run.plan.limits))
    room = max(most - len(known), 0)
    if len(new) > room:
        _say_full(connection, run, len(new) - room, most, now)
    if joined := new[:room]:
        _add(connection, run, known, joined, random, now)
    return joined


def _add(connection: Connection, run: Run, known: set[str], joined: list[str], random: Random, now: int) -> None:
    last = last_wave(run.plan)
    row = connection.execute(select(RUNS).where(RUNS.c.id == run.id)).one()
    opens = {last: next_open(run.plan.window, now)} if run.wave >= last else {}
    executions.add(connection, dict(row._mapping), dict.fromkeys(joined, last), opens, random, now=now)
    values = {"device_count": len(known) + len(joined), "digest": digest_of_devices([*known, *joined])}
    entry = audit.Entry(now, audit.PORTAL, executions.JOINED, f"run:{run.id}", {"devices": joined[:1000]})
    runs.change(connection, run.id, values, entry, only_from=[RUNNING])


def _say_full(connection: Connection, run: Run, over: int, most: int, now: int) -> None:
    detail = f"{over} more devices are meant, but the run takes at most {most}; begin another run for them"
    if detail != run.state_detail:
        entry = audit.Entry(now, audit.PORTAL, "run.full", f"run:{run.id}", {"devices": over, "most": most})
        runs.change(connection, run.id, {"state_detail": detail}, entry, only_from=[RUNNING])


def _event(connection: Connection, identifier: str) -> Mapping[str, Any]:
    """What a webhook is told of a run: ids and counts, no parameters and no outputs."""
    run = runs.load(connection, identifier)
    return {
        "id": run.id,
        "action": run.action,
        "version": run.version,
        "state": run.state,
        "detail": run.state_detail,
        "trigger": run.trigger_method,
        "schedule": run.schedule,
        "requested_by": run.requested_by,
        "requested_at": webhooks.instant_text(run.requested_at),
        "ended_at": None if run.ended_at is None else webhooks.instant_text(run.ended_at),
        "devices": run.device_count,
        "skipped": run.skipped,
        "counts": executions.count_states(connection, identifier),
    }
