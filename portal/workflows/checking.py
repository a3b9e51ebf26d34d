"""Whether a workflow can be carried out here: its actions, their inputs and outputs, its queries.

In: a workflow, and who saves it. Out: nothing, or every problem. Invariant: what passes goes on until something
that it rests on is changed, and then the step that needs it says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from nql.rules import DEFAULT
from portal.caller import Caller
from portal.queries.service import Queries
from portal.threads import Threads
from portal.workflows.deciding import TRIGGER
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.errors import NotFoundError, RefusedError
from storage.control.workflow_definition import ActionStep, ConditionStep, Definition, Workflow, check, output_named


async def check_here(control: Control, queries: Queries, threads: Threads, caller: Caller, workflow: Workflow) -> None:
    """Raises RefusedError with every problem, QueryError for a query that cannot be asked."""
    check(workflow)
    said = Definition(workflow.steps, workflow.dependency, workflow.parameters, workflow.longest)
    problems = await threads.control(lambda: [*_action_problems(control, said), *_campaign_problems(control, said)])
    names = {item.name for item in workflow.parameters}
    for step in workflow.steps:
        if isinstance(step, ConditionStep) and step.nql.strip():
            await queries.claimed(step.nql)
            asked = await queries.understood(caller, step.nql, {}, None, DEFAULT)
            unknown = sorted({use.name for use in asked.compiled.plan.parameters} - names)
            problems += [
                f"step {step.id}: its query has the parameter {name}, the workflow has not" for name in unknown
            ]
    if problems:
        raise RefusedError("bad_workflow", "; ".join(problems))


def _action_problems(control: Control, said: Definition) -> Iterator[str]:
    types, actions = control.actions.output_types(), dict[str, Action]()
    for step in said.actions:
        try:
            action = actions[step.id] = control.actions.action(step.action)
        except NotFoundError:
            yield f"step {step.id}: there is no action {step.action}"
            continue
        yield from (f"step {step.id}: {problem}" for problem in _call_problems(step, action))
    for name, read in sorted(said.read.items()):
        if name in actions:
            known = types.get(actions[name].nql_id, {})
            yield from (f"step {name}: {actions[name].nql_id} has no output {one}" for one in sorted(read - set(known)))


def _campaign_problems(control: Control, said: Definition) -> Iterator[str]:
    for step in said.campaigns:
        try:
            campaign = control.campaigns.campaign(step.campaign).definition
        except NotFoundError:
            yield f"step {step.id}: there is no campaign {step.campaign}"
            continue
        if TRIGGER not in campaign.triggers:
            yield f"step {step.id}: {step.campaign} does not allow the trigger {TRIGGER}"
        if wrong := sorted(set(step.parameters) ^ set(campaign.parameters)):
            yield f"step {step.id}: {step.campaign} has the parameters {sorted(campaign.parameters)}; see {wrong[0]}"
        chosen = {question.label for question in campaign.questions if question.kind != "text"}
        for name in sorted(said.read.get(step.id, set()) - chosen):
            yield f"step {step.id}: {step.campaign} has no question {name} with choices or a rating"


def _call_problems(step: ActionStep, action: Action) -> Iterator[str]:
    if TRIGGER not in action.triggers:
        yield f"{action.nql_id} does not allow the trigger {TRIGGER}"
    inputs = {item.name: item for item in action.inputs}
    for name, text in step.parameters.items():
        if name not in inputs:
            yield f"{action.nql_id} has no input {name}"
        elif inputs[name].allowed and not inputs[name].custom and output_named(text) is not None:
            yield f"the input {name} of {action.nql_id} takes no values but its own"
    for name, item in inputs.items():
        if name not in step.parameters and item.default is None and not item.allowed:
            yield f"the input {name} of {action.nql_id} needs a value"
