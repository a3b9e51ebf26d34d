"""How much memory is in use, and which programs take most of it."""

import os
import sys
from collections import Counter
from pathlib import Path

from muster_output import write_ratio, write_size, write_string, write_string_list

KILO = 1024


def table(path: Path) -> dict[str, str]:
    """The lines `name: value` of a file of the kernel."""
    lines = path.read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def kilobytes(text: str) -> int:
    """A number of kB."""
    return int(text.split()[0]) * KILO


def programs() -> tuple[Counter[str], Counter[str]]:
    """For each name of programs, what all of them take, and how many there are."""
    taken: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = table(folder / "status")
        except OSError:
            continue  # it ended meanwhile
        if "VmRSS" in status:
            taken[status["Name"]] += kilobytes(status["VmRSS"])
            count[status["Name"]] += 1
    return taken, count


def main() -> None:
    top = os.environ.get("MUSTER_INPUT_COUNT", "10")
    if not (top.isascii() and top.isdigit() and 1 <= int(top) <= 50):
        sys.exit(f"count is a number from 1 to 50, not {top!r}")
    memory = table(Path("/proc/meminfo"))
    total, available = kilobytes(memory["MemTotal"]), kilobytes(memory["MemAvailable"])
    taken, count = programs()
    most = taken.most_common(int(top))
    write_size("available", available)
    write_ratio("used_share", round(1 - available / total, 4))
    write_string("largest", most[0][0] if most else "-")
    write_size("largest_size", most[0][1] if most else 0)
    write_string_list("programs", [f"{size / KILO / KILO:.0f} MB {name} ({count[name]})" for name, size in most])


main()
