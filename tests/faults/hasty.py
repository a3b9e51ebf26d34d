"""Runs a program of ours whose store is in haste: `python -m tests.faults.hasty muster serve ...`.

In: the program and its arguments. Out: what the program does, only that what is in memory is sealed twice a second and
days are compacted every other, late rows at once, so that a process that lives for seconds does what others do in a
day. Invariant: nothing but these times is changed, and it is this entry that does it: the product has no hook.
"""

from __future__ import annotations

import runpy
import sys

from storage.tables import compact, writer


def main() -> None:
    """Set the times and become the program."""
    writer.SEAL_AFTER = 500_000
    writer.COMPACT_EVERY = 2_000_000
    compact.LATE_AFTER = 0
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
