"""`python -m muster`: the same as the program `muster`.

In: the command line. Out: the exit code. Invariant: nothing is decided here but that it is the main program.
"""

import sys

from muster.cli import main

if __name__ == "__main__":
    sys.exit(main())
