"""Any text in the classic language gives a plan or diagnostics that lie inside it, and its plan resolves."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import Context, resolve
from nql.catalog.configured import CustomField, configured
from nql.catalog.load import builtin
from nql.catalog.model import executions_of
from nql.datatypes import SIZE, DataType, Kind
from nql.diagnostics import Diagnostic, QueryError
from nql.nxql.api import NxqlError, compile_nxql
from nql.nxql.codes import CODES
from nql.nxql.mapping import classic
from nql.plan.text import show

CONTEXT = Context(1_731_320_775_000_000, "America/New_York", "Europe/Zurich")
RING = DataType(Kind.ENUM, members=("fast", "slow"), closed=True)
CATALOG = configured(
    builtin().overlay([executions_of(builtin(), "clean", {"freed": SIZE})], "clean"),
    [CustomField("device.devices", "site_group"), CustomField("device.devices", "ring", RING)],
)
SEEDS = [text for code in CODES.values() for text in (code.wrong, code.right) if text] + [
    '(update (set #"site group" (string "a")) (from device (where device (eq name (pattern "a*")))))',
    """(select (name system_drive_usage) (from device (where device (gt last_seen (datetime now-7d)))
    (with execution (where binary (eq sha1 (string %1))) (compute number_of_events total_cpu_time)
    (between midnight-2d midnight))) (order_by total_cpu_time desc) (limit %2))""",
    "(select ((device (name)) (package (*))) (from (device package) (with package (compute number_of_devices))))",
    "(select (name #* #'score:x/boot' #\"action:clean/freed\" #%1) (from device) // all\n)",
    '(select * (from web_request (where domain (ne name (string ""))) (between 2024-11-08@13:00 2024-11-09)))',
]
EVERY = [
    *classic().objects, *classic().events, *classic().absent, *classic().types,
    *(name for item in classic().objects.values() for name in item.fields),
    *(name for event in classic().events.values() for one in event.variants for name in (*one.fields, *one.aggregates)),
]  # fmt: skip
PLAIN = """
( ( ( ( ( ) ) ) ) ) select from where with compute between order_by limit update set asc desc eq ne lt le gt ge
now now-7d now-36h midnight midnight-1d 2024-11-08 2024-11-08@13:00 0 1 2.5 -3 yes %1 %2 #site_group #ring #* #%1
* *drive* laptop crash logon boot 10.0.0.1 10.0.0.0/8 24.4.1 // % # “ é
"""
WORDS = (
    *PLAIN.split(), "\n", "\x00", '"LAB-*"', "'a'", '"', "'", "now-999999999w", "midnight-3h", "99999999999999999999",
)  # fmt: skip


def check(text: str, parameters: tuple[str, ...] = ("pc-1", "7"), platforms: tuple[str, ...] = ()) -> None:
    """What holds for every text."""
    try:
        compiled = compile_nxql(text, CATALOG, parameters=parameters, platforms=platforms, devices=True)
    except NxqlError as error:
        _inside(text, error.diagnostics)
        return
    _inside(text, compiled.warnings)
    show(compiled.plan)
    with suppress(QueryError):  # a window that ends before it starts, once the clock is known
        show(resolve(compiled.plan, CONTEXT))


def _inside(text: str, diagnostics: tuple[Diagnostic, ...]) -> None:
    for item in diagnostics:
        assert item.code in CODES, item
        assert item.code != "NXQL311", item
        assert 0 <= item.span.start <= item.span.end <= len(text), item
        for fix in item.fixes:
            assert 0 <= fix.span.start <= fix.span.end <= len(text), fix


@given(st.text(max_size=80))
def test_random_text(text: str) -> None:
    check(text)


@given(st.lists(st.sampled_from(WORDS) | st.sampled_from(EVERY), max_size=30).map(" ".join))
def test_random_words(text: str) -> None:
    check(text)
    check(f"(select (name) (from device {text}")


@given(st.data())
def test_mutated_queries(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        put = data.draw(st.sampled_from(WORDS) | st.sampled_from(EVERY) | st.text(max_size=3) | st.just(""))
        text = text[:at] + put + text[at + cut :]
    check(text)


@given(st.data())
def test_likely_queries(data: st.DataObject) -> None:
    """Names, types and values that mostly exist, in the form that they must have."""
    mapping = classic()
    table = data.draw(st.sampled_from([*mapping.objects, *mapping.events]))
    fields = mapping.objects[table].fields if table in mapping.objects else mapping.events[table].variants[0].fields
    name = st.sampled_from([*fields, "*", "type", "#ring"])
    value = st.sampled_from(["a", "5", "0.5", "yes", "now-1d", "10.0.0.1", '""', '"x*"', "laptop", "crash", "%1"])
    kind = st.sampled_from([*mapping.types])
    op = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
    literal = st.tuples(kind, value).map(lambda pair: f"({pair[0]} {pair[1]})") | value
    condition = st.tuples(op, name, literal).map(lambda parts: f"({' '.join(parts)})")
    wheres = data.draw(st.lists(st.lists(condition, max_size=2), max_size=3))
    text = f"(select ({' '.join(data.draw(st.lists(name, min_size=1, max_size=3)))}) (from {table}"
    text += "".join(f" (where {table} {' '.join(conditions)})" for conditions in wheres)
    event = data.draw(st.sampled_from(["", *mapping.events]))
    aggregates = [one for variant in mapping.events[event].variants for one in variant.aggregates] if event else []
    if event and aggregates:
        text += f" (with {event} (compute {data.draw(st.sampled_from(aggregates))}) (between now-3d now))"
    check(f"{text}) (order_by {data.draw(name)} desc) (limit 5))", platforms=data.draw(PLATFORMS))


PLATFORMS = st.sampled_from([(), ("windows",), ("mac_os", "windows"), ("mobile",), ("amiga",)])
SELECT = "(select (name) (from device "
WHERE = f"{SELECT}(where device "
HOSTILE: dict[str, tuple[str, str, str]] = {
    "open": ("", "(", ""),
    "closed": ("(select (name) (from device))", ")", ""),
    "fields": ("(select (", "name ", ") (from device))"),
    "nonsense": ("(select (", "nonsense_{} ", ") (from device))"),
    "globs": ("(select (", "*a* ", ") (from device))"),
    "many globs": ("(select (", "*a*{} * ", ") (from device))"),
    "long glob": ("(select (", "*a", ") (from device))"),
    "wheres": (SELECT, '(where device (eq name "a"))', "))"),
    "conditions": (WHERE, '(eq name "a*")', ")))"),
    "servers": (WHERE, "(ne device_type server)", ")))"),
    "unknown words": (WHERE, "(eq device_type laptop{})", ")))"),
    "usages": (WHERE, "(gt system_drive_usage 0.5)", ")))"),
    "withs": (SELECT, "(with execution)", "))"),
    "computed": (f"{SELECT}(with execution (compute ", "number_of_events ", "))))"),
    "orders": ("(select (name) (from device) ", "(order_by name)", ")"),
    "limits": ("(select (name) (from device) ", "(limit 7)", ")"),
    "quotes": (f"{WHERE}(eq name ", '"', ""),
    "number": (f"{WHERE}(gt total_ram (byte ", "9", ""),
    "time": (f"{SELECT}(with execution (between now-", "9", "d now))))"),
    "address": (f"{WHERE}(eq last_ip_address (ip_address ", "1.", ""),
    "comments": ("", "// x\n", ""),
    "words": ("select ", "a ", "(from device)"),
    "spaces": ("(select (name)", " ", "(from device))"),
    "kinds": ("(select (time) (from device_error ", "(where device_error (eq type system_crash))", "))"),
    "tables": ("(select (name) (from (", "device{} ", ")))"),
}
NAMES = [pytest.param(name, id=name) for name in HOSTILE]


def hostile(name: str, length: int) -> str:
    """A text of about so many characters."""
    head, part, tail = HOSTILE[name]
    count = (length - len(head) - len(tail)) // len(part.format(1000))
    return head + "".join(part.format(number) for number in range(count)) + tail


def seconds(text: str) -> float:
    """The processor time that a text takes, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        with suppress(NxqlError):
            compile_nxql(text, CATALOG, parameters=("a", "7"))
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_hostile_text_is_bounded(name: str) -> None:
    text = hostile(name, 16_000)
    assert 14_500 < len(text) <= 16_000
    check(text)
    assert seconds(text) < 2


def linear(name: str) -> bool:
    """Whether twice the length takes at most about twice the time; short times say nothing."""
    whole = seconds(hostile(name, 16_000))
    return whole < 0.05 or whole < 3 * seconds(hostile(name, 8_000))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_time_grows_with_the_length(name: str) -> None:
    assert any(linear(name) for _ in range(4)), "measured four times, as others use the processor too"


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(NxqlError, match="NXQL114"):
        compile_nxql(" " * 16_001, CATALOG)
