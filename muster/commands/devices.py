"""`muster devices`: close the identity of a device that is lost or sold.

In: a device's uid. Out: nothing but that it is done. Invariant: a revoked device stays revoked; its history stays in
the tables. Looking at devices is the matter of `muster query "devices"`.
"""

from __future__ import annotations

from muster import registry
from muster.api import segment
from muster.options import Options, Parser, add_data, add_json, add_portal, api, one_place, tell, verbs

DESCRIPTION = (
    "Revoke a device: it cannot connect, send or run anything any more. Devices are shown by `muster query devices`."
)
EXAMPLES = """\
examples:
  muster query 'devices | where name == "zrh-lt-0001" | list name, uid'
  muster devices revoke 0d9f..."""


def arguments(parser: Parser) -> None:
    """The options."""
    revoke = verbs(parser)("revoke", "close a device's identity")
    revoke.add_argument("uid", help="the device's uid")
    add_portal(revoke)
    add_data(revoke)
    add_json(revoke)


def run(options: Options) -> None:
    """Revoke."""
    one_place(options)
    if options.data is not None:
        registry.part("folder_accounts").revoke_device(options.data, options.uid)
    else:
        api(options).post(f"/devices/{segment(options.uid)}/revoke", {})
    tell(options, f"{options.uid} is revoked", {"uid": options.uid, "revoked": True})
