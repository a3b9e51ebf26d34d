"""The tick of workflows: executions whose time has come, or whose run is over, go on.

In: what the control database says is ready. Out: moves, in one transaction a group; nudges for devices that have a run
by them. Invariants: what an execution does is done under the rights that its starter has now; nothing is remembered
here, so that a start after a crash, and another portal, go on from what is stored; what cannot be known now is asked
again later and holds nobody else up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from portal.actions.progress import Progress
from portal.actions.views import output
from portal.caller import Caller, Permission
from portal.campaigns.service import Campaigns
from portal.errors import ApiError
from portal.nudges import Nudges
from portal.queries.service import Queries
from portal.relay import Relay
from portal.threads import Threads
from portal.workflows.conditions import Conditions
from portal.workflows.deciding import TRIGGER, Ran, Reply, decide, ended, missed
from portal.workflows.questions import Questions
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.audit import PORTAL
from storage.control.errors import ControlError, NotFoundError
from storage.control.states import FINAL, State
from storage.control.workflow_definition import ActionStep, CampaignStep, ConditionStep
from storage.control.workflow_executions import Move, Moved
from storage.control.workflow_rows import WorkflowExecution
from storage.control.workflows import definition

PAUSE = 1.0  # seconds between ticks
LATER = 10_000_000  # microseconds until what did not work is tried again
GROUP = 500  # executions that are looked at together
PIECE = 50  # moves of one transaction: whoever else writes waits for it
ROUNDS = 40  # groups in one tick
log = structlog.get_logger("workflows")


@dataclass(slots=True)
class _Round:
    """What the executions of one group have in common."""

    callers: dict[str, Caller | None] = field(default_factory=dict)
    seen: dict[str, frozenset[str]] = field(default_factory=dict)
    actions: dict[str, Action | None] = field(default_factory=dict)
    drafts: dict[str, bool] = field(default_factory=dict)


class Going:
    """What the tick does for workflows."""

    def __init__(
        self,
        control: Control,
        queries: Queries,
        campaigns: Campaigns,
        nudges: Nudges,
        progress: Progress,
        relay: Relay,
        threads: Threads,
        clock: Callable[[], int],
    ) -> None:
        self._control, self._queries, self._threads, self._clock = control, queries, threads, clock
        self._nudges, self._progress, self._relay = nudges, progress, relay
        self._conditions, self._campaigns = Conditions(queries), campaigns
        self._questions = Questions(control, campaigns, threads)

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            try:
                await self.tick()
            except ControlError as error:
                log.warning("workflows_wait", code=error.code)
            except Exception:
                log.exception("workflows_failed")
            await asyncio.sleep(PAUSE)

    async def tick(self) -> None:
        """Move on everything that is ready."""
        for _ in range(ROUNDS):
            now = self._clock()
            ready = await self._threads.control(self._control.workflow_executions.ready, GROUP, now=now)
            if not ready or not await self._move(ready, now):
                return

    async def tell(self, moved: Moved, *, by: str = PORTAL) -> None:
        """Have devices, runs and those who are asked know of moves that were made."""
        self._nudges.nudge(moved.devices)
        for run in moved.runs:
            self._progress.look_at(run)
        for response in moved.campaigns:
            with suppress(NotFoundError):  # an erasure took it
                await self._campaigns.withdraw(response, by=by)
        if moved.done:
            self._relay.wake()

    async def _move(self, ready: Sequence[WorkflowExecution], now: int) -> int:
        """Move executions on; how many went."""
        about = await self._round(ready)
        asking = [one for one in ready if _asks(one) and one.device in about.seen.get(one.requested_by, ())]
        among, later = await self._conditions.ask(asking, about.callers)
        moves: list[Move] = []
        for one in ready:
            if one.id in later:
                continue
            try:
                move = await self._decided(one, about, among.get(one.id), now)
            except (ApiError, ControlError) as error:
                log.warning("workflow_waits", execution=one.id, code=error.code)
                later.add(one.id)
            except Exception:
                log.exception("workflow_failed", execution=one.id)
                later.add(one.id)
            else:
                moves += [move] if move is not None else []
        if later:
            postpone = self._control.workflow_executions.postpone
            await self._threads.control(postpone, [one for one in ready if one.id in later], now + LATER)
        pieces = [moves[start : start + PIECE] for start in range(0, len(moves), PIECE)]
        return sum([await self._apply(piece, now) for piece in pieces])

    async def _apply(self, moves: list[Move], now: int) -> int:
        apply = self._control.workflow_executions.apply
        moved = await self._threads.control(apply, moves, now=now)
        if moved.refused:
            others = [_refused(one, said, now) for one, said in moved.refused]
            more = await self._threads.control(apply, others, now=now)
            await self.tell(more)
            moved.done += more.done
        await self.tell(moved)
        return moved.done

    async def _round(self, ready: Sequence[WorkflowExecution]) -> _Round:
        about = _Round()
        for name in {one.requested_by for one in ready}:
            account = await self._threads.control(self._control.accounts.living, name)
            caller = about.callers[name] = None if account is None else Caller(account)
            if caller is not None:
                devices = {one.device for one in ready if one.requested_by == name}
                about.seen[name] = await self._queries.visible(caller, devices)
        return about

    async def _decided(self, one: WorkflowExecution, about: _Round, among: bool | str | None, now: int) -> Move | None:
        said = definition(one.content)
        step = said.step(one.step)
        if isinstance(step, ActionStep) and one.begun:
            return decide(said, one, ran=await self._threads.control(self._ran, one, now), now=now)
        if isinstance(step, CampaignStep) and one.begun:
            return decide(said, one, reply=await self._threads.control(self._reply, one), now=now)
        if isinstance(step, ActionStep | ConditionStep | CampaignStep) and one.expires_at > now:
            caller = about.callers[one.requested_by]
            if caller is None:
                return ended(one, f"the account {one.requested_by} is closed")
            if one.device not in about.seen[one.requested_by]:
                return ended(one, f"the account {one.requested_by} does not see the device any more")
            if (problem := await self._problem(step, caller, about)) is not None:
                return ended(one, problem)
            if isinstance(step, CampaignStep):
                return await self._questions.ask(caller, said, one, step, now)
        if isinstance(among, str):
            return ended(one, among)
        return decide(said, one, among=among, now=now)

    async def _problem(
        self, step: ActionStep | ConditionStep | CampaignStep, caller: Caller, about: _Round
    ) -> str | None:
        """Why a step must not begin now."""
        if not isinstance(step, ActionStep):
            may = caller.may(Permission.EXECUTE) and caller.may(Permission.QUERY)
            return None if may else f"the account {caller.name} may not run workflows any more"
        if not caller.may_run(step.action):
            return f"the account {caller.name} may not run {step.action} any more"
        if step.action not in about.actions:
            await self._threads.control(self._look_up, step.action, about)
        action = about.actions[step.action]
        if action is None or TRIGGER not in action.triggers:
            return f"there is no action {step.action} that workflows may run"
        if about.drafts[step.action]:
            return f"no trusted author signed version {action.number} of {step.action}"
        return None

    def _look_up(self, nql_id: str, about: _Round) -> None:
        authors = self._control.authors
        try:
            action = about.actions[nql_id] = self._control.actions.action(nql_id)
        except NotFoundError:
            about.actions[nql_id] = None
        else:  # where nobody signs, all actions are drafts, which devices with an open policy run
            about.drafts[nql_id] = bool(authors.living()) and authors.is_draft(nql_id, action.version)

    def _reply(self, one: WorkflowExecution) -> Reply | None:
        """What became of the question of a step; None while it is open."""
        found = self._control.campaign_responses.named([one.campaign] if one.campaign is not None else [])
        # What somebody wrote stays with the response, which an erasure of that person takes away.
        return next((Reply(response.state, response.answers) for response in found.values() if response.over), None)

    def _ran(self, one: WorkflowExecution, now: int) -> Ran | None:
        """What became of the run of a step; None while it is not over."""
        if one.run is None:
            return None
        execution = self._control.executions.execution(one.run, one.device)
        lost = execution.state is State.LOST_CONTACT and one.until is not None and one.until <= now
        if execution.state not in FINAL and not lost:
            return None
        run = self._control.runs.run(one.run)
        types = {item.name: item.type for item in self._control.actions.action(run.action, run.version).outputs}
        outputs = {name: output(types.get(name, ""), value) for name, value in execution.outputs.items()}
        return Ran(execution.state, outputs, execution.error or execution.detail)


def _asks(one: WorkflowExecution) -> bool:
    step = definition(one.content).step(one.step)
    return isinstance(step, ConditionStep) and bool(step.nql.strip())


def _refused(one: WorkflowExecution, said: str, now: int) -> Move:
    """Out of a step whose run was refused."""
    whole = definition(one.content)
    step = whole.step(one.step)
    return missed(whole, one, step, "failure", said, now) if isinstance(step, ActionStep) else ended(one, said)
