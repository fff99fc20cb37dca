"""Answers held to calls of tools: every call names a tool that is offered and has arguments that fit its schema.

Where the model may choose, nothing is held back until it begins a call (a lazy grammar: `llguidance`, documentation of
tool calling); from there on, the grammar of the calls counts to the end of the answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import llguidance
import numpy as np
from numpy.typing import NDArray

from tutti.content import Tool
from tutti.errors import InputError
from tutti.processing.closed_schemas import closed
from tutti.processing.constraints import LARGEST_SCHEMA, JsonVocabulary
from tutti.processing.tokenizer import Detokenizer
from tutti.processing.tool_forms import CallForm, head_of

_KEPT = 256
"""Letters in which a marker is looked for."""
_STRICT, _LOOSE = "[ ]?", r"[ \n]{0,12}"
"""Spaces within arguments: as templates show them, and as models write bare objects."""


class ToolConstraint:
    """The state of one answer. A `Constraint` of the engine.

    Args:
        vocabulary: The model's tokens as bytes.
        form: How the model writes calls.
        tools: What is offered.
        required: Whether the answer is at least one call.
        parallel: Whether there may be several.
        schema: A JSON schema that an answer without calls keeps to, if any.

    Raises:
        InputError: A schema is too large, or is not understood.
    """

    def __init__(
        self,
        vocabulary: JsonVocabulary,
        form: CallForm,
        tools: Sequence[Tool],
        *,
        required: bool = False,
        parallel: bool = True,
        schema: str | None = None,
    ) -> None:
        self._vocabulary, self._form, self._names = vocabulary, form, [tool.name for tool in tools]
        self._detokenizer = Detokenizer(vocabulary.tokenizer)
        self._text = ""
        self._bare_yet = True
        parallel = parallel and form.parallel
        rules = _rules(form, tools, parallel)
        # Made at once, so that a schema that cannot be kept to is refused before anything is computed.
        self._tagged = vocabulary.matcher(f"start: calls\n{rules}", "tools")
        self._bare = vocabulary.matcher(f"start: calls\n{_rules(form.bare, tools, parallel, _LOOSE)}", "tools")
        self._matcher: llguidance.LLMatcher | None = None
        if required:
            self._matcher = self._tagged
        elif schema is not None:
            answer = f"start: calls | answer\nanswer: {_json(_values(schema), _STRICT)}\n{rules}"
            self._matcher = vocabulary.matcher(answer, "answer")

    def mask(self) -> NDArray[np.bool_]:
        """(V,) bool: the tokens that may come next; all of them as long as no call has begun.

        Raises:
            InputError: The schema is too complex to go on.
        """
        if self._matcher is None:
            return np.ones(self._vocabulary.size, np.bool_)
        allowed = np.frombuffer(self._matcher.compute_logit_bias(), np.uint8) > 0
        if self._matcher.is_error() or (self._matcher.is_stopped() and not self._matcher.is_accepting()):
            raise InputError(
                "The call cannot go on within the schema of its tool: it asks for letters that this model cannot "
                "write, or is too complex; use another schema or another model."
            )
        return allowed

    def take(self, token: int) -> None:
        """Count a token as said, and see whether it begins a call."""
        if self._matcher is not None:
            self._matcher.consume_token(token)
        elif token == self._form.marker_id:
            self._engage(self._tagged, [token])
        else:
            self._text += self._detokenizer.push(token)
            self._look()

    def decode(self, ids: list[int]) -> str:
        """The text of tokens, the marker among them."""
        shown = {self._form.marker_id: self._form.marker, self._form.named_id: "[ARGS]"}
        pieces: list[str] = []
        start = 0
        for place, token in enumerate(ids):
            if token in shown:
                pieces += [self._vocabulary.tokenizer.decode(ids[start:place]), shown[token]]
                start = place + 1
        return "".join(pieces) + self._vocabulary.tokenizer.decode(ids[start:])

    def _look(self) -> None:
        """See whether the text ends in the beginning of a call."""
        marker = self._form.marker
        if marker and self._form.marker_id is None and (place := self._text.rfind(marker)) >= 0:
            self._engage(self._tagged, self._encoded(self._text[place:]))
        if self._bare_yet and self._matcher is None:
            head = head_of(self._text, self._form.bare, self._names)
            self._bare_yet = head.fits
            if head.fits and head.name is not None:
                self._engage(self._bare, self._encoded(self._text[head.begin :].lstrip()))
        if not self._bare_yet:
            self._text = self._text[-_KEPT:]

    def _encoded(self, text: str) -> list[int]:
        return self._vocabulary.tokenizer.encode(text)

    def _engage(self, matcher: llguidance.LLMatcher, said: list[int]) -> None:
        """Hold the answer to calls from here on, unless what was said of the call is none."""
        if matcher.try_consume_tokens(said) == len(said):
            self._matcher = matcher
        else:
            matcher.reset()


def _rules(form: CallForm, tools: Sequence[Tool], parallel: bool, spaces: str = _STRICT) -> str:
    """The rules of one or several calls."""
    bodies = [f"tool_{number}: {_body(form, tool, number)}" for number, tool in enumerate(tools)]
    arguments = [f"args_{number}: {_json(_parameters(tool), spaces)}" for number, tool in enumerate(tools)]
    body = " | ".join(f"tool_{number}" for number in range(len(tools)))
    lines = [f"body: {body}", *bodies, *arguments, "WS: /[ \\n]{0,12}/"]
    return "\n".join([*_calls(form, parallel), *lines])


def _calls(form: CallForm, parallel: bool) -> list[str]:
    """How calls follow one another."""
    marker = _quoted(form.marker) if form.marker_id is None else f"<[{form.marker_id}]>"
    if form.named_id is not None:
        return ["calls: call+" if parallel else "calls: call", f"call: {marker} body"]
    if form.listed:
        more = ' (", " body)*' if parallel else ""
        return [f'calls: {marker} /[ ]?/ "[" body{more} "]"']
    if form.marker:
        more = ' ("\\n" call)*' if parallel else ""
        return [f"calls: call{more}", f'call: {marker} "\\n" body "\\n</tool_call>"']
    more = " (BETWEEN body)*" if parallel else ""
    return [f"calls: body{more} FENCE?", r"BETWEEN: /[,;]?[ \n]{0,4}/", r"FENCE: /[ \n]{0,2}```/"]


def _body(form: CallForm, tool: Tool, number: int) -> str:
    """A call of one tool."""
    if form.named_id is not None:
        return f"{_quoted(tool.name)} <[{form.named_id}]> args_{number}"
    if form.marker:
        head = f'{{"name": "{tool.name}", "{form.key}": '
        return f"{_quoted(head)} args_{number} {_quoted('}')}"
    pieces = ("{", '"name"', ":", f'"{tool.name}"', ",", f'"{form.key}"', ":")
    return f"{' WS '.join(map(_quoted, pieces))} WS args_{number} WS {_quoted('}')}"


def _parameters(tool: Tool) -> dict[str, Any]:
    """The schema of a tool's arguments. Names that it does not list are not taken, unless it says so.

    Raises:
        InputError: It is too large.
    """
    schema: dict[str, Any] = closed({"type": "object", **(tool.parameters or {"properties": {}})})
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    if (size := len(json.dumps(schema))) > LARGEST_SCHEMA:
        raise InputError(
            f"The parameters of the tool {tool.name!r} have {size:,} characters; expected at most {LARGEST_SCHEMA:,}."
        )
    return schema


def _values(schema: str) -> Any:
    try:
        return closed(json.loads(schema))
    except (ValueError, RecursionError) as error:
        raise InputError(f"The JSON schema is not one: {error}.") from None


def _json(schema: Any, spaces: str) -> str:
    guided = {**schema, "x-guidance": {"whitespace_pattern": spaces}} if isinstance(schema, dict) else schema
    return f"%json {json.dumps(guided)}"


def _quoted(text: str) -> str:
    return json.dumps(text)
