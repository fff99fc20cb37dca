"""Tools, calls of them and the choice among them, as chat completions write them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field

from tutti.serve.schemas.base import Bookkeeping, LongText, RequestBody, ResponseBody


class FunctionBody(RequestBody):
    """A function that the model may ask its caller to run."""

    name: str = Field(max_length=64)
    """Letters, digits, `_` and `-`."""
    description: str | None = Field(default=None, max_length=65_536)
    """What it does and when to use it, for the model."""
    parameters: dict[str, Any] | None = None
    """JSON schema of its arguments, an object."""
    strict: bool | None = None
    """Accepted: calls are made to fit their schema in any case."""


class ToolBody(RequestBody):
    """A tool; functions are the only kind."""

    type: Literal["function"]
    """Functions are the only kind."""
    function: FunctionBody
    """The function."""
    cache_control: Bookkeeping = None


class ChosenFunction(RequestBody):
    """By name."""

    name: str = Field(max_length=64)
    """The function's."""


class ChosenTool(RequestBody):
    """One tool that has to be called."""

    type: Literal["function"]
    """Functions are the only kind."""
    function: ChosenFunction
    """Which one."""


ToolChoiceBody: TypeAlias = Literal["none", "auto", "required"] | ChosenTool


class CalledFunction(RequestBody):
    """What was called, with which arguments."""

    name: str = Field(max_length=64)
    """The function's."""
    arguments: LongText = "{}"
    """JSON, an object."""


class CallBody(RequestBody):
    """A call that an assistant asked for, in a turn of before."""

    id: str = Field(max_length=256)
    """The call's own, which a tool's turn names."""
    type: Literal["function"] = "function"
    """Functions are the only kind."""
    function: CalledFunction
    """What was called."""
    index: int | None = None
    """Its place among the calls; not read."""
    cache_control: Bookkeeping = None


class MadeFunction(ResponseBody):
    """What is to be called, with which arguments."""

    name: str
    arguments: str
    """JSON, an object that fits the schema of the tool."""


class MadeCall(ResponseBody):
    """A call that the model asks for."""

    id: str
    type: Literal["function"] = "function"
    function: MadeFunction
