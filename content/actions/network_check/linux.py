"""Whether this device reaches a server: the way out, the name, the connection, and how long each takes."""

import os
import socket
import sys
import time
from pathlib import Path

from muster_output import write_bool, write_duration, write_string

ROUTES = Path("/proc/net/route")


def gateway() -> str:
    """The first default gateway of IPv4, or -."""
    for line in ROUTES.read_text().splitlines()[1:] if ROUTES.exists() else []:
        _, destination, way, flags, *_ = line.split()
        if destination == "00000000" and int(flags, 16) & 2:
            return socket.inet_ntoa(bytes.fromhex(way)[::-1])
    return "-"


def main() -> None:
    host, port = os.environ.get("MUSTER_INPUT_HOST", ""), os.environ.get("MUSTER_INPUT_PORT", "443")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        sys.exit("give the name of a server and a port from 1 to 65535")
    write_string("gateway", gateway())
    began = time.monotonic()
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        print(f"{host} has no address: {error}", file=sys.stderr)
        found = []
    write_bool("resolved", bool(found))
    write_duration("resolve_time", round((time.monotonic() - began) * 1000))
    write_string("address", found[0][4][0] if found else "-")
    connected, began = False, time.monotonic()
    for family, kind, protocol, _, place in found[:4]:
        try:
            with socket.socket(family, kind, protocol) as link:
                link.settimeout(5)
                link.connect(place)
            connected = True
            break
        except OSError as error:
            print(f"{place[0]} port {port}: {error}", file=sys.stderr)
    write_bool("connected", connected)
    write_duration("connect_time", round((time.monotonic() - began) * 1000))


main()
