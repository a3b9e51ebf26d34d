"""What is signed, as bytes: each statement's purpose and its fields in a fixed order, each with its length.

In: the fields of a message of `wire`. Out: the bytes that a signature covers. Invariant: what a signature covers is
made here and nowhere else, and no two statements have the same bytes. The portal imports it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from agent.wire import VERSION, Order, Questions, canonical
from agent.wire_configuration import LocalOrder


def request_bytes(device: str, method: str, path: str, time: int, nonce: str, body: bytes) -> bytes:
    """What a device signs of each request."""
    return _signed("request", device, method, path, time, nonce, sha256(body).digest())


def answer_bytes(device: str, nonce: str, time: int, status: int, body: bytes) -> bytes:
    """What the portal signs of each answer; `nonce` is that of the request."""
    return _signed("answer", device, nonce, time, status, sha256(body).digest())


def enrol_bytes(key: str, identity: bytes, sealing: bytes, name: str) -> bytes:
    """What a device signs when it enrols."""
    return _signed("enrol", key, identity, sealing, name)


def welcome_bytes(device: str, nonce: str, challenge: bytes, server_time: int, share: bytes, last: str = "") -> bytes:
    """What the portal signs when a channel opens; `nonce` is that of the opening request."""
    return _signed("welcome", device, nonce, challenge, server_time, share, last)


def hello_bytes(device: str, challenge: bytes, share: bytes | None = None, trail: Sequence[str] = ()) -> bytes:
    """What a device signs to show that it is there now."""
    return _signed("hello", device, challenge, share or b"", *trail)


def step_name(step: str) -> str:
    """How the portal names a step without telling it to whoever does not know it; empty where there is none."""
    return sha256(b"step\0" + step.encode()).hexdigest()[:16] if step else ""


def sealed_ask_bytes(number: int, path: str, pinned: str, body: bytes) -> bytes:
    """What a device seals of a request over the channel."""
    return _signed("ask", number, path, pinned, body)


def sealed_answer_bytes(number: int, status: int, time: int, pause: int, body: bytes) -> bytes:
    """What the portal seals of an answer over the channel."""
    return _signed("answer over a channel", number, status, time, pause, body)


def order_bytes(order: Order) -> bytes:
    """What the portal signs of an order. The content is covered by its digest, which the device computes itself."""
    parameters = sha256(canonical(order.parameters)).digest()
    head = (order.run, order.device, order.attempt, order.nonce, order.expires_at, order.action, order.action_version)
    return _signed(
        "order", *head, parameters, order.author or b"", order.serial, _secrets(order.secrets), order.priority
    )


def local_order_bytes(order: LocalOrder) -> bytes:
    """What the portal signs of an order of a local schedule."""
    parameters = sha256(canonical(order.parameters)).digest()
    head = (order.schedule, order.revision, order.device, order.every, order.action, order.action_version)
    return _signed("local order", *head, parameters, order.author or b"", order.serial, _secrets(order.secrets))


def cancel_bytes(run: str, device: str, attempt: int, nonce: str) -> bytes:
    """What the portal signs of a cancel."""
    return _signed("cancel", run, device, attempt, nonce)


def questions_bytes(asked: Questions) -> bytes:
    """What the portal signs of questions to a person."""
    head = (asked.response, asked.device, asked.attempt, asked.nonce, asked.person, asked.expires_at)
    return _signed("questions", *head, sha256(bytes(asked.content)).digest())


def author_bytes(action: str, version: str, serial: int) -> bytes:
    """What an author signs, outside the portal: this version of this action. `serial` grows with each signature."""
    return _signed("author", action, version, serial)


def endorsement_bytes(key: bytes) -> bytes:
    """What an author signs to vouch for another author's key."""
    return _signed("endorsement", key)


def succession_bytes(key: bytes) -> bytes:
    """What a key of the portal signs to name the one that follows it."""
    return _signed("succession", key)


def secret_bytes(run: str, attempt: int, name: str) -> bytes:
    """What a sealed secret is bound to: nobody else, and no other attempt, can open it."""
    return _signed("secret", run, attempt, name)


def report_bytes(run: str, device: str, attempt: int, nonce: str, state: str, outcome: bytes) -> bytes:
    """What a device signs of a report; `outcome` is the JSON as it travels."""
    return _signed("report", run, device, attempt, nonce, state, sha256(outcome).digest())


def local_report_bytes(schedule: str, device: str, sequence: int, state: str, outcome: bytes) -> bytes:
    """What a device signs of a report of a local schedule."""
    return _signed("local report", schedule, device, sequence, state, sha256(outcome).digest())


def _secrets(sealed: Mapping[str, bytes]) -> bytes:
    return _signed("secrets", *(part for name in sorted(sealed) for part in (name, sealed[name])))


def _signed(purpose: str, *fields: str | int | bytes) -> bytes:
    """A purpose and its fields, each with its length, so that no two statements have the same bytes."""
    parts = [f"muster/{VERSION} {purpose}\0".encode()]
    for item in fields:
        data = item if isinstance(item, bytes) else str(item).encode("utf-8", "surrogatepass")
        parts.append(len(data).to_bytes(8, "big") + data)
    return b"".join(parts)


def fingerprint(key: bytes) -> str:
    """The short name of a public key: 16 hexadecimal digits of its SHA-256."""
    return sha256(key).hexdigest()[:16]
