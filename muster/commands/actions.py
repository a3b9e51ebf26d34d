"""`muster actions`: remote actions: list, show, make of scripts, check, sign and run them.

In: ids, manifest files, a target. Out: what the portal knows of them; a run. Invariant: a run names its target:
devices by uid, or a query whose devices are frozen when it is asked for; `--preview` shows them and runs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from muster import signed_actions
from muster.api import segment
from muster.clock import now
from muster.commands.authors import add_key, private_key
from muster.commands.runs import add_start, nql_id, start
from muster.content.importing import make
from muster.content.items import action, disagreements
from muster.errors import WARNED, UsageError
from muster.manifests import manifests
from muster.options import Options, Parser, add_json, add_portal, api, print_json, print_rows, verbs

DESCRIPTION = "Remote actions: list, show, make of scripts, check, sign and run them."
EXAMPLES = """\
examples:
  muster actions list
  muster actions import check.ps1 macos=check.sh --id check --name Check --to content/actions
  muster actions check content/actions
  muster actions sign content/actions --key-file ~/.config/muster/author.key
  muster apply content                                 (defines them, and hands in the signatures that lie there)
  muster actions run get_uptime --nql 'devices | where name == "zrh-lt-0001"' --wait
  muster actions run disk_hot_spots --device 0d9f... --param path=/var --wait"""
LISTED = {
    "nql_id": "id",
    "name": "name",
    "number": "version",
    "platforms": "platforms",
    "updated_at": "updated",
    "signed_by": "signed by",
    "description": "description",
}
DRAFT = "draft"
SIGNED = {"nql_id": "id", "version": "version", "serial": "serial"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    every = [verb("list", "all actions")]
    show = verb("show", "one action with its scripts")
    show.add_argument("id", help="the action's id, with or without #")
    sign = verb("sign", "sign the actions of a folder as their author, outside the portal")
    sign.add_argument("path", type=Path, help="an action's folder, or a folder of such folders")
    sign.add_argument("--push", action="store_true", help="hand the signatures in, too")
    sign.add_argument("--again", action="store_true", help="also those that you signed as they are, with a newer time")
    sign.add_argument("--yes", action="store_true", help="do not ask whether what is shown is to be signed")
    add_key(sign)
    imported = verb("import", "make an action's folder of scripts as they are, inputs and outputs found in them")
    imported.add_argument("scripts", nargs="+", metavar="SCRIPT", help="a script, or PLATFORM=SCRIPT")
    imported.add_argument("--id", required=True, help="the action's id, with or without #")
    imported.add_argument("--name", required=True, help="its name for people")
    imported.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="where its folder is made (here)")
    checked = verb("check", "say in what manifests and their scripts disagree")
    checked.add_argument("path", type=Path, help="a manifest.json, its folder, or a folder of such folders")
    for one in (imported, checked):
        add_json(one)
    run = verb("run", "run an action on devices (the same as `muster runs start`)")
    add_start(run)
    for one in [*every, show, sign, run]:
        add_portal(one)
        add_json(one)


def run(options: Options) -> int | None:
    """Do what the verb says."""
    match options.verb:
        case "list":
            found = api(options).get("/actions")["actions"]
            rows = found if options.json else [{**one, "signed_by": one["signed_by"] or DRAFT} for one in found]
            empty = "No actions are defined yet. `muster apply DIR` defines some."
            print_rows(rows, LISTED, as_json=options.json, empty=empty)
        case "show":
            _show(options)
        case "sign":
            _sign(options)
        case "import":
            _import(options)
        case "check":
            return _check(options)
        case "run":
            start(options)
    return None


def _import(options: Options) -> None:
    made = make(options.scripts, options.id, options.name, options.to)
    if options.json:
        print_json({"folder": str(made.folder), "manifest": made.body})
        return
    print(f"{made.folder}\n")
    for kind, second in (("inputs", "default"), ("outputs", "type")):
        print_rows(made.body[kind], {"name": kind[:-1], second: second}, as_json=False, empty=f"no {kind}")
        print()
    print("Say in manifest.json what it is for, then `muster apply` it.")


def _check(options: Options) -> int:
    found = {item.nql_id: disagreements(item) for item in map(action, manifests(options.path))}
    if options.json:
        print_json(found)
    else:
        for nql_id, problems in found.items():
            print("\n".join(f"{nql_id} {problem}" for problem in problems) or f"{nql_id} manifest and scripts agree")
    return WARNED if any(found.values()) else 0


def _sign(options: Options) -> None:
    found, key = signed_actions.found(options.path), private_key(options)
    before = [None if options.again else signed_actions.signed(one, key) for one in found]
    fresh = [one for one, old in zip(found, before, strict=True) if old is None]
    for one in fresh:
        print("\n".join(signed_actions.shown(one)), file=sys.stderr)
    if len(fresh) < len(found):
        print(f"{len(found) - len(fresh)} signed already (--again signs them anew)", file=sys.stderr)
    asked = fresh and not options.yes and sys.stdin.isatty()
    if asked and input("Sign this? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UsageError("Nothing was signed.", "Answer y, or give --yes.")
    rows = []
    for one, old in zip(found, before, strict=True):
        signature = old or signed_actions.sign(one, key, now=now())
        if options.push:
            signed_actions.push(api(options), one, [signature])
        if old is None:
            rows.append({"nql_id": one.form.manifest.nql_id, "version": one.form.version, "serial": signature.serial})
    print_rows(rows, SIGNED, as_json=options.json, empty="Nothing to sign.")


def _show(options: Options) -> None:
    action = api(options).get(f"/actions/{segment(nql_id(options.id))}")["action"]
    if options.json:
        print_json(action)
        return
    print(f"{action['nql_id']}  {action['name']} (version {action['number']}, {action['version'][:12]})")
    print(action["description"])
    signed = f"signed by {', '.join(action['signed_by'])}" if action["signed_by"] else f"a {DRAFT}: no author signed it"
    print(f"runs as {action['run_as']}, at most {action['timeout']} s; {signed}")
    print(f"uid for the classic Act API: {action['uid']}\n")
    for kind, second in (("inputs", "default"), ("outputs", "type")):
        names = {"name": kind[:-1], second: second, "description": "description"}
        print_rows(action[kind], names, as_json=False, empty=f"no {kind}")
        print()
    for platform, script in action["scripts"].items():
        print(f"--- {platform} ({script['language']}) ---\n{script['text']}")
