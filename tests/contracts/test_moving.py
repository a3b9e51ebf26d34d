"""The page for those who move: each of its lines names a test, and each of these tests is there.

Comes in: the page. Goes out: nothing.
"""

from __future__ import annotations

import re

from tests.architecture.project import ROOT

PAGE = (ROOT / "docs" / "moving-from-nexthink.md").read_text()
NAMED = re.compile(r"\| `(tests/[\w/]+\.py)::(test_\w+)` \|$")


def test_each_line_is_measured_by_a_test_that_is_there() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    lines = [row for row in rows if not row.endswith("| measured by |")]
    assert len(lines) > 30
    for line in lines:
        found = NAMED.search(line)
        assert found, line
        assert re.search(rf"^def {found[2]}\(", (ROOT / found[1]).read_text(), re.MULTILINE), line


def test_what_it_leads_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target
