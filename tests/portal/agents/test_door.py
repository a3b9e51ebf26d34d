"""Who may come in: wrong, stale, repeated, foreign and revoked requests are refused, and strangers learn nothing.

Comes in: requests made by hand. Goes out: statuses and codes. Invariant: the same request, made right, is taken.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from agent import wire
from portal.agents.door import Nonces
from tests.portal.agents.device import Device, code, enrol_key, enrolled, enrolment
from tests.portal.conftest import NOW, SECOND, House, Play

PULL = wire.encode(wire.Pull(0))
ANOTHER = "00000000-0000-4000-8000-00000000000f"


def test_a_signed_request_is_taken(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        answer = await device.send(wire.WORK, PULL)
        assert answer.status_code == 200
        assert wire.SIGNATURE_HEADER in answer.headers

    play(scene)


def test_strangers(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        for changed in (
            {wire.DEVICE_HEADER: ANOTHER},
            {wire.DEVICE_HEADER: "../../etc/passwd"},
            {wire.TIME_HEADER: "soon"},
            {wire.TIME_HEADER: str(NOW + 1)},
            {wire.NONCE_HEADER: "short"},
            {wire.NONCE_HEADER: "x" * 4000},
            {wire.SIGNATURE_HEADER: "AAAA"},
            {wire.SIGNATURE_HEADER: "no base64!"},
        ):
            answer = await device.send(wire.WORK, PULL, headers=changed)
            assert code(answer) == (401, "unknown_device"), changed
            assert wire.SIGNATURE_HEADER not in answer.headers
        assert code(await device.send(wire.WORK, PULL, key=Ed25519PrivateKey.generate())) == (401, "unknown_device")
        assert code(await device.client.post(wire.WORK, content=PULL)) == (401, "unknown_device")

    play(scene)


def test_one_device_cannot_speak_for_another(play: Play) -> None:
    async def scene(house: House) -> None:
        one, other = await enrolled(house, "one"), await enrolled(house, "other")
        forged = Device(house, one.client, one.key, other.told)
        assert code(await forged.send(wire.WORK, PULL)) == (401, "unknown_device")

    play(scene)


def test_a_wrong_clock_is_told_the_time(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        for wrong in (-wire.WINDOW - SECOND, wire.WINDOW + SECOND, 10 * 365 * 86_400 * SECOND):
            device.clock = wrong
            answer = await device.send(wire.WORK, PULL)
            assert code(answer) == (401, "clock")
            assert int(answer.headers[wire.TIME_HEADER]) == house.time.now
        device.clock = wire.WINDOW - SECOND
        assert (await device.send(wire.WORK, PULL)).status_code == 200

    play(scene)


def test_a_repeated_request_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        assert (await device.send(wire.WORK, PULL, nonce="n" * 20)).status_code == 200
        assert code(await device.send(wire.WORK, PULL, nonce="n" * 20)) == (409, "repeated")

    play(scene)


def test_what_was_signed_before_the_start_is_refused(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        device.clock = -1
        assert code(await device.send(wire.WORK, PULL)) == (401, "clock")

    play(scene)


def test_a_revoked_device(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        house.portal.control.revoke_device(device.told.device, by="account:ann", now=house.time.now)
        for path in (wire.WORK, wire.REPORTS, wire.BATCHES):
            answer = await device.send(path, b"{}")
            assert code(answer) == (403, "revoked")
            assert wire.SIGNATURE_HEADER in answer.headers

    play(scene)


def test_bodies_are_bounded(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        for path in (wire.WORK, wire.REPORTS, wire.BATCHES):
            answer = await device.send(path, b" " * (wire.MOST_BYTES[path] + 1))
            assert code(answer) == (413, "too_large")

    play(scene)


def test_enrolment(play: Play) -> None:
    async def scene(house: House) -> None:
        key, secret = Ed25519PrivateKey.generate(), enrol_key(house, simulated=True)
        client = await house.client()
        asked = enrolment(key, secret)
        first = await client.post(wire.ENROL, content=wire.encode(asked))
        again = await client.post(wire.ENROL, content=wire.encode(asked))
        assert first.status_code == again.status_code == 200
        assert first.json()["device"] == again.json()["device"]  # the answer may get lost, so the same may ask again
        assert first.json()["simulated"] is True
        other = enrolment(Ed25519PrivateKey.generate(), secret)
        assert code(await client.post(wire.ENROL, content=wire.encode(other))) == (403, "used_key")

    play(scene)


def test_refused_enrolments(play: Play) -> None:
    async def scene(house: House) -> None:
        key, client = Ed25519PrivateKey.generate(), await house.client()

        async def ask(asked: wire.Enrol) -> tuple[int, str]:
            return code(await client.post(wire.ENROL, content=wire.encode(asked)))

        assert await ask(enrolment(key, "enrol_guess")) == (403, "unknown_key")
        assert await ask(enrolment(key, enrol_key(house, expires_at=NOW))) == (403, "expired_key")
        stolen = replace(
            enrolment(key, enrol_key(house)), identity=Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        )
        assert await ask(stolen) == (400, "bad_proof")
        assert code(await client.post(wire.ENROL, content=b"{}")) == (400, "bad_message")
        assert code(await client.post(wire.ENROL, content=b"\xff{")) == (400, "bad_message")
        found = {
            entry.detail.get("reason") for entry in house.portal.control.audit.latest() if "refused" in entry.action
        }
        assert found == {"unknown_key", "expired_key"}

    play(scene)


def test_guessing_keys_is_slowed_down(play: Play) -> None:
    async def scene(house: House) -> None:
        client = await house.client()
        answers = [await client.post(wire.ENROL, content=b"{}") for _ in range(61)]
        assert answers[-1].status_code == 429
        house.time.now += 61 * SECOND
        assert (await client.post(wire.ENROL, content=b"{}")).status_code == 400

    play(scene)


def test_nonces_are_remembered_for_a_window_and_bounded() -> None:
    nonces = Nonces(window=100, most=2)
    assert nonces.take("d", "a", 1000) is True
    assert nonces.take("d", "a", 1099) is False
    assert nonces.take("other", "a", 1099) is True
    assert nonces.take("d", "b", 1100) is None
    assert nonces.take("d", "c", 1101) is True  # a new half begins
    assert nonces.take("d", "a", 1150) is False
    assert nonces.take("d", "a", 1400) is True
