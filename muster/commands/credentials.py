"""`muster credentials`: how programs come in: make, list, rotate, limit and revoke what they sign in with.

In: a name, and a role or the APIs of other people's clients. Out: the secret on standard output, once, alone (or after
its id), so that it can go into a file. Invariant: a secret is never an option of a command, and never printed again.
"""

from __future__ import annotations

import sys
from typing import Any

from muster.api import segment
from muster.errors import UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, seconds, tell, verbs

DESCRIPTION = (
    "Credentials of programs. One with a role is an account of its own, for our own interface; one with --allow is for "
    "what it names (`muster` is our own, the others are what other people's clients speak), and acts for an account."
)
EXAMPLES = """\
examples:
  muster credentials create etl --role readers --expires 90d > etl.token
  muster credentials create itsm --allow nql,act --json            (its id and its secret)
  muster credentials create report --allow muster --json           (for our own interface: docs/python.md)
  muster credentials create itsm --allow nql --as anna             (it may do what anna may; by an administrator)
  muster credentials rotate itsm --keep 1h
  muster credentials limits itsm --nql-per-second 20 --exports-per-day 500
  muster credentials revoke etl"""
APIS = ("act", "campaigns", "data_management", "enrichment", "muster", "nql", "spark", "workflows")
LIMITS = {
    "nql_per_second": "queries a second (usually 1)",
    "nql_per_day": "queries a day (usually 50000)",
    "exports_per_day": "exports a day (usually 50)",
}
LISTED = {
    "name": "credential",
    "role": "role",
    "allow": "allows",
    "account": "acts for",
    "created_at": "created",
    "used_at": "last used",
    "expires_at": "expires",
    "revoked_at": "revoked",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create, listing, rotate, limits, revoke = (
        verb("create", "make a credential and print its secret"),
        verb("list", "all credentials"),
        verb("rotate", "give a credential with --allow a new secret"),
        verb("limits", "say how often a credential with --allow may ask"),
        verb("revoke", "make a credential worthless"),
    )
    for one in (create, rotate, limits, revoke):
        one.add_argument("name", help="what the program is called")
    what = create.add_mutually_exclusive_group(required=True)
    what.add_argument("--role", help="the role that says what it may do")
    what.add_argument("--allow", metavar="LIST", help=f"the APIs that it may use: of {', '.join(APIS)}")
    create.add_argument("--as", dest="account", metavar="ACCOUNT", help="for whom it acts (default: for you)")
    create.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    create.add_argument("--expires", type=seconds, metavar="TIME", help="when it ends, such as 90d (default: never)")
    rotate.add_argument(
        "--keep", type=seconds, default=86_400, metavar="TIME", help="how long the old secret counts (default: 1d)"
    )
    for name, meaning in LIMITS.items():
        limits.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=meaning)
    for one in (create, listing, rotate, limits, revoke):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "create":
            _made(options, portal.post("/credentials", _new(options)))
        case "list":
            found = portal.get("/credentials")["credentials"]
            rows = found if options.json else [_row(one) for one in found]
            print_rows(
                rows,
                LISTED,
                as_json=options.json,
                empty="There are no credentials yet. `muster credentials create NAME --allow nql` makes one.",
            )
        case "rotate":
            _made(options, portal.post(f"/credentials/{segment(options.name)}/rotate", {"keep": options.keep}))
        case "limits":
            given = {name: getattr(options, name) for name in LIMITS}
            body = {"limits": {name: value for name, value in given.items() if value is not None}}
            said = portal.patch(f"/credentials/{segment(options.name)}", body)["credential"]
            shown = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in said["limits"].items())
            tell(options, f"{options.name}: {shown or 'as for everybody'}", said)
        case "revoke":
            portal.delete(f"/credentials/{segment(options.name)}")
            tell(options, f"{options.name} is revoked", {"name": options.name, "revoked": True})


def _new(options: Options) -> dict[str, Any]:
    """Raises UsageError."""
    body: dict[str, Any] = {"name": options.name, "expires_in": options.expires, "description": options.description}
    if options.role is not None:
        if options.account is not None:
            raise UsageError("--as goes with --allow.", "A credential with a role acts for itself.")
        return body | {"role": options.role}
    allow = [name for name in (part.strip() for part in options.allow.split(",")) if name]
    if odd := [name for name in allow if name not in APIS]:
        raise UsageError(f"There is no API {odd[0]!r}.", f"There are {', '.join(APIS)}.")
    return body | {"allow": allow, "account": options.account}


def _made(options: Options, made: dict[str, Any]) -> None:
    credential, secret = made["credential"], str(made["secret"])
    identifier = credential.get("id")
    tell(options, f"{identifier}\n{secret}" if identifier else secret, credential | {"secret": secret})
    print("Keep it safe: it is not shown again.", file=sys.stderr)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"allow": None if one["allow"] is None else ", ".join(one["allow"])}
