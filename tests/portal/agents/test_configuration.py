"""The configuration of devices: a tag that follows from the content, the route, and what is told of it.

Comes in: parts made by hand, a portal, a device made by hand. Goes out: configurations and tags. Invariant: a tag
changes exactly when what stands in the configuration does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from msgspec import Raw

from agent import configuring, wire
from agent.wire_configuration import EMPTY, Configuration, Fetch, LocalOrder
from portal.agents.configuration import Common, Configurations
from storage.control.enrolment import Device
from tests.portal.agents.device import code, enrolled
from tests.portal.conftest import House, Play

DEVICE = Device("d1", "c1", "pc", "site", 1, bytes(32), bytes(32), False, 0, None, None, None)


@dataclass
class Book:
    """What stands in the configurations, and how often they were told of."""

    common: Common = field(default_factory=Common)
    local: dict[str, list[LocalOrder]] = field(default_factory=dict)
    reads: int = 0
    told: int = 0

    def read(self) -> Common:
        self.reads += 1
        return self.common

    def tell(self) -> None:
        self.told += 1

    def tag(self, device: str) -> str:
        return ",".join(f"{order.schedule}/{order.revision}" for order in self.local.get(device, []))

    def orders(self, device: Device) -> list[LocalOrder]:
        return self.local.get(device.uid, [])


def local(schedule: str, revision: int = 1) -> LocalOrder:
    return LocalOrder(schedule, revision, "d1", 600, "#a", "0" * 64, Raw(b"{}"), {}, bytes(64))


def test_the_tag_follows_from_the_content() -> None:
    book = Book()
    made = Configurations(book.tell, book.read, book)
    assert made.tag("d1") == made.of(DEVICE).tag == EMPTY
    book.local["d1"] = [local("s")]
    first = made.tag("d1")
    assert first != EMPTY
    assert made.tag("d2") == EMPTY
    assert made.of(DEVICE) == Configuration(first, local=[local("s")])
    assert Configurations(book.tell, book.read, book).tag("d1") == first  # another process says the same
    book.local["d1"] = [local("s", 2)]
    assert made.tag("d1") not in (EMPTY, first)
    book.local["d1"] = []
    assert made.tag("d1") == EMPTY


def test_what_is_common_is_read_once_until_it_changes() -> None:
    book = Book()
    made = Configurations(book.tell, book.read, book)
    assert {made.tag(f"d{number}") for number in range(100)} == {EMPTY}
    book.common = replace(book.common, removed=(b"k" * 32,))
    assert (book.reads, made.tag("d1")) == (1, EMPTY)
    made.changed()
    assert book.told == 1
    assert made.tag("d1") == made.tag("d2") != EMPTY
    assert made.of(DEVICE).removed == [b"k" * 32]
    assert book.reads == 2


def test_a_device_fetches_its_configuration(play: Play) -> None:
    async def scene(house: House) -> None:
        device = await enrolled(house)
        answer = await device.send(wire.CONFIG, wire.encode(Fetch()))
        assert answer.status_code == 200
        assert msgspec.json.decode(answer.content, type=Configuration) == Configuration(EMPTY)
        assert (await device.pull()).tag == EMPTY
        assert code(await device.send(wire.CONFIG, b'{"tag":1}')) == (400, "bad_message")
        house.portal.control.revoke_device(device.told.device, by="account:ann", now=house.time.now)
        assert code(await device.send(wire.CONFIG, wire.encode(Fetch()))) == (403, "revoked")

    play(scene)


def test_it_is_kept_and_what_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    assert configuring.kept(tmp_path) is None
    whole = Configuration("t", removed=[b"k" * 32], local=[local("s")])
    configuring.keep(tmp_path, whole)
    assert configuring.kept(tmp_path) == whole
    for damage in (b"", b"{", b"\xff", b'{"tag":1}'):
        (tmp_path / configuring.FILE).write_bytes(damage)
        assert configuring.kept(tmp_path) is None
