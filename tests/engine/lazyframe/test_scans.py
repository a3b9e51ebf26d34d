"""Linked objects are joined late, small and once. Read off the lazy plans, which are not run here."""

from engine.lazyframe.relations import translate
from nql.api import Compiler, Context, resolve
from tests.logic.fixture import load


def explained(text: str) -> str:
    """The Polars plan of a text, not optimized, so that it shows what we wrote."""
    fleet = load("fleet")
    compiled = Compiler().compile(text, fleet.catalog)
    plan = resolve(compiled.plan, Context(fleet.now, fleet.instance_zone, fleet.user_zone, {}))
    return translate(plan, fleet.source()).explain(optimized=False)


def test_a_linked_table_is_joined_once() -> None:
    text = explained("session.logins | list device.name, device.entity, device.hardware.memory")
    assert text.count("LEFT JOIN:") == 1


def test_a_condition_on_an_object_filters_the_objects() -> None:
    text = explained('session.logins | where device.name == "alpha" | summarize n = count()')
    assert text.count("SEMI JOIN:") == 1
    assert "LEFT JOIN:" not in text


def test_an_object_that_is_also_shown_is_joined_once() -> None:
    text = explained('session.logins | where device.name == "alpha" | list device.name')
    assert text.count("INNER JOIN:") == 1
    assert "LEFT JOIN:" not in text


def test_a_condition_that_holds_for_nothing_leaves_failing_objects_out() -> None:
    text = explained('session.logins | where user.name != "ann" | summarize n = count()')
    assert text.count("ANTI JOIN:") == 1
    assert "LEFT JOIN:" not in text


def test_what_is_only_shown_is_joined_after_the_limit() -> None:
    text = explained("session.logins | list time, device.name | limit 2")
    assert text.index("LEFT JOIN:") < text.index("SLICE")


def test_a_condition_on_two_objects_is_asked_of_joined_rows() -> None:
    text = explained("session.logins | where device.name == user.name | summarize n = count()")
    assert text.count("LEFT JOIN:") == 2


def test_a_condition_of_which_it_is_not_known_is_asked_of_joined_rows() -> None:
    text = explained('session.logins | where user.ad.department.default("none") == "none" | summarize n = count()')
    assert text.count("LEFT JOIN:") == 1
    assert "ANTI JOIN:" not in text


def test_a_calculation_on_an_object_filters_the_objects() -> None:
    text = explained("session.logins | where user.last_seen.time_elapsed() > 1d | summarize n = count()")
    assert text.count("SEMI JOIN:") == 1
    assert "LEFT JOIN:" not in text
