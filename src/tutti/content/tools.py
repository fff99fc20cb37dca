"""Tools that a model may call, and its calls.

The form is that of OpenAI's function calling, which Hugging Face's chat templates, vLLM and llama.cpp share: a tool is
a name, a description and a JSON schema; a call is a name and arguments as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutti.errors import InputError

TOOL_CHOICES = ("auto", "none", "required")
"""Choices that are no tool's name: the model decides, no call, at least one call."""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MOST_TOOLS = 128
_LARGEST = 262_144
"""Characters of all tools together, as JSON."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask its caller to run."""

    name: str
    """Letters, digits, "_" and "-", at most 64."""
    description: str = ""
    """What it does and when to use it, in words for the model."""
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """JSON schema of its arguments, an object; {} takes any."""

    def to_function(self) -> dict[str, Any]:
        """The tool in the form that OpenAI's dialect and chat templates share."""
        parameters = dict(self.parameters) or {"type": "object", "properties": {}}
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for."""

    id: str
    """By which the tool's answer refers to it."""
    name: str
    """Of the tool."""
    arguments: str
    """As JSON, an object."""

    def values(self) -> dict[str, Any]:
        """The arguments as plain values.

        Raises:
            InputError: They are not a JSON object.
        """
        try:
            found = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise InputError(f"The arguments of the call of {self.name!r} are not JSON: {error}.") from None
        if not isinstance(found, dict):
            raise InputError(f"The arguments of the call of {self.name!r} are no object; expected a JSON object.")
        return found


def check_tools(tools: Sequence[Tool], choice: str) -> None:
    """Refuse tools that no model could be told of, and a choice that names none of them.

    Args:
        tools: What may be called.
        choice: `SamplingOptions.tool_choice`.

    Raises:
        InputError: A name is not one or there twice, a schema is none, there are too many, or the choice fits none.
    """
    names = [tool.name for tool in tools]
    _check_names(names)
    if len(tools) > _MOST_TOOLS:
        raise InputError(f"There are {len(tools)} tools; expected at most {_MOST_TOOLS}.")
    if choice not in (*TOOL_CHOICES, *names):
        raise InputError(f"tool_choice is {choice[:80]!r}; expected {', '.join((*TOOL_CHOICES, *names))}.")
    if choice == "required" and not tools:
        raise InputError("tool_choice is 'required', and there are no tools; give some, or leave it out.")
    _check_schemas(tools)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name) or name in TOOL_CHOICES:
            raise InputError(
                f"A tool is called {name[:80]!r}; expected 1 to 64 letters, digits, '_' or '-', and not a word of "
                f"tool_choice ({', '.join(TOOL_CHOICES)})."
            )
    if len(set(names)) != len(names):
        raise InputError(f"Two tools are called {max(names, key=names.count)!r}; give each its own name.")


def _check_schemas(tools: Sequence[Tool]) -> None:
    try:
        size = sum(len(json.dumps(tool.to_function())) for tool in tools)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"The parameters of a tool are no JSON schema: {error}.") from None
    if size > _LARGEST:
        raise InputError(f"The tools have {size:,} characters together; expected at most {_LARGEST:,}.")
    for tool in tools:
        if tool.parameters and tool.parameters.get("type", "object") != "object":
            raise InputError(
                f"The parameters of the tool {tool.name!r} are of type {tool.parameters['type']!r}; expected a JSON "
                "schema of an object."
            )
