"""The form that starts a run: waves with a gate, window, guards, drafts; and what it says of devices that are held.

Invariant held here: nothing starts while a field is wrong; the field says what and how to mend it; axe finds nothing.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Request, expect

from tests.browser.console import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
DRAFT: dict[str, Any] = {
    "nql_id": "#unsigned",
    "name": "Unsigned",
    "purpose": ["remediation"],
    "triggers": ["manual", "api"],
    "scripts": {"linux": {"language": "bash", "text": "true"}},
}


def form(console: Console, query: str, action: str = "Say hello") -> Locator:
    """The form for the devices of a query, with the query as the target."""
    console.ask(query)
    console.grid.focus()
    console.page.keyboard.press("Control+a")
    console.page.get_by_role("button", name="Run action on").click()
    console.drawer.get_by_role("button", name=action).click()
    console.drawer.get_by_label("This query").check()
    expect(console.drawer.locator(".sample")).to_be_visible()
    return console.drawer


def of(names: list[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"devices | where name in [{listed}]"


def asked(console: Console) -> list[dict[str, Any]]:
    """What the form sends to the portal from now on."""
    sent: list[dict[str, Any]] = []

    def heard(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/runs"):
            sent.append(json.loads(request.post_data or "{}"))

    console.page.on("request", heard)
    return sent


def test_waves_with_a_gate_in_a_window(console: Console) -> None:
    sent = asked(console)
    drawer = form(console, "devices | list name | limit 20")
    start = drawer.get_by_role("button", name="Run on 20 devices")
    expect(drawer).to_contain_text("It does not start if the query then finds over 10 % more devices than now.")
    drawer.get_by_text("More options").click()
    sizes = drawer.get_by_label("Sizes")
    sizes.fill("1, 5 %, 25 %")
    sizes.press("Tab")
    expect(sizes).to_have_attribute("aria-invalid", "true")
    expect(drawer).to_contain_text("Waves count up to all devices: end with 100 %.")
    expect(drawer).to_contain_text("To mend: waves")
    expect(start).to_be_disabled()
    sizes.fill("1, 25 %, 50 %, 100 %")
    sizes.press("Tab")
    expect(drawer).to_contain_text("Devices that may have begun: 1, then 5, then 10, then 20.")
    drawer.get_by_label("Pause before the next wave").select_option("3600")
    expect(drawer).to_contain_text("The pauses between the waves alone take 3h: give the run more time.")
    console.check_accessible()

    gate = drawer.get_by_label("Health gate")
    gate.fill("devices | wher name")
    expect(drawer).to_contain_text("There is no clause wher")
    gate.fill("")
    drawer.get_by_role("button", name="Halt where a device failed").click()
    drawer.get_by_label("Only in a maintenance window").check()
    expect(drawer.get_by_label("Start within")).to_have_value("604800")
    drawer.get_by_label("From").fill("25:00")
    expect(drawer).to_contain_text("“25:00” is no time of day")
    drawer.get_by_label("From").fill("3:00")
    drawer.get_by_label("To", exact=True).fill("03:01")
    drawer.get_by_label("Sat").check()
    drawer.get_by_label("Zone").select_option("UTC")
    drawer.get_by_label("Try a failed device again").select_option("3")
    drawer.get_by_label("At most once every").select_option("86400")
    most = drawer.get_by_label("At most so many devices")
    most.fill("5")
    expect(drawer).to_contain_text("The target has 20 devices now: raise the number, or narrow the target.")
    most.fill("30")
    expect(drawer).to_contain_text("It does not start for more than 30 devices.")
    console.check_accessible()
    most.press("Control+Enter")

    waves = drawer.get_by_role("region", name="Waves")
    expect(waves).to_contain_text("Held until")
    expect(waves).to_contain_text("10 devices held back")
    expect(drawer.get_by_role("region", name="Progress")).to_contain_text("Held20")
    expect(drawer.get_by_role("listitem").filter(has_text="Held: wave 4 of 4")).to_have_count(10)
    expect(drawer.get_by_role("listitem").filter(has_text="(window)")).to_have_count(1)
    console.check_accessible()
    [request] = sent
    gate_text = (
        "remote_action.executions during past 30d\n| where request_id == $run and status == failure\n| list device.name"
    )
    assert request["expires_in"] == 604_800
    assert request["plan"] == {
        "waves": ["1", "25%", "50%", "100%"],
        "soak": 3600,
        "gate": gate_text,
        "retries": {"attempts": 3, "backoff": 60},
        "once_every": 86_400,
        "window": {"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "03:00", "to": "03:01", "zone": "UTC"},
        "limits": {"devices": 30},
    }
    drawer.get_by_role("button", name="Recent runs").click()
    expect(drawer.locator(".picker-entry").first).to_contain_text("wave 1 of 4")
    expect(drawer.locator(".picker-entry").first).to_contain_text("Held19")
    drawer.locator(".picker-entry").first.click()
    drawer.get_by_role("button", name="Cancel run").click()
    drawer.get_by_role("button", name="Yes, cancel it").click()
    expect(drawer).to_contain_text("All 20 devices done")


def test_what_the_portal_refuses_stands_at_its_field(console: Console) -> None:
    drawer = form(console, of(console.town.simulated))
    drawer.get_by_text("More options").click()
    drawer.get_by_label("Only in a maintenance window").check()
    for day in ("Tue", "Wed", "Thu", "Fri"):
        drawer.get_by_label(day).uncheck()
    drawer.get_by_label("From").fill("04:00")
    drawer.get_by_label("To", exact=True).fill("04:01")
    drawer.get_by_label("Start within").select_option("900")
    drawer.get_by_role("button", name="Run on 2 devices").click()
    within = drawer.get_by_label("Start within")
    expect(within).to_have_attribute("aria-invalid", "true")
    expect(drawer).to_contain_text("The run would expire before all its devices may begin")
    expect(drawer.get_by_role("alert")).to_have_text("Not started. To mend: start within")
    console.check_accessible()
    within.select_option("604800")
    expect(drawer.get_by_role("alert")).to_have_count(0)


def test_a_draft_is_said_and_asked_for(console: Console) -> None:
    assert console.town.client.post("/actions", json=DRAFT).status_code == 201
    console.ask(of(console.town.simulated))
    console.select(console.town.simulated[0])
    console.page.get_by_role("button", name="Run action on").click()
    expect(console.drawer.get_by_role("button", name="Unsigned")).to_contain_text("draft")
    console.drawer.get_by_role("button", name="Unsigned").click()
    notice = console.drawer.get_by_role("region", name="Draft")
    expect(notice).to_contain_text("Version 1 is a draft: no trusted author signed it.")
    expect(notice).to_contain_text("muster actions sign")
    start = console.drawer.get_by_role("button", name="Run on 1 device")
    expect(start).to_be_disabled()
    console.check_accessible()
    notice.get_by_label("Run the draft all the same").check()
    start.click()
    expect(console.drawer).to_contain_text("All 1 device done", timeout=60_000)


def test_a_target_without_devices_and_one_with_other_platforms_are_said(console: Console) -> None:
    drawer = form(console, "devices | where operating_system.platform == windows | list name")
    expect(drawer).to_contain_text("with windows: the action has no script for it.")
    console.check_accessible()


def test_what_only_devices_say_is_named(console: Console) -> None:
    drawer = form(console, 'devices | where name != "nobody" | list name | limit 5')
    expect(drawer).to_contain_text("Rests on what devices say of themselves: device.name.")
