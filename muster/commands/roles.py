"""`muster roles`: what accounts may do, which actions, and what part of the estate they see.

In: a role's name and its rights. Out: roles. Invariant: `set` says the whole role: what is not given is not in it, so
that the same command always makes the same role.
"""

from __future__ import annotations

from typing import Any

from muster.api import segment
from muster.commands.runs import nql_id
from muster.commands.users import PERMISSIONS, permissions_of
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = (
    "Roles: make, change, show and delete them. A change counts at once for every account that holds the role."
)
EXAMPLES = """\
examples:
  muster roles set lyon --allow query,execute --actions '#clear_cache,#reboot' --domain 'entity == "Lyon"'
  muster roles set admins --allow all
  muster users set-role anna lyon
  muster roles list"""
LISTED = {"name": "role", "permissions": "may", "actions": "actions", "domain": "sees", "accounts": "accounts"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    setting, listing = verb("set", "make a role, or change it"), verb("list", "all roles")
    showing, deleting = verb("show", "one role"), verb("delete", "remove a role that no account holds")
    for one in (setting, showing, deleting):
        one.add_argument("name", help="the role's name")
    setting.add_argument("--allow", required=True, metavar="LIST", help=f"of {', '.join(PERMISSIONS)}, or all")
    setting.add_argument(
        "--actions", metavar="LIST", help="the actions that may be run, such as '#a,#b' (default: all)"
    )
    setting.add_argument(
        "--domain", metavar="CONDITION", help="the devices that are seen, such as 'entity == \"Lyon\"' (default: all)"
    )
    setting.add_argument("--engines", metavar="LIST", help="the sites whose devices are seen (default: all)")
    for one in (setting, listing, showing, deleting):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "list":
            found = portal.get("/roles")["roles"]
            print_rows(
                [_row(role, options.json) for role in found], LISTED, as_json=options.json, empty="No roles yet."
            )
        case "set":
            named = None if options.actions is None else [nql_id(name) for name in _names(options.actions)]
            body: dict[str, Any] = {
                "permissions": permissions_of(options.allow),
                "actions": named,
                "domain": options.domain,
            }
            body["sites"] = None if options.engines is None else _names(options.engines)
            said = portal.put(f"/roles/{segment(options.name)}", body, text=options.domain or "")
            tell(options, f"saved the role {options.name}", said["role"])
        case "show":
            role = portal.get(f"/roles/{segment(options.name)}")["role"]
            tell(options, "\n".join(f"{LISTED.get(name, name)}: {_text(value)}" for name, value in role.items()), role)
        case "delete":
            portal.delete(f"/roles/{segment(options.name)}")
            tell(options, f"deleted the role {options.name}", {"name": options.name, "deleted": True})


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _row(role: dict[str, Any], as_json: bool) -> dict[str, Any]:
    return role if as_json else role | {name: _text(role[name]) for name in ("actions", "domain")}


def _text(value: Any) -> str:
    if value is None:
        return "all"
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)
