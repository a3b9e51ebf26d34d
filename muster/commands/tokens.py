"""`muster tokens`: API tokens: create, list and revoke them.

In: a name for the token. Out: its secret on standard output, once, alone, so that it can go into a file. Invariant: a
secret is never an option of a command, and never printed again.
"""

from __future__ import annotations

import sys

from muster import registry
from muster.api import segment
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
    tell,
    verbs,
)

DESCRIPTION = "API tokens: create, list and revoke them. A token may do what its account may."
EXAMPLES = """\
examples:
  muster tokens create notebook --account anna --data /var/lib/muster > ~/.config/muster/token
  export MUSTER_TOKEN=$(muster tokens create shell --account anna --data /var/lib/muster)
  muster tokens list"""
LISTED = {"id": "id", "name": "name", "created_at": "created", "used_at": "last used", "revoked_at": "revoked"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create, listing, revoke = (
        verb("create", "make a token and print its secret"),
        verb("list", "an account's tokens"),
        verb("revoke", "make a token worthless"),
    )
    create.add_argument("name", help="what it is for")
    revoke.add_argument("id", help="the token's id")
    for one in (create, listing, revoke):
        one.add_argument("--account", metavar="NAME", help="whose token, with --data (at a portal: one's own)")
        add_portal(one)
        add_data(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    one_place(options)
    if (options.data is None) != (options.account is None):
        raise UsageError("--account goes with --data.", "At a portal, tokens are one's own; on a folder, say whose.")
    folder = None if options.data is None else registry.part("folder_accounts")
    match options.verb:
        case "create":
            made = (
                folder.create_token(options.data, options.account, options.name)
                if folder
                else _made(api(options).post("/tokens", {"name": options.name}))
            )
            tell(options, str(made["secret"]), made)
            print("Keep it safe: it is not shown again.", file=sys.stderr)
        case "list":
            found = folder.tokens(options.data, options.account) if folder else api(options).get("/tokens")["tokens"]
            print_rows(found, LISTED, as_json=options.json, empty="There are no tokens.")
        case "revoke":
            if folder:
                folder.revoke_token(options.data, options.account, options.id)
            else:
                api(options).delete(f"/tokens/{segment(options.id)}")
            tell(options, f"{options.id} is revoked", {"id": options.id, "revoked": True})


def _made(said: dict[str, dict[str, object]]) -> dict[str, object]:
    return {**said["token"], "secret": said["secret"]}
