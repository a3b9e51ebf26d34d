"""The mapping agrees with the catalog: every field, word, aggregate and link of it has a meaning in NQL."""

from __future__ import annotations

import pytest

from nql.catalog.load import builtin
from nql.diagnostics import Span
from nql.nxql.api import NxqlPlan, compile_nxql
from nql.nxql.fields import TYPES
from nql.nxql.fragments import condition, expression
from nql.nxql.mapping import FieldMap, Note, Variant, classic, folded
from nql.plan.plan import Plan

MAPPING = classic()
OBJECTS = [pytest.param(name, id=name) for name in MAPPING.objects]
VARIANTS = [
    pytest.param(variant, id=f"{event.name} {variant.kind or variant.table}")
    for event in MAPPING.events.values()
    for variant in event.variants
]


def planned(text: str) -> NxqlPlan:
    """The plan of a query."""
    compiled = compile_nxql(text, builtin())
    assert isinstance(compiled, NxqlPlan)
    return compiled


def plan(text: str) -> Plan:
    """The plan of a query that says nothing unusual."""
    compiled = planned(text)
    assert not compiled.warnings, text
    return compiled.plan


def fields() -> list[FieldMap]:
    """All fields and aggregates."""
    variants = [variant for event in MAPPING.events.values() for variant in event.variants]
    linked = [field for variant in variants for own in variant.linked.values() for field in own.values()]
    found = [field for item in MAPPING.objects.values() for field in item.fields.values()]
    for variant in variants:
        found += [*variant.fields.values(), *variant.aggregates.values()]
    return found + linked


@pytest.mark.parametrize("name", OBJECTS)
def test_every_field_of_an_object_is_a_column_of_its_own(name: str) -> None:
    known = [field.name for field in MAPPING.objects[name].fields.values() if field.nql]
    compiled = planned(f"(select (*) (from {name}))")
    assert [output.header for output in compiled.plan.outputs] == known
    assert [column.name for column in compiled.columns] == known


@pytest.mark.parametrize("name", OBJECTS)
def test_every_field_of_an_object_can_be_asked_alone(name: str) -> None:
    for field in MAPPING.objects[name].fields.values():
        if field.nql:
            plan(f"(select ({field.name}) (from {name}))")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_field_and_link_of_an_event_can_be_shown(variant: Variant) -> None:
    if variant.event == "package":
        return
    kind = f'(where {variant.event} (eq type "{variant.words[0]}"))' if variant.words else ""
    known = [field.name for field in variant.fields.values() if field.nql]
    if variant.kind and not variant.words:
        return  # found by its aggregate alone
    only = [name for name in known if name != "type"]
    shown = planned(f"(select ({' '.join(only)}) (from {variant.event} {kind}))").plan
    assert [output.header for output in shown.outputs] == only
    assert shown.table == variant.table
    for link in variant.links:
        first = next(iter(variant.linked.get(link, MAPPING.objects[link].fields).values())).name
        field = "http_status" if variant.table == "web.errors" else only[0]
        text = f"(select (({variant.event} ({field})) ({link} ({first}))) (from ({variant.event} {link}) {kind}))"
        assert plan(text).table == variant.table


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_aggregate_of_an_event_can_be_computed(variant: Variant) -> None:
    kind = f'(where {variant.event} (eq type "{variant.words[0]}"))' if variant.words else ""
    if variant.table == "web.errors":
        kind = "(where web_request (ge http_status 400))"
    for name, field in variant.aggregates.items():
        if field.nql and (not variant.kind or variant.words or name not in COMMON):
            text = f"(select (name) (from device (with {variant.event} {kind} (compute {name}))))"
            assert [output.header for output in plan(text).outputs] == ["name", name]


COMMON = {
    name for name in MAPPING.events["execution"].variants[0].aggregates if name.startswith(("number_of", "activity"))
}


def test_a_field_has_a_meaning_or_a_reason_and_a_known_type() -> None:
    for field in fields():
        assert bool(field.nql) != bool(field.reason), field
        assert field.type in MAPPING.types, field
        assert not field.reason or field.reason.endswith("."), field
        assert not field.doc or field.doc.endswith("."), field
        if field.nql:
            expression(field.nql, Span(0, 0))


def test_words_are_spelled_as_they_are_looked_up() -> None:
    for field in fields():
        for name, word in field.words.items():
            assert folded(name) == name
            if word.when is not None:
                condition(word.when, Span(0, 0))
    for event in MAPPING.events.values():
        for variant in event.variants:
            assert [folded(word) for word in variant.words] == list(variant.words)
            assert not variant.words or folded(variant.kind) in variant.words


def test_every_kind_of_value_that_is_configured_has_a_type() -> None:
    assert set(TYPES.values()) <= set(MAPPING.types)


def test_what_is_absent_says_so_in_a_sentence() -> None:
    for name, reason in MAPPING.absent.items():
        assert reason.endswith(".")
        assert name not in MAPPING.objects
        assert name not in MAPPING.events


def test_scores_are_fields_of_their_table() -> None:
    table = builtin().tables[MAPPING.scores.table]
    assert set(MAPPING.scores.fields.values()) <= set(table.fields)


@pytest.mark.parametrize("note", [pytest.param(note, id=note.title) for note in MAPPING.notes])
def test_examples_of_decisions_say_nothing_unusual(note: Note) -> None:
    assert plan(note.example).outputs
    assert note.doc.endswith(".")


def test_examples_of_types_are_read_as_such() -> None:
    for name, item in MAPPING.types.items():
        if name != "list":
            assert item.example.startswith(f"({name} ")
        assert item.doc.endswith(".")
