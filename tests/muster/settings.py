"""What the tests of this folder share about the environment of a program.

Comes in: variables. Goes out: an environment. Invariant: nothing of the tester's own portal is in it.
"""

import os


def environment(**more: str) -> dict[str, str]:
    """The environment without anything that names a portal."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")} | more
