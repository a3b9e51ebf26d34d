"""Conditions on texts are asked of the different texts, and hold for the same objects as those asked of each."""

from __future__ import annotations

import pytest

from engine.execute import run
from engine.lazyframe import coded
from engine.lazyframe.relations import translate
from nql.api import Compiler, Context, resolve
from tests.logic.cut_source import CutSource
from tests.logic.fixture import load

FLEET = load("fleet")
CONDITIONS = (
    'name == "ALPHA"',
    'name != "alpha"',
    'name == "*a*"',
    'name == "nobody"',
    'name in ["alpha", "Bravo"]',
    'organization.entity == "Lausanne"',
    'organization.entity != "lausanne"',
    "organization.entity == null",
    "operating_system.platform == windows",
    "operating_system.platform != windows",
    'operating_system.platform == windows and name == "*a*" and organization.entity != null',
)


def cut(seed: int) -> CutSource:
    return CutSource(FLEET.source(), FLEET.catalog, FLEET.instance_zone, seed)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("few", [0, 10**6], ids=["alone", "all"])
def test_they_hold_for_the_same(condition: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded, "FEW", few)
    for text in (
        f"devices | where {condition} | list name",
        "session.logins | where device." + condition.replace("and name", "and device.name").replace(
            "and organization", "and device.organization"
        ) + " | list time, device.name",
    ):  # fmt: skip
        plan = resolve(
            Compiler().compile(text, FLEET.catalog).plan, Context(FLEET.now, FLEET.instance_zone, FLEET.user_zone, {})
        )
        wanted = run(plan, FLEET.source()).table
        for seed in range(4):
            assert run(plan, cut(seed)).table.equals(wanted), text


def test_texts_are_not_read_for_a_condition() -> None:
    text = 'devices | where organization.entity == "lausanne" | summarize n = count()'
    plan = resolve(
        Compiler().compile(text, FLEET.catalog).plan, Context(FLEET.now, FLEET.instance_zone, FLEET.user_zone, {})
    )
    told = [translate(plan, cut(seed)).explain() for seed in range(4)]
    assert sum("to_lowercase" not in shown and "@code" in shown for shown in told) == 3
