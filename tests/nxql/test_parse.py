"""Reading: the tree of a text, with a span on every node; what cannot be read is reported where it stands."""

from __future__ import annotations

import pytest

from nql.diagnostics import Span
from nql.nxql import ast
from nql.nxql.parse import parse
from nql.nxql.problems import NxqlError

DEVICE = ast.Name("device")
NAME = ast.Name("name")


def select(text: str) -> ast.Select:
    """The select of a text."""
    query = parse(text)
    assert isinstance(query, ast.Select)
    return query


def codes(text: str) -> list[str]:
    """The codes of what is wrong."""
    with pytest.raises(NxqlError) as caught:
        parse(text)
    return [item.code for item in caught.value.diagnostics]


@pytest.mark.parametrize(
    "text",
    [
        "(select (name) (from device))",
        "(select name (from device))",
        "select name (from device)",
        "select (name) (from (device))",
        "SELECT\tname(FROM device",
        "((select (name) (from device)))"[1:],
        "(select (name) (from device // here\n",
        "\ufeff(select (name) (from device))\u00a0",
    ],
)
def test_ways_to_write_one_query(text: str) -> None:
    assert select(text) == ast.Select((ast.Decoration(None, (NAME,)),), ast.Source((DEVICE,)))


def test_every_node_knows_its_place() -> None:
    text = '(select (name #"Site group") (from device (where device (ge total_ram (byte %1)))) (limit 5))'
    query = select(text)

    def said(span: Span) -> str:
        return text[span.start : span.end]

    (where,) = query.source.wheres
    (condition,) = where.conditions
    assert [said(name.span) for name in query.shown[0].fields] == ["name", '#"Site group"']
    assert said(query.source.span).startswith("(from")
    assert said(where.span) == "(where device (ge total_ram (byte %1)))"
    assert said(condition.span) == "(ge total_ram (byte %1))"
    assert said(condition.op_span) == "ge"
    assert said(condition.field.span) == "total_ram"
    assert said(condition.literal.type_span) == "byte"
    assert said(condition.literal.value.span) == "%1"
    assert said(query.limits[0].span) == "(limit 5)"
    assert said(query.span) == text


def test_names() -> None:
    query = select("(select (* #* #x #'a b' \"c d\" %1 #%12) (from device))")
    assert query.shown[0].fields == (
        ast.Name("*"),
        ast.Name("*", dynamic=True),
        ast.Name("x", dynamic=True),
        ast.Name("a b", dynamic=True, quoted=True),
        ast.Name("c d", quoted=True),
        ast.Name("%1", parameter=1),
        ast.Name("%12", dynamic=True, parameter=12),
    )
    assert [name.glob for name in query.shown[0].fields] == [True, True, False, False, False, False, False]


def test_a_star_in_quotes_is_no_glob() -> None:
    assert not select('(select ("na*") (from device))').shown[0].fields[0].glob


def test_with_holds_its_parts_in_any_order() -> None:
    one = select("(select (name) (from device (with x (compute a b) (where y (eq z 1)) (between now-1h now))))")
    two = select(
        "(select (name) (from device (with x (between now-1h now) (where y (eq z 1)) (compute a) (compute b))))"
    )
    assert one == two
    (node,) = one.source.withs
    assert node.computed == (ast.Name("a"), ast.Name("b"))
    assert node.between == ast.Between(ast.Value("now-1h"), ast.Value("now"))


def test_update() -> None:
    query = parse('(update (set #"cat" (enum kw)) (from device (where device (eq name (string "X")))))')
    assert isinstance(query, ast.Update)
    assert query.field == ast.Name("cat", dynamic=True, quoted=True)
    assert query.literal == ast.Literal("enum", ast.Value("kw"))
    assert query.source.tables == (DEVICE,)


def test_missing_brackets_are_supplied_at_the_end() -> None:
    whole = "(select (name) (from device (where device (eq name (string x)))))"
    for cut in range(1, 6):
        assert parse(whole[:-cut]) == parse(whole)


def test_several_things_are_reported_at_once() -> None:
    text = "(select (name) (from device (where device (like name a) (eq name)) (foo)) (order_by) (limit))"
    assert codes(text) == ["NXQL109", "NXQL108", "NXQL110", "NXQL111", "NXQL111"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "NXQL105"),
        (")", "NXQL105"),
        ("()", "NXQL105"),
        ("(())", "NXQL105"),
        ('"select" (name) (from device)', "NXQL105"),
        ("(select (name) (from))", "NXQL107"),
        ("(select (name) (from ()))", "NXQL107"),
        ("(select (name) (from device (with (execution))))", "NXQL107"),
        ("(select (name) (from device (with execution x)))", "NXQL101"),
        ("(select (name) (from device (with execution (compute))))", "NXQL110"),
        ("(select (name) (from device (where device eq)))", "NXQL108"),
        ("(select (name) (from device (where device (eq (name) 5))))", "NXQL108"),
        ("(select (name) (from device (where device (eq name #x))))", "NXQL108"),
        ("(select (name) (from device (where device (eq name ()))))", "NXQL108"),
        ("(select (name) (from device (where device (eq name (string)))))", "NXQL108"),
        ('(select ("") (from device))', "NXQL101"),
        ("(select ((device ()) (user (name))) (from (device user)))", "NXQL106"),
        ("(select (((a) b) (user (name))) (from (device user)))", "NXQL116"),
        ("(select (name) (from device) (order_by name asc asc))", "NXQL111"),
        ("(select (name) (from device) (limit (5)))", "NXQL111"),
        ("(select (name) (from device (between now)))", "NXQL112"),
        ("(update)", "NXQL113"),
        ("(update (set #a) (from device (where device (eq name x))))", "NXQL113"),
        ("(update (set #a 1) (from device (where device)))", "NXQL113"),
        ("(update (set #a 1) (from device (where device (eq name x))) (limit 1))", "NXQL113"),
        ("(select (name) (from device)" + "(" * 60, "NXQL115"),
    ],
)
def test_what_cannot_be_read(text: str, code: str) -> None:
    assert code in codes(text)


def test_a_query_may_not_be_too_long() -> None:
    assert codes("(select (name) (from device))".ljust(16_001)) == ["NXQL114"]
    assert select("(select (name) (from device))".ljust(16_000)).shown
