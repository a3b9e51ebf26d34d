"""Generated requests to every operation of our interface: no failure of the portal, no answer that is not documented.

Comes in: a portal behind a socket. Goes out: nothing. Invariant held here: of each operation, requests that fit its
forms or that do not are answered as the document says; `python -m tests.openapi` is the long form.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.openapi.asked import asking


@pytest.mark.slow
def test_requests_that_fit_and_that_do_not(tmp_path: Path) -> None:
    with asking(tmp_path / "data", 1) as asker:
        assert asker.operations > 100
        said = [asker.case(number) for number in range(asker.operations)]
    assert [(one["operation"], one["wrong"]) for one in said if one["wrong"]] == []
    assert sum(one["requests"] for one in said) >= asker.operations
