"""Defining actions, asking for runs, following and cancelling them; on plain values.

In: a caller, manifests, targets. Out: actions, runs, executions. Invariants: a query target is evaluated once, under
the caller's view domain, and its device set frozen before anything is stored; only these devices get an execution;
devices by uid must exist. A device is nudged only after its execution is durable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from msgspec import UNSET

from portal.actions.events import Watchers
from portal.actions.messages import AskRetry, AskRun, Target
from portal.actions.progress import Progress
from portal.actions.sight import Sight
from portal.caller import Caller
from portal.errors import ApiError
from portal.nudges import Nudges
from portal.queries.catalogs import Catalogs
from portal.queries.execution import Facts
from portal.queries.service import Queries
from portal.relay import Relay
from portal.threads import Threads
from storage.control import plans
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.errors import NotFoundError
from storage.control.executions import HELD, Execution
from storage.control.manifest import Manifest
from storage.control.runs import MOST_DEVICES, Run, RunRequest
from storage.control.states import OPEN, State

SECOND = 1_000_000
SAMPLE = 20
SHORTEST = 3600  # seconds that a retry has, where its run was cancelled soon
PAGES = 20  # of runs looked through for some that a caller with a view domain sees
NO_RUN = "00000000-0000-7000-8000-000000000000"  # what a gate is tried with before there is a run


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and how its executions stand: how many are in each state, or `held`; of one that is looked at alone also
    each wave's counts, where those that are held back are `held`, when the next wave may be released, and when the
    window opens if it is closed now. `partial`: whoever looks may see a part of it alone, and nothing else of it is
    told."""

    run: Run
    stands: Mapping[str, int]
    waves: dict[int, dict[str, int]] | None = None
    next_at: int | None = None
    opens_at: int | None = None
    partial: bool = False

    @property
    def held(self) -> int:
        """How many executions are held back."""
        return self.stands.get(HELD, 0)

    @property
    def counts(self) -> dict[str, int]:
        """How many executions are in each state; those that are held back wait on their device."""
        counts = {name: count for name, count in self.stands.items() if name != HELD}
        if self.held:
            waiting = State.WAITING_ON_DEVICE.value
            counts[waiting] = counts.get(waiting, 0) + self.held
        return counts

    @property
    def complete(self) -> bool:
        """Whether no execution is open, and none will join."""
        joins = self.run.plan.mode == "follow" and self.run.state != "ended"
        return not joins and not any(self.counts.get(state.value) for state in OPEN)


@dataclass(frozen=True, slots=True)
class ExecutionsView:
    """Executions of one run, facts about their devices, the declared types of the action's outputs, and when it was
    looked at."""

    run: Run
    now: int
    executions: list[Execution]
    facts: Facts
    types: Mapping[str, str]


class Actions:
    """The actions slice."""

    def __init__(
        self,
        control: Control,
        queries: Queries,
        catalogs: Catalogs,
        relay: Relay,
        nudges: Nudges,
        progress: Progress,
        watchers: Watchers,
        threads: Threads,
        clock: Callable[[], int],
    ) -> None:
        self._progress, self._watchers = progress, watchers
        self._sight = Sight(control, queries, threads)
        self._control = control
        self._queries = queries
        self._catalogs = catalogs
        self._relay = relay
        self._nudges = nudges
        self._threads = threads
        self._clock = clock

    async def define(self, caller: Caller, manifest: Manifest) -> Action:
        """Save an action. From then on its executions can be asked for. Raises RefusedError."""
        save = self._control.actions.save_action
        action = await self._threads.control(save, manifest, by=caller.actor, now=self._clock())
        await self._threads.control(self._catalogs.refresh)
        self._relay.wake()
        return action

    async def actions(self) -> list[Action]:
        """All actions."""
        return await self._threads.control(self._control.actions.everything)

    async def action(self, nql_id: str) -> Action:
        """One action, by its id with or without `#`. Raises NotFoundError."""
        return await self._threads.control(self._control.actions.action, f"#{nql_id.removeprefix('#')}")

    async def preview(self, caller: Caller, target: Target) -> tuple[int, list[str], Facts, tuple[str, ...]]:
        """How many devices a target has now, some of them, facts about these, and what decides the target though only
        devices say it. Raises QueryError, ApiError."""
        devices, facts = await self._frozen(caller, target)
        claimed = () if target.nql is UNSET else await self._queries.claimed(target.nql)
        by_name = sorted(devices, key=lambda uid: (facts.get(uid, {}).get("name", ""), uid))
        return len(devices), by_name[:SAMPLE], facts, claimed

    async def begin(self, caller: Caller, ask: AskRun, *, by_hand: bool = False) -> tuple[RunView, bool]:
        """Begin a run; False if its idempotency key had begun it before. `by_hand`: a program asks, by an API that goes
        by whether the action may be started by hand. Raises QueryError, ApiError, ControlError."""
        return await self._begin(caller, ask, None, by_hand=by_hand)

    async def _begin(
        self, caller: Caller, ask: AskRun, retry_of: str | None, *, by_hand: bool = False
    ) -> tuple[RunView, bool]:
        now = self._clock()
        request = replace(_request(caller, ask, now), retry_of=retry_of)
        known = await self._threads.control(self._control.runs.repeated, request)
        if known is not None:  # whatever its target means by now
            return await self._view(caller, known), False
        action = await self._threads.control(self._control.actions.action, ask.action)
        if not caller.may_run(action.nql_id):
            raise ApiError(403, "forbidden", f"Your account may not run {action.nql_id}.", "Ask an administrator.")
        await self._check_signed(action, ask.allow_draft)
        await self._check_plan(caller, ask)
        devices, _ = await self._frozen(caller, ask.target)
        trigger = "api" if by_hand else _trigger(caller, action, len(devices))
        request = replace(request, devices=tuple(devices), trigger_method=trigger)
        await self._check_limits(request, now)
        run, new = await self._threads.control(self._control.create_run, request, now=now)
        if new:
            self._nudges.nudge(devices)
            self._progress.look_at(run.id)
        return await self._view(caller, run), new

    async def retry(self, caller: Caller, run: str, ask: AskRetry) -> tuple[RunView, bool]:
        """Begin a run with the action's newest version for those devices of a run that did not end well. Raises
        NotFoundError, ApiError, ControlError."""
        before = (await self.run(caller, run)).run
        bad = await self._threads.control(self._control.executions.ended_badly, run)
        devices = sorted(await self._queries.visible(caller, bad))
        if not devices:
            raise ApiError(422, "nothing_failed", "No device of this run has ended badly.", "Wait until it is over.")
        plan = msgspec.structs.replace(before.plan, mode="frozen", limits=None)
        again = AskRun(
            action=before.action,
            target=Target(devices=devices),
            parameters=dict(before.parameters),
            expires_in=ask.expires_in or max((before.expires_at - before.requested_at) // SECOND, SHORTEST),
            reason=ask.reason or before.reason,
            idempotency_key=ask.idempotency_key,
            allow_draft=ask.allow_draft,
            plan=plan,
        )
        return await self._begin(caller, again, before.id)

    async def halt(self, caller: Caller, run: str, reason: str | None) -> RunView:
        """Hand out nothing more of a run. Raises NotFoundError, ApiError 409 where it does not run."""
        await self._check_whole(caller, run)
        detail = f"{caller.name}: {reason}" if reason else f"halted by {caller.name}"
        halt = self._control.progress.halt
        if not await self._threads.control(halt, run, detail, by=caller.actor, now=self._clock()):
            raise ApiError(409, "not_running", "The run is halted already, or has ended.")
        return await self._went_on(caller, run)

    async def resume(self, caller: Caller, run: str) -> RunView:
        """Go on with a halted run; where a gate halted it, with the next wave. Raises NotFoundError, ApiError 409."""
        await self._check_whole(caller, run)
        resume = self._control.progress.resume
        devices = await self._threads.control(resume, run, by=caller.actor, now=self._clock())
        if devices is None:
            raise ApiError(409, "not_halted", "The run is not halted.")
        self._nudges.nudge(devices)
        return await self._went_on(caller, run)

    async def _went_on(self, caller: Caller, run: str) -> RunView:
        self._progress.look_at(run)
        self._watchers.poke(run)
        return await self.run(caller, run)

    async def _check_whole(self, caller: Caller, run: str) -> None:
        """Raises ApiError 403 where a run is not the caller's and may reach beyond what it sees."""
        if (await self.run(caller, run)).partial:
            message = "Only who began this run, or sees the whole estate, may halt or resume it."
            raise ApiError(403, "forbidden", message, "You may cancel it on the devices that you see.")

    async def _check_plan(self, caller: Caller, ask: AskRun) -> None:
        """Raises RefusedError, QueryError, ApiError for a plan that could not be followed."""
        plans.check(ask.plan)
        if ask.plan.mode == "follow" and ask.target.nql is UNSET:
            raise ApiError(422, "bad_plan", "Only the devices of a query can be followed.", "Give the target as nql.")
        if ask.plan.gate is not None:
            await self._queries.ask(caller, ask.plan.gate, parameters={"run": NO_RUN}, limit=1)

    async def _check_limits(self, request: RunRequest, now: int) -> None:
        count = len(request.devices)
        stopped = plans.stops(request.plan.limits, count)
        if stopped is None:
            return
        detail = {"devices": count, "limits": request.plan.limits, "target": request.target_text}
        await self._threads.control(self._control.runs.stopped, request, detail, now=now)
        raise ApiError(422, "guard_stopped", f"The run was not begun: {stopped}.")

    async def signed_by(self, *actions: Action) -> dict[str, list[str]]:
        """The names of the trusted authors who signed each action's newest version, by the action's id."""
        versions = [(action.nql_id, action.version) for action in actions]
        found = await self._threads.control(self._control.authors.signed_by, versions)
        return {nql_id: found.get((nql_id, version), []) for nql_id, version in versions}

    async def _check_signed(self, action: Action, allow_draft: bool) -> None:
        draft = await self._threads.control(self._control.authors.is_draft, action.nql_id, action.version)
        if draft and not allow_draft:
            message = f"No trusted author signed version {action.number} of {action.nql_id}: it is a draft."
            hint = "Sign it with `muster actions sign`, or allow drafts: only devices with an open policy run them."
            raise ApiError(422, "draft", message, hint)

    async def runs(self, caller: Caller, limit: int, before: str | None) -> list[RunView]:
        """Runs, newest first; those with a device that the caller sees."""
        views: list[RunView] = []
        for _ in range(1 if caller.domain is None else PAGES):
            runs = await self._threads.control(self._control.runs.latest, limit, before=before)
            views += await self._views(caller, runs)
            if len(runs) < limit or len(views) >= limit:
                break
            before = runs[-1].id
        return views[:limit]

    async def _views(self, caller: Caller, runs: list[Run]) -> list[RunView]:
        if caller.domain is None:
            counts = await self._threads.control(self._control.executions.counts, *(run.id for run in runs))
            return [RunView(run, counts[run.id]) for run in runs]
        seen = await self._sight.waves(caller, [run.id for run in runs])
        return [RunView(run, _stands(seen[run.id]), partial=_is_partial(caller, run)) for run in runs if run.id in seen]

    async def run(self, caller: Caller, identifier: str) -> RunView:
        """One run, with its waves. Raises NotFoundError."""
        return await self._view(caller, await self._threads.control(self._control.runs.run, identifier))

    async def position(self) -> int:
        """The position in the log after all changes that are made by now."""
        return await self._threads.control(self._control.executions.position)

    async def changed_after(self, run: str, position: int, most: int) -> tuple[int, list[str], bool]:
        """The devices whose execution changed after a position, up to where these are all, and whether there are
        more."""
        return await self._threads.control(self._control.executions.changed_after, run, position, most)

    async def executions(
        self, caller: Caller, run: str, limit: int, offset: int, after: str | None = None
    ) -> ExecutionsView:
        """Executions of a run in the order of device uids, those `after` one if it is named. Raises NotFoundError."""
        seen = None if caller.domain is None else await self._sight.devices(caller, run)
        of_run = self._control.executions.of_run
        page = await self._threads.control(of_run, run, limit=limit, offset=offset, after=after, devices=seen)
        return await self._executions(caller, run, page)

    async def changed(self, caller: Caller, run: str, devices: Sequence[str]) -> ExecutionsView:
        """The executions of some devices in a run, as they are now. Raises NotFoundError."""
        seen = sorted(await self._queries.visible(caller, devices))
        some = await self._threads.control(self._control.executions.of_run, run, devices=seen)
        return await self._executions(caller, run, some)

    async def _executions(self, caller: Caller, run: str, executions: list[Execution]) -> ExecutionsView:
        asked = await self._threads.control(self._control.runs.run, run)
        action = await self._threads.control(self._control.actions.action, asked.action, asked.version)
        facts = await self._queries.devices(caller, [execution.device for execution in executions])
        types = {item.name: item.type for item in action.outputs}
        return ExecutionsView(asked, self._clock(), executions, facts, types)

    async def cancel(self, caller: Caller, run: str, device: str | None) -> tuple[int, int]:
        """Cancel a run or one device of it: how many ended at once, how many devices are asked to stop."""
        if device is not None and device not in await self._queries.visible(caller, [device]):
            raise NotFoundError("unknown_execution", "this device has no execution in this run")
        cancel, only = self._control.deadlines.cancel, None
        if caller.domain is not None and device is None:
            only = await self._sight.devices(caller, run)
        changes, asked = await self._threads.control(cancel, run, device, only=only, by=caller.actor, now=self._clock())
        self._nudges.nudge(asked)
        self._progress.look_at(run)
        return len(changes), len(asked)

    async def _view(self, caller: Caller, run: Run) -> RunView:
        if caller.domain is None:
            waves = await self._threads.control(self._control.executions.waves, run.id)
        else:
            waves = await self._sight.waves_of(caller, run.id)
        standing = await self._threads.control(self._control.progress.standing, run.id)
        now, found = self._clock(), standing.run
        opens = plans.next_open(found.plan.window, now)
        opens_at = opens if found.state != "ended" and opens > now else None
        return RunView(found, _stands(waves), waves, standing.next_at, opens_at, _is_partial(caller, run))

    async def _frozen(self, caller: Caller, target: Target) -> tuple[list[str], Facts]:
        if (target.devices is UNSET) == (target.nql is UNSET):
            raise ApiError(422, "bad_target", "A target is either devices or nql.")
        if target.nql is not UNSET:
            devices, facts = await self._queries.targets(caller, target.nql, MOST_DEVICES)
            if len(devices) > MOST_DEVICES:
                raise ApiError(
                    422, "too_many_devices", f"The query means more than {MOST_DEVICES} devices, the most of a run."
                )
            return devices, facts
        devices = sorted(set(target.devices if target.devices is not UNSET else ()))
        facts = await self._queries.devices(caller, devices)
        if missing := [uid for uid in devices if uid not in facts]:
            message = f"{len(missing)} of {len(devices)} devices are not known, the first is {missing[0]}."
            raise ApiError(422, "unknown_devices", message)
        return devices, facts


def _request(caller: Caller, ask: AskRun, now: int) -> RunRequest:
    """What is asked, before its target is known."""
    return RunRequest(
        action=ask.action,
        devices=() if ask.target.devices is UNSET else tuple(ask.target.devices),
        requested_by=caller.name,
        expires_at=now + ask.expires_in * SECOND,
        parameters=ask.parameters,
        target_text=None if ask.target.nql is UNSET else ask.target.nql,
        reason=ask.reason,
        internal_source="console" if caller.session else None,
        external_source=ask.external_source,
        external_reference=ask.external_reference,
        idempotency_key=ask.idempotency_key,
        plan=ask.plan,
    )


def _is_partial(caller: Caller, run: Run) -> bool:
    return caller.domain is not None and run.requested_by != caller.name


def _stands(waves: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
    """All waves together."""
    stands: Counter[str] = Counter()
    for wave in waves.values():
        stands.update(wave)
    return dict(stands)


def _trigger(caller: Caller, action: Action, devices: int) -> str:
    """How the run came about, by who asks. Raises ApiError 422 where the action does not allow it."""
    if caller.session is None:
        trigger, allowed = "api", "api" in action.triggers
    elif devices > 1:
        trigger, allowed = "manual_multiple", bool({"manual", "manual_multiple"} & set(action.triggers))
    else:
        trigger, allowed = "manual", "manual" in action.triggers
    if not allowed:
        way = "by the API" if trigger == "api" else "by hand"
        raise ApiError(422, "trigger_not_allowed", f"The action {action.nql_id} cannot be started {way}.")
    return trigger
