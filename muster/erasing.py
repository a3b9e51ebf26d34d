"""Erasing devices or people by a portal: what would go is shown, a person confirms, and the end is waited for.

In: identifiers or names. Out: erasures, each as the portal shows it. Invariants: nothing is erased before it was shown
and confirmed, by a person or by --yes; who is not known, or is several, stops all of it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from muster.api import Api, segment
from muster.errors import UnsuccessfulError, UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_json

LOOK_SECONDS = 0.5
PATIENCE = 30.0  # seconds after which something that waits for the same thing is left to itself
PROBLEMS = {
    "unknown": "is not known",
    "ambiguous": "is the name of several; give the uid",
    "done": "was erased before",
    "failed": "cannot be erased now: too many erasures are under way",
}


def add_erase(parser: Parser, *, what: str) -> None:
    """The options of a verb that erases."""
    parser.add_argument("who", nargs="+", metavar="NAME|UID", help=f"the {what}, by uid or by name")
    parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")
    parser.add_argument("--preview", action="store_true", help="show what would go, and erase nothing")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until it is done")
    add_portal(parser)
    add_json(parser)


def erase(options: Options, kind: str, *, what: str) -> None:
    """Erase `kind` (the word of the interface: devices, users), which people call `what`. Raises UsageError,
    UnsuccessfulError."""
    portal = api(options)
    shown = [_one(portal, kind, who) for who in options.who]
    if not options.json or options.preview:
        _show(options, shown)
    if options.preview:
        return
    if not options.yes:
        _confirm(len(shown), what)
    body = {kind: [{"uid": one["uid"]} for one in shown]}
    asked = portal.post(f"/{kind}/erasures", body)["erasures"]
    _check(asked)
    ended = [_followed(portal, one["erasure"], wait=not options.no_wait) for one in asked]
    if options.json:
        print_json(ended)
    elif options.no_wait:
        print(f"asked for: {', '.join(one['id'] for one in ended)}; `muster erasures` says how far it is")
    else:
        print(f"erased: {', '.join(one['id'] for one in ended)}")
    if options.no_wait or options.json:
        return
    for line in sorted({line for one in ended for line in one["written"]}):
        print(f"{line} still names it, as somebody wrote it: change it, if need be")


def _one(portal: Api, kind: str, who: str) -> dict[str, Any]:
    """What would go of one, known by its uid or else by its name."""
    for wanted in ({"uid": who}, {"name": who}):
        [shown] = portal.post(f"/{kind}/erasures/preview", {kind: [wanted]})["erasures"]
        if shown["status"] != "unknown":
            break
    _check([shown | {"name": shown["name"] or who}])
    found: dict[str, Any] = shown
    return found


def _check(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        if said := PROBLEMS.get(answer["status"]):
            raise UsageError(
                f"{answer['name'] or answer['uid']} {said}.", "Nothing more was asked for.", answer["status"]
            )


def _show(options: Options, shown: list[dict[str, Any]]) -> None:
    if options.json:
        print_json(shown)
        return
    for one in shown:
        control = {what.replace("_", " "): count for what, count in one["control"].items() if count}
        print(f"{one['name'] or one['uid']} ({one['uid']})")
        for name, count in [*one["rows"].items(), *control.items()]:
            print(f"  {count:>12,} {name}")
        print(f"  goes from other texts, too: {', '.join(one['words'])}")
        for line in one["written"]:
            print(f"  stays, as somebody wrote it: {line}")


def _confirm(count: int, what: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("This erases for ever, so it is to be confirmed.", "Add --yes in a script.", "not_confirmed")
    said = input(f"This erases {count} {what} for ever, and cannot be taken back. Type yes to go on: ")
    if said.strip().lower() != "yes":
        raise UsageError("Nothing was erased.", "", "not_confirmed")


def _followed(portal: Api, identifier: str, *, wait: bool) -> dict[str, Any]:
    """The erasure, at its end if that is waited for. Raises UnsuccessfulError for one that waits for something."""
    told = ""
    while True:
        view: dict[str, Any] = portal.get(f"/erasures/{segment(identifier)}")["erasure"]
        if not wait or view["state"] == "done":
            return view
        if view["error"] and view["error"] == told:
            raise UnsuccessfulError(
                f"The erasure {identifier} waits: {view['error']}.",
                "It goes on by itself; `muster erasures` says when it is done.",
                "waits",
            )
        told = view["error"] or ""
        time.sleep(PATIENCE if told else LOOK_SECONDS)
