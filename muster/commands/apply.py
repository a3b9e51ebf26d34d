"""`muster apply`: bring a portal to what a folder says: actions, saved queries, campaigns, workflows, schedules.

In: a folder. Out: what was done with each item, and notes where a manifest and its scripts disagree. Invariant: doing
it twice does nothing; with --prune, what would be removed is listed and asked about before anything is.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from muster.content import changing, folder
from muster.content.changing import Change
from muster.content.items import disagreements
from muster.content.portal import Portal
from muster.errors import MusterError, UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_json

DESCRIPTION = "Bring a portal to what a folder says: actions, saved queries, campaigns, workflows, schedules."
EXAMPLES = """\
examples:
  muster apply content
  muster apply content/actions/get_uptime
  muster apply content --prune                 remove what is not in the folder, too (actions stay)

A folder holds actions/<id>/manifest.json with scripts, queries/<id>.nql, and
campaigns, workflows and schedules as <id>.json. Signatures that lie beside manifests are handed in.
`muster diff DIR` shows beforehand what would change."""
WORDS = {"new": "made", "same": "unchanged"}


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("path", type=Path, metavar="DIR", help="the folder, or one action's")
    parser.add_argument("--prune", action="store_true", help="remove queries and schedules that are not in the folder")
    parser.add_argument("--yes", action="store_true", help="with --prune: do not ask")
    add_portal(parser)
    add_json(parser)


def run(options: Options) -> None:
    """Do it, and say what was done."""
    wanted, portal = folder.read(options.path), Portal(api(options))
    planned = changing.told(wanted, portal, prune=options.prune)
    if options.prune:
        _confirm([change for change in planned if change.what == "removed"], sure=options.yes)
    for item in (change.item for change in planned if change.what in ("new", "changed")):
        for problem in disagreements(item):
            print(f"note: {item.nql_id} {problem}", file=sys.stderr)
    done = []
    for change in changing.done(planned, portal):
        done.append(change)
        if not options.json and change.what != "same":
            print(_line(change))
    counts = Counter(WORDS.get(change.what, change.what) for change in done)
    if options.json:
        print_json([said(change) for change in done])
    else:
        print(", ".join(f"{count} {what}" for what, count in counts.items()) or "The folder is empty.")
    if counts["failed"]:
        raise MusterError(f"{counts['failed']} of {len(done)} could not be applied.", "The rest was.", "not_applied")


def said(change: Change) -> dict[str, str | list[str]]:
    """A change as JSON."""
    item = change.item
    return {"kind": item.kind, "id": item.nql_id, "what": change.what, "detail": change.said, "lines": [*change.lines]}


def _line(change: Change) -> str:
    line = f"{WORDS.get(change.what, change.what):<9} {change.item.label}"
    return f"{line}: {change.said}" if change.said else line


def _confirm(removed: list[Change], *, sure: bool) -> None:
    """List what would be removed, and ask. Raises UsageError."""
    if not removed:
        return
    print("These are not in the folder and would be removed:", file=sys.stderr)
    for change in removed:
        print(f"  {change.item.label}", file=sys.stderr)
    if sure:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nothing was done.", "Where nobody can be asked, --yes says that it is meant.", "not_sure")
    if input("Remove them? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UsageError("Nothing was done.", "Without --prune nothing is removed.", "not_sure")
