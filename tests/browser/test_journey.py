"""The whole road in a browser: ask with the editor's help, act on two devices, read the answer back as data."""

from __future__ import annotations

import csv
import socket

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console
from tests.browser.world import ALL

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def test_from_a_question_to_an_action_and_its_answer_as_data(console: Console) -> None:
    """Completion, a misspelt field fixed by one click, run, sort, export, select, act, follow, read back."""
    page, real, simulated = console.page, socket.gethostname(), console.town.simulated[0]

    # write with completion
    console.editor.press_sequentially("dev")
    page.get_by_role("option", name="devices").first.click()
    console.editor.press_sequentially(" | list naem, operating_system.na")
    page.get_by_role("option").filter(has_text="operating_system.name").click()
    expect(console.editor).to_have_text("devices | list naem, operating_system.name")

    # see the misspelt field underlined, and fix it by one click
    expect(page.locator(".cm-lintRange-error")).to_have_count(1)  # until then what was half written was wrong, too
    expect(page.locator(".cm-lintRange-error")).to_have_text("naem")
    page.get_by_role("button", name="Replace with name").click()
    expect(console.editor).to_have_text("devices | list name, operating_system.name")
    expect(page.locator(".cm-lintRange-error")).to_have_count(0)

    # run and sort
    console.editor.press("Control+Enter")
    expect(page.get_by_role("region", name="What was asked")).to_contain_text(f"{ALL} rows")
    heading = console.grid.get_by_role("columnheader", name="Name", exact=True)
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    names = console.column(0)
    assert names == sorted(names, key=str.lower)
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert console.column(0) == sorted(console.column(0), key=str.lower, reverse=True)

    # export
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV").click()
    with download.value.path().open(newline="") as file:
        exported = list(csv.reader(file))
    assert len(exported) == ALL + 1
    assert real in {row[0] for row in exported}

    # select this machine and a simulated device
    console.ask(f'devices | where name in ["{real}", "{simulated}"] | list name, operating_system.name | sort name')
    expect(console.rows).to_have_count(2)
    console.select(real)
    console.select(simulated)
    expect(console.rows.filter(has_text=simulated)).to_contain_text("simulated")
    expect(console.rows.filter(has_text=real)).not_to_contain_text("simulated")
    page.get_by_role("button", name="Run action on 2 devices").click()

    # run an action with a parameter
    drawer = console.drawer
    drawer.get_by_label("Search actions").fill("hello")
    drawer.get_by_role("button", name="Say hello").click()
    expect(drawer).to_contain_text("Version")
    drawer.get_by_label("Greeting").select_option("Salut")
    drawer.get_by_label("Reason").fill("A test of the console")
    drawer.get_by_role("button", name="Run on 2 devices").click()

    # watch both finish
    expect(drawer).to_contain_text("All 2 devices done", timeout=60_000)
    assert "run=" in page.url
    for name in (real, simulated):
        row = drawer.get_by_role("listitem").filter(has_text=name)
        expect(row.locator('[data-state="success"]')).to_be_visible()
        expect(row).to_contain_text(f"Salut from {name}")

    # read the outputs back by the next query
    drawer.get_by_role("button", name="Open results as query").click()
    written = (
        "remote_action.#say_hello.executions during past 2h| list device.name, status, outputs.message, outputs.memory"
    )
    expect(console.editor).to_have_text(written)
    for name in (real, simulated):
        row = console.rows.filter(has_text=f"Salut from {name}").first
        expect(row).to_contain_text(f"Salut from {name}")
        expect(row.locator('[data-state="success"]')).to_be_visible()
        expect(row).to_contain_text("GB")


def test_a_run_over_a_query_reaches_its_devices(console: Console) -> None:
    """With all rows selected the query itself can be the target; the run shows the frozen set's digest."""
    name = console.town.simulated[1]
    console.ask(f'devices | where name == "{name}"')
    console.grid.focus()
    console.page.keyboard.press("Control+a")
    console.page.get_by_role("button", name="Run action on 1 device").click()
    console.drawer.get_by_role("button", name="Say hello").click()
    console.drawer.get_by_label("This query").check()
    expect(console.drawer.locator(".sample")).to_contain_text(name)
    console.drawer.get_by_role("button", name="Run on 1 device").click()
    expect(console.drawer).to_contain_text("All 1 device done", timeout=60_000)
    expect(console.drawer).to_contain_text("target: a query")
    expect(console.drawer.locator('code[title^="Digest"]')).to_be_visible()
