"""The step of a workflow that asks: a campaign for who is logged in at the device.

In: an execution that stands at such a step, its starter. Out: nothing more to decide, or the way out of the step.
Invariants: a question is asked in the transaction that has the execution wait for its answer, so that it is asked
once; where nobody is there, or the person is asked the same already, it is tried again until the step's time is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from portal.caller import Caller
from portal.campaigns.service import Campaigns, Sending
from portal.threads import Threads
from portal.workflows.deciding import TRIGGER, asked, asking, missed
from storage.control.api import Control
from storage.control.campaign_responses import Response
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.workflow_definition import CampaignStep, Definition
from storage.control.workflow_executions import Move
from storage.control.workflow_rows import SECOND, WorkflowExecution

AGAIN = 120 * SECOND  # until somebody may be there


class Questions:
    """Asks."""

    def __init__(self, control: Control, campaigns: Campaigns, threads: Threads) -> None:
        self._control, self._campaigns, self._threads = control, campaigns, threads

    async def ask(
        self, caller: Caller, said: Definition, one: WorkflowExecution, step: CampaignStep, now: int
    ) -> Move | None:
        """Ask, and have the execution wait; the way out of the step where that cannot be. Raises ConflictError where
        it moved meanwhile."""
        values = asking(said, one, step, now)
        if isinstance(values, Move):
            return values
        expires = min(one.changed_at + step.within * SECOND, one.expires_at)
        executions = self._control.workflow_executions

        def waits(made: Sequence[Response | None]) -> None:
            for response in made:
                if response is not None:
                    if not executions.apply([asked(one, step, response.id, expires)], now=now).done:
                        raise ConflictError("moved", "the execution moved meanwhile")
                    return

        there = await self._threads.control(self._control.people_present.at, [one.device])
        people = tuple(there.get(one.device, ())[:1])
        sending = Sending(step.campaign, expires, people, (), values, TRIGGER, f"workflow {one.id} step {step.id}")
        try:
            sent = await self._campaigns.send(caller, sending, waits) if people else []
        except (RefusedError, NotFoundError) as error:
            return missed(said, one, step, "failure", str(error), now)
        if not any(item.response for item in sent):
            await self._threads.control(executions.postpone, [one], min(now + AGAIN, expires))
        return None
