"""`muster secrets`: values that scripts may read: keep them, grant them to actions, take them back.

In: a name; the value from standard input, a file or a prompt. Out: names and grants. Invariant: a value is never an
option of a command, and nothing here prints one.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from muster.api import segment
from muster.commands.runs import nql_id
from muster.errors import UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = "Secrets: values that the scripts of an action may read (muster_secret NAME), and nobody else."
EXAMPLES = """\
examples:
  muster secrets set smtp_password < password.txt      (a line's end at the end is left out)
  muster secrets grant smtp_password '#send_report'
  muster secrets list
  muster secrets revoke smtp_password '#send_report'
  muster secrets delete smtp_password

An action names its secrets in its manifest ("secrets": ["smtp_password"]) and must be signed to get them."""
LISTED = {"name": "name", "actions": "granted to", "updated_at": "changed", "updated_by": "by"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    put = verb("set", "keep a value, in place of the former")
    put.add_argument("--file", type=Path, metavar="FILE", help="read the value from a file (default: standard input)")
    grant, revoke = verb("grant", "let an action read it"), verb("revoke", "let an action read it no more")
    delete, listing = verb("delete", "forget it and its grants"), verb("list", "all secrets, without values")
    for one in (put, grant, revoke, delete):
        one.add_argument("name", help="the secret's name")
    for one in (grant, revoke):
        one.add_argument("action", help="the action's id, with or without #")
    for one in (put, grant, revoke, delete, listing):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    if options.verb == "list":
        found = api(options).get("/secrets")["secrets"]
        print_rows(found, LISTED, as_json=options.json, empty="There are no secrets: `muster secrets set NAME`.")
        return
    path = f"/secrets/{segment(options.name)}"
    match options.verb:
        case "set":
            made = api(options).post("/secrets", {"name": options.name, "value": _value(options)})
            tell(options, f"{options.name} is kept", made)
        case "grant":
            made = api(options).post(f"{path}/grants", {"action": nql_id(options.action)})
            tell(options, f"{nql_id(options.action)} may read {options.name}", made)
            _warn_unnamed(options)
        case "revoke":
            api(options).delete(f"{path}/grants/{segment(nql_id(options.action))}")
            said = {"name": options.name, "action": nql_id(options.action), "revoked": True}
            tell(options, f"{nql_id(options.action)} may read {options.name} no more", said)
        case "delete":
            api(options).delete(path)
            tell(options, f"{options.name} is forgotten", {"name": options.name, "deleted": True})


def _warn_unnamed(options: Options) -> None:
    """Say where the action's manifest does not name the secret: then its scripts do not get it, granted or not."""
    action = nql_id(options.action)
    if options.name not in api(options).get(f"/actions/{segment(action)}/manifest").get("secrets", []):
        way = f'Write "secrets": ["{options.name}"] into its manifest, apply and sign it.'
        print(f"warning: {action} does not name {options.name}, so its scripts do not get it. {way}", file=sys.stderr)


def _value(options: Options) -> str:
    try:
        if options.file is not None:
            text = Path(options.file).read_bytes().decode("utf-8")
        elif sys.stdin.isatty():
            text = getpass.getpass("Value: ")
        else:
            text = sys.stdin.buffer.read(1 << 20).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("The value is no text in UTF-8.", "Encode it, in base64 for instance.") from error
    except OSError as error:
        raise UsageError(f"{options.file} cannot be read: {error.strerror}.") from error
    return text.removesuffix("\n").removesuffix("\r")
