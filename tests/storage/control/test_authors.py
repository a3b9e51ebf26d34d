"""Authors and signatures: who counts, what is a draft, and which signature goes with an order.

Comes in: an empty control database. Goes out: what it stores. Invariant: a signature is taken only if it is right, by
an author who is trusted now, for a version that exists.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements
from agent.identity import verify
from storage.control.api import Control
from storage.control.authors import MOST, Author, Offer, Signed
from storage.control.errors import ConflictError, NotFoundError, RefusedError
from tests.storage.control.conftest import NOW, manifest

BY = "account:ann"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def add(control: Control, key: Ed25519PrivateKey, name: str = "ann", now: int = NOW) -> Author:
    return control.authors.add(name, public(key), by=BY, now=now)


def version(control: Control) -> str:
    return control.actions.save_action(manifest(), by=BY, now=NOW).version


def sign(
    control: Control,
    key: Ed25519PrivateKey,
    named: str,
    serial: int,
    *,
    said: bytes | None = None,
    nql_id: str = "#clear_cache",
) -> Signed:
    signature = key.sign(statements.author_bytes(nql_id, named, serial) if said is None else said)

    def right(key: bytes, signature: bytes) -> bool:
        return verify(key, signature, statements.author_bytes(nql_id, named, serial))

    return control.authors.sign(nql_id, named, Offer(public(key), serial, signature, right), by=BY, now=NOW)


def test_an_action_is_a_draft_until_a_living_author_signs_it(control: Control) -> None:
    key, named = Ed25519PrivateKey.generate(), version(control)
    author = add(control, key)
    assert control.authors.is_draft("#clear_cache", named)
    sign(control, key, named, 5)
    assert not control.authors.is_draft("#clear_cache", named)
    assert control.authors.signed_by([("#clear_cache", named)]) == {("#clear_cache", named): ["ann"]}
    control.authors.remove(author.id[:16], by=BY, now=NOW)
    assert control.authors.is_draft("#clear_cache", named)
    assert control.authors.signed_by([("#clear_cache", named)]) == {}
    assert [entry.action for entry in control.audit.latest(10)][:4] == [
        "author.removed", "action.signed", "author.added", "action.saved",
    ]  # fmt: skip


def test_what_is_no_signature_is_refused(control: Control) -> None:
    key, other, named = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), version(control)
    with pytest.raises(RefusedError, match="not known here"):
        sign(control, key, named, 1)
    add(control, key)
    with pytest.raises(RefusedError, match="not that of its author"):
        sign(control, key, named, 1, said=statements.author_bytes("#other", named, 1))
    with pytest.raises(NotFoundError, match="no version"):
        sign(control, key, "0" * 64, 1)
    control.authors.remove(add(control, other, "ben").id, by=BY, now=NOW)
    with pytest.raises(RefusedError, match="was removed"):
        sign(control, other, named, 1)
    assert control.authors.signatures("#clear_cache", named) == []


def test_a_newer_signature_replaces_an_older_and_not_the_other_way(control: Control) -> None:
    key, named = Ed25519PrivateKey.generate(), version(control)
    add(control, key)
    for serial in (5, 5, 9):
        sign(control, key, named, serial)
    with pytest.raises(ConflictError, match="newer signature"):
        sign(control, key, named, 7)
    with pytest.raises(RefusedError, match="set the clock"):
        sign(control, key, named, NOW + 2 * 86_400_000_000)
    assert [one.serial for one in control.authors.signatures("#clear_cache", named)] == [9]
    assert [entry.action for entry in control.audit.latest(10)].count("action.signed") == 2


def test_a_removed_key_never_comes_back(control: Control) -> None:
    key = Ed25519PrivateKey.generate()
    author = add(control, key)
    assert add(control, key, "again").name == "ann"
    control.authors.remove(author.id, by=BY, now=NOW + 1)
    with pytest.raises(RefusedError, match="make a new one"):
        add(control, key)
    assert control.authors.living() == []
    assert [one.removed_at for one in control.authors.everyone()] == [NOW + 1]


def test_there_are_only_so_many(control: Control) -> None:
    for number in range(MOST):
        control.authors.add(str(number), number.to_bytes(32, "big"), by=BY, now=NOW)
    with pytest.raises(RefusedError, match="64 authors"):
        add(control, Ed25519PrivateKey.generate())


def test_an_endorsement_is_checked(control: Control) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    ann, ben = add(control, old), add(control, new, "ben")
    said = statements.endorsement_bytes(public(new))

    def right(key: bytes, signature: bytes) -> bool:
        return verify(key, signature, said)

    def endorse(who: str, by: Ed25519PrivateKey, signer: Ed25519PrivateKey) -> Author:
        return control.authors.endorse(who, public(by), signer.sign(said), right, by=BY, now=NOW)

    with pytest.raises(RefusedError, match="not signed by the author"):
        endorse(ben.id, old, new)
    with pytest.raises(RefusedError, match="vouch for itself"):
        endorse(ben.id, new, new)
    with pytest.raises(NotFoundError):
        endorse("0" * 64, old, old)
    assert endorse(ben.id, old, old).endorsed_by == ann.id
    control.authors.remove(ann.id, by=BY, now=NOW)
    with pytest.raises(RefusedError, match="was removed"):
        endorse(ben.id, old, old)


def test_an_order_takes_the_newest_signature_that_its_device_can_know(control: Control) -> None:
    first, late, named = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), version(control)
    add(control, first)
    later = add(control, late, "ben", now=NOW + 100)
    sign(control, first, named, 5)
    sign(control, late, named, 9)

    def serial(enrolled_at: int) -> int:
        found = control.authors.signature_for("#clear_cache", named, enrolled_at=enrolled_at)
        assert found is not None
        return found.serial

    assert (serial(NOW + 50), serial(NOW + 100)) == (5, 9)
    said = statements.endorsement_bytes(public(late))
    control.authors.endorse(
        later.id, public(first), first.sign(said), lambda key, signature: verify(key, signature, said), by=BY, now=NOW
    )
    assert serial(NOW + 50) == 9
    assert control.authors.signature_for("#clear_cache", "0" * 64, enrolled_at=NOW) is None
