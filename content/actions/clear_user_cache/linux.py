"""Files in people's caches that nobody used for some days: counted, or removed."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from muster_output import write_bool, write_size, write_uint32


def homes(who: str) -> list[Path]:
    """Our own home folder, and for everyone those below /home."""
    found = [Path(os.environ.get("HOME", "/nonexistent"))]
    found += sorted(Path("/home").iterdir()) if who == "everyone" and Path("/home").is_dir() else []
    return [home for home in dict.fromkeys(found) if home.is_dir() and not home.is_symlink()]


def old_files(cache: Path, before: float) -> Iterator[tuple[str, int, int]]:
    """Plain files below a cache that were neither read nor changed since, with their sizes. Links are not followed."""
    for _, _, files, handle in os.fwalk(cache, follow_symlinks=False):
        for name in files:
            try:
                state = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode) and max(state.st_atime, state.st_mtime) < before:
                yield name, handle, state.st_blocks * 512


def main() -> None:
    days, mode = os.environ.get("MUSTER_INPUT_DAYS", "30"), os.environ.get("MUSTER_INPUT_MODE", "preview")
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= 3650):
        sys.exit(f"days is a number from 1 to 3650, not {days!r}")
    before, count, space = time.time() - int(days) * 86_400, 0, 0
    for home in homes(os.environ.get("MUSTER_INPUT_WHO", "everyone")):
        cache = home / ".cache"
        if cache.is_symlink() or not cache.is_dir():
            continue
        for name, handle, taken in old_files(cache, before):
            if mode == "remove":
                try:
                    os.unlink(name, dir_fd=handle)
                except OSError as error:
                    print(f"{name}: {error.strerror}", file=sys.stderr)
                    continue
            count, space = count + 1, space + taken
    write_uint32("files", count)
    write_size("space", space)
    write_bool("removed", mode == "remove")


main()
