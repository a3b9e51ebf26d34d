"""Who is in the estate: devices depend on the seed and their number alone, and are a believable mix.

Comes in: seeds. Goes out: nothing. Invariant held here: the simulated device that connects as number 17 is the one
whose history the estate wrote, whatever the size of the estate.
"""

from collections import Counter

from muster.estate.population import device, devices


def test_a_device_does_not_depend_on_how_many_there_are() -> None:
    assert list(devices(3, 30))[17] == list(devices(3, 20))[17] == device(3, 17)


def test_another_seed_gives_other_devices() -> None:
    assert {d.uid for d in devices(3, 50)}.isdisjoint(d.uid for d in devices(4, 50))


def test_names_and_keys_are_unique() -> None:
    people = list(devices(1, 500))
    for keys in ([d.uid for d in people], [d.name for d in people], [d.user.uid for d in people]):
        assert len(set(keys)) == 500


def test_the_mix_of_platforms() -> None:
    count = Counter(d.platform for d in devices(1, 1000))
    assert 650 < count["windows"] < 750
    assert 160 < count["macos"] < 240
    assert 70 < count["linux"] < 130


def test_there_are_some_of_everything_worth_finding() -> None:
    people = list(devices(1, 500))
    assert 10 < sum(d.free < 0.05 for d in people) < 50
    assert 5 < sum(d.virtual is not None for d in people) < 60
    assert 20 < sum(d.system.name.startswith("Windows 10") for d in people) < 80
    assert any(d.place.boot > 2 for d in people)
