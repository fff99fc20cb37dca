"""What providers share about tools: whether a request needs them, and how a local model's answer is held to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tutti.content import (
    AnswerDelta,
    Conversation,
    SamplingOptions,
    TextDelta,
    TokenLogprob,
    Tool,
    ToolCall,
    check_tools,
)
from tutti.errors import InputError, UnsupportedTask

if TYPE_CHECKING:
    from tutti.processing.constraints import JsonVocabulary
    from tutti.processing.prompt import ToolUse
    from tutti.processing.tool_forms import CallForm
    from tutti.processing.tool_grammar import ToolConstraint


def needs_tools(conversation: Conversation, options: SamplingOptions) -> bool:
    """Whether tools are offered, or the conversation holds calls of tools or their answers.

    Raises:
        InputError: The tools or `tool_choice` are not what `check_tools` expects, or a tool's turn answers no call.
    """
    check_tools(options.tools, options.tool_choice)
    called: set[str] = set()
    for message in conversation:
        called |= {call.id for call in message.tool_calls}
        if message.role == "tool" and message.tool_call_id not in called:
            raise InputError(
                f"A tool's turn answers the call {message.tool_call_id!r}, which no turn before it asked for; expected "
                f"{' or '.join(map(repr, sorted(called))) or 'no such turn'}."
            )
    return bool(options.offered or called)


def refuse_tools(name: str, conversation: Conversation, options: SamplingOptions) -> None:
    """Refuse what needs tools, for a model that cannot use them.

    Raises:
        UnsupportedTask: It does.
        InputError: As `needs_tools`.
    """
    if needs_tools(conversation, options):
        raise UnsupportedTask(
            f"{name} cannot use tools; leave them out (tutti serve --ignore-tools does), or ask a model whose chat "
            "template takes them, such as Qwen2.5."
        )


def use_of(conversation: Conversation, tools: Sequence[Tool] = ()) -> ToolUse:
    """What a conversation has of tools, for its prompt."""
    from tutti.processing.prompt import ToolUse

    turns = list(enumerate(conversation))
    return ToolUse(
        tuple(tools),
        {number: message.tool_calls for number, message in turns if message.tool_calls},
        {number: message.tool_call_id for number, message in turns if message.tool_call_id is not None},
    )


def tool_constraint(form: CallForm, vocabulary: JsonVocabulary, options: SamplingOptions) -> ToolConstraint:
    """What holds an answer to the tools that are offered.

    Raises:
        InputError: A schema is too large, or is not understood.
    """
    from tutti.processing.tool_grammar import ToolConstraint

    named = [tool for tool in options.offered if tool.name == options.tool_choice]
    return ToolConstraint(
        vocabulary,
        form,
        named or options.offered,
        required=bool(named) or options.tool_choice == "required",
        parallel=options.parallel_tool_calls and not named,
        schema=options.json_schema,
    )


class CallStream:
    """The events of an answer in which there may be calls.

    Args:
        form: How the model writes calls; None reads everything as text.
        options: What is offered.
    """

    def __init__(self, form: CallForm | None, options: SamplingOptions) -> None:
        self._reader = None
        self._text = ""
        self.logprobs: list[TokenLogprob] = []
        """Of the tokens that are text."""
        self._waiting: tuple[TokenLogprob, ...] = ()
        if form is not None and options.offered:
            from tutti.processing.tool_reader import CallReader

            names = [tool.name for tool in options.offered]
            self._reader = CallReader(form, names, announced=options.tool_choice != "auto")

    @property
    def text(self) -> str:
        """The words beside the calls."""
        return self._reader.text if self._reader is not None else self._text

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far."""
        return self._reader.calls if self._reader is not None else ()

    def push(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> Iterator[AnswerDelta]:
        """More of the answer."""
        if self._reader is None:
            self._text += text
            self.logprobs += logprobs
            if text or logprobs:
                yield TextDelta(text, logprobs)
            return
        self._waiting += logprobs
        for delta in self._reader.push(text):
            yield self._with_logprobs(delta)

    def finish(self) -> Iterator[AnswerDelta]:
        """The end of the answer."""
        if self._reader is not None:
            for delta in self._reader.finish():
                yield self._with_logprobs(delta)

    def _with_logprobs(self, delta: AnswerDelta) -> AnswerDelta:
        """Tokens that became text are told with it, those that became a call are not."""
        waiting, self._waiting = self._waiting, ()
        if not isinstance(delta, TextDelta):
            return delta
        self.logprobs += waiting
        return TextDelta(delta.text, waiting)
