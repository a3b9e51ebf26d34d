"""Files in a folder for temporary files that nobody used for some days: counted, or removed."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from muster_output import write_bool, write_size, write_uint32


def old_files(top: Path, before: float) -> Iterator[tuple[str, int, int]]:
    """Plain files that were neither read nor changed since, with their sizes. Links and other drives are left alone."""
    device = top.stat().st_dev
    for _, folders, files, handle in os.fwalk(top, follow_symlinks=False):
        if os.fstat(handle).st_dev != device:
            folders.clear()
            continue
        for name in files:
            try:
                state = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(state.st_mode) and max(state.st_atime, state.st_mtime, state.st_ctime) < before:
                yield name, handle, state.st_blocks * 512


def main() -> None:
    path, days = Path(os.environ.get("MUSTER_INPUT_PATH", "/tmp")), os.environ.get("MUSTER_INPUT_DAYS", "30")
    mode = os.environ.get("MUSTER_INPUT_MODE", "preview")
    if not (days.isascii() and days.isdigit() and int(days) <= 3650):
        sys.exit(f"days is a number from 0 to 3650, not {days!r}")
    if path.is_symlink() or not path.is_dir() or not path.stat().st_mode & stat.S_ISVTX:
        sys.exit(f"{path} is no folder for temporary files: such a one is marked as sticky")
    before, count, space = time.time() - int(days) * 86_400, 0, 0
    for name, handle, taken in old_files(path, before):
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
