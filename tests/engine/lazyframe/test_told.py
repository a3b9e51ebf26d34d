"""What is told of a plan without a source is what translating it asks stored states for."""

from __future__ import annotations

import pytest

from engine.lazyframe.told import told
from tests.engine.lazyframe.test_grouping import WEEK, asked, plan

TEXTS = [
    f"{WEEK} | summarize c = cpu_time.sum() by device.name",
    f"devices | include {WEEK} | compute n = count()",
    f"devices | with {WEEK}",
    f"devices during past 168h | with {WEEK} | list name",
    f"{WEEK} | summarize c = number_of_freezes.sum() by 1h",
    f"{WEEK} | summarize n = count() by 45min",
    f"{WEEK} | summarize n = count(), c = cpu_time.max()",
    f'{WEEK} | where device.name == "PC-001" | summarize n = count() by device.name',
    f"{WEEK} | where cpu_time > 1s | summarize c = cpu_time.sum() by device.name",
    f"{WEEK} | summarize c = cpu_time.p95() by device.name",
    f"{WEEK} | summarize c = cpu_time.sum() by device.name, binary.name",
    f"{WEEK} | summarize c = cpu_time.sum() by 1h, device.name",
    f"{WEEK} | list cpu_time",
    "execution.events past 7d | summarize c = cpu_time.sum() by device.name",
    "devices | summarize n = count() by entity",
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_is_what_translating_asks_for(text: str) -> None:
    assert sorted(grain for _, grain in told(plan(text).relation)) == sorted(grain for grain, _ in asked(text))
