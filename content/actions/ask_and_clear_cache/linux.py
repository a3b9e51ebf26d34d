"""Asks whoever is logged in whether old files may leave his cache, and goes by the answer."""

import os
import pwd
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import muster_campaign
from muster_output import write_bool, write_size, write_string, write_uint32


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


def home(person: str) -> Path:
    """The home folder of the person who was asked."""
    entry = pwd.getpwnam(person)
    return Path(os.environ.get("HOME", entry.pw_dir) if entry.pw_uid == os.geteuid() else entry.pw_dir)


def main() -> None:
    days = os.environ.get("MUSTER_INPUT_DAYS", "30")
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= 3650):
        sys.exit(f"days is a number from 1 to 3650, not {days!r}")
    response = muster_campaign.run("#ask_clear_cache", timeout=900)
    choice = (response.answer("what") or ["-"])[0]
    count, space = 0, 0
    cache = home(response.person) / ".cache" if choice != "-" else None
    if cache and cache.is_dir() and not cache.is_symlink():
        for name, handle, taken in old_files(cache, time.time() - int(days) * 86_400):
            if choice == "remove":
                try:
                    os.unlink(name, dir_fd=handle)
                except OSError as error:
                    print(f"{name}: {error.strerror}", file=sys.stderr)
                    continue
            count, space = count + 1, space + taken
    write_string("status", response.status)
    write_string("choice", choice)
    write_uint32("files", count)
    write_size("space", space)
    write_bool("removed", choice == "remove")


main()
