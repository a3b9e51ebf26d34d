"""A town and a browser for all tests of this folder, and a fresh signed-in console for each.

Invariant: a test fails if the browser complained of anything: an exception, a blocked style or script, a failed load.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.console import Console
from tests.browser.world import Town

SEEN = 15_000  # milliseconds within which a person sees what they wait for, on a busy machine


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A portal with a history and connected devices."""
    made = Town(tmp_path_factory.mktemp("town"))
    try:
        made.found()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless browser."""
    expect.set_options(timeout=SEEN)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, town: Town) -> Iterator[Console]:
    """A console in a browser that nobody signed in with."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True, locale="en-GB")
    context.set_default_timeout(SEEN)
    console = Console(context.new_page(), town)
    yield console
    context.close()
    assert console.complaints == []


@pytest.fixture
def console(visitor: Console) -> Console:
    """A console somebody signed in to."""
    visitor.sign_in()
    expect(visitor.editor).to_be_visible()
    return visitor
