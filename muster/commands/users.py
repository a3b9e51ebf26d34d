"""`muster users`: accounts of people: create, list, give a role or a new password, disable.

In: a name; a password from a prompt or standard input, never from the command line. Out: the accounts. Invariant: a
password is neither printed nor logged, unless it was made here and is shown this once.
"""

from __future__ import annotations

import getpass
import secrets
import string
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

DESCRIPTION = (
    "Accounts: create, list, give a role or a new password, disable. With --data also beside a running portal."
)
EXAMPLES = """\
examples:
  muster users create anna --data /var/lib/muster            (asks for the password)
  muster users create ben --role lyon --generate
  muster users set-role anna admins
  muster users list --data /var/lib/muster"""
PERMISSIONS = ("query", "execute", "manage", "administer", "import", "api")
LISTED = {
    "name": "account",
    "role": "role",
    "permissions": "permissions",
    "zone": "zone",
    "created_at": "created",
    "disabled_at": "disabled",
}
LEAST = 10  # characters of a password
ALPHABET = string.ascii_letters + string.digits


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create, password = (
        verb("create", "make an account"),
        verb("password", "give an account a new password; its sessions end"),
    )
    for one in (create, password):
        one.add_argument("name", help="the account's name")
        one.add_argument("--generate", action="store_true", help="make a random password and print it once")
    create.add_argument(
        "--permissions",
        default="query,execute,manage",
        help=f"of {', '.join(PERMISSIONS)}, or all (default: query,execute,manage)",
    )
    create.add_argument("--role", help="the role that says what it may do, instead of --permissions")
    create.add_argument("--zone", default="UTC", help="time zone in which dates are shown (default: UTC)")
    disable = verb("disable", "close an account: its sessions and tokens open nothing any more")
    disable.add_argument("name", help="the account's name")
    role = verb("set-role", "give an account a role, or none")
    role.add_argument("name", help="the account's name")
    role.add_argument("role", nargs="?", help="the role (left out: none, so that its own permissions count)")
    for one in (create, password, role, disable, verb("list", "all accounts")):
        add_portal(one)
        add_data(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    one_place(options)
    match options.verb:
        case "list":
            found = (
                registry.part("folder_accounts").everyone(options.data)
                if options.data
                else api(options).get("/accounts")["accounts"]
            )
            print_rows(
                found,
                LISTED,
                as_json=options.json,
                empty="There are no accounts yet. `muster users create NAME --data DIR` makes one.",
            )
        case "create":
            _create(options)
        case "password":
            _new_password(options)
        case "set-role":
            if options.data:
                registry.part("folder_accounts").set_role(options.data, options.name, options.role)
            else:
                api(options).patch(f"/accounts/{segment(options.name)}", {"role": options.role})
            said = {"name": options.name, "role": options.role}
            _say(
                options, f"{options.name} has {'no role' if options.role is None else f'the role {options.role}'}", said
            )
        case "disable":
            if options.data:
                registry.part("folder_accounts").disable(options.data, options.name)
            else:
                api(options).delete(f"/accounts/{segment(options.name)}")
            _say(options, f"{options.name} is disabled", {"name": options.name, "disabled": True})


def _create(options: Options) -> None:
    permissions = permissions_of(options.permissions)
    password = _password(options)
    if options.data:
        create = registry.part("folder_accounts").create
        create(options.data, options.name, password, permissions, options.zone, options.role)
    else:
        body = {"name": options.name, "password": password, "permissions": permissions, "zone": options.zone}
        api(options).post("/accounts", body | ({} if options.role is None else {"role": options.role}))
    said = {"name": options.name, "permissions": permissions, "zone": options.zone}
    said |= {} if options.role is None else {"role": options.role}
    _say(options, f"made the account {options.name}", said | ({"password": password} if options.generate else {}))


def _new_password(options: Options) -> None:
    password = _password(options)
    if options.data:
        registry.part("folder_accounts").set_password(options.data, options.name, password)
    else:
        api(options).post(f"/accounts/{segment(options.name)}/password", {"password": password})
    said = {"name": options.name}
    _say(options, f"{options.name} has a new password", said | ({"password": password} if options.generate else {}))


def permissions_of(text: str) -> list[str]:
    """The permissions that a text lists. Raises UsageError."""
    given = PERMISSIONS if text == "all" else tuple(filter(None, (part.strip() for part in text.split(","))))
    if unknown := [name for name in given if name not in PERMISSIONS]:
        raise UsageError(f"There is no permission {unknown[0]!r}.", f"There are: {', '.join(PERMISSIONS)}.")
    return list(given)


def new_password() -> str:
    """A random password: 20 letters and digits, 119 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(20))


def _password(options: Options) -> str:
    if options.generate:
        return new_password()
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise UsageError("The two passwords differ.", "Try again.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not LEAST <= len(password) <= 256:
        raise UsageError(f"A password has {LEAST} to 256 characters.", "--generate makes one.")
    return password


def _say(options: Options, text: str, said: dict[str, object]) -> None:
    shown = f"\npassword (shown this once): {said['password']}" if "password" in said else ""
    tell(options, text + shown, said)
