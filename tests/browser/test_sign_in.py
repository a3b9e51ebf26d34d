"""Signing in: the way back, a wrong password, the end of a session."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console

pytestmark = pytest.mark.browser


def test_one_comes_back_to_the_address_one_wanted(visitor: Console) -> None:
    visitor.sign_in("/#q=devices+|+list+name+|+limit+4")
    expect(visitor.rows).to_have_count(4)
    expect(visitor.editor).to_have_text("devices | list name | limit 4")


def test_a_wrong_password_says_so_and_keeps_the_name(visitor: Console) -> None:
    visitor.sign_in(password="not this one")
    expect(visitor.page.get_by_role("alert")).not_to_be_empty()
    expect(visitor.page.get_by_label("Name")).to_have_value(visitor.town.person)
    visitor.page.get_by_label("Password", exact=True).fill(visitor.town.password)
    visitor.page.keyboard.press("Enter")
    expect(visitor.editor).to_be_visible()


@pytest.mark.parametrize(
    "elsewhere", ["//example.org/x", "https://example.org/", "/\\example.org", "javascript:alert(1)"]
)
def test_the_way_back_never_leaves_the_portal(visitor: Console, elsewhere: str) -> None:
    visitor.sign_in(f"/sign-in?return={elsewhere}")
    expect(visitor.editor).to_be_visible()
    assert visitor.page.url.startswith(visitor.town.url + "/")


def test_an_ended_session_leads_to_sign_in_and_back(console: Console) -> None:
    """What was asked is asked again, and what was being written is not lost."""
    console.ask("devices | list name | limit 2")
    console.page.context.clear_cookies()
    console.editor.fill("devices | list name | limit 3")
    expect(console.page.get_by_role("button", name="Sign in")).to_be_visible()
    console.page.get_by_label("Name").fill(console.town.person)
    console.page.get_by_label("Password", exact=True).fill(console.town.password)
    console.page.keyboard.press("Enter")
    expect(console.editor).to_have_text("devices | list name | limit 3")
    expect(console.rows).to_have_count(2)


def test_signing_out_ends_the_session(console: Console) -> None:
    console.page.get_by_role("button", name="Account").click()
    console.page.get_by_role("menuitem", name="Sign out").click()
    expect(console.page.get_by_role("button", name="Sign in")).to_be_visible()
    console.open("/")
    expect(console.page.get_by_role("button", name="Sign in")).to_be_visible()
