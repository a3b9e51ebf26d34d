"""`muster credentials`: how programs come in: make, list and revoke what they sign in with.

In: a name and a role. Out: the secret on standard output, once, alone, so that it can go into a file. Invariant: a
secret is never an option of a command, and never printed again.
"""

from __future__ import annotations

import sys

from muster.api import segment
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, seconds, tell, verbs

DESCRIPTION = "Credentials of programs. Each has a role, which says what it may do and see, and may come to an end."
EXAMPLES = """\
examples:
  muster credentials create etl --role readers --expires 90d > etl.token
  muster credentials list
  muster credentials revoke etl"""
LISTED = {
    "name": "credential",
    "role": "role",
    "created_at": "created",
    "used_at": "last used",
    "expires_at": "expires",
    "revoked_at": "revoked",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create, listing, revoke = (
        verb("create", "make a credential and print its secret"),
        verb("list", "all credentials"),
        verb("revoke", "make a credential worthless"),
    )
    for one in (create, revoke):
        one.add_argument("name", help="what the program is called")
    create.add_argument("--role", required=True, help="the role that says what it may do")
    create.add_argument("--expires", type=seconds, metavar="TIME", help="when it ends, such as 90d (default: never)")
    for one in (create, listing, revoke):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "create":
            body = {"name": options.name, "role": options.role, "expires_in": options.expires}
            made = portal.post("/credentials", body)
            tell(options, str(made["secret"]), made["credential"] | {"secret": made["secret"]})
            print("Keep it safe: it is not shown again.", file=sys.stderr)
        case "list":
            found = portal.get("/credentials")["credentials"]
            print_rows(found, LISTED, as_json=options.json, empty="There are no credentials yet.")
        case "revoke":
            portal.delete(f"/credentials/{segment(options.name)}")
            tell(options, f"{options.name} is revoked", {"name": options.name, "revoked": True})
