"""`muster audit`: who changed what, and whether the log of it is as it was written.

In: a portal, or the folder of one. Out: entries; or that the log is whole, with its newest hash, which is worth
keeping somewhere else. Invariant: `verify` ends with 0 only if every entry fits.
"""

from __future__ import annotations

from typing import Any

from muster import registry
from muster.errors import UnsuccessfulError
from muster.options import Options, Parser, add_data, add_json, add_portal, api, one_place, print_rows, tell, verbs

DESCRIPTION = "The audit log: list the newest entries, check the chain. In NQL it is the table platform.audit_logs."
EXAMPLES = """\
examples:
  muster audit list --limit 20
  muster audit list --subject account:anna
  muster audit verify --data /var/lib/muster"""
LISTED = {
    "sequence": "number",
    "time": "time",
    "actor": "who",
    "credential": "by",
    "action": "what",
    "subject": "on",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    listing, verify = verb("list", "the newest entries"), verb("verify", "whether the log is as it was written")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="how many (default: 50, at most 1000)")
    listing.add_argument("--before", type=int, metavar="NUMBER", help="only entries before this one")
    listing.add_argument("--subject", help="only entries on this, such as account:anna")
    for one in (listing, verify):
        add_portal(one)
        add_data(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    one_place(options)
    folder = None if options.data is None else registry.part("folder_accounts")
    if options.verb == "verify":
        said = api(options).get("/audit/verify") if folder is None else folder.verify_audit(options.data)
        _verified(options, said)
        return
    asked = {name: value for name in ("limit", "before", "subject") if (value := getattr(options, name)) is not None}
    found = api(options).get("/audit", **asked)["entries"] if folder is None else folder.audit(options.data, **asked)
    print_rows(found, LISTED, as_json=options.json, empty="There are no such entries.")


def _verified(options: Options, said: dict[str, Any]) -> None:
    older = f", {said['unhashed']} of them older than the chain" if said["unhashed"] else ""
    older += f", {said['blanked']} of them blanked by erasures, as later ones say" if said.get("blanked") else ""
    text = f"{said['entries']} entries{older}; the newest is {said['last']}, its hash\n{said['head']}"
    tell(options, text if said["whole"] else f"entry {said['broken']}: {said['reason']}", said)
    if not said["whole"]:
        raise UnsuccessfulError(
            "The audit log is not as it was written.", "Keep the database as it is and find out who had it.", "broken"
        )
