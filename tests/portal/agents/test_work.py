"""Orders and reports: signed, bound to device, run, attempt and nonce, stored before they are acknowledged.

Comes in: runs, and a device made by hand. Goes out: what the control database says afterwards. Invariant: whatever a
device reports, an execution that is not its own does not move.
"""

from __future__ import annotations

import json

import msgspec
from msgspec.structs import replace

from agent import statements, wire
from storage.control.manifest import Manifest
from storage.control.runs import Run, RunRequest
from storage.control.states import State
from tests.authors import Signer
from tests.portal.agents.device import Device, code, enrolled
from tests.portal.conftest import API, HOUR, MANIFEST, House, Play


def ask(house: House, *devices: Device) -> Run:
    """A run on some devices."""
    house.portal.control.actions.save_action(msgspec.convert(MANIFEST, Manifest), by="ann", now=house.time.now)
    uids = tuple(device.told.device for device in devices)
    request = RunRequest("#clear_cache", uids, "ann", house.time.now + HOUR)
    return house.portal.control.create_run(request, now=house.time.now)[0]


def state(house: House, run: Run, device: Device) -> State:
    return house.portal.control.executions.execution(run.id, device.told.device).state


def test_an_order_is_fetched_run_and_reported(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        run = ask(house, device)
        work = await device.pull()
        [order] = work.orders
        assert (order.run, order.device, order.parameters) == (run.id, device.told.device, {"path": "/tmp"})
        assert wire.action_version(bytes(order.content)) == order.action_version
        assert msgspec.json.decode(order.content, type=wire.Content).scripts["linux"].text == "true\n"
        assert (await device.pull(held=((run.id, 1),))).orders == []
        assert await device.tell(device.report(order, "in_progress", started_at=house.time.now)) == ["accepted"]
        assert state(house, run, device) is State.IN_PROGRESS
        done = device.report(order, "success", exit_code=0, outputs={"freed": 5.0, "files": 3, "took": 1000})
        assert await device.tell(done, done) == ["accepted", "duplicate"]
        execution = house.portal.control.executions.execution(run.id, device.told.device)
        assert (execution.state, execution.outputs) == (State.SUCCESS, {"freed": 5.0, "files": 3, "took": 1000})
        await house.settle()

    play(scene)


def test_a_device_waits_for_its_user(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        run = ask(house, device)
        [order] = (await device.pull()).orders
        at = house.time.now
        start = device.report(order, "in_progress", started_at=at)
        house.time.now += 1
        waits = device.report(order, "waiting_on_user", until=at + HOUR)
        house.time.now += 1
        goes_on = device.report(order, "in_progress")
        assert await device.tell(start, waits) == ["accepted", "accepted"]
        assert state(house, run, device) is State.WAITING_ON_USER
        deadline = house.portal.control.executions.execution(run.id, device.told.device).deadline
        assert deadline is not None
        assert deadline > at + HOUR
        assert await device.tell(goes_on, waits) == ["accepted", "duplicate"]
        assert state(house, run, device) is State.IN_PROGRESS
        assert await device.tell(device.report(order, "success"), waits) == ["accepted", "stale"]
        await house.settle()

    play(scene)


def test_only_the_devices_of_a_run_get_its_order(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = await enrolled(house, "one"), await enrolled(house, "other")
        ask(house, one)
        assert (await other.pull()).orders == []
        assert len((await one.pull()).orders) == 1

    play(scene)


def test_forged_reports_move_nothing(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = await enrolled(house, "one"), await enrolled(house, "other")
        run = ask(house, one)
        [order] = (await one.pull()).orders
        good = one.report(order, "success")
        forged = [
            replace(good, signature=bytes(64)),
            replace(good, state="failure"),
            replace(good, attempt=2),
            replace(good, outcome=msgspec.Raw(wire.encode(wire.Outcome(1, exit_code=7)))),
            one.report(replace(order, nonce="another"), "success"),
            one.report(replace(order, attempt=2), "success"),
            one.report(replace(order, run="00000000-0000-4000-8000-000000000000"), "success"),
        ]
        assert await one.tell(*forged) == ["refused"] * len(forged)
        assert await other.tell(other.report(order, "success")) == ["refused"]
        assert state(house, run, one) is State.WAITING_ON_DEVICE
        assert await one.tell(good) == ["accepted"]
        await house.settle()

    play(scene)


def test_a_run_that_was_never_handed_out_cannot_be_reported(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = await enrolled(house, "one"), await enrolled(house, "other")
        run = ask(house, one, other)
        [order] = (await one.pull()).orders
        nonce = house.portal.control.executions.execution(run.id, other.told.device).nonce
        guess = replace(order, device=other.told.device, nonce=nonce)
        assert await other.tell(other.report(guess, "success")) == ["refused"]
        assert state(house, run, other) is State.WAITING_ON_DEVICE
        await house.settle()

    play(scene)


def test_a_cancel_reaches_the_device_signed(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        run = ask(house, device)
        [order] = (await device.pull()).orders
        house.portal.control.deadlines.cancel(run.id, by="account:ann", now=house.time.now)
        [cancel] = (await device.pull(room=0)).cancels
        assert (cancel.run, cancel.attempt, cancel.nonce) == (order.run, order.attempt, order.nonce)
        assert await device.tell(device.report(order, "cancelled")) == ["accepted"]
        assert (await device.pull()).cancels == []
        await house.settle()

    play(scene)


def test_messages_of_another_form_are_refused_and_counted(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        good = json.loads(wire.encode(wire.Pull(1)))
        bodies = [
            b"", b"null", b"[]", b"{" * 100_000, b'"' + b"\xff" * 10, json.dumps(good | {"more": 1}).encode(),
            json.dumps(good | {"room": 17}).encode(), json.dumps(good | {"version": 2}).encode(),
            json.dumps(good | {"held": [{"run": "../x", "attempt": 1}]}).encode(),
            json.dumps(good | {"held": [{"run": "x", "attempt": 1}] * 65}).encode(),
        ]  # fmt: skip
        for body in bodies:
            assert code(await device.send(wire.WORK, body[: wire.MOST_BYTES[wire.WORK]])) == (400, "bad_message"), body[
                :80
            ]
        assert code(await device.send(wire.REPORTS, b'{"reports":[]}')) == (400, "bad_message")
        text = house.portal.metrics.text({}, 0)[0].decode()
        assert f'muster_refused_messages_total{{reason="bad_message"}} {len(bodies) + 1}.0' in text
        assert (await device.pull()).orders == []

    play(scene)


def test_an_outcome_of_another_form_is_refused_alone(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        run = ask(house, device)
        [order] = (await device.pull()).orders
        wrong = b'{"time":1,"outputs":{"freed":{"nested":1}}}'
        said = statements.report_bytes(order.run, device.told.device, order.attempt, order.nonce, "success", wrong)
        report = wire.Report(
            order.run, order.attempt, order.nonce, "success", msgspec.Raw(wrong), device.key.sign(said)
        )
        assert await device.tell(report, device.report(order, "failure", exit_code=1)) == ["refused", "accepted"]
        assert state(house, run, device) is State.FAILURE
        await house.settle()

    play(scene)


def test_secrets_go_sealed_with_a_signed_version_and_never_with_a_draft(play: Play) -> None:
    async def scene(house: House) -> None:
        client, signer = await house.program(), Signer()
        device = await enrolled(house)
        await house.settle()
        secret = {"name": "pin", "value": "hide-me"}
        assert (await client.post(f"{API}/secrets", json=secret)).json()["actions"] == []
        action = MANIFEST | {"secrets": ["pin"]}
        await client.post(f"{API}/actions", json=action)
        granted = await client.post(f"{API}/secrets/pin/grants", json={"action": "#clear_cache"})
        assert granted.json()["actions"] == ["#clear_cache"]
        run = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": [device.told.device]}}
        assert (await client.post(f"{API}/runs", json=run)).status_code == 201
        [draft] = (await device.pull()).orders
        assert draft.secrets == {}
        await device.tell(device.report(draft, "policy_denied"))
        control = house.portal.control
        signer.add(control, now=house.time.now)
        signer.sign(control, control.actions.action("#clear_cache"), now=house.time.now)
        assert (await client.post(f"{API}/runs", json=run | {"reason": "again"})).status_code == 201
        [order] = (await device.pull()).orders
        assert list(order.secrets) == ["pin"]
        assert b"hide-me" not in order.secrets["pin"]
        assert (await client.delete(f"{API}/secrets/pin/grants/clear_cache")).status_code == 204
        assert (await client.delete(f"{API}/secrets/pin/grants/clear_cache")).status_code == 404
        assert (await client.delete(f"{API}/secrets/pin")).status_code == 204
        for wrong in ("abc", "x" * 8193, "nul\0nul"):
            answer = await client.post(f"{API}/secrets", json={"name": "pin", "value": wrong})
            assert answer.status_code in (400, 422), wrong

    play(scene)
