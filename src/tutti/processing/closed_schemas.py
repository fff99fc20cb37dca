"""Objects of a JSON schema that have the properties it lists and no others, where it says nothing of others.

By the standard (JSON Schema 2020-12, core, 10.3.2.3) an object may have any further property unless that is ruled out,
and programs that write schemas (pydantic, zod, instructor) leave it open. A model that is held to such a schema may go
on with properties of its own for ever. What is written within the closed schema also fits the open one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tutti.errors import InputError

_NAMED = ("properties", "$defs", "definitions")
"""Keywords whose value is name → schema."""
_ONE = ("items", "additionalProperties", "contains")
_SEVERAL = ("prefixItems", "anyOf", "oneOf")
_JOINED = ("allOf", "not", "if", "dependentSchemas", "$dynamicRef")
"""Keywords by which an object has to fit several schemas at once, each of which may list a part of its properties."""
_BESIDE = ("anyOf", "oneOf", "$ref")
"""Keywords that do so where they stand beside properties."""
_SAID = ("additionalProperties", "unevaluatedProperties", "patternProperties")


def closed(schema: Any) -> Any:
    """A copy of a schema whose objects have only the properties that it lists, where it says nothing of others.

    A schema that joins several for one object stays as it is, as does an object that needs properties it does not list.

    Args:
        schema: As JSON has it.

    Raises:
        InputError: It is nested too deep.
    """
    try:
        return schema if any(_joins(one) for one in _schemas(schema)) else _closed(schema)
    except RecursionError:
        raise InputError("The JSON schema is nested too deep; expected some hundred levels at most.") from None


def _schemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """A schema and all within it; not the values of enumerations and defaults."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            inner = list(value.values())
        elif key in _SEVERAL and isinstance(value, list):
            inner = value
        else:
            inner = [value] if key in _ONE else []
        for one in inner:
            yield from _schemas(one)


def _joins(schema: Mapping[str, Any]) -> bool:
    return any(key in schema for key in _JOINED) or ("properties" in schema and any(key in schema for key in _BESIDE))


def _closed(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    out = dict(schema)
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, Mapping):
            out[key] = {name: _closed(one) for name, one in value.items()}
        elif key in _SEVERAL and isinstance(value, list):
            out[key] = [_closed(one) for one in value]
        elif key in _ONE:
            out[key] = _closed(value)
    listed, needed = schema.get("properties"), schema.get("required", [])
    whole = isinstance(listed, Mapping) and isinstance(needed, list) and {*map(str, needed)} <= {*listed}
    if listed and whole and not any(key in schema for key in (*_SAID, "minProperties")):
        out["additionalProperties"] = False
    return out
