"""What a query will read is said before it runs, what it read beside its rows; and one that runs can be cancelled."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.browser.console import Console
from tests.faults.processes import wait_until

pytestmark = pytest.mark.browser
EVENTS = "execution.events during past 2d | summarize cpu = cpu_time.sum() by device.name | sort cpu desc"
READS = re.compile(r"Will read (up to [\d,]+|about [\d.]+ million) rows, [\d.]+ (KB|MB)")


@pytest.fixture
def held(console: Console) -> Iterator[list[Route]]:
    """Queries of the page wait here instead of going to the portal; those it lets go of are in the list."""
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    console.page.route("**/api/muster/v1/query", hold)
    yield waiting
    console.page.unroute("**/api/muster/v1/query")


def test_the_cost_is_said_before_and_after(console: Console) -> None:
    console.write(EVENTS)
    line = console.page.locator(".problemline")
    expect(line).to_contain_text(READS)
    console.write(EVENTS.replace("2d", "2x"))
    expect(line).not_to_contain_text("Will read")
    console.write(EVENTS)
    expect(line).to_contain_text(READS)
    console.ask(EVENTS)
    asked = console.page.get_by_role("region", name="What was asked")
    said = line.inner_text().split("Will read ")[1].strip()
    expect(asked).to_contain_text(said)
    console.check_accessible()


def test_cancel_ends_the_query_on_the_portal(console: Console, held: list[Route]) -> None:
    page = console.page
    console.write(EVENTS)
    expect(page.locator(".problemline")).to_contain_text(READS)
    console.editor.press("Control+Enter")
    asked = page.get_by_role("region", name="What was asked")
    expect(asked).to_contain_text(re.compile(r"Asking.*Reads (up to|about)"))
    wait_until(lambda: bool(held), "the query to be asked")
    identifier = (held[0].request.post_data_json or {})["id"]
    with page.expect_request(f"**/queries/{identifier}") as cancelling:
        page.get_by_role("button", name="Cancel").click()
    assert cancelling.value.method == "DELETE"
    expect(page.get_by_role("heading", name="Ask every device a question")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
