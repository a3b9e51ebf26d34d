"""`muster campaigns`: questions to people: list them, send one to users, see what these said, ask no more.

In: a campaign and users, or the id of a response. Out: campaigns, responses. Invariant: whoever could not be asked is
named with the reason, and then the exit code says so.
"""

from __future__ import annotations

import sys
from typing import Any

from muster.api import Api, segment
from muster.commands.runs import nql_id, parameters
from muster.errors import UnsuccessfulError
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, seconds, tell, verbs
from muster.shown import plural

DESCRIPTION = "Questions to people. `muster apply` brings campaigns to a portal; the answers are in campaign.responses."
EXAMPLES = """\
examples:
  muster campaigns list
  muster campaigns send how_is_it_now --user S-1-5-21-7-1104 --user alice@pc-7 --param 'subject=the printer'
  muster query 'users | where ad.department == "Sales" | list uid' --format csv | tail -n +2 |
    muster campaigns send how_is_it_now --users-from-stdin --param 'subject=the move' --expires 3d
  muster campaigns responses how_is_it_now
  muster campaigns cancel 0193f1c2-..."""
LISTED = {"nql_id": "campaign", "name": "name", "number": "version", "status": "status", "triggers": "triggers",
          "responses": "responses"}  # fmt: skip
SENT = {"user": "user", "response": "response", "message": "why not"}
RESPONSES = {"user": "user", "state": "state", "detail": "detail", "said": "said", "changed_at": "changed", "id": "id"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    listing, sending, responses, cancelling = (
        verb("list", "all campaigns"),
        verb("send", "ask users"),
        verb("responses", "what users said, newest first"),
        verb("cancel", "ask this user no more"),
    )
    for one in (sending, responses):
        one.add_argument("id", help="the campaign's id, with or without #")
    cancelling.add_argument("id", help="the id of a response")
    users = sending.add_mutually_exclusive_group(required=True)
    users.add_argument("--user", action="append", metavar="USER", help="SID, uid or name; may be given again")
    users.add_argument("--users-from-stdin", action="store_true", help="read them from standard input, one a line")
    sending.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a value for the texts")
    sending.add_argument("--expires", type=seconds, metavar="TIME", help="ask until then at the most (default: 7d)")
    responses.add_argument("--limit", type=int, default=100, help="so many at the most (default: 100, most: 1000)")
    for one in (listing, sending, responses, cancelling):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "list":
            found = portal.get("/campaigns")["campaigns"]
            rows = found if options.json else [_campaign(one) for one in found]
            print_rows(
                rows, LISTED, as_json=options.json, empty="There are no campaigns yet. `muster apply DIR` defines some."
            )
        case "send":
            _send(portal, options)
        case "responses":
            path = f"/campaigns/{segment(nql_id(options.id))}/responses?limit={options.limit}"
            found = portal.get(path)["responses"]
            rows = found if options.json else [one | {"said": _said(one)} for one in found]
            print_rows(rows, RESPONSES, as_json=options.json, empty="Nobody was asked this yet.")
        case "cancel":
            said = portal.post(f"/campaign-responses/{segment(options.id)}/cancel", {})["response"]
            tell(options, f"{said['state']} ({said['detail']})" if said["detail"] else said["state"], said)


def _send(portal: Api, options: Options) -> None:
    users = [line.strip() for line in sys.stdin if line.strip()] if options.users_from_stdin else options.user
    body: dict[str, Any] = {"users": users, "parameters": parameters(options.param)}
    if options.expires is not None:
        body["expires_in"] = options.expires
    sent = portal.post(f"/campaigns/{segment(nql_id(options.id))}/send", body)["sent"]
    print_rows(sent, SENT, as_json=options.json, empty="Nobody was named.")
    if left := sum(one["response"] is None for one in sent):
        raise UnsuccessfulError(f"{left} of {plural(len(sent), 'user')} could not be asked.")


def _campaign(said: dict[str, Any]) -> dict[str, Any]:
    told, counts = said["definition"], said["counts"]
    responses = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    own = {"nql_id": told["nql_id"], "name": told["name"], "status": told["status"], "number": said["number"]}
    return own | {"triggers": ", ".join(told["triggers"]), "responses": responses}


def _said(response: dict[str, Any]) -> str:
    given = {**response["answers"], **response["comments"]}
    return ", ".join(f"{label}: {' '.join(text.split())}" for label, text in given.items())
