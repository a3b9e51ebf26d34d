"""What axe-core finds on every state of the pages, in light and in dark: nothing."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_of_a_page_has_a_finding(visitor: Console, scheme: Scheme) -> None:
    page = visitor.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    visitor.open("/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    visitor.check_accessible()
    visitor.sign_in()
    expect(page.get_by_role("heading", name="Ask every device a question")).to_be_visible()
    visitor.check_accessible()

    visitor.editor.press_sequentially("devices | list na")
    expect(page.get_by_role("option").first).to_be_visible()
    visitor.check_accessible()
    visitor.write("devices | list naem")
    expect(page.locator(".cm-lintRange-error")).to_be_visible()
    visitor.check_accessible()
    visitor.editor.press("Control+Enter")
    expect(page.get_by_role("region", name="What went wrong")).to_be_visible()
    visitor.check_accessible()

    visitor.ask("devices | list name, hardware.memory, last_seen, tags | sort last_seen desc | limit 3")
    visitor.check_accessible()
    visitor.ask(f'devices | where name == "{visitor.town.simulated[0]}"')
    visitor.select(visitor.town.simulated[0])
    visitor.rows.first.dblclick()
    expect(visitor.drawer).to_be_visible()
    visitor.check_accessible()
    page.get_by_role("button", name="Run action on 1 device").click()
    visitor.drawer.get_by_role("button", name="Say hello").click()
    expect(visitor.drawer.locator(".sample")).to_be_visible()
    visitor.check_accessible()
    visitor.drawer.get_by_role("button", name="Run on 1 device").click()
    expect(visitor.drawer).to_contain_text("All 1 device done", timeout=60_000)
    visitor.check_accessible()
    visitor.drawer.get_by_role("button", name="Recent runs").click()
    expect(visitor.drawer.get_by_role("button", name="#say_hello").first).to_be_visible()
    visitor.check_accessible()

    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    visitor.check_accessible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Time zone").click()
    visitor.check_accessible()
