"""Live on the Investigations page: rows that follow the data, what has changed, and what stands in the way.

Comes in: a small portal of this file's own, as devices come and it is started anew. Goes out: nothing. Invariant held
here: what is selected stays with its row, and a person always sees as of when the rows are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.browser.conftest import SEEN
from tests.browser.console import Console
from tests.browser.test_small_screen import OUTSIDE
from tests.browser.world import Town
from tests.faults.processes import Program, muster

pytestmark = pytest.mark.browser
NAMES = "devices | list name, hardware.model | sort name asc"
AWAY = "Failed to load resource: net::ERR_"  # what the browser says by itself of a portal that is being restarted
TIMES = re.compile(r"Live\s*since \d\d:\d\d, as of \d\d:\d\d:\d\d")


class Harbour(Town):
    """A portal where devices come in when a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        serve = ["muster", "serve", "--imports", "--data", str(self.data), "--port", str(self.port)]
        self.portal = Program(serve, folder / "portal.log")
        self._sent = 0

    def open(self) -> None:
        """Start it, with somebody who may sign in."""
        self.begin(agent=False)
        self.password = muster(
            "users", "create", self.person, "--generate", "--permissions", "query,execute", "--zone", "Europe/Zurich",
            "--data", str(self.data),
        )["password"]  # fmt: skip

    def comes(self, name: str, model: str) -> None:
        """A device is there, or is another model now."""
        self._sent += 1
        table = {"table": "device.devices", "columns": {"uid": [name], "name": [name], "hardware.model": [model]}}
        epoch = "00000000-0000-4000-8000-000000000000"
        batch = {"source": "harbour", "epoch": epoch, "sequence": self._sent, "tables": [table]}
        assert self.client.post("/import", json=batch).status_code == 200


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    made = Harbour(tmp_path_factory.mktemp("harbour"))
    try:
        made.open()
        made.comes("anchor", "one")
        made.comes("buoy", "one")
        yield made
    finally:
        made.close()


@pytest.fixture
def guest(browser: Browser, harbour: Harbour) -> Iterator[Console]:
    """Somebody who is signed in there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.set_default_timeout(SEEN)
    console = Console(context.new_page(), harbour)
    console.sign_in()
    expect(console.editor).to_be_visible()
    yield console
    context.close()
    assert [said for said in console.complaints if not said.startswith(AWAY)] == []


@contextmanager
def followed(harbour: Harbour, text: str) -> Iterator[Iterator[str]]:
    """The answers that a program hears which follows the same."""
    with harbour.client.stream("POST", "/query/live", json={"text": text}) as answer:
        yield (line for line in answer.iter_lines() if '"rows"' in line)


def switch(guest: Console) -> Locator:
    return guest.page.get_by_role("button", name="Live (Shift Alt L)")


def standing(guest: Console) -> Locator:
    return guest.page.locator(".live")


def row(guest: Console, name: str) -> Locator:
    return guest.rows.filter(has_text=name)


def test_rows_follow_the_data_and_say_what_has_changed(guest: Console, harbour: Harbour) -> None:
    guest.ask(NAMES)
    guest.select("buoy")
    row(guest, "buoy").locator("[data-open]").click()
    guest.page.keyboard.press("Shift+Alt+L")
    expect(switch(guest)).to_have_attribute("aria-pressed", "true")
    expect(standing(guest)).to_contain_text(TIMES)
    assert "live=1" in guest.page.url
    expect(guest.page.locator(".cell-dot")).to_have_count(0)
    harbour.comes("aaa", "one")
    expect(row(guest, "aaa").get_by_role("img", name="New row")).to_be_visible()
    expect(row(guest, "buoy")).to_have_attribute("aria-selected", "true")
    expect(guest.rows.first).to_contain_text("aaa")
    expect(row(guest, "aaa")).to_have_attribute("aria-selected", "false")
    expect(guest.drawer).to_contain_text("buoy")
    harbour.comes("anchor", "two")
    expect(row(guest, "anchor").locator('[data-column="1"]').get_by_role("img", name="Changed")).to_be_visible()
    expect(guest.page.locator(".cell-dot")).to_have_count(1)
    guest.check_accessible()
    switch(guest).press("Enter")
    expect(standing(guest)).to_be_hidden()
    expect(guest.page.locator(".cell-dot")).to_have_count(0)
    assert "live=1" not in guest.page.url


def test_a_reload_and_another_query_stay_live(guest: Console, harbour: Harbour) -> None:
    guest.open("/#q=" + NAMES.replace(" ", "+") + "&live=1")
    expect(standing(guest)).to_contain_text(TIMES)
    guest.page.reload()
    expect(standing(guest)).to_contain_text(TIMES)
    guest.write('devices | where hardware.model == "late" | list name')
    guest.editor.press("Control+Enter")
    expect(guest.page.get_by_role("heading", name="No rows")).to_be_visible()
    harbour.comes("latecomer", "late")
    expect(row(guest, "latecomer")).to_be_visible()


def test_it_rests_while_nobody_looks(guest: Console, harbour: Harbour) -> None:
    guest.ask(NAMES)
    switch(guest).click()
    expect(standing(guest)).to_contain_text(TIMES)
    hide = "(hidden) => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true }); "
    hide += "document.dispatchEvent(new Event('visibilitychange')); }"
    guest.page.evaluate(hide, True)
    expect(standing(guest)).to_contain_text("Paused")
    harbour.comes("unseen", "one")
    with guest.page.expect_request("**/query/live"):
        guest.page.evaluate(hide, False)
    expect(row(guest, "unseen")).to_be_visible()
    expect(standing(guest)).to_contain_text(TIMES)


def test_it_goes_on_when_the_portal_is_back(guest: Console, harbour: Harbour) -> None:
    guest.ask(NAMES)
    switch(guest).click()
    expect(standing(guest)).to_contain_text(TIMES)
    harbour.portal.stop()
    expect(standing(guest)).to_contain_text("Reconnecting")
    expect(row(guest, "buoy")).to_be_visible()
    harbour.portal.start()
    harbour.wait_ready()
    harbour.comes("returned", "one")
    expect(row(guest, "returned")).to_be_visible(timeout=30_000)
    expect(standing(guest)).to_contain_text(TIMES)


def test_it_says_that_it_ended_and_why(guest: Console, harbour: Harbour) -> None:
    guest.ask(NAMES)
    switch(guest).click()
    expect(standing(guest)).to_contain_text(TIMES)
    mine = [one for one in harbour.client.get("/queries").json()["queries"] if one["purpose"] == "live"]
    assert [(one["account"], one["text"]) for one in mine] == [("anna", NAMES)]
    assert harbour.client.delete(f"/queries/{mine[0]['id']}").status_code == 204
    expect(standing(guest)).to_contain_text(re.compile(r"Live has ended\s*The live query was ended."))
    expect(switch(guest)).to_have_attribute("aria-pressed", "false")
    expect(row(guest, "buoy")).to_be_visible()
    guest.check_accessible()
    guest.page.get_by_role("button", name="Start again").click()
    expect(standing(guest)).to_contain_text(TIMES)


def test_it_fits_a_narrow_screen(guest: Console, harbour: Harbour) -> None:
    guest.page.set_viewport_size({"width": 390, "height": 844})
    guest.ask(NAMES)
    switch(guest).click()
    expect(standing(guest)).to_contain_text(re.compile(r"Live.*\d\d:\d\d:\d\d"))
    assert guest.page.evaluate(OUTSIDE) == []
    guest.check_accessible()


def test_where_it_cannot_be_live_the_rows_are_shown(guest: Console) -> None:
    guest.ask(NAMES)
    error = {"code": "too_many_live", "message": "Your account follows 10 live queries already.", "hint": "Switch off."}

    def refuse(route: Route) -> None:
        route.fulfill(status=429, json={"error": error})

    guest.page.route("**/query/live", refuse)
    switch(guest).click()
    expect(standing(guest)).to_contain_text("Live has ended")
    expect(guest.page.locator(".toast")).to_contain_text("Your account follows 10 live queries already. Switch off.")
    expect(row(guest, "buoy")).to_be_visible()


def test_rows_hold_still_under_an_open_run_form(guest: Console, harbour: Harbour) -> None:
    guest.ask(NAMES)
    switch(guest).click()
    guest.select("buoy")
    guest.page.get_by_role("button", name="Run action on 1 device").click()
    expect(guest.page.get_by_role("heading", name=re.compile("Run"))).to_be_visible()
    harbour.comes("meanwhile", "one")
    with followed(harbour, NAMES) as answers:
        assert "meanwhile" in next(answers)  # whoever follows the same has it
    expect(row(guest, "meanwhile")).to_have_count(0)
    guest.page.keyboard.press("Escape")
    expect(row(guest, "meanwhile")).to_be_visible()
    expect(row(guest, "buoy")).to_have_attribute("aria-selected", "true")
