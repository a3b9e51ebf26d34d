"""`muster engines`: the sites that devices belong to, which clients of the classic APIs know as Engines.

In: a name and what is said of the site; devices. Out: sites. Invariant: a site is never taken away, as its id stands in
what clients have stored; a device belongs to exactly one.
"""

from __future__ import annotations

import sys
from typing import Any

from muster.api import Api, segment
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = (
    "Sites, which classic clients know as Engines: list them, make and change them, say which devices they have."
)
EXAMPLES = """\
examples:
  muster engines list
  muster engines create lyon --address engine-lyon.example.net --port 443 --zone Europe/Paris
  muster engines set lyon --description 'the south'
  muster engines assign lyon 0197c3f0-0000-7000-8000-000000000001
  muster query 'devices | where entity == "Lyon" | list uid' --csv | tail -n +2 | muster engines assign lyon -
  muster enroll-key create --site lyon"""
LISTED = {
    "name": "engine",
    "uid": "uid",
    "status": "status",
    "address": "address",
    "port": "port",
    "zone": "zone",
    "description": "description",
}
GROUP = 1000  # devices of one request
SAID = ("address", "port", "description", "zone")


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    listing, creating = verb("list", "all sites, and which are served"), verb("create", "make a site")
    setting, assigning = verb("set", "change what is said of a site"), verb("assign", "have devices belong to a site")
    for one in (creating, setting, assigning):
        one.add_argument("name", help="the site's name")
    for one in (creating, setting):
        one.add_argument("--address", metavar="HOST", help="where classic clients reach it (default: the portal)")
        one.add_argument("--port", type=int, metavar="N", help="on which port")
        one.add_argument("--description", metavar="TEXT", help="words about it")
        one.add_argument("--zone", metavar="ZONE", help="its time zone (default: that of the instance)")
    assigning.add_argument("devices", nargs="+", help="uids of devices; - reads them from standard input, one a line")
    for one in (listing, creating, setting, assigning):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "list":
            print_rows(portal.get("/sites")["sites"], LISTED, as_json=options.json, empty="There are no sites.")
        case "create" | "set":
            said = {name: getattr(options, name) for name in SAID if getattr(options, name) is not None}
            if options.verb == "create":
                site = portal.post("/sites", {"name": options.name, **said})["site"]
            else:
                site = portal.patch(f"/sites/{segment(options.name)}", said)["site"]
            tell(options, f"{site['name']} has the uid {site['uid']}", site)
        case "assign":
            moved = _assigned(portal, options.name, _uids(options.devices))
            tell(options, f"{moved} devices belong to {options.name} from now on", {"moved": moved})


def _assigned(portal: Api, name: str, uids: list[str]) -> int:
    path = f"/sites/{segment(name)}/devices"
    groups = [uids[at : at + GROUP] for at in range(0, len(uids), GROUP)]
    return sum(int(portal.post(path, {"devices": group})["moved"]) for group in groups)


def _uids(given: list[str]) -> list[str]:
    named: list[Any] = [uid for uid in given if uid != "-"]
    read = [line.strip() for line in sys.stdin] if "-" in given else []
    return list(dict.fromkeys([*named, *filter(None, read)]))
