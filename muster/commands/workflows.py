"""`muster workflows`: workflows of several steps: list and show them, run one on devices, watch, answer and cancel it.

In: a workflow and a target, or the id of a request or of an execution. Out: workflows, executions. Invariant: `watch`
ends with 0 only if every execution of the request is over, and well.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from muster.api import Api, segment
from muster.commands.runs import nql_id, parameters
from muster.errors import RefusedError, UnsuccessfulError
from muster.options import Options, Parser, add_json, add_portal, api, print_json, print_rows, seconds, tell, verbs
from muster.shown import plural, printable

DESCRIPTION = "Workflows: ordered steps that devices are taken through. `muster apply` brings them to a portal."
EXAMPLES = """\
examples:
  muster workflows list
  muster workflows show free_disk_space
  muster workflows run free_disk_space --nql 'devices | where entity == "Lyon"' --param least=5
  muster workflows watch 0193f1c2-...
  muster workflows trigger 0193f1c2-... --param approved=yes
  muster workflows cancel 0193f1c2-..."""
LISTED = {
    "nql_id": "workflow",
    "name": "name",
    "number": "version",
    "active": "active",
    "triggers": "triggers",
}
STEPS = {"id": "step", "kind": "kind", "what": "what"}
EXECUTIONS = {
    "device": "device",
    "state": "state",
    "step": "step",
    "outcome": "outcome",
    "detail": "detail",
    "id": "execution",
}
OPEN = ("in_progress", "waiting")
PAUSE = 1.0  # seconds between two looks
PAGE = 1000


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    listing = verb("list", "all workflows")
    running = verb("run", "begin a workflow on devices")
    running.add_argument("id", help="the workflow's id, with or without #")
    target = running.add_mutually_exclusive_group(required=True)
    target.add_argument("--device", action="append", metavar="UID", help="a device; may be given again")
    target.add_argument("--nql", metavar="QUERY", help="the devices that this query means now")
    running.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    running.add_argument("--reason", help="why, for the record")
    running.add_argument("--idempotency-key", metavar="KEY", help="the same key begins the same request only once")
    running.add_argument("--watch", action="store_true", help="follow it to its end")
    shown = verb("show", "one workflow with its steps, or an execution or a request by its id")
    watching = verb("watch", "follow a request to its end")
    cancelling = verb("cancel", "cancel a request, or one execution")
    giving = verb("trigger", "give an execution what its step listens for")
    giving.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a value; may be given again"
    )
    for one, what in (
        (giving, "the execution's id"),
        (shown, "the id of a workflow, an execution or a request"),
        (watching, "the request's id"),
        (cancelling, "the id of a request or of an execution"),
    ):
        one.add_argument("id", help=what)
    for one in (running, watching):
        one.add_argument("--timeout", type=seconds, metavar="TIME", help="give up waiting after this time")
    for one in (listing, running, shown, watching, giving, cancelling):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "list":
            found = portal.get("/workflows")["workflows"]
            rows = found if options.json else [{**one, "triggers": ", ".join(one["triggers"])} for one in found]
            print_rows(
                rows, LISTED, as_json=options.json, empty="There are no workflows yet. `muster apply DIR` defines some."
            )
        case "run":
            _run(portal, options)
        case "show":
            _show(portal, options)
        case "watch":
            _watch(portal, options, options.id)
        case "trigger":
            path = f"/workflow-executions/{segment(options.id)}/trigger"
            said = portal.post(path, {"parameters": parameters(options.param)})["execution"]
            tell(options, f"{said['workflow']} on {said['device']['name']} goes on: {said['detail']}", said)
        case "cancel":
            said = _cancelled(portal, options.id)
            tell(options, f"{said['cancelled']} cancelled", said)


def _run(portal: Api, options: Options) -> None:
    target = {"nql": options.nql} if options.nql is not None else {"devices": options.device}
    asked = {
        "target": target,
        "parameters": parameters(options.param),
        "reason": options.reason,
        "idempotency_key": options.idempotency_key,
    }
    begun = portal.post(f"/workflows/{segment(nql_id(options.id))}/executions", asked)
    if options.watch:
        _watch(portal, options, begun["request"])
        return
    devices = plural(len(begun["executions"]), "device")
    text = f"{begun['request']}\n{devices}; follow it with `muster workflows watch {begun['request']}`"
    tell(options, text, begun)


def _show(portal: Api, options: Options) -> None:
    if _is_id(options.id):
        try:
            one = portal.get(f"/workflow-executions/{segment(options.id)}")["execution"]
        except RefusedError as error:
            if error.status != 404:
                raise
            portal.get(f"/workflow-requests/{segment(options.id)}")  # which says so where there is none
            _executions(portal, options.id, as_json=options.json)
        else:
            tell(options, "\n".join(_lines(one)), one)
        return
    one = portal.get(f"/workflows/{segment(nql_id(options.id))}")["workflow"]
    if options.json:
        print_json(one)
        return
    print(printable(f"{one['nql_id']} {one['name']}, version {one['number']}"))
    if one["description"]:
        print(printable(one["description"]))
    for item in one["parameters"]:
        default = "" if item.get("default") is None else f" (default {item['default']})"
        print(printable(f"parameter {item['name']}{default}: {item.get('description') or item.get('label') or ''}"))
    print()
    print_rows([_step(step) for step in one["steps"]], STEPS, as_json=False, empty="")


def _watch(portal: Api, options: Options, request: str) -> None:
    """Raises UnsuccessfulError unless every execution ended well."""
    until = None if options.timeout is None else time.monotonic() + options.timeout
    before = ""
    while True:
        said = portal.get(f"/workflow-requests/{segment(request)}")
        text = ", ".join(f"{count} {state}" for state, count in sorted(said["counts"].items()))
        if text != before:
            print(text, file=sys.stderr, flush=True)
            before = text
        if said["complete"] or (until is not None and time.monotonic() >= until):
            break
        time.sleep(PAUSE)
    _executions(portal, request, as_json=options.json)
    if not said["complete"]:
        way = f"`muster workflows watch {request}` goes on waiting."
        raise UnsuccessfulError("The workflow is not over on every device.", way, "not_complete")
    if set(said["counts"]) != {"success"}:
        way = "The details stand in the column detail."
        raise UnsuccessfulError("The workflow did not end well on every device.", way, "unsuccessful")


def _cancelled(portal: Api, identifier: str) -> Mapping[str, Any]:
    said: Mapping[str, Any]
    try:
        said = portal.post(f"/workflow-requests/{segment(identifier)}/cancel", {})
    except RefusedError as error:
        if error.status != 404:
            raise
        said = portal.post(f"/workflow-executions/{segment(identifier)}/cancel", {})
    return said


def _executions(portal: Api, request: str, *, as_json: bool) -> None:
    found: list[dict[str, Any]] = []
    page: list[dict[str, Any]] = []
    while not found or len(page) == PAGE:
        before = {"before": found[-1]["id"]} if found else {}
        page = portal.get("/workflow-executions", request=request, limit=PAGE, **before)["executions"]
        found += page
        if not page:
            break
    rows = found if as_json else [one | {"device": one["device"]["name"]} for one in found]
    print_rows(rows, EXECUTIONS, as_json=as_json, empty="You see none of its devices.")


def _lines(one: Mapping[str, Any]) -> list[str]:
    """An execution in words."""
    names = ("id", "request", "workflow", "state", "detail", "outcome", "outcome_detail", "step", "run", "requested_by",
             "requested_at", "ended_at")  # fmt: skip
    lines = [f"{name.replace('_', ' ')}: {one[name]}" for name in names if one[name] is not None]
    lines.insert(3, f"device: {one['device']['name']}")
    for step, answer in one["answers"].items():
        outputs = ", ".join(f"{name} {value}" for name, value in answer["outputs"].items())
        lines.append(f"step {step}: {answer['state']}" + (f" ({outputs})" if outputs else ""))
    return [printable(line) for line in lines]


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step and where it leads, in a few words."""
    match step["kind"]:
        case "action":
            given = " ".join(f"{name}={value}" for name, value in step["parameters"].items())
            what = f"{step['action']} {given}".strip()
        case "condition":
            compared = [" ".join((c["value"], c["operator"], c["than"])).strip() for c in step["compare"]]
            asked = " and ".join([step["nql"], *compared] if step["nql"] else compared)
            what = f"{asked}: then {step['then']}, else {step['otherwise']}"
        case "wait" if step["seconds"] is not None:
            what = f"{step['seconds']} s"
        case "wait":
            what = f"for {', '.join(step['listen'])}, {step['within']} s at most".replace("for ,", "to be triggered,")
        case "campaign":
            what = step["campaign"]
        case _:
            what = f"{step['outcome']} {step['details']}".strip()
    onward = step.get("next", "continue")
    return {**step, "what": what + (f", then {onward}" if onward != "continue" else "")}


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4
