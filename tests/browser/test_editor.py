"""Help in the query editor, by mouse and by keyboard: suggestions, descriptions, layout, fixes, plain English.

Invariant held here: each of them can be used without a mouse, fits a phone's screen, and axe finds nothing in it.
"""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.console import Console

pytestmark = pytest.mark.browser

MESSY = "devices during past 7d|include execution.crashes during past 7d|compute crashes=count()|list name,crashes"
NEAT = [
    "devices during past 7d",
    "| include execution.crashes during past 7d",
    "| compute crashes = count()",
    "| list name, crashes",
]


def lines(console: Console) -> list[str]:
    return console.editor.locator(".cm-line").all_inner_texts()


def word(console: Console, text: str) -> Locator:
    return console.editor.get_by_text(text, exact=True).first


def choices(console: Console) -> Locator:
    return console.page.get_by_role("option")


def test_suggestions_say_what_they_are(console: Console) -> None:
    console.write("devices | list ")
    console.editor.press("End")
    console.editor.press_sequentially("hardware.mem")
    expect(choices(console).first).to_contain_text("hardware.memory")
    expect(choices(console).first).to_contain_text("field")
    description = console.page.locator(".cm-completionInfo")
    expect(description).to_contain_text("Installed RAM")
    console.editor.press("Tab")
    expect(console.editor).to_have_text("devices | list hardware.memory")


def test_values_of_the_data_are_suggested(console: Console) -> None:
    name = console.town.simulated[0]
    console.write("devices | where name == ")
    console.editor.press("End")
    console.editor.press_sequentially(f'"{name[:-1]}')
    suggestion = choices(console).filter(has_text=name)
    expect(suggestion.first).to_be_visible()
    console.editor.press_sequentially(name[-1])
    expect(choices(console)).to_have_count(1)
    console.editor.press("Tab")
    expect(console.editor).to_have_text(f'devices | where name == "{name}"')
    console.editor.press("Control+Enter")
    expect(console.rows).to_have_count(1)


def test_what_nexthink_lacks_is_marked(console: Console) -> None:
    console.write("session.logins | summarize t = time_until_desktop_is_ready.")
    console.editor.press("End")
    console.editor.press("Control+Space")
    expect(choices(console).filter(has_text="median()")).to_contain_text("Muster")
    expect(choices(console).filter(has_text="avg()").first).not_to_contain_text("Muster")
    console.editor.press_sequentially("med")
    expect(console.page.locator(".cm-completionInfo")).to_contain_text("Muster extension")


def test_a_word_is_described_under_the_pointer(console: Console) -> None:
    console.write("devices | list hardware.memory | limit 5")
    expect(console.page.get_by_text("No problems found")).to_be_visible()
    word(console, "hardware.memory").hover()
    description = console.page.locator(".cm-tooltip-hover")
    expect(description).to_contain_text("hardware.memory")
    expect(description).to_contain_text("Installed RAM")
    word(console, "limit").hover()
    expect(description).to_contain_text("Keep the first rows")


def test_a_word_is_described_by_key(console: Console) -> None:
    console.write("devices | list hardware.memory")
    console.editor.press("End")
    console.editor.press("Shift+Alt+h")
    description = console.page.locator(".describing")
    expect(description).to_contain_text("Installed RAM")
    console.editor.press("Escape")
    expect(description).to_have_count(0)


def test_what_is_wrong_is_told_instead(console: Console) -> None:
    console.write("devices | list naem")
    mark = console.page.locator(".cm-lintRange-error")
    expect(mark).to_be_visible()
    mark.hover()
    expect(console.page.locator(".cm-tooltip-hover")).to_contain_text("There is no field naem")
    expect(console.page.locator(".described")).to_have_count(0)


def test_the_layout_by_key_and_by_button(console: Console) -> None:
    console.write(MESSY)
    console.editor.press("Shift+Alt+f")
    expect(console.editor.locator(".cm-line")).to_have_count(4)
    assert lines(console) == NEAT
    console.editor.press("Control+z")
    expect(console.editor).to_have_text(MESSY)
    console.page.get_by_role("button", name="Lay out").click()
    expect(console.editor.locator(".cm-line")).to_have_count(4)


def test_the_cursor_stays_at_its_word(console: Console) -> None:
    console.write("devices|list name,entity")
    console.editor.press("End")
    for _ in "entity":
        console.editor.press("ArrowLeft")
    console.editor.press("Shift+Alt+f")
    expect(console.editor.locator(".cm-line")).to_have_count(2)
    console.editor.press_sequentially("id_")
    assert lines(console)[1] == "| list name, id_entity"


def test_a_broken_query_is_left_as_it_is(console: Console) -> None:
    console.write("devices | | list")
    expect(console.page.locator(".cm-lintRange-error").first).to_be_visible()
    console.editor.press("Shift+Alt+f")
    expect(console.page.get_by_role("status").get_by_text("Mend the query first")).to_be_visible()
    expect(console.editor).to_have_text("devices | | list")


def test_fixes_by_keyboard(console: Console) -> None:
    console.write("devices\n| list naem, entitty")
    expect(console.page.locator(".cm-lintRange-error")).to_have_count(2)
    console.editor.press("Control+Home")
    console.editor.press("Control+.")
    fix = console.page.get_by_role("menuitem", name="Replace with name")
    expect(fix).to_be_focused()
    console.page.keyboard.press("Enter")
    expect(console.editor).to_have_text("devices| list name, entitty")
    expect(console.editor).to_be_focused()
    expect(console.page.locator(".cm-lintRange-error")).to_have_count(1)
    console.editor.press("Control+.")
    console.page.keyboard.press("Escape")
    expect(console.page.get_by_role("menu")).to_have_count(0)
    expect(console.editor).to_be_focused()


def test_one_of_several_fixes(console: Console) -> None:
    console.write("devices | list hardware.memo")
    expect(console.page.locator(".cm-lintRange-error")).to_be_visible()
    console.editor.press("Control+.")
    menu = console.page.get_by_role("menuitem")
    expect(menu.first).to_be_focused()
    assert menu.count() > 1
    console.page.keyboard.press("ArrowDown")
    expect(menu.nth(1)).to_be_focused()
    wanted = menu.nth(1).inner_text().removeprefix("Replace with ")
    console.page.keyboard.press("Enter")
    expect(console.editor).to_have_text(f"devices | list {wanted}")


def test_fixes_by_one_click(console: Console) -> None:
    console.write("devices | list naem")
    console.page.get_by_role("button", name="Replace with name").click()
    expect(console.editor).to_have_text("devices | list name")


def test_nothing_to_fix_is_told(console: Console) -> None:
    console.write("devices | list name")
    expect(console.page.get_by_text("No problems found")).to_be_visible()
    console.editor.press("Control+.")
    expect(console.page.get_by_role("status").get_by_text("There is nothing to fix")).to_be_visible()


def test_a_warning_looks_unlike_an_error(console: Console) -> None:
    console.write("devices | include execution.crashes during past 7d | list naem")
    style = "mark => getComputedStyle(mark).textDecorationStyle"
    expect(console.page.locator(".cm-lintRange-error")).to_be_visible()
    assert console.page.locator(".cm-lintRange-error").evaluate(style) == "wavy"
    assert console.page.locator(".cm-lintRange-warning").evaluate(style) == "dashed"


def test_plain_english(console: Console) -> None:
    console.write("devices during past 7d | where entity != null | list name")
    console.page.get_by_role("button", name="Explain").click()
    said = console.drawer.get_by_role("listitem")
    expect(said.first).to_contain_text("in the last 7 calendar days")
    assert "panel=explain" in console.page.url
    plan = console.drawer.locator(".plan pre")
    expect(plan).to_be_hidden()
    console.drawer.get_by_text("The plan, exactly").click()
    expect(plan).to_contain_text("scan device.devices")
    before = said.count()
    console.write("devices | list name")
    expect(said).not_to_have_count(before)
    console.write("devices | list naem")
    expect(console.drawer).to_contain_text("There is no field naem")
    console.editor.fill("")
    expect(console.drawer).to_contain_text("Write a query")
    console.drawer.get_by_role("button", name="Close").click()
    expect(console.drawer).to_have_count(0)


def test_plain_english_by_key_and_back(console: Console) -> None:
    console.write("devices | list name")
    console.editor.press("Shift+Alt+e")
    expect(console.drawer.get_by_role("listitem").first).to_be_visible()
    console.page.keyboard.press("Escape")
    expect(console.drawer).to_have_count(0)
    expect(console.editor).to_be_focused()


Scheme = Literal["light", "dark"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_every_help_is_accessible_and_fits(console: Console, scheme: Scheme, width: int) -> None:
    page = console.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    console.write("devices | list hardware.memo")
    expect(page.locator(".cm-lintRange-error")).to_be_visible()
    console.editor.press("Control+.")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    check(console)
    page.keyboard.press("Escape")
    console.write("devices | include execution.crashes during past 2d | list name.upp")
    console.editor.press("End")
    console.editor.press_sequentially("e")
    expect(choices(console).first).to_be_visible()
    check(console)
    console.editor.press("Escape")
    console.write("devices | list hardware.memory")
    console.editor.press("End")
    console.editor.press("Shift+Alt+h")
    expect(page.locator(".describing")).to_be_visible()
    check(console)
    console.editor.press("Escape")
    expect(page.get_by_role("button", name="Run", exact=False).last).to_be_in_viewport()
    page.get_by_role("button", name="Explain").click()
    console.drawer.get_by_text("The plan, exactly").click()
    expect(console.drawer.locator(".plan pre")).to_be_visible()
    check(console)


def check(console: Console) -> None:
    """Axe finds nothing, and nothing is wider than the screen."""
    console.check_accessible()
    wide = console.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide
    floats = console.page.locator(".cm-tooltip").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().right)"
    )
    size = console.page.viewport_size
    assert size is not None
    assert [right for right in floats if right > size["width"] + 1] == []
