"""The one table of what is loaded by name when it is needed: commands of the command line, and the heavy parts behind
them.

In: a name. Out: its module. Invariant: nothing here is imported before it is asked for, so that `muster --help` and a
query to a portal never pay for Polars, Arrow, SQLAlchemy or the portal itself.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

# name: (module, what it does, in the words of the help text)
COMMANDS = {
    "query": ("muster.commands.query", "ask a question in NQL and print the answer"),
    "queries": ("muster.commands.queries", "keep queries under an id, by which other people's clients ask them"),
    "fields": ("muster.commands.fields", "custom fields of devices, people, binaries and packages"),
    "nql": ("muster.commands.nql", "check queries in files, lay them out, say what they ask"),
    "lsp": ("muster.commands.lsp", "help with queries in editors: a language server"),
    "serve": ("muster.commands.serve", "run a portal over a data folder"),
    "store": ("muster.commands.store", "hold the tables for several portals, or stand by"),
    "demo": ("muster.commands.demo", "run a portal with this machine and 500 simulated devices"),
    "estate": ("muster.commands.estate", "write the history of simulated devices"),
    "actions": ("muster.commands.actions", "list, show, check, sign and run remote actions"),
    "apply": ("muster.commands.apply", "bring a portal to what a folder says: actions, queries, campaigns, ..."),
    "diff": ("muster.commands.diff", "what apply would change"),
    "export": ("muster.commands.export", "write a portal's actions, queries, campaigns and so on as files"),
    "authors": ("muster.commands.authors", "who may write what devices run: keys, trust, removal"),
    "runs": ("muster.commands.runs", "start, list, follow, halt, resume, retry and cancel runs of remote actions"),
    "webhooks": ("muster.commands.webhooks", "tell others when runs end, fail or halt"),
    "workflows": ("muster.commands.workflows", "list, show, run, watch and cancel workflows of several steps"),
    "campaigns": ("muster.commands.campaigns", "list and send campaigns to users, and what these said"),
    "schedules": ("muster.commands.schedules", "make, list, look at and stop schedules of remote actions"),
    "users": ("muster.commands.users", "create, list and disable accounts"),
    "roles": ("muster.commands.roles", "what accounts may do, and what part of the estate they see"),
    "credentials": ("muster.commands.credentials", "how programs come in: make, list, rotate and revoke"),
    "audit": ("muster.commands.audit", "who changed what, and whether the log of it is whole"),
    "keys": ("muster.commands.keys", "list and rotate the keys of the portal"),
    "secrets": ("muster.commands.secrets", "keep values that scripts may read, and grant them to actions"),
    "tokens": ("muster.commands.tokens", "create, list and revoke API tokens"),
    "enroll-key": ("muster.commands.enroll_key", "make one-time keys with which devices enrol"),
    "engines": ("muster.commands.engines", "the sites that devices belong to, Engines to classic clients"),
    "devices": ("muster.commands.devices", "revoke or erase a device; decide about one that was copied"),
    "people": ("muster.commands.people", "erase a person that the tables know"),
    "erasures": ("muster.commands.erasures", "what was erased, and how far erasures are"),
    "load": ("muster.commands.load", "measure a portal under many light devices"),
    "backup": ("muster.commands.backup", "copy a data folder beside a running portal"),
    "restore": ("muster.commands.restore", "make a data folder of a backup"),
    "lake": ("muster.commands.lake", "bring closed days back from an object store"),
    "doctor": ("muster.commands.doctor", "check that a data folder holds what was written to it"),
}
PARTS = {
    "folder": "muster.folder",
    "folder_accounts": "muster.folder_accounts",
    "folder_load": "muster.folder_load",
    "checkup": "muster.checkup",
    "backup": "muster.backup",
    "load": "muster.estate.load",
    "send": "muster.send",
    "serve": "muster.serve",
    "store": "muster.store",
    "demo": "muster.demo",
    "progress": "muster.progress",
    "fleet": "muster.fleet.load",
    "lake": "muster.lake",
    "live": "muster.live",
    "live_table": "muster.live_table",
    "lsp": "muster.lsp.server",
    "reference": "muster.reference.contents",
}


def command(name: str) -> ModuleType:
    """The module of a command: `arguments(parser)` and `run(options)`."""
    return import_module(COMMANDS[name][0])


def part(name: str) -> ModuleType:
    """A heavy part, by its name in the table."""
    return import_module(PARTS[name])
