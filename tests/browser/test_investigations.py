"""The Investigations page in its parts: the address, keys, rows, failures, the drawer."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.console import Console
from tests.browser.world import ALL
from tests.faults.processes import wait_until

pytestmark = pytest.mark.browser

DEVICES = "devices | list name, entity, hardware.memory, last_seen"


def test_reload_brings_back_query_sort_and_selection(console: Console) -> None:
    console.ask(DEVICES)
    console.grid.get_by_role("columnheader", name="Entity").get_by_role("button").click()
    first = console.column(0)[0]
    console.select(first)
    wait_until(lambda: len(console.page.evaluate("history.state.selected")) == 1, "the selection to be kept")
    console.page.reload()
    expect(console.editor).to_have_text(DEVICES)
    expect(console.grid.get_by_role("columnheader", name="Entity")).to_have_attribute("aria-sort", "ascending")
    expect(console.rows.filter(has_text=first)).to_have_attribute("aria-selected", "true")
    expect(console.page.get_by_role("toolbar", name="Selected rows")).to_contain_text("1 row")


def test_back_and_forward_walk_through_what_was_asked(console: Console) -> None:
    console.ask("devices | list name | limit 3")
    console.ask("users | list name | limit 2")
    expect(console.rows).to_have_count(2)
    console.page.go_back()
    expect(console.editor).to_have_text("devices | list name | limit 3")
    expect(console.rows).to_have_count(3)
    console.page.go_forward()
    expect(console.editor).to_have_text("users | list name | limit 2")
    expect(console.rows).to_have_count(2)
    console.page.go_back()
    console.page.go_back()
    expect(console.page.get_by_role("heading", name="Ask every device a question")).to_be_visible()


def test_a_link_opens_the_same_rows_and_the_same_detail(console: Console) -> None:
    console.open("/#q=devices+|+list+name+|+sort+name+asc+|+limit+5&row=2")
    expect(console.drawer).to_contain_text("Row 3 of 5")
    expect(console.drawer).to_contain_text(console.column(0)[2])


def test_every_example_gives_rows(console: Console) -> None:
    """What the empty page offers works on a history such as the demo's."""
    titles = console.page.locator(".example-title").all_inner_texts()
    assert len(titles) >= 5
    for title in titles:
        console.open("/")
        console.page.reload()
        console.page.locator(".example", has_text=title).click()
        expect(console.rows.first, title).to_be_visible()
        expect(console.page.locator(".cm-lintRange-error"), title).to_have_count(0)
        expect(console.page.get_by_text("No problems found"), title).to_be_visible()


def test_the_window_is_said_in_the_readers_zone(console: Console) -> None:
    console.ask("execution.events during past 2d | list device.name, cpu_time | limit 5")
    asked = console.page.get_by_role("region", name="What was asked")
    expect(asked).to_contain_text(re.compile(r"\d+ \w{3} \d\d:00 – \d+ \w{3} \d\d:00, Zurich, whole days of UTC"))
    expect(asked).to_contain_text("complete until")
    console.page.get_by_role("button", name="Time zone").click()
    console.page.get_by_role("menuitemradio", name=re.compile("^UTC ")).click()
    expect(asked).to_contain_text(re.compile(r"00:00 – \d+ \w{3} 00:00, UTC, whole days"))
    assert "zone=UTC" in console.page.url


def test_a_refused_query_shows_carets_and_a_fix_that_runs(console: Console) -> None:
    console.write("devices\n| list naem")
    console.editor.press("Control+Enter")
    failure = console.page.get_by_role("region", name="What went wrong")
    expect(failure).to_contain_text("NQL202")
    expect(failure.locator(".problem-carets")).to_have_text("^^^^")
    expect(failure.locator("mark")).to_have_text("naem")
    failure.get_by_role("button", name="Replace with name and run").click()
    expect(console.rows.first).to_be_visible()
    expect(console.editor).to_have_text("devices| list name")


def test_keys_move_select_and_open(console: Console) -> None:
    console.ask("devices | list name, entity | sort name asc")
    keyboard = console.page.keyboard
    toolbar = console.page.get_by_role("toolbar", name="Selected rows")
    console.grid.focus()
    keyboard.press("Space")
    keyboard.press("ArrowDown")
    keyboard.press("Shift+ArrowDown")
    keyboard.press("Shift+ArrowDown")
    expect(toolbar).to_contain_text("4 rows")
    keyboard.press("Control+a")
    expect(toolbar).to_contain_text(f"{ALL} rows")
    keyboard.press("Escape")
    expect(toolbar).to_have_count(0)
    keyboard.press("Control+ArrowUp")
    keyboard.press("ArrowUp")
    keyboard.press("Enter")
    heading = console.grid.get_by_role("columnheader", name="Name", exact=True)
    expect(heading).to_have_attribute("aria-sort", "ascending")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(console.drawer).to_contain_text(f"Row 1 of {ALL}")
    keyboard.press("Escape")
    expect(console.drawer).to_have_count(0)
    expect(console.grid).to_be_focused()


def test_palette_and_key_list_open_by_key(console: Console) -> None:
    console.page.keyboard.press("Control+k")
    palette = console.page.get_by_role("dialog", name="Command palette")
    palette.get_by_role("combobox").fill("dark")
    console.page.keyboard.press("Enter")
    expect(palette).to_have_count(0)
    expect(console.page.locator("html")).to_have_attribute("data-theme", "dark")
    console.page.reload()
    expect(console.page.locator("html")).to_have_attribute("data-theme", "dark")
    console.page.get_by_role("separator").focus()
    console.page.keyboard.press("?")
    expect(console.drawer.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()


def test_a_long_question_can_be_cancelled(console: Console) -> None:
    """Nothing shows at first, then a skeleton with Cancel; cancelling leaves the page usable."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    console.page.route("**/api/muster/v1/query", hold)
    console.write(DEVICES)
    console.editor.press("Control+Enter")
    console.page.get_by_role("button", name="Cancel").click()
    expect(console.page.locator(".skeleton")).to_have_count(0)
    console.page.unroute("**/api/muster/v1/query")
    assert len(held) == 1
    console.ask(DEVICES)


def test_values_are_shown_for_people_and_exactly_on_demand(console: Console) -> None:
    console.ask("devices | where hardware.memory == 16GB | list name, hardware.memory, last_seen | limit 1")
    memory = console.rows.first.locator('[data-column="1"] .cell-text')
    expect(memory).to_have_text("16 GB")
    expect(memory).to_have_attribute("title", "17,179,869,184 bytes")
    seen = console.rows.first.locator('[data-column="2"] .cell-text')
    expect(seen).to_have_text(re.compile(r"\d+ \w{3} (\d{4} )?\d\d:\d\d:\d\d"))
    expect(seen).to_have_attribute("title", re.compile(r"\d{4}-\d\d-\d\dT.*Z"))


def test_more_rows_load_below(console: Console) -> None:
    """What is left out is said, and one click brings it."""
    limit = 10
    console.page.route(
        "**/api/muster/v1/query",
        lambda route: route.continue_(post_data={**route.request.post_data_json, "limit": limit}),
    )
    console.ask("devices | list name | sort name asc")
    asked = console.page.get_by_role("region", name="What was asked")
    expect(asked).to_contain_text("first 10 rows; more exist")
    asked.get_by_role("button", name="Load more").click()
    expect(asked).to_contain_text("first 20 rows")
    names = console.column(0)
    assert len(set(names)) == 20
    assert names == sorted(names)
