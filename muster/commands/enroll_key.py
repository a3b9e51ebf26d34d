"""`muster enroll-key`: one-time keys with which devices enrol.

In: how many, for how long. Out: the keys on standard output, one a line, once. Invariant: a key enrols one device,
once, before it expires.
"""

from __future__ import annotations

import sys

from muster import registry
from muster.errors import UsageError
from muster.options import (
    Options,
    Parser,
    add_data,
    add_json,
    add_portal,
    api,
    one_place,
    print_rows,
    seconds,
    tell,
    verbs,
)

DESCRIPTION = "One-time keys with which devices enrol: make and list them."
EXAMPLES = """\
examples:
  muster enroll-key create --data /var/lib/muster
  muster enroll-key create --count 100 --expires-in 7d > keys.txt
  muster enroll-key list

on the device: muster-agent enroll --help"""
LISTED = {
    "id": "id",
    "simulated": "simulated",
    "created_by": "made by",
    "expires_at": "expires",
    "used_at": "used",
    "used_by": "device",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create = verb("create", "make keys and print them")
    create.add_argument("--count", type=int, default=1, metavar="N", help="how many (default: 1, at most 10000)")
    create.add_argument(
        "--expires-in", type=seconds, default=86_400, metavar="TIME", help="for how long they are good (default: 1d)"
    )
    create.add_argument("--site", metavar="NAME", help="the site that the devices join (default: the standard one)")
    create.add_argument("--simulated", action="store_true", help="for simulated devices")
    for one in (create, verb("list", "the newest keys, without their secrets")):
        add_portal(one)
        add_data(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    one_place(options)
    folder = None if options.data is None else registry.part("folder_accounts")
    if options.verb == "list":
        found = folder.keys(options.data) if folder else api(options).get("/enrol-keys")["keys"]
        print_rows(found, LISTED, as_json=options.json, empty="There are no keys.")
        return
    if not (1 <= options.count <= 10_000 and 60 <= options.expires_in <= 30 * 86_400):
        raise UsageError("Keys are made 1 to 10000 at a time, for 60s to 30d.")
    if folder:
        made = folder.create_keys(
            options.data,
            options.count,
            simulated=options.simulated,
            expires_in=options.expires_in,
            site=options.site,
        )
    else:
        body = {"count": options.count, "simulated": options.simulated, "expires_in": options.expires_in}
        body |= {} if options.site is None else {"site": options.site}
        made = api(options).post("/enrol-keys", body)
    tell(options, "\n".join(made["keys"]), made)
    print(f"Good for one device each, until {made['expires_at']}.", file=sys.stderr)
