"""What the warnings offer as a fix says what was meant, and says it without the warning."""

from __future__ import annotations

import pytest

from nql.api import diagnose
from nql.catalog.load import builtin

TOTAL = (
    "devices | with execution.events past 7d "
    "| compute total_number_of_freezes = number_of_freezes.sum() | where total_number_of_freezes > 3"
)


def mended(text: str, code: str) -> list[str]:
    """The text after each fix of its only finding, which has this code."""
    (found,) = diagnose(text, builtin())
    assert found.code == code
    assert found.hint
    return [text[: fix.span.start] + fix.replacement + text[fix.span.end :] for fix in found.fixes]


@pytest.mark.parametrize(
    ("text", "code", "right"),
    [
        (
            "devices | with execution.events past 7d | where number_of_freezes > 3",
            "NQL601",
            TOTAL,
        ),
        (
            "web.page_views past 7d | summarize n = count() by device.name",
            "NQL602",
            "web.page_views past 7d | summarize n = device.count() by device.name",
        ),
        (
            "devices | with web.page_views past 7d | compute n = count()",
            "NQL602",
            "devices | with web.page_views past 7d | compute n = number_of_page_views.sum()",
        ),
        (
            "devices past 2d | with execution.crashes past 48h",
            "NQL603",
            "devices past 2d | with execution.crashes past 2d",
        ),
        (
            "execution.events past 7d | summarize m = memory.avg",
            "NQL424",
            "execution.events past 7d | summarize m = memory.avg()",
        ),
    ],
)
def test_the_first_fix(text: str, code: str, right: str) -> None:
    assert mended(text, code)[0] == right
    assert diagnose(right, builtin()) == ()


@pytest.mark.parametrize(
    "text",
    [
        "devices | include execution.events past 7d | where number_of_freezes > 3 | compute n = device.count()",
        "devices | with execution.events past 7d | where number_of_freezes > 3 and cpu_time > 0s | list name",
        "devices | with execution.events past 7d | where number_of_freezes > 3 | compute n = cpu_time.sum()",
    ],
)
def test_no_fix_where_it_would_say_something_else(text: str) -> None:
    assert mended(text, "NQL601") == []


def test_every_sampled_table_offers_something_better_to_count() -> None:
    for table in builtin().tables.values():
        if "<" in table.name or table.kind.value != "sampled" or not any(f.metric for f in table.fields.values()):
            continue
        for text in mended(f"{table.name} | summarize n = count()", "NQL602"):
            assert diagnose(text, builtin()) == (), text
