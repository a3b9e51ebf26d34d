"""`muster webhooks`: who is told when runs end, fail or halt.

In: an address and events. Out: the webhook's secret on standard output, once; webhooks; what became of deliveries.
Invariant: a secret is never an option of a command, and never printed again.
"""

from __future__ import annotations

import sys

from muster.api import segment
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = "Webhooks: have an address told when runs end, fail or halt. What is sent is signed."
EXAMPLES = """\
examples:
  muster webhooks create https://example.org/muster --event run.failed --event run.halted
  muster webhooks list
  muster webhooks deliveries 0193f1c2-..."""
EVENTS = ("run.ended", "run.failed", "run.halted")
LISTED = {"id": "id", "url": "address", "events": "events", "created_by": "by", "created_at": "made"}
DELIVERIES = {
    "created_at": "queued",
    "event": "event",
    "tries": "tries",
    "delivered_at": "delivered",
    "next_at": "next try",
    "error": "error",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create, listing = (
        verb("create", "have an address told, and print the secret that signs"),
        verb("list", "all webhooks"),
    )
    delete, deliveries = verb("delete", "tell an address nothing more"), verb("deliveries", "what became of deliveries")
    create.add_argument("address", help="the address, with https:// or http://")
    create.add_argument(
        "--event", action="append", choices=EVENTS, help="what to tell; may be given again (default: all)"
    )
    for one in (delete, deliveries):
        one.add_argument("id", help="the webhook's id")
    deliveries.add_argument("--limit", type=int, default=50, metavar="N", help="how many (default: 50, at most 200)")
    for one in (create, listing, delete, deliveries):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "create":
            made = portal.post("/webhooks", {"url": options.address, "events": options.event or list(EVENTS)})
            tell(options, made["secret"], made)
            identifier = made["webhook"]["id"]
            print(
                f"This secret of webhook {identifier} signs what is sent (Muster-Signature). Keep it safe: it is not "
                f"shown again.\n`muster webhooks deliveries {identifier}` says what became of each delivery.",
                file=sys.stderr,
            )
        case "list":
            rows = portal.get("/webhooks")["webhooks"]
            print_rows(rows, LISTED, as_json=options.json, empty="There are no webhooks.")
        case "delete":
            portal.delete(f"/webhooks/{segment(options.id)}")
            tell(options, f"{options.id} is deleted", {"id": options.id, "deleted": True})
        case "deliveries":
            rows = portal.get(f"/webhooks/{segment(options.id)}/deliveries", limit=options.limit)["deliveries"]
            print_rows(rows, DELIVERIES, as_json=options.json, empty="Nothing was sent yet.")
