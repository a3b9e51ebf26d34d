"""How pins follow the portal: along signatures that begin at them, and in no other way.

Comes in: an enrolment and configurations, honest and forged. Goes out: the enrolment afterwards. Invariant: whatever a
portal in wrong hands puts into a configuration, it adds no author and no key that a pinned one did not sign for.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import statements
from agent.identity import Enrolment
from agent.pinning import MOST_REMOVED, adopt
from agent.wire_configuration import Configuration, Endorsed, Succession

FIRST, SECOND, THIRD, THIEF = (Ed25519PrivateKey.generate() for _ in range(4))
ANN, BEN, CLEO = (Ed25519PrivateKey.generate() for _ in range(3))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def pinned(*authors: Ed25519PrivateKey, removed: tuple[Ed25519PrivateKey, ...] = ()) -> Enrolment:
    head = ("https://p", "device", "collector", 1, False, public(FIRST))
    return Enrolment(*head, list(map(public, authors)), removed=list(map(public, removed)))


def step(before: Ed25519PrivateKey, after: Ed25519PrivateKey) -> Succession:
    return Succession(public(after), before.sign(statements.succession_bytes(public(after))))


def vouch(by: Ed25519PrivateKey, author: Ed25519PrivateKey, signer: Ed25519PrivateKey | None = None) -> Endorsed:
    signature = (signer or by).sign(statements.endorsement_bytes(public(author)))
    return Endorsed(public(author), public(by), signature)


def told(
    successions: list[Succession] | None = None,
    endorsed: list[Endorsed] | None = None,
    removed: tuple[Ed25519PrivateKey, ...] = (),
    tls_pins: list[bytes] | None = None,
) -> Configuration:
    return Configuration("tag", successions or [], endorsed or [], list(map(public, removed)), tls_pins or [])


def test_the_chain_is_followed_from_wherever_the_device_is() -> None:
    chain = told([step(FIRST, SECOND), step(SECOND, THIRD)])
    late = adopt(pinned(ANN), chain)
    assert late.portal_key == public(THIRD)
    assert adopt(late, chain) == late
    assert adopt(late, told([step(FIRST, SECOND)])) == late  # nobody goes back


def test_a_chain_that_does_not_begin_at_the_pinned_key_leads_nowhere() -> None:
    for wrong in ([step(THIEF, THIRD)], [step(SECOND, THIRD)], [step(THIEF, SECOND), step(SECOND, THIEF)]):
        assert adopt(pinned(ANN), told(wrong)).portal_key == public(FIRST)
    named = Succession(public(THIEF), FIRST.sign(statements.endorsement_bytes(public(THIEF))))
    assert adopt(pinned(ANN), told([named])).portal_key == public(FIRST)


def test_who_is_trusted_may_vouch_for_others() -> None:
    chain = told(endorsed=[vouch(BEN, CLEO), vouch(ANN, BEN)])
    assert adopt(pinned(ANN), chain).authors == [public(ANN), public(BEN), public(CLEO)]
    assert adopt(pinned(), chain).authors == []
    for wrong in (vouch(ANN, THIEF, THIEF), vouch(THIEF, THIEF), vouch(FIRST, THIEF), vouch(BEN, THIEF)):
        assert adopt(pinned(ANN), told(endorsed=[wrong])).authors == [public(ANN)]


def test_an_author_who_retires_leaves_a_successor() -> None:
    after = adopt(pinned(ANN), told(endorsed=[vouch(ANN, BEN)], removed=(ANN,)))
    assert after.authors == [public(BEN)]
    assert adopt(after, told(endorsed=[vouch(ANN, CLEO)], removed=(ANN,))).authors == [public(BEN)]


def test_who_was_removed_never_comes_back() -> None:
    after = adopt(pinned(ANN, BEN), told(removed=(BEN,)))
    assert after.authors == [public(ANN)]
    assert adopt(after, told()) == after
    assert adopt(after, told(endorsed=[vouch(ANN, BEN)])).authors == [public(ANN)]


def test_removals_are_bounded() -> None:
    many = [number.to_bytes(32, "big") for number in range(MOST_REMOVED + 5)]
    after = adopt(pinned(ANN), Configuration("tag", removed=many[:200]))
    for start in range(200, len(many), 200):
        after = adopt(after, Configuration("tag", removed=many[start : start + 200]))
    assert after.removed == many[5:]


def test_pins_of_the_server_follow_and_keep_the_one_it_shows() -> None:
    before = Enrolment("https://p", "d", "c", 1, False, public(FIRST), [], tls_pins=[b"a" * 32])
    coming = told(tls_pins=[b"b" * 32])
    assert adopt(before, coming, shown=b"a" * 32).tls_pins == [b"b" * 32, b"a" * 32]
    assert adopt(before, told(tls_pins=[b"a" * 32, b"b" * 32]), shown=b"a" * 32).tls_pins == [b"a" * 32, b"b" * 32]
    assert adopt(before, told(), shown=b"a" * 32).tls_pins == [b"a" * 32]
    assert adopt(pinned(ANN), coming).tls_pins == []  # a device that came without TLS pins nothing
