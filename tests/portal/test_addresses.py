"""Whose word for an address counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from muster.cli import main
from portal.addresses import MOST_NETWORKS, client_of, networks
from portal.logs import configure

TRUSTED = networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),  # no proxy of ours
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what the client put before counts for nothing
        ("10.1.2.3", ["1.1.1.1", "198.51.100.1, 192.0.2.7"], "198.51.100.1"),  # a proxy behind a proxy
        ("10.1.2.3", ["10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", ["nonsense"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, nonsense, 10.0.0.9"], "10.0.0.9"),
        ("10.1.2.3", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.2.3", ["[2001:db9::1]:443"], "2001:db9::1"),
        ("::ffff:10.1.2.3", ["2001:db9::2"], "2001:db9::2"),
        ("2001:db8::5", ["2001:db9::2%eth0"], "2001:db9::2"),
        ("10.1.2.3", ["1.1.1.1," * 10_000 + "198.51.100.1"], "198.51.100.1"),
        ("testclient", ["198.51.100.1"], "testclient"),
        ("10.1.2.3", [","], "10.1.2.3"),
    ],
)
def test_the_address_of_who_asks(peer: str, forwarded: list[str], found: str) -> None:
    assert client_of(peer, forwarded, TRUSTED) == found


def test_with_no_proxy_nothing_counts() -> None:
    assert client_of("10.1.2.3", ["198.51.100.1"], ()) == "10.1.2.3"


@pytest.mark.parametrize("text", ["", "nonsense", "10.0.0.1/8", "1.2.3.4/33", "http://proxy"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        networks([text])


def test_networks_are_bounded() -> None:
    with pytest.raises(ValueError, match="more than"):
        networks(["10.0.0.1"] * (MOST_NETWORKS + 1))


def test_a_wrong_network_is_told_before_anything_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["serve", "--data", str(tmp_path / "data"), "--trusted-proxy", "10.0.0.1/8"])
    configure("critical")  # as before: it set up a log of its own
    assert code == 2
    assert "--trusted-proxy names no network" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
