"""Many worlds, one after the other or several at once: `python -m tests.sim --seeds 500`.

In: how many seeds, `--progress FILE` to go on where a run stopped, `--jobs N` processes, `--seed N` for one world with
its story. Out: the number reached, counts of what happened, and for each failing seed what was wrong. Exit code 1 if
any failed.
"""

from __future__ import annotations

import sys

from tests.sim.seeds import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
