"""A run in waves in the console: why it halted, what is held back, and that it can be resumed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_a_halted_run_says_why_and_goes_on_when_it_is_resumed(console: Console) -> None:
    names = ", ".join(f'"{name}"' for name in console.town.simulated)
    plan = {"waves": ["1", "100%"], "gate": 'devices | where name == "' + console.town.simulated[0] + '" | list name'}
    asked = {"action": "#say_hello", "target": {"nql": f"devices | where name in [{names}]"}, "plan": plan}
    assert console.town.client.post("/runs", json=asked).status_code == 201

    console.page.get_by_role("button", name="Runs").first.click()
    console.drawer.locator(".picker-entry").first.click()
    waves = console.drawer.get_by_role("region", name="Waves")
    expect(waves).to_contain_text("Halted: the gate after wave 1 found: device.name", timeout=60_000)
    expect(waves).to_contain_text("1 device held back")
    console.check_accessible()
    console.drawer.get_by_role("button", name="Recent runs").click()
    expect(console.drawer.locator(".picker-entry").first).to_contain_text("Halted")
    console.check_accessible()
    console.drawer.locator(".picker-entry").first.click()
    console.drawer.get_by_role("button", name="Resume").click()
    expect(console.drawer).to_contain_text("All 2 devices done", timeout=60_000)
    expect(waves).not_to_contain_text("Halted")
    expect(console.drawer.get_by_role("button", name="Resume")).to_have_count(0)
