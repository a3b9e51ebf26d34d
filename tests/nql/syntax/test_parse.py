"""What is read: shapes of expressions, every written form of a value, and spans that point at the author's words."""

from __future__ import annotations

import pytest

from nql.diagnostics import QueryError
from nql.syntax import ast
from nql.syntax.grammar import table
from nql.syntax.parse import LONGEST, MOST_CLAUSES, parse
from nql.syntax.words import WORDS


def condition(text: str) -> ast.Expr:
    """The condition of a where."""
    (clause,) = parse(f"devices | where {text}").clauses
    assert isinstance(clause, ast.Where)
    return clause.condition


def value(text: str) -> ast.Expr:
    """A value after an operator."""
    found = condition(f"x == {text}")
    assert isinstance(found, ast.Comparison)
    return found.right


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("abc", ast.Path("abc")),
        ("device . name", ast.Path("device.name")),
        ("device /* the */ . /* own */ name", ast.Path("device.name")),
        ("#custom", ast.Path("#custom")),
        ("device.#custom", ast.Path("device.#custom")),
        ("sha-256_hash_hex", ast.Path("sha-256_hash_hex")),
        ("binary.sha-256_hash", ast.Path("binary.sha-256_hash")),
        ("$name", ast.Parameter("name")),
        ('"a b"', ast.Text("a b")),
        ("'it is \"so\"'", ast.Text('it is "so"')),
        (r'"C:\dir\"', ast.Text("C:\\dir\\")),
        ("TRUE", ast.Constant(True)),
        ("Null", ast.Constant(None)),
        ("10", ast.Number(10)),
        ("10.5", ast.Number(10.5)),
        ("8GB", ast.Number(8, "gb")),
        ("8 gb", ast.Number(8, "gb")),
        ("15 min", ast.Number(15, "min")),
        ("5ms", ast.Number(5, "ms")),
        ("15m", ast.Number(15, "m")),
        ("2w", ast.Number(2, "w")),
        ("-3", ast.Negative(ast.Number(3))),
        ("v12.212", ast.Version("12.212")),
        ("V107", ast.Version("107")),
        ("v1x", ast.Path("v1x")),
        ("v1.name", ast.Path("v1.name")),
        ("10.0.0.0/8", ast.Address("10.0.0.0/8")),
        ("123.123.0.1", ast.Address("123.123.0.1")),
        ("f164:b28c:84a5:9dd3::/32", ast.Address("f164:b28c:84a5:9dd3::/32")),
        ("::1", ast.Address("::1")),
        ("2023-02-28", ast.Date(2023, 2, 28)),
        ("2023-02-28 23:45:00", ast.Date(2023, 2, 28, 23, 45)),
        ("2021-01-15 10:12", ast.Date(2021, 1, 15, 10, 12)),
        ("2021-01-15T10:12:30Z", ast.Date(2021, 1, 15, 10, 12, 30, 0)),
        ("Jun 15, 2023", ast.Date(2023, 6, 15)),
        ("June 15 2023", ast.Date(2023, 6, 15)),
        ("Jun 1", ast.Date(None, 6, 1)),
        ("Jun 15, 2023, 12:30", ast.Date(2023, 6, 15, 12, 30)),
        ("Jan 23, 2021 10:00:00", ast.Date(2021, 1, 23, 10)),
        ("Jun 15, 12:30", ast.Date(None, 6, 15, 12, 30)),
        ("Jan 23, 2021, 10:00 AM", ast.Date(2021, 1, 23, 10)),
        ("Jan 23, 2021 10:00:00 PM", ast.Date(2021, 1, 23, 22)),
        ("Jan 23, 2021 12:00 am", ast.Date(2021, 1, 23, 0)),
        ("2023-13-45", ast.Date(2023, 13, 45)),
        ("marketing", ast.Path("marketing")),
        ("[a, 'b', null]", ast.Items((ast.Path("a"), ast.Text("b"), ast.Constant(None)))),
        ("[]", ast.Items(())),
        (
            "x.hour(timezone = 'GMT')",
            ast.Call(ast.Path("x"), "hour", (ast.Comparison("==", ast.Path("timezone"), ast.Text("GMT")),)),
        ),
        ("a.b.SUM()", ast.Call(ast.Path("a.b"), "sum")),
        ("count()", ast.Call(None, "count")),
        ("t.last() . time_elapsed()", ast.Call(ast.Call(ast.Path("t"), "last"), "time_elapsed")),
    ],
)  # fmt: skip
def test_values(text: str, node: ast.Expr) -> None:
    assert value(text) == node


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a = 1 or b = 2 and c = 3", "a == 1 or (b == 2 and c == 3)"),
        ("a + b * c ^ d ^ e == 1", "(a + (b * (c ^ (d ^ e)))) == 1"),
        ("a - b - c == 1", "((a - b) - c) == 1"),
        ("a / b * c == 1", "((a / b) * c) == 1"),
        ("-a ^ b == 1", "(-a) ^ b == 1"),
        ("a == 1 AND b ! in [1]", "a == 1 and b !in [1]"),
        ("((a)) == ((1))", "a == 1"),
        ("a==1 and b==2", "a == 1 and b == 2"),
    ],
)
def test_precedence(text: str, same: str) -> None:
    assert condition(text) == condition(same)


def test_long_chains_are_one_node() -> None:
    found = condition(" or ".join(["a == 1"] * 500))
    assert isinstance(found, ast.Logic)
    assert len(found.operands) == 500


@pytest.mark.parametrize(
    "text",
    [
        "devices|list name",
        "DEVICES | LIST name",
        "devices | list /* c */ name",
        "\ufeffdevices\xa0|\r\n\tlist name",
        "/* x\ny */ devices /**/ | list name /* z */",
    ],
)
def test_space_case_and_comments_mean_nothing(text: str) -> None:
    found = parse(text)
    assert found.clauses == parse("devices | list name").clauses
    assert found.table.name.text.lower() == "devices"


@pytest.mark.parametrize("name", ["count", "on", "list", "where", "from", "past", "by", "desc", "in", "limit", "v1"])
def test_keywords_may_be_names(name: str) -> None:
    (clause,) = parse(f"devices | summarize {name} = count()").clauses
    assert isinstance(clause, ast.Summarize)
    assert clause.items[0].name.text == name


@pytest.mark.parametrize(
    "text",
    ["x past 7d", "x during past 7d", "x DURING  PAST 7 d", "x/**/past/**/7d"],
)
def test_during_may_be_left_out(text: str) -> None:
    assert parse(text).table.selection == ast.Past(ast.Number(7, "d"))


def test_other_selections() -> None:
    assert parse("x from 21d ago to 13d ago").table.selection == ast.Between(
        ast.Ago(ast.Number(21, "d")), ast.Ago(ast.Number(13, "d"))
    )
    assert parse("x on Nov 8").table.selection == ast.OnDay(ast.Date(None, 11, 8))
    assert parse("x past 2h by 30s").table.resolution == ast.Number(30, "s")
    assert parse("x by 30s").table == ast.TableRef(ast.Path("x"), None, ast.Number(30, "s"))


def test_clauses() -> None:
    text = (
        "a | with b past 1h | include c | compute d.e = count() | summarize n = 1 by 1d, x | sort n desc, m | limit 3"
    )
    assert parse(text).clauses == (
        ast.Join(ast.TableRef(ast.Path("b"), ast.Past(ast.Number(1, "h"))), False),
        ast.Join(ast.TableRef(ast.Path("c")), True),
        ast.Compute((ast.Assign(ast.Path("d.e"), ast.Call(None, "count")),)),
        ast.Summarize((ast.Assign(ast.Path("n"), ast.Number(1)),), (ast.Number(1, "d"), ast.Path("x"))),
        ast.Sort((ast.SortItem(ast.Path("n"), True), ast.SortItem(ast.Path("m")))),
        ast.Limit(ast.Number(3)),
    )


def test_spans_are_the_authors_words() -> None:
    text = "devices | where (a + 1) > b.count()  | sort name desc"
    where, sort = parse(text).clauses
    assert text[where.span.start : where.span.end] == "where (a + 1) > b.count()"
    assert text[sort.span.start : sort.span.end] == "sort name desc"
    assert isinstance(where, ast.Where)
    assert isinstance(where.condition, ast.Comparison)
    call = where.condition.right
    assert isinstance(call, ast.Call)
    assert text[call.span.start : call.span.end] == "b.count()"
    assert text[call.name_span.start : call.name_span.end] == "count"
    assert text[where.condition.op_span.start : where.condition.op_span.end] == ">"


def codes(text: str) -> list[str]:
    """The codes of a text that cannot be read."""
    with pytest.raises(QueryError) as caught:
        parse(text)
    return [item.code for item in caught.value.diagnostics]


def test_bounds() -> None:
    assert parse("devices" + " " * (LONGEST - 7)).table.name.text == "devices"
    assert codes("devices" + " " * (LONGEST - 6)) == ["NQL501"]
    assert len(parse("devices" + " | limit 1" * MOST_CLAUSES).clauses) == MOST_CLAUSES
    assert codes("devices" + " | limit 1" * (MOST_CLAUSES + 1)) == ["NQL503"]
    assert condition("(" * 1000 + "a" + ")" * 1000 + " == 1") == condition("a == 1")
    assert codes("devices | where a in " + "[" * 200 + "1" + "]" * 200) == ["NQL502"]
    assert codes("devices | where " + "-" * 200 + "1 == 1") == ["NQL502"]
    assert codes("devices | summarize n = " + "+".join("1" * 200)) == ["NQL502"]


def test_every_terminal_has_words() -> None:
    assert {name for name, _ in table()["terminals"]} - {"CHAIN"} <= set(WORDS)
