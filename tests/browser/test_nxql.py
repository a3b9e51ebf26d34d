"""The editor of NXQL queries: a person with name and password asks by keyboard, and is told what can stand there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.console import Console
from tests.browser.world import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def test_a_question_and_its_answer(browser: Browser, town: Town) -> None:
    known = {"username": town.person, "password": town.password}
    context = browser.new_context(viewport={"width": 1280, "height": 800}, http_credentials=known)  # type: ignore[arg-type]
    try:
        console = Console(context.new_page(), town)
        page = console.page
        console.open("/2/editor/nxql_editor.html")
        query = page.get_by_label("Query")
        expect(query).to_be_focused()
        query.fill(f'(select (name) (from device (where device (eq name (string "{town.simulated[0]}")))))')
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("cell")).to_have_text([town.simulated[0]])
        console.check_accessible()
        page.reload()
        expect(query).to_have_value(
            f'(select (name) (from device (where device (eq name (string "{town.simulated[0]}")))))'
        )
        page.get_by_label("Format").select_option("json")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("region", name="Rows")).to_contain_text(f'"name": "{town.simulated[0]}"')
        query.fill("(select (nam) (from device))")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("There is no field nam")
        expect(page.get_by_role("alert").get_by_role("listitem")).to_have_text(["name"])
        console.check_accessible()
        assert console.complaints == []
    finally:
        context.close()
