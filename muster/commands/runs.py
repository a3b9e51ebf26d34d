"""`muster runs`: runs of remote actions: start, list, show, follow, halt, resume, retry and cancel them.

In: an action, a target and a plan, or a run's id. Out: the run, its executions and their outputs. Invariant: `wait`
ends with 0 only if every device of the run is done, and well; a halted run ends it too, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster import registry
from muster.api import segment
from muster.errors import UnsuccessfulError, UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_json, print_rows, seconds, tell, verbs
from muster.run_plans import add_plan, plan_of
from muster.run_text import execution_rows, head, run_row, wave_row
from muster.runs import Run, Runs, counted
from muster.shown import plural, printable

DESCRIPTION = "Runs of remote actions: start, list, show, follow, halt, resume, retry and cancel them."
EXAMPLES = """\
examples:
  muster runs start get_uptime --nql 'devices | where entity == "Lyon"' --preview
  muster runs start clear_user_cache --nql devices --waves 1,5%,100% --soak 5min --wait \\
      --gate 'remote_action.executions | where request_id == $run and status == failure'
  muster runs list
  muster runs show 0193f1c2-...
  muster runs wait 0193f1c2-... --timeout 10min"""
LISTED = {
    "id": "run",
    "action": "action",
    "requested_at": "asked",
    "requested_by": "by",
    "counts": "devices",
    "state": "state",
    "complete": "complete",
}
WAVES = {"number": "wave", "size": "size", "released": "released", "counts": "devices"}
EXECUTIONS = {
    "device": "device",
    "state": "state",
    "attempt": "attempt",
    "detail": "detail",
    "took": "took",
    "exit_code": "exit",
    "outputs": "outputs",
    "error": "error",
}
KEPT = ("device", "state")  # columns that stay although all their cells are empty


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
        ("halt", "hand out nothing more of a run until it is resumed"),
        ("resume", "go on with a halted run; where a gate halted it, with the next wave"),
        ("retry", "begin a run for the devices of this one that did not end well"),
        ("cancel", "cancel what is still open, of all devices or of one"),
    ):
        one = verb(name, text)
        one.add_argument("id", help="the run's id")
        if name == "wait":
            one.add_argument(
                "--timeout", type=seconds, metavar="TIME", help="give up waiting after this time, such as 10min"
            )
        if name == "cancel":
            one.add_argument("--device", metavar="UID", help="only this device")
        if name == "halt":
            one.add_argument("--reason", help="why, for the record")
        if name == "retry":
            _add_retry(one)
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
    run.add_argument("--allow-draft", action="store_true", help="also if no trusted author signed the action")
    run.add_argument("--idempotency-key", metavar="KEY", help="the same key begins the same run only once")
    add_plan(run)
    run.add_argument("--preview", action="store_true", help="show the devices and run nothing")
    run.add_argument("--wait", action="store_true", help="follow it to its end")
    run.add_argument("--timeout", type=seconds, metavar="TIME", help="with --wait: give up waiting after this time")


def _add_retry(one: Parser) -> None:
    one.add_argument("--expires-in", type=seconds, metavar="TIME", help="until when it may start (default: as before)")
    one.add_argument("--reason", help="why, for the record (default: as before)")
    one.add_argument("--allow-draft", action="store_true", help="also if no trusted author signed the action")
    one.add_argument("--idempotency-key", metavar="KEY", help="the same key begins the same run only once")
    one.add_argument("--wait", action="store_true", help="follow it to its end")
    one.add_argument("--timeout", type=seconds, metavar="TIME", help="with --wait: give up waiting after this time")


def run(options: Options) -> None:
    """Do what the verb says."""
    runs = Runs(api(options))
    match options.verb:
        case "list":
            found = [one.said for one in runs.list(options.limit)]
            print_rows(
                found if options.json else list(map(run_row, found)),
                LISTED,
                as_json=options.json,
                empty="There are no runs yet.",
            )
        case "start":
            start(options)
        case "show":
            show(runs, runs.get(options.id), as_json=options.json)
        case "wait":
            follow(runs, options.id, options.timeout, as_json=options.json)
        case "cancel":
            said = runs.cancel(options.id, options.device)
            tell(options, f"{said['cancelled']} cancelled, {said['asked']} asked to stop", said)
        case "halt":
            tell(options, f"{options.id} is halted", {"run": dict(runs.halt(options.id, options.reason).said)})
        case "resume":
            one = runs.resume(options.id)
            tell(options, f"{one.id} goes on: {counted(one.stands)}", {"run": dict(one.said)})
        case "retry":
            _begun(options, runs, runs.retry(options.id, _asked_again(options)))


def start(options: Options) -> None:
    """Ask for a run, or show what it would be for."""
    portal = api(options)
    target = {"nql": options.nql} if options.nql is not None else {"devices": options.device}
    if options.preview:
        _preview(options, portal.post("/runs/preview", {"target": target}))
        return
    plan = plan_of(options)
    if "growth" in plan.get("limits", {}) and options.previewed is None:
        plan["limits"]["preview"] = portal.post("/runs/preview", {"target": target})["count"]
    asked = {
        "action": nql_id(options.id),
        "target": target,
        "parameters": parameters(options.param),
        "expires_in": options.expires_in,
        "allow_draft": options.allow_draft,
        "plan": plan,
        "reason": options.reason,
        "idempotency_key": options.idempotency_key,
    }
    runs = Runs(portal)
    _begun(options, runs, runs.begin(asked))


def _asked_again(options: Options) -> dict[str, Any]:
    names = ("expires_in", "reason", "allow_draft", "idempotency_key")
    return {name: getattr(options, name) for name in names}


def _begun(options: Options, runs: Runs, begun: Run) -> None:
    if options.wait:
        follow(runs, begun.id, options.timeout, as_json=options.json)
    else:
        skipped = f" ({begun.said['skipped']} left out, they ran it not long ago)" if begun.said["skipped"] else ""
        devices = plural(begun.target["count"], "device")
        text = f"{begun.id}\n{devices}{skipped}; follow it with `muster runs wait {begun.id}`"
        tell(options, text, {"run": dict(begun.said)})


def _preview(options: Options, said: Mapping[str, Any]) -> None:
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(said["platforms"].items()))
    tell(options, f"{plural(said['count'], 'device')}{kinds and ': '}{kinds}", said)
    if not options.json:
        if said["claimed"]:
            print(f"The target rests on what devices say of themselves: {', '.join(said['claimed'])}.")
        names = {"name": "device", "uid": "uid", "simulated": "simulated"}
        print_rows(said["sample"], names, as_json=False, empty="")


def follow(runs: Runs, identifier: str, timeout: float | None, *, as_json: bool) -> None:
    """Wait for a run, show it, and raise UnsuccessfulError unless it ended well on every device."""
    with registry.part("live").watching() as told:
        run = runs.wait(identifier, timeout=timeout, told=told)
    show(runs, run, as_json=as_json)
    if run.halted:
        way = f"Look at it, then `muster runs resume {run.id}` or `muster runs cancel {run.id}`."
        raise UnsuccessfulError(f"The run is halted: {run.state_detail}.", way, "halted")
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
    print("\n".join(map(printable, head(run))))
    if len(run.waves) > 1:
        print_rows([wave_row(wave) for wave in run.waves], WAVES, as_json=False, empty="")
    print(f"{counted(run.stands)}\n")
    rows = execution_rows(run, records, _declared(runs, run) if records else [])
    used = {name: text for name, text in EXECUTIONS.items() if name in KEPT or any(row[name] for row in rows)}
    print_rows(rows, used, as_json=False, empty="It has no devices.")


def _declared(runs: Runs, run: Run) -> list[Mapping[str, Any]]:
    """The outputs that the action of a run declares now."""
    outputs: list[Mapping[str, Any]] = runs.api.get(f"/actions/{segment(run.action)}")["action"]["outputs"]
    return outputs


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
