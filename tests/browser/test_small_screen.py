"""The Investigations page on a phone, and what stands in the way of the rows after a run.

Comes in: a person signed in. Goes out: nothing. Invariant held here: at 390 pixels no control lies outside the screen,
so that everything can be reached without moving the page sideways.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console

pytestmark = pytest.mark.browser
OUTSIDE = """() => [...document.querySelectorAll("button, a, h1, .tools, .status, .query")]
  .filter((node) => node.checkVisibility() && !node.closest("[role=grid]"))
  .filter((node) => { const box = node.getBoundingClientRect(); return box.right > innerWidth + 1 || box.left < -1; })
  .map((node) => node.outerHTML.slice(0, 120))"""


def test_everything_is_within_a_narrow_screen(console: Console) -> None:
    console.page.set_viewport_size({"width": 390, "height": 844})
    assert console.page.evaluate(OUTSIDE) == []
    console.ask("devices | list name, entity, operating_system.name, hardware.model, hardware.memory, last_seen")
    assert console.page.evaluate(OUTSIDE) == []
    expect(console.page.get_by_role("button", name="Run", exact=True)).to_be_visible()


def test_the_list_of_suggestions_is_gone_after_a_run(console: Console) -> None:
    suggestions = console.page.locator(".cm-tooltip-autocomplete")
    console.write("devices")
    console.editor.press_sequentially(" | list nam")
    expect(suggestions).to_be_visible()
    console.editor.press_sequentially("e")
    expect(suggestions).to_be_visible()
    console.editor.press("Control+Enter")
    expect(suggestions).to_have_count(0)
