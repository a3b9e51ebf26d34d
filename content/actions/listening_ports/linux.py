"""The ports on which this device takes connections, and the programs behind them as far as they may be seen."""

import socket
from collections.abc import Iterator
from pathlib import Path

from muster_output import write_string_list, write_uint32

LISTENING = {"tcp": "0A", "udp": "07"}  # the states of sockets that wait


def address(text: str, family: int) -> str:
    """An address as the kernel writes it: words of four bytes in the machine's order."""
    data = bytes.fromhex(text)
    return socket.inet_ntop(family, b"".join(data[place : place + 4][::-1] for place in range(0, len(data), 4)))


def sockets() -> Iterator[tuple[str, str, int, str]]:
    """Protocol, address, port and inode of each socket that waits for others."""
    for name, family in (
        ("tcp", socket.AF_INET),
        ("tcp6", socket.AF_INET6),
        ("udp", socket.AF_INET),
        ("udp6", socket.AF_INET6),
    ):
        path = Path("/proc/net", name)
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            host, port = fields[1].rsplit(":", 1)
            if fields[3] == LISTENING[name[:3]]:
                yield name[:3], address(host, family), int(port, 16), fields[9]


def owners() -> dict[str, str]:
    """The program that holds a socket, by the socket's inode."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text(errors="replace").strip()
            for entry in (folder / "fd").iterdir():
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    found[target[8:-1]] = name
        except OSError:
            continue
    return found


def main() -> None:
    known = owners()
    found = sorted({(kind, port, host, known.get(inode, "?")) for kind, host, port, inode in sockets()})
    outside = [entry for entry in found if not (entry[2].startswith("127.") or entry[2] == "::1")]
    write_uint32("ports", len(found))
    write_uint32("from_outside", len(outside))
    shown = (f"{kind} {f'[{host}]' if ':' in host else host}:{port} {name}" for kind, port, host, name in found)
    write_string_list("listening", list(shown)[:1000])


main()
