"""Configured items in the control database: stored once, found again, and held to the types they had."""

from __future__ import annotations

import pytest

from nql.catalog.configured import Campaign, CustomField, Trend
from nql.datatypes import BOOLEAN, FLOAT, INT, SIZE, STRING
from storage.control import configured
from storage.control.api import Control
from storage.control.errors import RefusedError
from tests.storage.control.conftest import NOW

WELCOME = Campaign("welcome", {"mood": "How are you?"}, ("place",))
TREND = Trend("remote", {"score": INT, "os_name": STRING})
UNIT = CustomField("device.devices", "unit")


def declare(control: Control, *items: Campaign | Trend | CustomField) -> int:
    return control.configured.declare(items, by="account:ann", now=NOW)


def test_items_come_back_with_an_audit_row_each(control: Control) -> None:
    assert declare(control, WELCOME, TREND, UNIT) == 3
    assert control.configured.everything() == [WELCOME, UNIT, TREND]
    entries = [entry for entry in control.audit.latest() if entry.action == "configured.declared"]
    assert {entry.subject for entry in entries} == {
        "campaign:welcome",
        "trend:remote",
        "custom_field:device.devices.#unit",
    }
    assert {entry.actor for entry in entries} == {"account:ann"}


def test_what_says_nothing_new_writes_nothing(control: Control) -> None:
    declare(control, WELCOME, UNIT)
    before = len(control.audit.latest())
    assert declare(control, WELCOME, UNIT) == 0
    assert len(control.audit.latest()) == before
    assert control.configured.declare([], by="account:ann", now=NOW) == 0


def test_a_later_definition_replaces_an_earlier_one(control: Control) -> None:
    declare(control, WELCOME)
    later = Campaign("Welcome", {"mood": "How are you today?", "place": "Where?"})
    assert declare(control, later) == 1
    assert control.configured.everything() == [later]


def test_a_whole_number_may_become_a_float_and_nothing_else_changes(control: Control) -> None:
    declare(control, TREND, UNIT)
    assert declare(control, Trend("remote", {"score": FLOAT, "os_name": STRING})) == 1
    for changed in (
        Trend("remote", {"score": INT}),
        Trend("remote", {"SCORE": STRING}),
        Trend("remote", {"os_name": BOOLEAN}),
        CustomField("device.devices", "UNIT", SIZE),
    ):
        before = control.configured.everything()
        with pytest.raises(RefusedError, match="give it another name"):
            declare(control, WELCOME, changed)
        assert control.configured.everything() == before


@pytest.mark.slow
def test_there_is_an_end_to_them(control: Control) -> None:
    fields = [CustomField("device.devices", f"field_{number}") for number in range(configured.MOST)]
    assert declare(control, *fields) == configured.MOST
    with pytest.raises(RefusedError, match="at most 2000"):
        declare(control, UNIT)
    assert declare(control, WELCOME) == 1
