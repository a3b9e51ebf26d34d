"""The console as a person uses it: sign in, write, run, look; and what the browser complained about meanwhile.

In: a page and the town it shows. Out: steps with names, and `complaints`. Invariant: a step waits for what a person
would see, never for a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.browser.world import Town

AXE = Path(__file__).parents[2] / "portal" / "web" / "node_modules" / "axe-core" / "axe.min.js"
# A refused query, run or sign-in is an answer with a status the browser logs by itself; anything else is our fault.
EXPECTED = "Failed to load resource: the server responded with a status of 4"
# The list of suggestions is scrolled by the arrow keys from the editor, which keeps the focus.
LEFT_OUT = [".cm-tooltip-autocomplete"]
RUN_AXE = """async (leftOut) => {
  const found = await axe.run({ exclude: leftOut }, { resultTypes: ["violations"] });
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""


class Console:
    """One person at one browser page."""

    def __init__(self, page: Page, town: Town) -> None:
        self.page = page
        self.town = town
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)

    def open(self, path: str = "/") -> None:
        """Go to an address of the portal."""
        self.page.goto(self.town.url + path)

    def sign_in(self, path: str = "/", password: str | None = None) -> None:
        """Open an address, signed out, and sign in at the page one is led to."""
        self.open(path)
        self.page.get_by_label("Name").fill(self.town.person)
        self.page.get_by_label("Password", exact=True).fill(password or self.town.password)
        self.page.get_by_role("button", name="Sign in").click()

    @property
    def editor(self) -> Locator:
        """The query editor."""
        return self.page.get_by_role("textbox", name="NQL query")

    @property
    def grid(self) -> Locator:
        """The result's rows."""
        return self.page.get_by_role("grid", name="Result rows")

    @property
    def drawer(self) -> Locator:
        """The drawer at the right."""
        return self.page.get_by_role("complementary")

    def write(self, text: str) -> None:
        """Put a query into the editor, in place of what is there."""
        self.editor.fill(text)
        expect(self.editor).to_have_text(text.replace("\n", ""))

    def ask(self, text: str) -> None:
        """Write a query, run it by key, and wait for its rows."""
        self.write(text)
        self.editor.press("Control+Enter")
        expect(self.page.get_by_role("region", name="What was asked")).to_contain_text("row")
        expect(self.rows.first).to_be_visible()

    @property
    def rows(self) -> Locator:
        """The rows that are drawn."""
        return self.grid.locator(".grid-row")

    def column(self, number: int) -> list[str]:
        """The texts of a column, of the rows that are drawn."""
        return self.rows.locator(f'[data-column="{number}"] .cell-text').all_inner_texts()

    def select(self, name: str) -> None:
        """Tick the row that shows a name."""
        self.rows.filter(has_text=name).locator("[data-check]").click()

    def check_accessible(self) -> None:
        """Fail with what axe finds on the page as it is now."""
        self.page.evaluate(AXE.read_text())
        found: list[Any] = self.page.evaluate(RUN_AXE, LEFT_OUT)
        assert found == []
