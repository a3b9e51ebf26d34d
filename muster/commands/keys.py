"""`muster keys`: the keys with which the portal signs what it tells devices: list them, and go on to a new one.

In: nothing. Out: fingerprints. Invariant: a new key is signed by the one before it, and the old one goes on signing for
devices that have not heard of it, so that a rotation loses no device.
"""

from __future__ import annotations

from typing import Any

from muster.options import Options, Parser, add_json, add_portal, api, print_rows, verbs

DESCRIPTION = "The portal's own keys: list them, and rotate to a new one."
EXAMPLES = """\
examples:
  muster keys list
  muster keys rotate        (devices follow when they next hear of it; those that are away, when they come back)"""
LISTED = {"fingerprint": "fingerprint", "current": "signs now"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    for one in (verb("list", "all keys, oldest first"), verb("rotate", "sign with a new key from now on")):
        add_portal(one)
        add_json(one)


def run(options: Options) -> None:
    """Do what the verb says."""
    portal = api(options)
    said: dict[str, Any] = portal.get("/keys") if options.verb == "list" else portal.post("/keys/rotate", {})
    print_rows(said["keys"], LISTED, as_json=options.json, empty="There are no keys.")
