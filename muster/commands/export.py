"""`muster export`: a portal's content as files: actions, saved queries, campaigns, workflows, schedules.

In: a folder. Out: files in it. Invariant: `muster apply` of what was written changes nothing; nothing is removed, and a
file that says the same already is left as it is written.
"""

from __future__ import annotations

from pathlib import Path

from muster.content import folder
from muster.content.items import KINDS
from muster.content.portal import Portal
from muster.options import Options, Parser, add_json, add_portal, api, tell

DESCRIPTION = "Write a portal's content as files: actions, saved queries, campaigns, workflows, schedules."
EXAMPLES = """\
examples:
  muster export content
  muster export content --only query --only schedule"""


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("path", type=Path, metavar="DIR", help="the folder, made if need be")
    parser.add_argument("--only", action="append", choices=KINDS, metavar="KIND", help=f"one of {', '.join(KINDS)}")
    add_portal(parser)
    add_json(parser)


def run(options: Options) -> None:
    """Write the files."""
    found = [item for item in Portal(api(options)).read() if not options.only or item.kind in options.only]
    written = folder.write(options.path, found)
    files = [str(place) for place in written]
    text = f"{len(found)} items at {options.path}; {len(files)} files written"
    tell(options, "\n".join([*files, text]), {"items": len(found), "written": files})
