"""Schemas that leave further properties open are closed where that loses nothing, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from tutti.errors import InputError
from tutti.processing.closed_schemas import closed

NAME = {"type": "string", "maxLength": 8}
OPEN: dict[str, Any] = {"type": "object", "properties": {"name": NAME}, "required": ["name"]}
SHUT = {**OPEN, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (OPEN, SHUT),
        ({"type": "array", "items": OPEN}, {"type": "array", "items": SHUT}),
        ({"anyOf": [OPEN, {"type": "null"}]}, {"anyOf": [SHUT, {"type": "null"}]}),
        (
            {"properties": {"pet": {"$ref": "#/$defs/pet"}}, "$defs": {"pet": OPEN}},
            {"properties": {"pet": {"$ref": "#/$defs/pet"}}, "$defs": {"pet": SHUT}, "additionalProperties": False},
        ),
        ({"properties": {"not": NAME}}, {"properties": {"not": NAME}, "additionalProperties": False}),
        (
            {"properties": {"a": {"enum": [{"properties": {"b": 1}}]}}},
            {"properties": {"a": {"enum": [{"properties": {"b": 1}}]}}, "additionalProperties": False},
        ),
    ],
)
def test_objects_are_closed_wherever_they_stand(schema: Any, expected: Any) -> None:
    before = repr(schema)
    assert closed(schema) == expected
    assert repr(schema) == before, "the schema itself is not changed"


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "object"},
        {"type": "object", "properties": {}},
        {**OPEN, "additionalProperties": True},
        {**OPEN, "additionalProperties": NAME},
        {**OPEN, "patternProperties": {"^x": NAME}},
        {**OPEN, "required": ["name", "age"]},
        {**OPEN, "minProperties": 3},
        {**OPEN, "anyOf": [{"properties": {"age": NAME}}, {"properties": {"size": NAME}}]},
        {"allOf": [OPEN, {"properties": {"age": NAME}, "required": ["age"]}]},
        {"properties": {"a": {"allOf": [{"$ref": "#/$defs/pet"}, {"required": ["age"]}]}}, "$defs": {"pet": OPEN}},
    ],
)
def test_what_says_so_or_joins_several_stays_as_it_is(schema: Any) -> None:
    assert closed(schema) == schema


def test_a_schema_without_a_floor_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"items": schema}
    with pytest.raises(InputError, match="nested too deep"):
        closed(schema)
