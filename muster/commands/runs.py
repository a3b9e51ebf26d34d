"""`muster runs`: runs of remote actions: start, list, show, follow and cancel them.

In: an action and a target, or a run's id. Out: the run, its executions and their outputs. Invariant: `wait` ends with
0 only if every device of the run is done, and well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from muster.errors import UnsuccessfulError, UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_json, print_rows, seconds, tell, verbs
from muster.runs import Run, Runs

DESCRIPTION = "Runs of remote actions: start, list, show, follow and cancel them."
EXAMPLES = """\
examples:
  muster runs start get_uptime --nql 'devices | where entity == "Lyon"' --preview
  muster runs list
  muster runs show 0193f1c2-...
  muster runs wait 0193f1c2-... --timeout 10min"""
LISTED = {
    "id": "run",
    "action": "action",
    "requested_at": "asked",
    "requested_by": "by",
    "counts": "devices",
    "complete": "complete",
}
EXECUTIONS = {
    "device": "device",
    "state": "state",
    "detail": "detail",
    "exit_code": "exit",
    "outputs": "outputs",
    "error": "error",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    listing = verb("list", "the newest runs")
    starting = verb("start", "run an action on devices (the same as `muster actions run`)")
    add_start(starting)
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20, at most 200)")
    for name, text in (
        ("show", "one run and what each device answered"),
        ("wait", "follow a run to its end"),
        ("cancel", "cancel what is still open"),
    ):
        one = verb(name, text)
        one.add_argument("id", help="the run's id")
        if name == "wait":
            one.add_argument(
                "--timeout", type=seconds, metavar="TIME", help="give up waiting after this time, such as 10min"
            )
        add_portal(one)
        add_json(one)
    for one in (listing, starting):
        add_portal(one)
        add_json(one)


def add_start(run: Parser) -> None:
    """The options of beginning a run."""
    run.add_argument("id", help="the action's id, with or without #")
    target = run.add_mutually_exclusive_group(required=True)
    target.add_argument("--device", action="append", metavar="UID", help="a device; may be given again")
    target.add_argument("--nql", metavar="QUERY", help="the devices that this query means now")
    run.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the action")
    run.add_argument(
        "--expires-in", type=seconds, default=3600, metavar="TIME", help="until when it may start (default: 1h)"
    )
    run.add_argument("--reason", help="why, for the record")
    run.add_argument("--preview", action="store_true", help="show the devices and run nothing")
    run.add_argument("--wait", action="store_true", help="follow it to its end")
    run.add_argument("--timeout", type=seconds, metavar="TIME", help="with --wait: give up waiting after this time")


def run(options: Options) -> None:
    """Do what the verb says."""
    runs = Runs(api(options))
    match options.verb:
        case "list":
            found = [one.said for one in runs.list(options.limit)]
            print_rows(found, LISTED, as_json=options.json, empty="There are no runs yet.")
        case "start":
            start(options)
        case "show":
            show(runs, runs.get(options.id), as_json=options.json)
        case "wait":
            follow(runs, options.id, options.timeout, as_json=options.json)
        case "cancel":
            said = runs.cancel(options.id)
            tell(options, f"{said['cancelled']} cancelled, {said['asked']} devices asked to stop", said)


def start(options: Options) -> None:
    """Ask for a run, or show what it would be for."""
    portal = api(options)
    target = {"nql": options.nql} if options.nql is not None else {"devices": options.device}
    if options.preview:
        _preview(options, portal.post("/runs/preview", {"target": target}))
        return
    asked = {
        "action": nql_id(options.id),
        "target": target,
        "parameters": parameters(options.param),
        "expires_in": options.expires_in,
    }
    runs = Runs(portal)
    begun = runs.begin(asked | ({} if options.reason is None else {"reason": options.reason}))
    if options.wait:
        follow(runs, begun.id, options.timeout, as_json=options.json)
    else:
        text = f"{begun.id}\n{begun.target['count']} devices; follow it with `muster runs wait {begun.id}`"
        tell(options, text, {"run": dict(begun.said)})


def _preview(options: Options, said: Mapping[str, Any]) -> None:
    tell(options, f"{said['count']} devices", said)
    if not options.json:
        names = {"name": "device", "uid": "uid", "simulated": "simulated"}
        print_rows(said["sample"], names, as_json=False, empty="")


def follow(runs: Runs, identifier: str, timeout: float | None, *, as_json: bool) -> None:
    """Wait for a run, show it, and raise UnsuccessfulError unless it ended well on every device."""
    last: list[str] = []

    def told(run: Run) -> None:
        said = counted(run.counts)
        if [said] != last[-1:]:
            last.append(said)
            print(said, file=sys.stderr)

    run = runs.wait(identifier, timeout=timeout, told=told)
    show(runs, run, as_json=as_json)
    if not run.complete:
        raise UnsuccessfulError(
            "The run is not complete yet.", f"`muster runs wait {run.id}` goes on waiting.", "not_complete"
        )
    if not run.successful:
        raise UnsuccessfulError(
            "The run did not end well on every device.", "The details stand in the column detail.", "unsuccessful"
        )


def show(runs: Runs, run: Run, *, as_json: bool) -> None:
    """Print a run with its executions."""
    records = list(runs.records(run.id))
    if as_json:
        print_json({"run": dict(run.said), "executions": records})
        return
    target = run.target.get("text") or f"{run.target['count']} devices"
    print(f"{run.action}  run {run.id}")
    print(f"asked {run.requested_at} by {run.requested_by}, for: {target}")
    print(f"{counted(run.counts)}\n")
    print_rows([_row(record) for record in records], EXECUTIONS, as_json=False, empty="It has no devices.")


def counted(counts: Mapping[str, int]) -> str:
    """How many devices are in which state."""
    return (
        ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(counts.items()) if count)
        or "no devices"
    )


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    device = record["device"]
    name = f"{device['name']} (simulated)" if device["simulated"] else device["name"]
    outputs = ", ".join(f"{key}={value}" for key, value in record["outputs"].items())
    return {**record, "device": name, "outputs": outputs or None}


def nql_id(text: str) -> str:
    """The id of an action as the portal writes it."""
    return text if text.startswith("#") else f"#{text}"


def parameters(given: list[str]) -> dict[str, str]:
    """The parameters of --param options. Raises UsageError."""
    pairs = [item.partition("=") for item in given]
    if wrong := next(
        (item for item, (name, separator, _) in zip(given, pairs, strict=True) if not (name and separator)), None
    ):
        raise UsageError(f"--param {wrong!r} is not NAME=VALUE.", "Write --param name=value.")
    return {name: value for name, _, value in pairs}
