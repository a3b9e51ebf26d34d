"""Whose processor time it was: living, new, vanished and never seen processes, and nothing counted twice.

Comes in: process tables made by hand. Goes out: time by account and program. Invariant: the sum handed out is the
time that was really used between the first look and the last.
"""

from __future__ import annotations

import random

from agent.collectors.accounting import Accounting
from agent.host.base import Process

SECOND = 1_000_000


def process(pid: int, cpu: int, *, parent: int = 1, child: int = 0, program: str = "p", started: int = 0) -> Process:
    return Process(pid, parent, started, "1000", program, cpu, child, 100, 5)


def used(*looks: list[Process]) -> dict[str, int]:
    """Time by program after looks ten seconds apart."""
    accounting = Accounting()
    for number, table in enumerate(looks):
        accounting.look(table, number * 10 * SECOND)
    return {program: usage.cpu for (_, program), usage in accounting.take().items() if usage.cpu}


def test_what_was_before_does_not_count() -> None:
    assert used([process(5, 1000)], [process(5, 1300)]) == {"p": 300}


def test_a_new_process_counts_whole() -> None:
    assert used([process(5, 10)], [process(5, 10), process(6, 70, program="q")]) == {"q": 70}


def test_a_reused_number_is_another_process() -> None:
    assert used([process(5, 1000)], [process(5, 30, started=9, program="q")]) == {"q": 30}


def test_the_last_time_of_a_vanished_child_is_found_in_its_parent() -> None:
    shell = process(2, 0, program="sh")
    after = process(2, 0, program="sh", child=700)
    assert used([shell, process(5, 500, parent=2)], [after]) == {"p": 200}


def test_a_child_that_was_never_seen_goes_to_its_parents_usual_child_else_to_the_parent() -> None:
    shell = [process(2, 0, program="sh", child=total) for total in (0, 0, 400)]
    assert used(*([one] for one in shell)) == {"sh": 400}
    seen = process(5, 300, parent=2, program="gzip")
    later = [[process(2, 0, program="sh", child=total)] for total in (300, 900)]
    assert used([shell[0]], [shell[0], seen], *later) == {"gzip": 900}


def test_a_family_that_vanished_is_not_counted_twice() -> None:
    make, compiler = process(5, 100, parent=2, program="make"), process(6, 50, parent=5, program="cc")
    # cc ended first, so what sh got at the end holds the time of both: 150 were known already
    found = used([process(2, 0, program="sh"), make, compiler], [process(2, 0, program="sh", child=210)])
    assert sum(found.values()) == 210 - 150
    assert set(found) == {"make", "cc"}


def test_time_that_ends_with_a_whole_tree_goes_where_it_went_before() -> None:
    """A long process beside a loop of short ones, both children of a shell, all gone at once."""

    def table(long: int, waited: int, short: int) -> list[Process]:
        return [
            process(2, 0, program="sh"),
            process(3, long, parent=2, program="long"),
            process(4, 0, parent=2, child=waited, program="loop"),
            process(10 + short, 5, parent=4, program="short", started=short),
        ]

    end = [process(2, 0, program="sh", child=3000 + 3000)]
    found = used(table(0, 0, 0), table(1000, 1000, 1), table(2000, 2000, 2), end)
    assert sum(found.values()) == 6000 - 5  # what the first short one had used before the first look
    assert abs(found["long"] - 3000) < 150
    assert abs(found["short"] - 3000) < 150


def test_nothing_is_lost_and_nothing_invented() -> None:
    """A random history of processes that fork, work and end, looked at now and then."""
    for seed in range(30):
        dice = random.Random(seed)
        live: dict[int, list[int]] = {1: [0, 0, 0]}  # pid -> own time, time of waited children, parent
        counter, real, accounting = 1, 0, Accounting()
        accounting.look([process(1, 0, parent=0, program="init")], 0)
        for step in range(1, 200):
            pid = dice.choice(list(live))
            match dice.randrange(4):
                case 0:
                    counter += 1
                    live[counter] = [0, 0, pid]
                case 1 if pid != 1 and all(entry[2] != pid for entry in live.values()):
                    own, waited, parent = live.pop(pid)
                    live[parent][1] += own + waited
                case _:
                    live[pid][0] += 10
                    real += 10
            if dice.random() < 0.3:
                table = [
                    process(key, own, parent=parent, child=waited, program=f"p{key}")
                    for key, (own, waited, parent) in live.items()
                ]
                accounting.look(table, step * SECOND)
        table = [process(k, o, parent=p, child=w, program=f"p{k}") for k, (o, w, p) in live.items()]
        accounting.look(table, 1000 * SECOND)
        assert sum(usage.cpu for usage in accounting.take().values()) == real, seed


def test_gauges_and_counters_of_a_bucket() -> None:
    accounting = Accounting()
    accounting.look([process(5, 0), process(6, 0)], 0)
    accounting.look([process(5, 10), process(7, 5, started=3)], 10 * SECOND)
    [usage] = accounting.take().values()
    assert (usage.memory_sum, usage.memory_count, usage.memory_min, usage.memory_max) == (400, 2, 200, 200)
    assert usage.started == 1
    assert usage.duration == 10 * SECOND + 5 * SECOND + 5 * SECOND
    assert usage.faults == 5
    assert accounting.take() == {}
