"""`muster diff`: what `muster apply` would change in a portal.

In: a folder. Out: unified diffs, fields by name and scripts by line. Invariant: nothing is changed; the exit code is 0
if the portal says what the folder says, 6 if not.
"""

from __future__ import annotations

from pathlib import Path

from muster.commands.apply import said
from muster.content import changing, folder
from muster.content.portal import Portal
from muster.errors import WARNED
from muster.options import Options, Parser, add_json, add_portal, api, print_json

DESCRIPTION = "What `muster apply` would change in a portal: - is the portal's, + is the folder's."
EXAMPLES = """\
examples:
  muster diff content
  muster diff content --prune                  what is only in the portal counts, too

exit codes: 0 the same, 6 different"""
WORDS = {"new": "is new", "signed": "has a signature that the portal lacks", "removed": "is only in the portal"}


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("path", type=Path, metavar="DIR", help="the folder, or one action's")
    parser.add_argument("--prune", action="store_true", help="tell of what is only in the portal")
    add_portal(parser)
    add_json(parser)


def run(options: Options) -> int:
    """Print the differences; the exit code."""
    found = changing.told(folder.read(options.path), Portal(api(options)), prune=options.prune)
    changes = [change for change in found if change.differs]
    if options.json:
        print_json([said(change) for change in changes])
    else:
        for change in changes:
            print("\n".join(change.lines) or f"{change.item.label} {WORDS[change.what]}")
    return WARNED if changes else 0
