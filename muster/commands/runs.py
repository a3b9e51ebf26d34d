"""`muster runs`: runs of remote actions: list, show, follow and cancel them.

In: a run's id. Out: the run, its executions and their outputs. Invariant: `wait` ends with 0 only if every device of
the run is done, and well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from muster.errors import UnsuccessfulError
from muster.options import Options, Parser, add_json, add_portal, api, print_json, print_rows, seconds, verbs
from muster.runs import Run, Runs

DESCRIPTION = "Runs of remote actions: list, show, follow and cancel them. `muster actions run` begins one."
EXAMPLES = """\
examples:
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
    add_portal(listing)
    add_json(listing)


def run(options: Options) -> None:
    """Do what the verb says."""
    runs = Runs(api(options))
    match options.verb:
        case "list":
            found = [one.said for one in runs.list(options.limit)]
            print_rows(found, LISTED, as_json=options.json, empty="There are no runs yet.")
        case "show":
            show(runs, runs.get(options.id), as_json=options.json)
        case "wait":
            follow(runs, options.id, options.timeout, as_json=options.json)
        case "cancel":
            said = runs.cancel(options.id)
            print_json(said) if options.json else print(
                f"{said['cancelled']} cancelled, {said['asked']} devices asked to stop"
            )


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
