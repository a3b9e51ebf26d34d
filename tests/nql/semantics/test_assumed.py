"""Texts without a portal: what they name exists, of the type that its use asks for, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nql.api import diagnose
from nql.catalog.configured import CustomField, configured
from nql.catalog.load import builtin
from nql.datatypes import INT
from nql.semantics.assumed import MOST, assumed

DEVICES = "device.devices"
ACTION = "remote_action.#x.executions"
TREND = "custom_trend.#x.snapshots"
WORDS = f"""
devices users execution.crashes {ACTION} {TREND} campaign.x.responses remote_action.#y.executions past 7d | |
| | with include where list compute summarize sort by limit and or not in #a device.#a user.#b organization.#c
binary.organization.#c outputs.a outputs.b.c execution.outputs.a remote_action.x.execution.outputs.a answers.q
answers.q.label comments.q.comment parameters.p snapshot.a a b n = == > ( ) [ ] , . # ## "x" 5 5GB 2.5 v1.2
10.0.0.1 2024-01-01 true null fast $p n.sum() #a.last() count() a.avg() time.last().time_elapsed() if(#a , as(
format let n = 5 ; between
""".split()


def types(text: str, table: str) -> dict[str, str]:
    """The fields assumed of a table, with their kinds."""
    catalog = assumed(text, builtin())
    known = builtin().tables.get(table)
    fields = catalog.tables[table].fields if table in catalog.tables else {}
    return {
        name: item.dtype.kind.value
        for name, item in fields.items()
        if item.within and (known is None or name not in known.fields)
    }


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ('#a == "x"', "string"),
        ('#a in ["x", null]', "string"),
        ('#a contains "x"', "string"),
        ("#a == 5", "int"),
        ("5 < #a", "int"),
        ("#a > -5", "int"),
        ("#a > 5.5", "float"),
        ("#a in [1, 2.5]", "float"),
        ("#a > 5 and #a < 7.5", "float"),
        ("#a == true", "boolean"),
        ("#a == fast", "enum"),
        ('#a == fast or #a == "slow"', "enum"),
        ("#a in [fast, slow]", "enum"),
        ("#a > 5GB", "bytes"),
        ("#a > 5min", "duration"),
        ("#a >= v1.2", "version"),
        ('#a >= v1.2 and #a != "1.*"', "version"),
        ("#a > 2024-01-01", "datetime"),
        ("#a = 10.0.0.0/8", "ip_address"),
        ("#a.time_elapsed() > 5d", "datetime"),
        ("#a.hour() > 5", "datetime"),
        ("#a != null", "string"),
        ("#a == name", "string"),
        ("hardware.memory > #a", "bytes"),
        ("#a < collector.version", "version"),
        ("#a >= days_since_last_seen", "int"),
        ("#a == hardware.type", "string"),
        ("#a >= first_seen", "datetime"),
        ("#a == $x", "string"),
    ],
)
def test_types_from_conditions(condition: str, kind: str) -> None:
    text = f"devices past 24h | where {condition}"
    assert types(text, DEVICES) == {"#a": kind}
    assert diagnose(text, assumed(text, builtin())) == ()


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("m = outputs.a.sum()", "float"),
        ("m = outputs.a.avg() * 2", "float"),
        ("m = outputs.a.p95()", "float"),
        ("m = outputs.a.last()", "string"),
        ("m = outputs.a.count()", "string"),
        ("m = outputs.a.sumif(status == success)", "float"),
        ("m = countif(outputs.a == true)", "boolean"),
        ("m = outputs.a.last() | where m > 5GB", "bytes"),
        ("m = outputs.a.max() | where m < 2024-01-01", "datetime"),
        ('m = outputs.a.last() | where m == "x*" | list m', "string"),
        ("m = outputs.a.sum() | where m > 5min", "duration"),
        ("n = count(), m = outputs.a.last() | where m < n", "int"),
        ("t = time.last(), m = outputs.a.last() | where m > t", "datetime"),
        ("m = outputs.a.last() | where m == hardware.memory", "bytes"),
    ],
)
def test_types_from_metrics_and_the_names_given_to_them(metric: str, kind: str) -> None:
    text = f"devices | with {ACTION} past 7d | compute {metric}"
    assert types(text, ACTION) == {"outputs.a": kind}
    assert diagnose(text, assumed(text, builtin())) == ()


@pytest.mark.parametrize(
    ("text", "table", "fields"),
    [
        ("execution.crashes | list #a, user.#b, binary.#c", DEVICES, ["#a"]),
        ("execution.crashes | list #a, user.#b, binary.#c", "user.users", ["#b"]),
        ("execution.crashes | list #a, user.#b, binary.#c", "binary.binaries", ["#c"]),
        ("users | with session.events | where #a == 1", "user.users", ["#a"]),
        ("packages | list #a, package.#b", "package.packages", ["#a", "#b"]),
        ("devices | list organization.#a, device.organization.#b", DEVICES, ["organization.#a", "organization.#b"]),
        ("web.events | list user.organization.#a", "user.users", ["organization.#a"]),
        ("remote_action.x.executions | list execution.outputs.a", ACTION, ["outputs.a"]),
        ("devices | list remote_action.x.execution.outputs.A", ACTION, ["outputs.A"]),
        (f"{TREND} | list a, snapshot.b, custom_trend.#x.snapshot.c, start_time, device.name", TREND, ["a", "b", "c"]),
    ],
)
def test_a_name_belongs_to_the_rows_in_scope(text: str, table: str, fields: list[str]) -> None:
    assert list(types(text, table)) == fields
    assert diagnose(text, assumed(text, builtin())) == ()


def test_questions_and_parameters_of_a_campaign() -> None:
    text = "campaign.#Mood.responses | list answers.q.label, comments.r, answers.s.comment, parameters.p, answers.t"
    found = assumed(text, builtin()).tables["campaign.#Mood.responses"].fields
    assert {"answers.q", "answers.r.comment", "comments.s", "parameters.p", "answers.t.label"} <= set(found)
    assert diagnose(text, assumed(text, builtin())) == ()


def test_a_let_name_is_read_where_it_is_used() -> None:
    text = "let big = outputs.a > 5GB; remote_action.#x.executions | where big"
    assert types(text, ACTION) == {"outputs.a": "bytes"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("devices | list nonsense, #a", "NQL202"),
        ("devices | where nothing.#a == 5", "NQL202"),
        ("devices | list user.#a", "NQL202"),
        ("nothing.#x.executions | list #a", "NQL201"),
        ("campaign.#x.executions", "NQL213"),
        (f"{TREND} | list device.nonsense", "NQL202"),
        ("binaries | list organization.#a", "NQL202"),
    ],
)
def test_what_nobody_could_configure_stays_an_error(text: str, code: str) -> None:
    assert [found.code for found in diagnose(text, assumed(text, builtin()))] == [code]


def test_what_is_configured_keeps_its_type() -> None:
    catalog = configured(builtin(), [CustomField(DEVICES, "a", INT)])
    text = 'devices | where #a == "x"'
    assert assumed(text, catalog) is catalog
    assert [found.code for found in diagnose(text, assumed(text, catalog))] == ["NQL301"]


def test_texts_that_name_nothing_or_cannot_be_read_change_nothing() -> None:
    for text in ("devices | list name", "devices | where", "", "let a = a; devices"):
        assert assumed(text, builtin()) is builtin()


def test_the_version_tells_what_is_assumed() -> None:
    texts = ("devices | list #a", "devices | list #b", "devices | where #a == 5", f"{ACTION}", f"{TREND}")
    assert len({assumed(text, builtin()).version for text in texts}) == len(texts)


def test_it_is_bounded() -> None:
    text = f"devices | list {', '.join(f'#f{number}' for number in range(MOST + 50))}"
    assert len(types(text, DEVICES)) == MOST


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_any_text_is_taken(text: str) -> None:
    for found in diagnose(text, assumed(text, builtin())):
        assert 0 <= found.span.start <= found.span.end <= len(text)
        assert not found.code.startswith("NQL9")
