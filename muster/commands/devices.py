"""`muster devices`: close the identity of a device that is lost or sold; decide about one that was copied; erase one.

In: a device's uid. Out: what is done; the devices that are held. Invariant: a revoked device stays revoked; its history
stays in the tables, unless it is erased. Looking at devices is the matter of `muster query "devices"`.
"""

from __future__ import annotations

from typing import Any

from muster import erasing, registry
from muster.api import segment
from muster.errors import UsageError
from muster.options import Options, Parser, add_data, add_json, add_portal, api, one_place, print_rows, tell, verbs

DESCRIPTION = (
    "Revoke a device: it cannot connect, send or run anything any more. Show and release devices that are held because "
    "two machines were seen to go by one identity (a copied disk, or one that was set back to an older state). Erase a "
    "device: all that is known of it goes, for ever. Devices are shown by `muster query devices`."
)
EXAMPLES = """\
examples:
  muster query 'devices | where name == "zrh-lt-0001" | list name, uid'
  muster devices revoke 0d9f...
  muster devices erase zrh-lt-0001 --preview     # what would go
  muster devices erase zrh-lt-0001
  muster devices cloned
  muster devices release 0d9f...     # the copy is off, or is enrolled anew: this is one machine again
  muster devices release --all       # such as after the portal itself was set back to an old backup"""
HELD = {"uid": "uid", "name": "name", "cloned_at": "seen", "contact_at": "last contact"}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    revoke = verb("revoke", "close a device's identity")
    revoke.add_argument("uid", help="the device's uid")
    cloned = verb("cloned", "the devices that are held: two machines were seen to go by one identity")
    release = verb("release", "serve devices again that were held; who comes first is the device")
    release.add_argument("uid", nargs="*", help="the devices' uids")
    release.add_argument("--all", action="store_true", help="all that are held")
    erasing.add_erase(verb("erase", "forget devices, for ever, after showing what would go"), what="devices")
    for one in (revoke, cloned, release):
        add_portal(one)
        add_data(one)
        add_json(one)


def run(options: Options) -> None:
    """Revoke, show, release or erase."""
    if options.verb == "erase":
        erasing.erase(options, "devices", what="devices")
        return
    one_place(options)
    match options.verb:
        case "revoke":
            if options.data is not None:
                registry.part("folder_accounts").revoke_device(options.data, options.uid)
            else:
                api(options).post(f"/devices/{segment(options.uid)}/revoke", {})
            tell(options, f"{options.uid} is revoked", {"uid": options.uid, "revoked": True})
        case "cloned":
            print_rows(_cloned(options), HELD, as_json=options.json, empty="No device is held.")
        case "release":
            _release(options)


def _release(options: Options) -> None:
    if bool(options.uid) == options.all:
        raise UsageError("Name the devices to release, or say --all.", "`muster devices cloned` shows them.")
    released: list[str] = []
    for uid in [one["uid"] for one in _cloned(options)] if options.all else options.uid:
        if options.data is not None:
            done = registry.part("folder_accounts").release_device(options.data, uid)
        else:
            done = api(options).post(f"/devices/{segment(uid)}/release", {})["released"]
        released += [uid] if done else []
    said = ", ".join(released) or "nothing"
    tell(options, f"released: {said}; a device that waits comes back within about a minute", {"released": released})


def _cloned(options: Options) -> list[dict[str, Any]]:
    if options.data is not None:
        found: list[dict[str, Any]] = registry.part("folder_accounts").cloned_devices(options.data)
    else:
        found = api(options).get("/devices/cloned")["devices"]
    return found
