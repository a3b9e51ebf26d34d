"""The logic tests' own machinery: what a file may say, and that a wrong record fails in every way it can be wrong."""

from textwrap import dedent

import pytest

from tests.logic.check import MismatchError, check
from tests.logic.records import parse

HEAD = "fixture: spec\n\n=== title\n"


def failing(body: str) -> str:
    """The message with which a record fails."""
    (record,) = parse(HEAD + dedent(body))
    with pytest.raises(MismatchError) as caught:
        check(record)
    return str(caught.value)


def test_a_right_record_passes() -> None:
    (record,) = parse(HEAD + "devices | list name | limit 1\n--- ordered rows\ndevice.name string\nPC-001\n")
    check(record)


def test_a_wrong_row_shows_both_sides() -> None:
    message = failing("devices | list name | limit 1\n--- rows\ndevice.name string\nPC-002\n")
    assert "- PC-002" in message
    assert "+ PC-001" in message


def test_a_row_too_many_fails() -> None:
    assert "rows differ" in failing("devices | list name | limit 1\n--- rows\ndevice.name string\nPC-001\nPC-001\n")


def test_a_wrong_type_fails() -> None:
    assert "columns differ" in failing("devices | summarize n = count()\n--- rows\nn float\n4\n")


def test_a_wrong_order_fails_where_order_counts() -> None:
    rows = "device.name string\npc-002\nPC-001\n"
    assert "order" in failing(f"devices | list name | limit 2\n--- ordered rows\n{rows}")
    (record,) = parse(f"{HEAD}devices | list name | limit 2\n--- rows\n{rows}")
    check(record)


def test_a_missing_error_fails() -> None:
    assert "diagnostics differ" in failing("devices\n--- error NQL202\n")


def test_an_error_elsewhere_fails() -> None:
    assert "at 'list'" in failing('devices | list nam\n--- error NQL202 at "list"\n')


def test_an_unexpected_warning_fails() -> None:
    body = "devices | include execution.crashes | summarize n = count()\n--- rows\nn int\n4\n"
    assert "NQL416" in failing(body)


@pytest.mark.parametrize(
    "text",
    [
        "fixtur: spec\n=== a\ndevices\n--- rows\nn int\n",
        "fixture: spec\n=== a\ndevices\n--- rowz\nn int\n",
        "fixture: spec\n=== a\ndevices\n",
        "fixture: spec\n=== a\n@ zone: x\ndevices\n--- rows\nn int\n",
    ],
)
def test_what_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        parse(text)
