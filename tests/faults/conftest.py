"""What the long proofs reached, said at the end of a run.

Comes in: the reports of tests, also from processes beside this one. Goes out: a line for each that noted something with
`reached`. Invariant: a number is said only of a proof that held.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

REACHED = "reached"


@pytest.fixture
def reached(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Note what was reached."""
    return lambda said: record_property(REACHED, said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was reached."""
    for report in terminalreporter.stats.get("passed", []):
        for name, said in report.user_properties:
            if name == REACHED:
                terminalreporter.write_line(str(said))
