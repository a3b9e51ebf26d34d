"""Times: what a period becomes in NQL, and what is no time."""

from __future__ import annotations

import pytest

from nql.nxql import ast as nxql
from nql.nxql.dates import point, selection
from nql.nxql.parse import parse
from nql.nxql.problems import Findings, Reported
from nql.syntax import ast
from nql.syntax.parse import parse as parse_nql


def period(text: str) -> ast.Selection:
    """The time selection of `(between text)`."""
    query = parse(f"(select (name) (from device (with execution (between {text}))))")
    assert isinstance(query, nxql.Select)
    node, problems = query.source.withs[0].between, Findings()
    assert node is not None
    ends = [point(value.text, value.span, problems) for value in (node.start, node.end)]
    return selection(node, ends[0], ends[1], problems)


def said(nql: str) -> ast.Selection | None:
    """The time selection of NQL."""
    return parse_nql(f"execution.events {nql}").table.selection


@pytest.mark.parametrize(
    ("classic", "nql"),
    [
        ("now-7d now", "during past 7d"),
        ("now-1w now", "during past 7d"),
        ("now-24h now", "during past 24h"),
        ("now-15m now", "during past 15min"),
        ("now-61s now", "during past 2min"),
        ("now-3600s now", "during past 1h"),
        ("now-7d now-2d", "from 6d ago to 2d ago"),
        ("now-2h now-1h", "from 2h ago to 1h ago"),
        ("now-2h now-30m", "from 120min ago to 30min ago"),
        ("now-2d now-1h", "from 48h ago to 1h ago"),
        ("midnight now", "during past 1d"),
        ("midnight-1d now", "during past 2d"),
        ("midnight-1d midnight", "from 1d ago to 1d ago"),
        ("midnight-1w midnight-1d", "from 7d ago to 2d ago"),
        ("midnight-1d now-2h", "from 1d ago to 2h ago"),
        ("now-36h midnight", "from 36h ago to 0d ago"),
        ("2024-11-08 2024-11-10", "from 2024-11-08 to 2024-11-09"),
        ("2024-10-31 2024-11-01", "from 2024-10-31 to 2024-10-31"),
        ("2024-1-5 2024-1-6", "from 2024-01-05 to 2024-01-05"),
        ("2024-11-08 now", "from 2024-11-08 to 0d ago"),
        ("2024-11-08 midnight", "from 2024-11-08 to 1d ago"),
        ("now-7d 2024-11-08", "from 6d ago to 2024-11-07"),
        ("2024-11-08@13:00 2024-11-08@14:30:15", "from 2024-11-08 13:00:00 to 2024-11-08 14:30:15"),
        ("2024-11-08 2024-11-09@12:00", "from 2024-11-08 00:00:00 to 2024-11-09 12:00:00"),
        ("2024-11-08@13:00 now", "from 2024-11-08 13:00:00 to 0min ago"),
        ("2024-11-08@13:00 now-1h", "from 2024-11-08 13:00:00 to 1h ago"),
    ],
)
def test_periods(classic: str, nql: str) -> None:
    assert period(classic) == said(nql)


@pytest.mark.parametrize(
    "text", ["now-1h now-1h", "now-1d now-2d", "midnight midnight", "2024-11-08@13:00 2024-11-08@13:00", "now now-1h"]
)
def test_nothing_in_between(text: str) -> None:
    with pytest.raises(Reported):
        period(text)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "now-", "now-7", "now+1d", "now-1.5h", "midnight-90m", "2024-13-01", "2024-02-30", "0000-01-01",
     "2024-11-08@24:00", "2024-11-08@12:60", "1969-01-01", "2200-01-01", "08.11.2024", "now-9999999999d", ""],
)  # fmt: skip
def test_no_time(text: str) -> None:
    problems = Findings()
    with pytest.raises(Reported):
        point(text, nxql.Value("").span, problems)
    assert [item.code for item in problems.errors] == ["NXQL304"]
