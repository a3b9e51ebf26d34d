"""The processes of a name: counted, asked to end, or ended by force if they do not."""

import os
import signal
import sys
import time
from pathlib import Path

from muster_output import write_string_list, write_uint32

PATIENCE = 10.0  # seconds that a process has to end by itself


def stat_fields(pid: int) -> tuple[str, list[str]]:
    """The name of a process and the fields behind it. Raises OSError."""
    head, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    return head.partition("(")[2], rest.split()


def ancestors() -> set[int]:
    """This script, whoever started it, and the first process."""
    found, pid = {1, os.getpid()}, os.getpid()
    while pid > 1:
        pid = int(stat_fields(pid)[1][1])
        found.add(pid)
    return found


def running(name: str) -> dict[int, str]:
    """The living processes of a name by when they began; those of the kernel and our own are none of them."""
    spared, found = ancestors(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            known, fields = stat_fields(pid)
            if known == name[:15] and pid not in spared and fields[0] not in "ZX" and fields[1] != "2":
                found[pid] = fields[19]
        except OSError:
            continue
    return found


def left(before: dict[int, str], name: str) -> dict[int, str]:
    """Those of some processes that are still there."""
    now = running(name)
    return {pid: began for pid, began in before.items() if now.get(pid) == began}


def send(pids: dict[int, str], number: signal.Signals) -> None:
    """Signal processes."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except OSError as error:
            print(f"{pid}: {error.strerror}", file=sys.stderr)


def main() -> None:
    name, mode = os.environ.get("MUSTER_INPUT_NAME", ""), os.environ.get("MUSTER_INPUT_MODE", "preview")
    if not name or "/" in name:
        sys.exit("give the name of a program, without a path")
    found = running(name)
    if mode in ("end", "force"):
        send(found, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while left(found, name) and time.monotonic() < until:
            time.sleep(0.1)
        if mode == "force":
            send(left(found, name), signal.SIGKILL)
            time.sleep(0.2)
    there = left(found, name)
    write_uint32("found", len(found))
    write_uint32("ended", len(found) - len(there))
    write_string_list("still_there", [str(pid) for pid in sorted(there)][:1000])


main()
