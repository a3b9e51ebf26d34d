"""The packages that would be updated, as apt plans it. Nothing is installed and no list is fetched."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from muster_output import write_date_time, write_string_list, write_uint32

PLANNED = re.compile(r"Inst (\S+) \[([^\]]+)\] \((\S+) ([^)]*)\)")
LISTS = Path("/var/lib/apt/lists")


def planned() -> list[tuple[str, ...]]:
    """Name, version, new version and where it comes from, of each package that would be updated."""
    if shutil.which("apt-get") is None:
        sys.exit("this device has no apt")
    command = ["apt-get", "--simulate", "--option", "Debug::NoLocking=true", "dist-upgrade"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=100)
    if done.returncode:
        sys.exit(done.stderr.strip() or "apt-get failed")
    return [found.groups() for found in map(PLANNED.match, done.stdout.splitlines()) if found]


def main() -> None:
    found = planned()
    security = [name for name, _, _, source in found if "security" in source.lower()]
    write_uint32("updates", len(found))
    write_uint32("security", len(security))
    write_string_list("packages", [f"{name} {old} -> {new}" for name, old, new, _ in found[:100]])
    files = [entry.stat().st_mtime for entry in os.scandir(LISTS) if entry.is_file()] if LISTS.is_dir() else []
    if files:
        write_date_time("known_since", int(max(files)))


main()
