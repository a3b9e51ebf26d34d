"""`muster queries`: queries that are kept under an NQL id, which other people's clients ask by it.

In: an id, a text with `$name` for parameters. Out: saved queries. Invariant: what is saved could be asked when it was
saved; a text that cannot prints its diagnostics under carets.
"""

from __future__ import annotations

import sys

from muster.api import segment
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = "Queries that are kept under an NQL id. Parameters stand in their text as $name."
EXAMPLES = """\
examples:
  muster queries save '#by_place' 'devices | where entity == $place | list name'
  muster queries save '#crashes' - --name 'Crashes of a week' < crashes.nql
  muster queries list
  muster queries delete '#by_place'"""
LISTED = {"nql_id": "id", "name": "name", "text": "query", "updated_at": "changed", "updated_by": "by"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    save, listing, delete = (
        verb("save", "keep a query, in the place of what was there"),
        verb("list", "all of them"),
        verb("delete", "remove one"),
    )
    for one in (save, delete):
        one.add_argument("id", help="its id, such as '#by_place': small letters, digits and _")
    save.add_argument("text", help="the query; - reads it from standard input")
    save.add_argument("--name", help="what it is called (default: its id)")
    save.add_argument("--description", default="", metavar="TEXT", help="what it is for")
    for one in (save, listing, delete):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    match options.verb:
        case "save":
            text = sys.stdin.read() if options.text == "-" else options.text
            body = {"name": options.name or options.id, "description": options.description, "text": text}
            said = portal.put(f"/saved-queries/{segment(options.id)}", body, text=text)["query"]
            tell(options, f"saved {said['nql_id']}", said)
        case "list":
            found = portal.get("/saved-queries")["queries"]
            print_rows(
                found,
                LISTED,
                as_json=options.json,
                empty="No queries are kept yet. `muster queries save ID TEXT` keeps one.",
            )
        case "delete":
            portal.delete(f"/saved-queries/{segment(options.id)}")
            tell(options, f"deleted {options.id}", {"nql_id": options.id, "deleted": True})
