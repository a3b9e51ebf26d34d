"""`python -m agent`: the same as the program `muster-agent`.

In: the command line. Out: the exit code of `agent.main`.
Invariant: nothing is decided here.
"""

from __future__ import annotations

import sys

from agent.main import main

sys.exit(main())
