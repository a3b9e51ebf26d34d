"""What a device asks over its channel: the same answers as by HTTP, and nothing for whoever does not hold the keys.

Comes in: a portal on a port, devices that speak byte by byte, an agent as a process. Goes out: answers, the end of the
connection. Invariant: whatever does not go over the channel goes by HTTP, and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent import statements, wire, wire_channel
from agent.identity import verify
from agent.session import Session, share_of
from storage.control.api import open_control
from storage.control.runs import Run
from storage.control.states import State
from tests.portal.agents.conftest import AgentProcess, Served, eventually
from tests.portal.agents.peer import Device, Peer, enrolled

pytestmark = pytest.mark.slow
STRANGER, POLICY = 4401, 1008
PULL = wire.encode(wire.Pull(2, [], "0.1.0"))


@pytest.fixture
def device(served: Served) -> Iterator[Device]:
    made = enrolled(served.url, served.keys()[0])
    yield made
    made.close()


@dataclass
class Line:
    """A channel over which a device asks."""

    device: Device
    peer: Peer
    session: Session

    def frame(self, path: str, body: bytes, number: int) -> wire_channel.Ask:
        """A request, sealed."""
        pinned = statements.fingerprint(self.device.told.portal_key)
        seal = self.session.ask(statements.sealed_ask_bytes(number, path, pinned, body))
        return wire_channel.Ask(number, path, pinned, msgspec.Raw(body), seal)

    def say(self, frame: wire_channel.Ask) -> None:
        """Send it as it is."""
        self.peer.tell(wire.encode(frame))

    def answer(self) -> wire_channel.Answer:
        """The next answer, its seal checked."""
        told = self.peer.told()
        while not isinstance(told, wire_channel.Answer):
            told = self.peer.told()
        said = statements.sealed_answer_bytes(told.number, told.status, told.time, told.pause, bytes(told.body))
        assert told.seal == self.session.answer(said)
        return told

    def ask(self, path: str, message: Any) -> wire_channel.Answer:
        """Ask and be answered."""
        self.say(self.frame(path, wire.encode(message), self.session.next()))
        return self.answer()

    def pull(self, *held: wire.Held) -> wire.Work:
        """Orders, each checked."""
        told = self.ask(wire.WORK, wire.Pull(2, list(held), "0.1.0"))
        assert told.status == 200
        work = msgspec.json.decode(told.body, type=wire.Work)
        for order in work.orders:
            assert verify(self.device.told.portal_key, order.signature, statements.order_bytes(order))
        return work

    def report(self, order: wire.Order, state: wire.State, **facts: Any) -> wire.Report:
        """A signed report about an order."""
        outcome = wire.encode(wire.Outcome(order.expires_at - 1, **facts))
        named = (order.run, order.device, order.attempt, order.nonce, state)
        signature = self.device.key.sign(statements.report_bytes(*named, outcome))
        return wire.Report(order.run, order.attempt, order.nonce, state, msgspec.Raw(outcome), signature)

    def tell(self, *reports: wire.Report) -> list[str]:
        """The verdicts on reports."""
        told = self.ask(wire.REPORTS, wire.Reports(list(reports)))
        return [one.verdict for one in msgspec.json.decode(told.body, type=wire.Verdicts).verdicts]


def line(served: Served, device: Device, *, key: X25519PrivateKey | None = None) -> Line:
    """An open channel."""
    peer, mine = device.dial(), key or X25519PrivateKey.generate()
    welcome = msgspec.json.decode(peer.message(), type=wire_channel.Welcome)
    share = share_of(mine)
    signature = device.key.sign(statements.hello_bytes(device.told.device, welcome.challenge, share))
    peer.tell(wire.encode(wire_channel.Hello("0.1.0", signature, share)))
    eventually(lambda: served.connected(device.told.device))
    return Line(device, peer, Session(mine, welcome.share, welcome.challenge))


def asked(served: Served, path: str, method: str = "CHANNEL") -> float:
    """How many requests were answered in this way."""
    labels = {"route": path, "method": method, "status": "200"}
    return served.portal.metrics.registry.get_sample_value("muster_http_requests_total", labels) or 0.0


def run_for(served: Served, device: Device, script: str = "true") -> Run:
    return served.ask([device.told.device], script)


def test_a_delivery_over_the_channel_counts_once_however_often_and_wherever_it_comes(
    served: Served, device: Device
) -> None:
    run, over = run_for(served, device), line(served, device)
    [order] = over.pull().orders
    began = over.report(order, "in_progress", started_at=1)
    ended = over.report(order, "success", exit_code=0, outputs={})
    assert over.tell(began) == ["accepted"]
    assert over.tell(ended, began) == ["accepted", "duplicate"]
    answer = device.post(wire.REPORTS, wire.encode(wire.Reports([ended])))
    assert [one["verdict"] for one in answer.json()["verdicts"]] == ["duplicate"]
    assert served.execution(run, device.told.device).state is State.SUCCESS
    assert over.pull().orders == []


def test_a_report_needs_its_own_signature_over_the_channel_too(served: Served, device: Device) -> None:
    run, over = run_for(served, device), line(served, device)
    [order] = over.pull().orders
    forged = msgspec.structs.replace(over.report(order, "success"), signature=bytes(64))
    assert over.tell(forged) == ["refused"]
    assert served.execution(run, device.told.device).state is State.WAITING_ON_DEVICE


def test_refusals_are_those_of_http(served: Served, device: Device) -> None:
    over = line(served, device)
    for path, message in ((wire.WORK, {"room": 99}), (wire.REPORTS, {"reports": []})):
        told, by_http = over.ask(path, message), device.post(path, wire.encode(message))
        assert (told.status, bytes(told.body)) == (by_http.status_code, by_http.content)
        assert told.status == 400
    for path in (wire.CONFIG, wire.BATCHES, wire.ENROL, "/healthz", "/api/muster/v1/runs"):
        assert over.ask(path, {}).status == 404


def test_what_is_too_long_for_a_frame_is_there_by_http(served: Served, device: Device) -> None:
    run_for(served, device, "true # " + "x" * 70_000)
    told = line(served, device).ask(wire.WORK, wire.Pull(2, [], "0.1.0"))
    assert told.status == 413
    by_http = device.post(wire.WORK, PULL)
    assert len(by_http.json()["orders"]) == 1


def test_a_wrong_seal_or_a_number_that_was_there_ends_the_connection(served: Served, device: Device) -> None:
    for wrong in ("seal", "body", "path", "number", "again", "mirror"):
        over = line(served, device)
        good = over.frame(wire.WORK, PULL, 7)
        other = {
            "seal": msgspec.structs.replace(good, seal=bytes(32)),
            "body": msgspec.structs.replace(good, body=msgspec.Raw(b'{"room":1}')),
            "path": msgspec.structs.replace(good, path=wire.REPORTS),
            "number": msgspec.structs.replace(good, number=8),
            "mirror": msgspec.structs.replace(good, seal=over.session.answer(PULL)),
        }
        if wrong == "again":
            over.say(good)
            assert over.answer().number == 7
        over.say(other.get(wrong, good))
        assert over.peer.ended() == STRANGER, wrong


def test_what_one_connection_sealed_is_nothing_on_another(served: Served, device: Device) -> None:
    key = X25519PrivateKey.generate()  # a careless device: the same share twice
    first, second = line(served, device, key=key), line(served, device, key=key)
    second.say(first.frame(wire.WORK, PULL, 1))
    assert second.peer.ended() == STRANGER
    assert first.pull().orders == []


@pytest.mark.parametrize("share", [None, bytes(32)])
def test_without_a_share_nothing_is_asked(served: Served, device: Device, share: bytes | None) -> None:
    peer = device.dial()
    welcome = msgspec.json.decode(peer.message(), type=wire_channel.Welcome)
    signature = device.key.sign(statements.hello_bytes(device.told.device, welcome.challenge, share))
    peer.tell(wire.encode(wire_channel.Hello("0.1.0", signature, share)))
    peer.tell(wire.encode(wire_channel.Ask(1, wire.WORK, "", msgspec.Raw(PULL), bytes(32))))
    assert peer.ended() in (STRANGER, POLICY)


def test_a_share_that_its_device_did_not_sign_is_refused(served: Served, device: Device) -> None:
    peer = device.dial()
    welcome = msgspec.json.decode(peer.message(), type=wire_channel.Welcome)
    signature = device.key.sign(statements.hello_bytes(device.told.device, welcome.challenge))
    peer.tell(wire.encode(wire_channel.Hello("0.1.0", signature, share_of(X25519PrivateKey.generate()))))
    assert peer.ended() == STRANGER


def test_nothing_is_asked_before_the_greeting(served: Served, device: Device) -> None:
    peer = device.dial()
    peer.message()
    peer.tell(wire.encode(wire_channel.Ask(1, wire.WORK, "", msgspec.Raw(PULL), bytes(32))))
    assert peer.ended() == POLICY


def test_a_device_that_another_process_revoked_is_refused_within_two_seconds(served: Served, device: Device) -> None:
    over = line(served, device)
    assert over.pull().orders == []
    now = served.portal.clock()
    beside = open_control(served.portal.settings.control, now=now)
    beside.revoke_device(device.told.device, by="local:ann", now=now)
    beside.close()
    eventually(lambda: over.ask(wire.WORK, wire.Pull(2, [], "0.1.0")).status == 403, 2.0)


def test_many_requests_are_no_chatter(served: Served, device: Device) -> None:
    over = line(served, device)
    for _ in range(300):
        assert over.pull().orders == []


def test_an_agent_asks_over_its_channel(served: Served, agent: AgentProcess) -> None:
    run = served.ask([agent.device], "true")
    served.nudge(agent.device)
    assert served.ended(run, agent.device).state is State.SUCCESS
    eventually(lambda: asked(served, wire.REPORTS) > 0)
    assert asked(served, wire.WORK) > 0
    assert asked(served, wire.WORK, "POST") == asked(served, wire.REPORTS, "POST") == 0


def test_an_agent_takes_the_other_way_where_the_channel_does_not_do(served: Served, agent: AgentProcess) -> None:
    run = served.ask([agent.device], "true # " + "x" * 70_000)
    served.nudge(agent.device)
    assert served.ended(run, agent.device).state is State.SUCCESS
    assert asked(served, wire.WORK, "POST") > 0
    assert httpx.get(served.url + "/healthz").status_code == 200
