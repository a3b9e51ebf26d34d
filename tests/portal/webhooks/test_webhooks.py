"""Webhooks: who may make them, what a receiver gets and when it gets it again, and where they may not reach.

Comes in: a portal, and a receiver that listens on this machine. Goes out: nothing. Invariant: a delivery goes over a
real socket; a test waits for what arrives, never for time to pass.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

import pytest

from portal.settings import Settings
from portal.webhooks.address import BadAddressError, allowed, place_of
from portal.webhooks.sender import Sender, UndeliveredError, signature
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.portal.conftest import API, MANIFEST, NOW, SECOND, House, Play, eventually, play_in

EVENTS = ["run.ended", "run.failed", "run.halted"]


@dataclass
class Receiver:
    """Listens, keeps what it gets, and answers as told."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)  # what to answer, the last one again and again

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()
        writer.close()


def said(status: str, more: str = "", body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n".encode() + body


@asynccontextmanager
async def receiver(*answers: bytes) -> AsyncIterator[Receiver]:
    made = Receiver(answers=list(answers) or [said("204 No Content")])
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?x=1"
    async with server:
        yield made


@pytest.fixture
def open_settings(settings: Settings) -> Settings:
    return replace(settings, local_webhooks=True)


async def hooked(house: House, url: str, events: list[str] = EVENTS) -> tuple[str, str]:
    """A webhook: its id and secret."""
    client = await house.program()
    answer = await client.post(f"{API}/webhooks", json={"url": url, "events": events})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return made["webhook"]["id"], made["secret"]


async def failed_run(house: House) -> str:
    """A run that ended badly."""
    client = await house.program()
    uid = house.enrol(1).uid
    await house.settle()
    await client.post(f"{API}/actions", json=MANIFEST)
    asked = {"action": "#clear_cache", "allow_draft": True, "target": {"devices": [uid]}}
    run: str = (await client.post(f"{API}/runs", json=asked)).json()["run"]["id"]
    house.answer(run, uid, Outcome(State.FAILURE, 1))
    return run


async def deliveries(house: House, webhook: str) -> list[dict[str, Any]]:
    return [asdict(one) for one in house.portal.control.webhooks.deliveries(webhook)]


@pytest.mark.slow
def test_a_run_that_failed_is_told_with_a_signature(open_settings: Settings) -> None:
    async def scene(house: House) -> None:
        async with receiver() as got:
            webhook, secret = await hooked(house, got.url)
            run = await failed_run(house)

            async def told() -> bool:
                return len(got.got) == 2 and all(d["delivered_at"] for d in await deliveries(house, webhook))

            await eventually(told)
        listed = await (await house.program()).get(f"{API}/webhooks/{webhook}/deliveries")
        assert {one["event"] for one in listed.json()["deliveries"]} == {"run.ended", "run.failed"}
        assert [(one["tries"], one["next_at"], one["error"]) for one in listed.json()["deliveries"]] == [
            (1, None, None)
        ] * 2
        events = {json.loads(body)["event"]: (headers, body) for headers, body in got.got}
        assert sorted(events) == ["run.ended", "run.failed"]
        headers, body = events["run.failed"]
        parts = dict(part.split("=") for part in headers["muster-signature"].split(","))
        assert parts["t"] == str(NOW // SECOND)
        expected = hmac.new(secret.encode(), f"{parts['t']}.".encode() + body, sha256).hexdigest()
        assert hmac.compare_digest(parts["v1"], expected)
        assert (headers["content-type"], headers["muster-event"]) == ("application/json", "run.failed")
        said = json.loads(body)
        assert (said["id"], said["run"]["id"]) == (headers["muster-delivery"], run)
        assert (said["run"]["counts"], said["run"]["requested_by"]) == ({"failure": 1}, "ann")
        assert secret not in body.decode()

    play_in(open_settings, scene)


@pytest.mark.slow
def test_a_receiver_that_fails_is_told_again_and_redirects_are_not_followed(open_settings: Settings) -> None:
    async def scene(house: House) -> None:
        async with receiver() as elsewhere:
            moved = said("307 Temporary Redirect", f"Location: {elsewhere.url}\r\n")
            async with receiver(said("500 Internal Server Error", body=b"x" * 100_000), moved, said("200 OK")) as got:
                webhook, _ = await hooked(house, got.url, ["run.failed"])
                await failed_run(house)
                for tries, error in ((1, "answered 500"), (2, "answered 307")):

                    async def tried(tries: int = tries) -> bool:
                        return any(d["tries"] == tries for d in await deliveries(house, webhook))

                    await eventually(tried)
                    [waiting] = await deliveries(house, webhook)
                    assert error in waiting["error"]
                    house.time.now += 10 * SECOND * tries

                async def over() -> bool:
                    return bool((await deliveries(house, webhook))[0]["delivered_at"])

                await eventually(over)
                assert len({headers["muster-delivery"] for headers, _ in got.got}) == 1
                assert len(got.got) == 3
                assert elsewhere.got == []

    play_in(open_settings, scene)


@pytest.mark.slow
def test_a_receiver_that_never_answers_holds_up_no_other(open_settings: Settings) -> None:
    async def scene(house: House) -> None:
        asked, go = asyncio.Event(), asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await go.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with receiver() as got:
            await hooked(house, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            await hooked(house, got.url)
            await failed_run(house)
            await asyncio.wait_for(asked.wait(), 10)

            async def told() -> bool:
                return len(got.got) == 2

            await eventually(told)
            assert not go.is_set()
        go.set()
        server.close()

    play_in(open_settings, scene)


@pytest.mark.slow
def test_a_delivery_survives_a_restart(open_settings: Settings) -> None:
    async def whole() -> tuple[str, int]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{free.getsockname()[1]}/", free.getsockname()[1]

    url, port = asyncio.run(whole())

    async def before(house: House) -> None:
        webhook, _ = await hooked(house, url, ["run.failed"])
        await failed_run(house)

        async def tried() -> bool:
            return any("connection failed" in (d["error"] or "") for d in await deliveries(house, webhook))

        await eventually(tried)

    async def after(house: House) -> None:
        house.time.now += 60 * SECOND
        made = Receiver(answers=[said("200 OK")])
        async with await asyncio.start_server(made.serve, "127.0.0.1", port):

            async def told() -> bool:
                return len(made.got) == 1

            await eventually(told)

    play_in(open_settings, before)
    play_in(open_settings, after)


def test_this_machine_is_not_reached_unless_the_operator_says_so(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.program()
        for url in ("http://127.0.0.1/", "http://[::1]:80/", "http://localhost/", "http://169.254.169.254/latest"):
            answer = await client.post(f"{API}/webhooks", json={"url": url, "events": EVENTS})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_address"), url
            assert "--allow-local-webhooks" in answer.json()["error"]["message"]
        assert (await client.get(f"{API}/webhooks")).json() == {"webhooks": []}

    play(scene)


def test_a_name_that_stands_for_this_machine_is_not_connected_to() -> None:
    async def scene() -> None:
        sender = Sender(lambda: NOW, local=False)
        try:
            async with receiver() as got:
                port = got.url.split(":")[2].split("/")[0]
                with pytest.raises(UndeliveredError, match="this machine or its link"):
                    await sender.send(f"http://{socket.gethostname()}.localhost:{port}/", "e", "id", b"{}", b"s")
                assert got.got == []
        finally:
            await sender.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "0.1.2.3", "169.254.169.254", "fe80::1", "fe80::1%eth0",
        "224.0.0.1",
        "::ffff:127.0.0.1", "::ffff:169.254.1.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::", "ff02::1",
        "255.255.255.255",
    ],
)  # fmt: skip
def test_near_addresses(address: str) -> None:
    with pytest.raises(BadAddressError):
        allowed(["192.0.2.7", address], local=False)
    allowed([address], local=True)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "93.184.216.34", "2606:4700::1", "fd00::1"])
def test_other_addresses(address: str) -> None:
    assert str(allowed([address], local=False)) == address


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://host/", "http://", "https:///x", "http://user:pw@host/", "http://@host/", "http://host:0/",
        "http://host:99999/", "http://host:x/", "http://ho st/", "http://host/\r\nX: y", "http://h\u00f6st/", "http://[::1/",
        "http://host\\@127.0.0.1/", "http://localhost./", "http://x.localhost/", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(BadAddressError):
        place_of(url, local=False)


def test_a_place_says_its_parts() -> None:
    place = place_of("https://example.org/a/b?c=1#d", local=False)
    assert (place.authority, place.target) == ("example.org", "/a/b?c=1")
    assert place.url_at(allowed(["93.184.216.34"], local=False)) == "https://93.184.216.34:443/a/b?c=1"
    other = place_of("http://example.org:8080", local=False)
    assert (other.authority, other.url_at(allowed(["2606:4700::1"], local=False))) == (
        "example.org:8080",
        "http://[2606:4700::1]:8080/",
    )


def test_the_signature_is_over_time_and_body() -> None:
    signed = {
        signature(key, body, now=now) for key in (b"a", b"b") for body in (b"1", b"2") for now in (NOW, NOW + SECOND)
    }
    assert len(signed) == 8


def test_only_administrators_know_of_webhooks(play: Play) -> None:
    async def scene(house: House) -> None:
        other = await house.program("bob", ("query", "execute", "manage"))
        unknown = f"{API}/webhooks/00000000-0000-7000-8000-000000000000"
        body = {"url": "https://example.org/", "events": EVENTS}
        answers = [
            await other.get(f"{API}/webhooks"),
            await other.post(f"{API}/webhooks", json=body),
            await other.delete(unknown),
            await other.get(f"{unknown}/deliveries"),
        ]
        assert [answer.status_code for answer in answers] == [403] * 4
        client = await house.program()
        assert (await client.delete(unknown)).status_code == 404
        assert (await client.get(f"{unknown}/deliveries")).status_code == 404
        made = (await client.post(f"{API}/webhooks", json=body)).json()
        listed = (await client.get(f"{API}/webhooks")).json()["webhooks"]
        assert listed == [made["webhook"]]
        assert made["secret"].startswith("whsec_")
        assert made["secret"] not in json.dumps(listed)
        assert (await client.delete(f"{API}/webhooks/{made['webhook']['id']}")).status_code == 204
        audited = [e for e in house.portal.control.audit.latest(20) if e.action.startswith("webhook.")]
        assert [entry.action for entry in audited] == ["webhook.deleted", "webhook.created"]
        assert made["secret"] not in str(audited)

    play(scene)


def test_the_secret_lies_sealed(play: Play, settings: Settings) -> None:
    async def scene(house: House) -> None:
        _, secret = await hooked(house, "https://example.org/")
        kept = b"".join(path.read_bytes() for path in settings.control.parent.iterdir())
        assert secret.encode() not in kept
        assert settings.vault_key.stat().st_mode & 0o777 == 0o600

    play(scene)
