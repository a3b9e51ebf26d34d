"""Any text gives a plan or diagnostics that lie inside it, never another exception, and its plan resolves."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import Context, compile_query, diagnose, resolve
from nql.catalog.load import builtin
from nql.catalog.model import Catalog, executions_of
from nql.codes import CODES
from nql.datatypes import BOOLEAN, SIZE
from nql.diagnostics import QueryError
from nql.plan.text import show

NOW = 1_731_320_775_000_000
CONTEXT = Context(NOW, "America/New_York", "Europe/Zurich", {"n": "pc-001", "a": "x", "b": "2024-11-08"})
SEEDS = [text for code in CODES.values() for text in (code.wrong, code.right) if text]
PLAIN = """
devices users binaries execution.crashes device_performance.events web.page_views session.logins dex.scores
remote_action.#clean.executions remote_action.executions campaigns antiviruses package.installed_packages
where list sort limit with include compute summarize by during past from to on ago and or in !in contains name
device.name hardware.memory hardware.type last_seen tags free_memory free_memory.avg number_of_crashes
binary.name user.ad.department context.location.country outputs.freed outputs.ok n m time start_time
days_since_last_seen entity operating_system.platform collector.version public_ip.ip_address #custom count()
n.sum() number_of_crashes.sum() free_memory.avg() time.last().time_elapsed() device.count() countif( sumif(
last_seen.time_elapsed() time.hour() as( format percent hardware.memory.avg() == = != < > <= >= + - * / ^ ( )
[ ] , | | | | . $n null true false laptop windows 7d 24h 15min 1d 0 1 2.5 8GB 10ms 2w v24.4 v1 10.0.0.0/8
fe80::1 2024-11-08 2024-02-30
"""
WORDS = (
    *PLAIN.split(),
    '"abc"', "'pc-*'", '"a', "Nov 8, 2024, 13:00", "/* x */", "“", "//", "\n", " ", "\ufeff", "é", "\x00",
)  # fmt: skip


def catalog() -> Catalog:
    """The shipped catalog with one action."""
    return builtin().overlay([executions_of(builtin(), "clean", {"freed": SIZE, "ok": BOOLEAN})], "clean")


CATALOG = catalog()


def check(text: str) -> None:
    """What holds for every text."""
    for item in diagnose(text, CATALOG):
        assert 0 <= item.span.start <= item.span.end <= len(text), item
        assert not item.code.startswith("NQL9")
        for fix in item.fixes:
            assert 0 <= fix.span.start <= fix.span.end <= len(text), fix
    try:
        plan = compile_query(text, CATALOG, devices=True).plan
        show(plan)
        show(resolve(plan, CONTEXT))
    except QueryError:
        return


@given(st.text(max_size=80))
def test_random_text(text: str) -> None:
    check(text)


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_random_words(text: str) -> None:
    check(text)


@given(st.data())
def test_mutated_queries(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        put = data.draw(st.sampled_from(WORDS) | st.text(max_size=3) | st.just(""))
        text = text[:at] + put + text[at + cut :]
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "devices | where " + "(" * 5000,
        "devices | where " + "(" * 200 + "name" + ")" * 200 + ' == "a"',
        "devices | where " + "-" * 5000 + "1 == 1",
        "devices | summarize n = " + "+".join(["1"] * 5000),
        "devices | summarize n = " + "^".join(["1"] * 5000),
        "devices | where " + " or ".join(['name == "a"'] * 900),
        "devices | where name in [" + ",".join(['"a*"'] * 3000) + "]",
        "devices" + " | limit 1" * 1500,
        "devices" + " | include execution.crashes | compute n = count()" * 300,
        "devices | list " + "name," * 3000 + "name",
        "devices | where name == 1" + " | where name == 1" * 90,
        "devices | summarize n = count()" + ", n = x" * 2000,
        "devices | list " + ", ".join(f"nonsense_{n}" for n in range(1200)),
        "devices | where hardware.type in [" + ",".join(f"laptop{n}" for n in range(1500)) + "]",
        "devices | where operating_system.platform in [" + ",".join(f"windows{n}" for n in range(1300)) + "]",
        "devices " + "/*" * 7000,
        "devices " + " " * 15000 + "|",
        "9" * 15000,
        "a." * 7500 + "a",
        "devices | where name == " + '"' * 12000,
        "execution.crashes | summarize n = count() by " + ", ".join(["1d"] * 3000),
    ],
)
def test_hostile_text_is_bounded(text: str) -> None:
    start = time.process_time()
    check(text[:16_000])
    assert time.process_time() - start < 3
