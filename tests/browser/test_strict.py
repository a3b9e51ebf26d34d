"""The switch `Nexthink only`: what is Muster's own is then refused by name; and the page of an address without one."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console

pytestmark = pytest.mark.browser
OURS = 'devices | where name starts with "x" | list name'


def test_what_is_ours_is_refused_where_one_wants_nexthink_alone(console: Console) -> None:
    page = console.page
    switch = page.get_by_role("button", name="Nexthink only")
    expect(switch).to_have_attribute("aria-pressed", "false")
    console.write(OURS)
    expect(page.get_by_text("No problems found")).to_be_visible()
    console.editor.press("Shift+Alt+N")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".problemline")).to_contain_text("extension of Muster")
    console.editor.press("Control+Enter")
    expect(page.get_by_role("region", name="What went wrong")).to_contain_text("extension of Muster")
    console.check_accessible()

    page.reload()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("region", name="What went wrong")).to_contain_text("extension of Muster")
    switch.click()
    expect(page.get_by_text("No problems found")).to_be_visible()
    page.reload()
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("heading", name="No rows")).to_be_visible()


def test_what_is_ours_is_not_suggested_then(console: Console) -> None:
    choices = console.page.get_by_role("option")
    console.editor.press_sequentially("devices | where name sta")
    expect(choices.filter(has_text="starts with")).to_be_visible()
    console.editor.press("Escape")
    console.editor.press("Shift+Alt+N")
    console.editor.press_sequentially("r")
    console.editor.press("Control+Space")
    expect(choices.filter(has_text="starts with")).to_have_count(0)


def test_an_address_without_a_page(visitor: Console) -> None:
    page = visitor.page
    visitor.open("/no/such/page")
    expect(page.get_by_role("heading", name="There is no page at this address")).to_be_visible()
    expect(page.get_by_text("/no/such/page")).to_be_visible()
    visitor.check_accessible()
    page.get_by_role("link", name="Go to Investigations").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
