"""What all requests share: unknown fields are refused, and neutral values of what is not kept are accepted.

Decision 47: a field that would change the answer and that no model here honours is refused by name. What says nothing
changes nothing, so null is accepted everywhere, and of a field that is not kept the values that mean the same as
leaving it out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MOST_TOKENS = 1_000_000
LongText: TypeAlias = Annotated[str, StringConstraints(max_length=4_000_000)]


class RequestBody(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: Any) -> Any:
        """Null says what leaving a field out says, also of a field that is not known."""
        if not isinstance(value, dict) or None not in value.values():
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {name: one for name, one in value.items() if one is not None or name in known}


class ResponseBody(BaseModel):
    """What is sent back, or a part of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class NamedRequest(RequestBody):
    """What every request may carry and what changes no answer."""

    model: str | None = Field(default=None, max_length=256)
    """Which model: one of `GET /v1/models`. Left out, it is the one that is served."""
    user: str | None = Field(default=None, max_length=256)
    """For the caller's own bookkeeping; it changes no answer."""


class Neutral:
    """A field that is known and not kept: only values that change nothing are accepted.

    Args:
        values: Those, beside null.
    """

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __get_pydantic_core_schema__(self, _: Any, __: Callable[[Any], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: Any) -> JsonSchemaValue:
        return {
            "enum": [None, *self.values],
            "description": "Known and not kept: only what changes nothing is accepted.",
        }

    def _checked(self, value: Any) -> Any:
        if value is None or any(_same(value, one) for one in self.values):
            return value
        accepted = " or ".join(json.dumps(one) for one in self.values) or "null"
        raise PydanticCustomError(
            "not_kept", "is not kept by the models here; leave it out, or give {accepted}", {"accepted": accepted}
        )


def _same(value: Any, neutral: Any) -> bool:
    """Whether two values are one in JSON, where 0 and 0.0 are and 0 and false are not."""
    if isinstance(value, bool) or isinstance(neutral, bool):
        return value is neutral
    return bool(value == neutral)


Unset: TypeAlias = Annotated[Any, Neutral()]
"""Null alone."""
Zero: TypeAlias = Annotated[Any, Neutral(0)]
One: TypeAlias = Annotated[Any, Neutral(1)]
Off: TypeAlias = Annotated[Any, Neutral(False)]
On: TypeAlias = Annotated[Any, Neutral(True)]
EmptyList: TypeAlias = Annotated[Any, Neutral([])]
EmptyObject: TypeAlias = Annotated[Any, Neutral({})]
Bookkeeping: TypeAlias = Annotated[
    Any, Field(description="The caller's bookkeeping, or a hint to a provider's caches: accepted, and without effect.")
]
"""Of a field that concerns no answer: anything."""
