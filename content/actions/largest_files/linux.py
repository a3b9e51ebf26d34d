"""The largest files below a folder, on its own drive. Links are not followed; what may not be read is passed over."""

import heapq
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from muster_output import write_bool, write_size, write_string_list, write_uint32

LONGEST = 200  # seconds; the action has 240


def files(top: Path, until: float) -> Iterator[tuple[int, str]]:
    """Size on disk and path of each plain file."""
    device, waiting = top.stat().st_dev, [os.fspath(top)]
    while waiting and time.monotonic() < until:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    state = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(state.st_mode) and state.st_dev == device:
                        waiting.append(entry.path)
                    elif stat.S_ISREG(state.st_mode):
                        yield state.st_blocks * 512, entry.path
        except OSError:
            continue


def shown(size: float) -> str:
    """A size for people."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TB"


def main() -> None:
    top, count = Path(os.environ.get("MUSTER_INPUT_PATH", "/")), os.environ.get("MUSTER_INPUT_COUNT", "10")
    if not top.is_dir():
        sys.exit(f"there is no folder {top}")
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= 50):
        sys.exit(f"count is a number from 1 to 50, not {count!r}")
    until, seen, total = time.monotonic() + LONGEST, 0, 0
    largest: list[tuple[int, str]] = []
    for size, path in files(top, until):
        seen, total = seen + 1, total + size
        heapq.heappush(largest, (size, path))
        if len(largest) > int(count):
            heapq.heappop(largest)
    largest.sort(reverse=True)
    write_string_list(
        "files", [f"{shown(size)} {os.fsencode(path).decode('utf-8', 'replace')}" for size, path in largest]
    )
    write_size("largest", largest[0][0] if largest else 0)
    write_uint32("seen", seen)
    write_size("total", total)
    write_bool("complete", time.monotonic() < until)


main()
