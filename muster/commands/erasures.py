"""`muster erasures`: which devices and people were erased, and how far erasures are.

In: a portal, or the folder of one. Out: erasures. Invariant: with --json it is the list that `muster restore --erased`
takes, so that an older backup forgets again what was forgotten since; nobody's name is in it.
"""

from __future__ import annotations

from typing import Any

from muster import registry
from muster.options import Options, Parser, add_data, add_json, add_portal, api, one_place, print_rows

DESCRIPTION = (
    "Erasures of devices and people, newest first: how far they are, why one waits. Keep what --json prints beside "
    "your backups: `muster restore --erased FILE` erases again from an older one what was erased since."
)
EXAMPLES = """\
examples:
  muster erasures
  muster erasures --json > /backup/erased.json"""
LISTED = {"id": "erasure", "kind": "what", "state": "state", "asked_at": "asked", "asked_by": "by", "error": "waits"}
PIECE = 1000


def arguments(parser: Parser) -> None:
    """The options."""
    add_portal(parser)
    add_data(parser)
    add_json(parser)


def run(options: Options) -> None:
    """Print them."""
    one_place(options)
    if options.data is not None:
        found: list[dict[str, Any]] = registry.part("folder_accounts").erasures(options.data)
    else:
        found = _all(options)
    print_rows(found, LISTED, as_json=options.json, empty="Nothing was erased.")


def _all(options: Options) -> list[dict[str, Any]]:
    portal, found = api(options), list[dict[str, Any]]()
    piece = portal.get("/erasures", limit=PIECE)["erasures"]
    while piece:
        found += piece
        piece = portal.get("/erasures", limit=PIECE, before=piece[-1]["id"])["erasures"]
    return found
