"""How far this device's clock is off, by a time server (SNTP). The clock is not set."""

import os
import secrets
import socket
import struct
import sys
import time

from muster_output import write_bool, write_duration, write_float, write_string, write_uint32

SINCE_1900 = 2_208_988_800
PACKET = struct.Struct("!B B b b 11I")


def ask(host: str, port: int) -> tuple[float, float, int]:
    """Offset and round trip in seconds, and the stratum."""
    mark = secrets.randbits(32)
    question = PACKET.pack(0x23, *[0] * 12, 0, mark)
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as link:
        link.settimeout(5)
        link.connect(place)
        sent = time.time()
        link.send(question)
        data = link.recv(1024)
        came = time.time()
    if len(data) < PACKET.size:
        raise ValueError("its answer is too short")
    head, stratum, _, _, *words = PACKET.unpack_from(data)
    if head & 7 != 4 or words[6] != mark or not 1 <= stratum <= 15:
        raise ValueError("its answer is not that of a time server that knows the time")
    received, answered = (words[place] - SINCE_1900 + words[place + 1] / 2**32 for place in (7, 9))
    return ((received - sent) + (answered - came)) / 2, max(0.0, (came - sent) - (answered - received)), stratum


def main() -> None:
    host, port = os.environ.get("MUSTER_INPUT_SERVER", ""), os.environ.get("MUSTER_INPUT_PORT", "123")
    try:
        bound = float(os.environ.get("MUSTER_INPUT_TOLERANCE", "1"))
    except ValueError:
        bound = -1.0
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536) or not 0 <= bound <= 86_400:
        sys.exit("give a time server, a port from 1 to 65535 and a tolerance from 0 to 86400 seconds")
    try:
        offset, trip, stratum = ask(host, int(port))
    except (OSError, ValueError) as error:
        sys.exit(f"{host}: {error}")
    write_string("server", host)
    write_float("offset", round(offset, 6))
    write_bool("right", abs(offset) <= bound)
    write_duration("round_trip", round(trip * 1000))
    write_uint32("stratum", stratum)


main()
