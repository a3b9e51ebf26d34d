"""Whether an order runs: every way in which it may be wrong is told apart, whoever made it.

Comes in: orders signed right and changed afterwards. Goes out: the decision. Invariant: the order as it was signed is
accepted, so that each refusal is for the one thing that was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements, wire
from agent.identity import Policy
from agent.orders import Denied, Foreign, Job, Trust, examine

PORTAL, AUTHOR, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
DEVICE = "device-1"
NOW = 1_000


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def content(**changed: Any) -> bytes:
    """The content of an action."""
    whole = {
        "scripts": {"linux": {"language": "bash", "text": "true"}},
        "timeout": 60,
        "run_as": "system",
        "inputs": [
            {"name": "mode", "allowed": ["look", "clean"], "custom": False},
            {"name": "path", "allowed": [], "custom": True, "default": "/tmp"},
        ],
        "outputs": [],
        "simulate": None,
    }
    return wire.canonical(whole | changed)


def order(
    raw: bytes | None = None,
    *,
    key: Ed25519PrivateKey = PORTAL,
    author: Ed25519PrivateKey | None = None,
    **changed: Any,
) -> wire.Order:
    """An order, signed after the changes."""
    raw = raw or content()
    version = wire.action_version(raw)
    serial = changed.get("serial", 0)
    signed = author.sign(statements.author_bytes("#a", version, serial)) if author else None
    made = wire.Order(
        "run", DEVICE, 1, "nonce", NOW + 1, "#a", version, msgspec.Raw(raw), {"mode": "clean"}, bytes(64), signed
    )
    made = msgspec.structs.replace(made, **changed)
    return msgspec.structs.replace(made, signature=key.sign(statements.order_bytes(made)))


def trust(
    *authors: Ed25519PrivateKey,
    platform: str = "linux",
    simulated: bool = False,
    policy: Policy = "unrestricted",
    serials: Mapping[str, int] = MappingProxyType({}),
) -> Trust:
    return Trust(DEVICE, public(PORTAL), tuple(map(public, authors)), platform, simulated, policy, serials)


def test_a_right_order_becomes_a_job() -> None:
    job = examine(order(), trust(), NOW)
    assert isinstance(job, Job)
    assert job.inputs == {"mode": "clean", "path": "/tmp"}
    assert job.script is not None
    assert list(job.inputs) == ["mode", "path"]


@pytest.mark.parametrize(
    "changed",
    [
        {"run": "another"}, {"attempt": 2}, {"nonce": "other"}, {"expires_at": NOW + 2}, {"action": "#b"},
        {"action_version": "0" * 64}, {"parameters": {"mode": "look"}}, {"author": bytes(64)}, {"priority": 1},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_nothing_signed_can_be_changed(changed: dict[str, Any]) -> None:
    assert examine(msgspec.structs.replace(order(), **changed), trust(), NOW) == Foreign(
        "the order is not signed by the pinned portal key"
    )


def test_orders_of_others_are_ignored() -> None:
    assert isinstance(examine(order(key=STRANGER), trust(), NOW), Foreign)
    assert examine(order(device="another"), trust(), NOW) == Foreign("the order is for another device")


def test_content_that_is_not_the_version_is_denied() -> None:
    swapped = msgspec.structs.replace(order(), content=msgspec.Raw(content(timeout=61)))
    assert examine(swapped, trust(), NOW) == Denied(
        "policy_denied", "the content is not the version that the order names"
    )


def test_expiry_is_by_the_portals_time() -> None:
    assert isinstance(examine(order(), trust(), NOW), Job)
    denied = examine(order(), trust(), NOW + 1)
    assert isinstance(denied, Denied)
    assert denied.state == "expired"


def signed_trusted(*authors: Ed25519PrivateKey, **serials: int) -> Trust:
    return trust(*authors, policy="signed_trusted", serials={f"#{name}": serial for name, serial in serials.items()})


def test_signed_trusted_runs_what_a_trusted_author_signed() -> None:
    assert isinstance(examine(order(author=AUTHOR), signed_trusted(AUTHOR), NOW), Job)
    assert isinstance(examine(order(author=AUTHOR), signed_trusted(STRANGER, AUTHOR), NOW), Job)
    unsigned = Denied("policy_denied", "no trusted author signed this version of the action")
    for wrong in (order(), order(author=STRANGER)):  # a portal in wrong hands can sign orders, not scripts
        assert examine(wrong, signed_trusted(AUTHOR), NOW) == unsigned
    assert examine(order(author=AUTHOR), signed_trusted(), NOW) == unsigned  # who trusts nobody runs nothing
    assert Trust(DEVICE, public(PORTAL), (), "linux").policy == "signed_trusted"


def test_a_signature_is_for_one_action_version_and_serial() -> None:
    right = order(author=AUTHOR, serial=7)
    other = content(timeout=61)
    swapped: dict[str, Any] = {"content": msgspec.Raw(other), "action_version": wire.action_version(other)}
    changes: list[dict[str, Any]] = [{"action": "#b"}, {"serial": 8}, swapped]
    assert isinstance(examine(right, signed_trusted(AUTHOR), NOW), Job)
    for changed in changes:
        wrong = msgspec.structs.replace(right, **changed)
        wrong = msgspec.structs.replace(wrong, signature=PORTAL.sign(statements.order_bytes(wrong)))
        assert isinstance(examine(wrong, signed_trusted(AUTHOR), NOW), Denied)


def test_an_older_signature_never_runs_again() -> None:
    job = examine(order(author=AUTHOR, serial=7), signed_trusted(AUTHOR, a=6, b=9), NOW)
    assert isinstance(job, Job)
    after = signed_trusted(AUTHOR, a=6).seen(job)
    assert after.serials == {"#a": 7}
    assert isinstance(examine(order(author=AUTHOR, serial=7), after, NOW), Job)
    denied = examine(order(author=AUTHOR, serial=6), after, NOW)
    assert isinstance(denied, Denied)
    assert (denied.state, "newer version" in denied.detail) == ("policy_denied", True)
    assert after.seen(job) is after


def test_the_other_policies() -> None:
    job = examine(order(serial=7), trust(policy="unrestricted"), NOW)
    assert isinstance(job, Job)
    assert job.serial == 0  # nobody vouched for the serial, so it fences nothing
    denied = examine(order(author=AUTHOR), trust(AUTHOR, policy="disabled"), NOW)
    assert denied == Denied("policy_denied", "this device runs no scripts: its execution policy is disabled")


def test_a_secret_that_was_not_granted_is_said() -> None:
    denied = examine(order(content(secrets=["smtp"])), trust(), NOW)
    assert denied == Denied("policy_denied", "the order lacks the secret smtp, which was not granted to the action")
    job = examine(order(content(secrets=["smtp"]), secrets={"smtp": bytes(40)}), trust(), NOW)
    assert isinstance(job, Job)
    assert job.secrets == {"smtp": bytes(40)}


def test_platforms() -> None:
    assert examine(order(), trust(platform="macos"), NOW) == Denied("no_script", "the action has no script for macos")
    powershell = content(scripts={"linux": {"language": "powershell", "text": "x"}})
    denied = examine(order(powershell), trust(), NOW)
    assert isinstance(denied, Denied)
    assert denied.state == "old_collector"
    job = examine(order(), trust(platform="windows", simulated=True), NOW)
    assert isinstance(job, Job)
    assert job.script is None


def test_an_action_that_cannot_be_read_is_said() -> None:
    denied = examine(order(b'{"scripts":{},"timeout":0}'), trust(), NOW)
    assert isinstance(denied, Denied)
    assert denied.state == "old_collector"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"mode": "explode"}, "not one that the action allows"),
        ({"nobody": "x"}, "no input 'nobody'"),
        ({"path": "a\0b"}, "NUL"),
        ({"path": "x" * 29_999 + "é"}, "larger than 30000 bytes"),
    ],
)
def test_parameters_are_checked_here_too(parameters: dict[str, str], said: str) -> None:
    denied = examine(order(parameters=parameters), trust(), NOW)
    assert isinstance(denied, Denied)
    assert denied.state == "policy_denied"
    assert said in denied.detail
