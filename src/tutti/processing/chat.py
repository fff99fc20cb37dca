"""Chat templates of Hugging Face checkpoints: a conversation to the text that a model was tuned on.

Reference implementation: `transformers`, `apply_chat_template`. A template is code that a checkpoint brings, so it runs
in Jinja's immutable sandbox, within budgets of time, of steps and of characters, and without a clock.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tutti.errors import InputError, UnsafeCheckpoint, UnsupportedConfig

_MAX_SECONDS = 2.0
_MAX_CHARACTERS = 4_000_000
_MAX_STEPS = 100_000
"""Numbers that `range` may yield in one rendering, all loops together."""
_AMPLIFIERS = ("center", "format", "indent", "wordwrap", "urlize", "pprint", "xmlattr")
"""Filters that make much out of little; no known chat template uses them."""


class ChatTemplate:
    """A template and the special tokens it writes.

    Args:
        source: The template in Jinja.
        special_tokens: Names such as `bos_token` → the token.

    Raises:
        UnsupportedConfig: The template cannot be parsed.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str] | None = None) -> None:
        self.source = source
        self.special_tokens = dict(special_tokens or {})
        self.marks_answers = re.search(r"\{%[-+]?\s*generation\b", source) is not None
        """Whether the template says itself which text is the assistant's, by `{% generation %}`."""
        self._environment = _Environment()
        try:
            self._template = self._environment.from_string(source)
        except (jinja2.TemplateError, RecursionError, ValueError) as error:
            raise UnsupportedConfig(f"The chat template cannot be read: {error}.") from None

    @classmethod
    def from_folder(cls, path: Path) -> ChatTemplate | None:
        """The template of a checkpoint, or None: `chat_template.jinja` or `.json`, or that of `tokenizer_config.json`.

        Raises:
            UnsupportedConfig: The template or the configuration cannot be read.
        """
        values = _read_json(path / "tokenizer_config.json")
        special = {key: _content(value) for key, value in values.items() if key.endswith("_token") and value}
        beside = path / "chat_template.jinja"
        older = _read_json(path / "chat_template.json").get("chat_template") or values.get("chat_template")
        source = beside.read_text("utf-8") if beside.is_file() else older
        if isinstance(source, list):
            named = {item.get("name"): item.get("template") for item in source if isinstance(item, dict)}
            source = named.get("default")
        if source is None:
            return None
        if not isinstance(source, str):
            raise UnsupportedConfig(f"The chat template in {path} is {type(source).__name__}; expected text.")
        return cls(source, {key: token for key, token in special.items() if isinstance(token, str)})

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = True,
        marks: tuple[str, str] = ("", ""),
    ) -> str:
        """The conversation as text, to be encoded with `parse_special`.

        Args:
            messages: `{"role": …, "content": …}` each, the content as the template expects it.
            tools: Functions that may be called, as `Tool.to_function` writes them.
            add_generation_prompt: Open the model's turn at the end.
            marks: What is written before and behind each `{% generation %}` block.

        Raises:
            InputError: The template refuses the conversation.
            UnsafeCheckpoint: The template exceeds its budgets or reaches out of its sandbox.
        """
        self._environment.start()
        given = {"tools": list(tools)} if tools else {}
        self._environment.marks = marks
        pieces: list[str] = []
        characters = 0
        try:
            for piece in self._template.generate(
                messages=messages, add_generation_prompt=add_generation_prompt, **given, **self.special_tokens
            ):
                characters += len(piece)
                self._environment.check(characters)
                pieces.append(piece)
        except SecurityError as error:
            raise UnsafeCheckpoint(f"The chat template did what it may not do: {error}.") from None
        except _Refused as error:
            raise InputError(f"The chat template refuses this conversation: {error}.") from None
        except (jinja2.TemplateError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InputError(f"The chat template fails on this conversation: {error}.") from None
        return "".join(pieces)


class _Refused(Exception):
    """What a template's `raise_exception` raises."""


class _Generation(Extension):
    """`{% generation %} … {% endgeneration %}`: what the model says, between the marks that the renderer asks for."""

    tags = {"generation"}  # noqa: RUF012 - as the base class declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """Keep what is between the tags."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("marked"), [], [], body).set_lineno(line)

    def marked(self, caller: Callable[[], str]) -> str:
        """The block with marks around it."""
        begin, end = getattr(self.environment, "marks", ("", ""))
        return f"{begin}{caller()}{end}"


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox with budgets. One rendering at a time."""

    intercepted_binops = frozenset({"*", "**", "%"})
    marks = ("", "")

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation])
        self.globals = {"range": self._range, "namespace": self.globals["namespace"], "dict": dict}
        self.globals["raise_exception"] = _refuse
        for name in _AMPLIFIERS:
            del self.filters[name]
        self.filters["tojson"] = _to_json
        self.start()

    def start(self) -> None:
        """Begin a rendering with full budgets."""
        self._deadline = time.monotonic() + _MAX_SECONDS
        self._steps = _MAX_STEPS

    def check(self, characters: int) -> None:
        """Stop a rendering that takes too long or writes too much."""
        if characters > _MAX_CHARACTERS:
            raise SecurityError(f"it wrote more than {_MAX_CHARACTERS:,} characters")
        if time.monotonic() > self._deadline:
            raise SecurityError(f"it took more than {_MAX_SECONDS:.0f} s")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute, where the result cannot become large."""
        sizes = [len(side) if isinstance(side, str) and operator == "*" else side for side in (left, right)]
        small = all(isinstance(size, (int, float)) for size in sizes) and sizes[0] * sizes[1] <= _MAX_STEPS
        if operator == "**" or not small:
            raise SecurityError(f"{operator!r} is for small numbers only")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, callee: Any, *args: Any, **kwargs: Any) -> Any:
        """Call, where no argument asks for a large result, as `"".ljust(10**9)` does."""
        if any(isinstance(value, int) and abs(value) > _MAX_STEPS for value in (*args, *kwargs.values())):
            raise SecurityError(f"it passes a number above {_MAX_STEPS:,}")
        return super().call(context, callee, *args, **kwargs)

    def _range(self, *bounds: int) -> Iterable[int]:
        numbers = range(*bounds)
        self._steps -= len(numbers)
        if self._steps < 0:
            raise SecurityError(f"it loops more than {_MAX_STEPS:,} times")
        self.check(0)
        return numbers


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as models were tuned on it: not escaped for HTML, as Jinja's own would be."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _content(value: Any) -> Any:
    return value.get("content") if isinstance(value, dict) else value


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnsupportedConfig(f"{path.name} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise UnsupportedConfig(f"{path.name} holds {type(values).__name__}; expected an object.")
    return values
