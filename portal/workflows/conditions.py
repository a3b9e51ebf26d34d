"""What the queries of conditions say of devices: one question for all executions that ask the same.

In: executions that stand at a condition with a query, their starters. Out: for each whether its device is among those
of the query, or why the query cannot be asked any more; those that have to be asked again later. Invariant: a query is
asked under its starter's rights and of these devices alone, however large the estate is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from nql.diagnostics import QueryError
from portal.caller import Caller
from portal.errors import ApiError
from portal.queries.service import Queries
from storage.control.records import to_json
from storage.control.workflow_definition import ConditionStep
from storage.control.workflow_rows import WorkflowExecution
from storage.control.workflows import definition

PIECE = 250  # devices in one question: their names have to fit into a text of NQL
log = structlog.get_logger("workflows")
Answers = dict[str, bool | str]


class Conditions:
    """Asks."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def ask(
        self, asking: Sequence[WorkflowExecution], callers: Mapping[str, Caller | None]
    ) -> tuple[Answers, set[str]]:
        """The answers by the executions' ids, and the ids of those that cannot be answered now. The starters see the
        devices."""
        groups: dict[tuple[str, ...], list[WorkflowExecution]] = {}
        for one in asking:
            key = (one.requested_by, one.workflow, one.version, one.step, to_json(one.parameters))
            groups.setdefault(key, []).append(one)
        answers: Answers = {}
        later: set[str] = set()
        for some in (
            group[start : start + PIECE] for group in groups.values() for start in range(0, len(group), PIECE)
        ):
            if (caller := callers[some[0].requested_by]) is None:
                continue
            try:
                found = await self._among(caller, some)
            except QueryError as error:
                said = f"its query cannot be asked any more: {error.diagnostics[0].message}"
                answers |= {one.id: said for one in some}
            except ApiError as error:
                if error.status < 500:
                    answers |= {one.id: f"its query was refused: {error}" for one in some}
                else:  # too many wait, or it took too long: that says nothing about the devices
                    log.warning("workflow_waits", code=error.code)
                    later |= {one.id for one in some}
            else:
                answers |= {one.id: one.device in found for one in some}
        return answers, later

    async def _among(self, caller: Caller, some: Sequence[WorkflowExecution]) -> set[str]:
        """Those of the executions' devices that the query means."""
        step = definition(some[0].content).step(some[0].step)
        text = step.nql if isinstance(step, ConditionStep) else ""
        within = of_devices(caller, [one.device for one in some])
        answer = await self._queries.ask(within, text, parameters=dict(some[0].parameters), limit=len(some) + 1)
        devices = answer.result.devices
        return set() if devices is None else set(devices.to_pylist())


def of_devices(caller: Caller, devices: Sequence[str]) -> Caller:
    """A caller who sees, of all that it sees, some devices alone."""
    named = ", ".join(f'"{uid}"' for uid in sorted(set(devices)))
    return replace(caller, account=replace(caller.account, domain=f"uid in [{named}]"))
