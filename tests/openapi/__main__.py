"""The long form: many generated requests to every operation of our interface, resumable.

In: `--count N --progress FILE --only NUMBER` (`tests.progress`); a case is 25 requests to one operation. Out: what was
counted, the number reached, what was wrong. Invariant: no answer is a failure of the portal, and each has a status, a
form and a schema that the document states.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from portal.logs import configure
from tests.openapi.asked import asking
from tests.progress import Proof, proof

EACH, COUNT = 25, 2000


def main() -> int:
    """Run the cases; 1 if any failed."""
    configure("critical")
    with tempfile.TemporaryDirectory() as folder, asking(Path(folder) / "data", EACH) as asker:

        def one(number: int, state: Proof) -> None:
            said = asker.case(number)
            state.count("requests", said["requests"])
            state.count("fitting" if said["fits"] else "unfit", said["requests"])
            if said["wrong"]:
                raise AssertionError(f"{said['operation']}: {said['wrong']}")

        return 1 if proof("openapi", sys.argv[1:], one, count=COUNT).failures else 0


if __name__ == "__main__":
    sys.exit(main())
