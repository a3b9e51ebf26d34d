"""`muster actions`: remote actions: list, show, define from files, and run them.

In: ids, manifest files, a target. Out: what the portal knows of them; a run. Invariant: a run names its target:
devices by uid, or a query whose devices are frozen when it is asked for; `--preview` shows them and runs nothing.
"""

from __future__ import annotations

from pathlib import Path

from muster.api import segment
from muster.commands.runs import follow
from muster.errors import UsageError
from muster.manifests import manifests
from muster.options import Options, Parser, add_json, add_portal, api, print_json, print_rows, seconds, verbs
from muster.runs import Runs

DESCRIPTION = "Remote actions: list, show, define from files, and run them."
EXAMPLES = """\
examples:
  muster actions list
  muster actions apply content/actions
  muster actions run get_uptime --nql 'devices | where name == "zrh-lt-0001"' --wait
  muster actions run disk_hot_spots --device 0d9f... --param path=/var --wait"""
LISTED = {
    "nql_id": "id",
    "name": "name",
    "number": "version",
    "platforms": "platforms",
    "updated_at": "updated",
    "description": "description",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    every = [verb("list", "all actions")]
    show = verb("show", "one action with its scripts")
    show.add_argument("id", help="the action's id, with or without #")
    apply = verb("apply", "define the actions of a file, a folder, or a folder of folders")
    apply.add_argument("path", type=Path, help="a manifest.json, its folder, or a folder of such folders")
    run = verb("run", "run an action on devices")
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
    for one in [*every, show, apply, run]:
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    match options.verb:
        case "list":
            found = api(options).get("/actions")["actions"]
            print_rows(
                found,
                LISTED,
                as_json=options.json,
                empty="No actions are defined yet. `muster actions apply DIR` defines some.",
            )
        case "show":
            _show(options)
        case "apply":
            portal = api(options)
            made = [portal.post("/actions", manifest)["action"] for manifest in manifests(options.path)]
            print_rows(made, LISTED, as_json=options.json, empty="Nothing to define.")
        case "run":
            _run(options)


def _show(options: Options) -> None:
    action = api(options).get(f"/actions/{segment(nql_id(options.id))}")["action"]
    if options.json:
        print_json(action)
        return
    print(f"{action['nql_id']}  {action['name']} (version {action['number']}, {action['version'][:12]})")
    print(f"{action['description']}\n")
    for kind, second in (("inputs", "default"), ("outputs", "type")):
        names = {"name": kind[:-1], second: second, "description": "description"}
        print_rows(action[kind], names, as_json=False, empty=f"no {kind}")
        print()
    for platform, script in action["scripts"].items():
        print(f"--- {platform} ({script['language']}) ---\n{script['text']}")


def _run(options: Options) -> None:
    portal = api(options)
    target = {"nql": options.nql} if options.nql is not None else {"devices": options.device}
    if options.preview:
        said = portal.post("/runs/preview", {"target": target})
        if options.json:
            print_json(said)
        else:
            print(f"{said['count']} devices")
            print_rows(
                said["sample"], {"name": "device", "uid": "uid", "simulated": "simulated"}, as_json=False, empty=""
            )
        return
    asked = {
        "action": nql_id(options.id),
        "target": target,
        "parameters": _parameters(options.param),
        "expires_in": options.expires_in,
    }
    runs = Runs(portal)
    begun = runs.begin(asked | ({} if options.reason is None else {"reason": options.reason}))
    if options.wait:
        follow(runs, begun.id, options.timeout, as_json=options.json)
    elif options.json:
        print_json({"run": dict(begun.said)})
    else:
        print(f"{begun.id}\n{begun.target['count']} devices; follow it with `muster runs wait {begun.id}`")


def nql_id(text: str) -> str:
    """The id of an action as the portal writes it."""
    return text if text.startswith("#") else f"#{text}"


def _parameters(given: list[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in given]
    if wrong := next(
        (item for item, (name, separator, _) in zip(given, pairs, strict=True) if not (name and separator)), None
    ):
        raise UsageError(f"--param {wrong!r} is not NAME=VALUE.", "Write --param name=value.")
    return {name: value for name, _, value in pairs}
