"""Sites: their making, the devices that belong to them, the roles that are bound to them, and orders to who serves."""

from __future__ import annotations

import pytest

from storage.control.api import Control
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from storage.control.roles import Rights
from tests.storage.control.conftest import HOUR, NOW, SECOND, ask, enrol

BY = "account:ann"
LYON = {"address": "lyon.example.net", "port": 1671, "description": "the south", "zone": "Europe/Paris"}


def test_a_site_is_made_and_changed_and_keeps_its_id(control: Control) -> None:
    made = control.sites.create("Lyon", LYON, by=BY, now=NOW)
    assert (made.address, made.port, made.description, made.zone) == tuple(LYON.values())
    assert not made.standard
    changed = control.sites.change("LYON", {"port": 443}, by=BY, now=NOW)
    assert (changed.id, changed.name, changed.port, changed.zone) == (made.id, "Lyon", 443, "Europe/Paris")
    assert changed.machine == made.machine != made.id
    assert [site.name for site in control.sites.everyone()] == ["default", "Lyon"]
    assert control.sites.site("lyon") == changed
    with pytest.raises(NotFoundError, match="Rome"):
        control.sites.site("Rome")
    with pytest.raises(NotFoundError, match="Rome"):
        control.sites.change("Rome", {}, by=BY, now=NOW)
    with pytest.raises(ConflictError, match="LYON"):
        control.sites.create("LYON", {}, by=BY, now=NOW)
    said = [(entry.action, entry.detail) for entry in control.audit.latest(2)]
    assert said == [("site.changed", {"name": "Lyon", "port": 443}), ("site.created", {"name": "Lyon", **LYON})]


def test_devices_join_the_site_of_their_key_and_may_be_moved(control: Control) -> None:
    lyon = control.sites.create("Lyon", {}, by=BY, now=NOW)
    make = control.enrolment.create_enrol_keys
    [(_, secret)] = make(1, simulated=False, expires_at=NOW + HOUR, by=BY, now=NOW, site="lyon")
    there = control.enrolment.consume_enrol_key(secret, b"k" * 32, b"k" * 32, "pc", now=NOW)
    here = enrol(control)
    assert control.enrolment.sites_of([here.uid, there.uid, "no"]) == {here.uid: control.site.id, there.uid: lyon.id}
    assert control.enrolment.assign([here.uid, there.uid], "Lyon", by=BY, now=NOW) == 1
    assert control.enrolment.sites_of([here.uid]) == {here.uid: lyon.id}
    told = [message.row.get("site") for message in control.outbox.after(0)]
    assert told == ["Lyon", "default", "Lyon"]
    assert control.audit.latest(1)[0].detail == {"name": "pc-1", "site": "Lyon"}
    control.revoke_device(here.uid, by=BY, now=NOW)
    assert control.enrolment.sites_of([here.uid]) == {}
    with pytest.raises(NotFoundError, match="nobody"):
        control.enrolment.assign([there.uid, "nobody"], "default", by=BY, now=NOW)
    with pytest.raises(NotFoundError, match="Rome"):
        make(1, simulated=False, expires_at=NOW + HOUR, by=BY, now=NOW, site="Rome")


def test_a_role_may_be_bound_to_sites(control: Control) -> None:
    rights = Rights(frozenset({"query"}), None, None, frozenset({"Lyon"}))
    assert control.roles.put("south", rights, by=BY, now=NOW).rights == rights
    control.accounts.create("lou", "-", ["manage"], "UTC", role="south", by=BY, now=NOW)
    assert control.accounts.account("lou").sites == frozenset({"Lyon"})
    control.accounts.set_role("lou", None, by=BY, now=NOW)
    assert control.accounts.account("lou").sites is None
    with pytest.raises(RefusedError, match="role with sites"):
        control.roles.put("x", Rights(frozenset({"administer"}), None, None, frozenset({"Lyon"})), by=BY, now=NOW)


def test_an_order_is_taken_once_by_who_holds_the_lease(control: Control) -> None:
    run, site = ask(control, enrol(control).uid), control.site
    control.sites.order(run.id, [site.id], now=NOW)
    [(number, where, what)] = control.sites.waiting([site.id])
    assert (where, what) == (site.id, run.id)
    assert [(one.site, one.taken) for one in control.sites.orders_of(run.id)] == [(site.id, False)]
    token = control.leases.acquire(site.lease, "one", now=NOW, lasts=SECOND)
    assert token is not None
    assert control.leases.held([site.lease, "other"], now=NOW) == {site.lease}
    assert control.leases.held([site.lease], now=NOW + 2 * SECOND) == set()
    later = control.leases.acquire(site.lease, "two", now=NOW + 2 * SECOND)
    assert later is not None
    with pytest.raises(ConflictError):
        control.sites.take(number, site.id, token, now=NOW)
    control.sites.take(number, site.id, later, error="no room", now=NOW)
    assert control.sites.waiting([site.id]) == []
    assert [(one.taken, one.error) for one in control.sites.orders_of(run.id)] == [(True, "no room")]
    control.sites.order("another", [site.id], now=NOW + 25 * HOUR)
    assert control.sites.orders_of(run.id) == []
