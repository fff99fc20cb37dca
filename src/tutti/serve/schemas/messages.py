"""Anthropic's Messages dialect, as far as it is spoken here. Source: the Messages API reference of Anthropic."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints

from tutti.serve.schemas.base import (
    MOST_TOKENS,
    Bookkeeping,
    EmptyList,
    EmptyObject,
    LongText,
    Neutral,
    RequestBody,
    ResponseBody,
    Unset,
)


class BlockBody(RequestBody):
    """What blocks of every kind may carry, and what changes no answer."""

    cache_control: Bookkeeping = None
    """Where a provider's cache of prompts may end; prompts are cached here without it."""


class TextBlock(BlockBody):
    """Words."""

    type: Literal["text"]
    """Says that it is words."""
    text: LongText
    """The words."""
    citations: EmptyList = None


class Base64Source(RequestBody):
    """A medium as base64; its kind is detected from its content."""

    type: Literal["base64"]
    """Says that the content is here."""
    media_type: str | None = Field(default=None, max_length=128)
    """Ignored: the format is detected from the content."""
    data: str
    """The content in base64."""


class UrlSource(RequestBody):
    """A medium by address: one that the server allows, or a `data:` URL."""

    type: Literal["url"]
    """Says that the content is elsewhere."""
    url: str
    """Where: a data URL, or an address of a domain that this server may fetch from."""


class PlainTextSource(RequestBody):
    """A document of words."""

    type: Literal["text"]
    """Says that the content is text, and here."""
    media_type: Literal["text/plain"] | None = None
    """`text/plain`."""
    data: LongText
    """The text."""


class ImageBlock(BlockBody):
    """A picture."""

    type: Literal["image"]
    """Says that it is a picture."""
    source: Annotated[Base64Source | UrlSource, Field(discriminator="type")]
    """Where it is."""


class DocumentBlock(BlockBody):
    """A PDF, or a text."""

    type: Literal["document"]
    """Says that it is a document."""
    source: Annotated[Base64Source | UrlSource | PlainTextSource, Field(discriminator="type")]
    """Where it is."""
    title: str | None = Field(default=None, max_length=4096)
    """A name for it."""
    context: LongText | None = None
    """Words about it, read before it."""
    citations: Annotated[Any, Neutral({}, {"enabled": False})] = None


class ToolUseBlock(BlockBody):
    """A call that the assistant asked for, in a turn of before."""

    type: Literal["tool_use"]
    """Says that it is a call of a tool."""
    id: str = Field(max_length=256)
    """The call's own, which its result names."""
    name: str = Field(max_length=64)
    """The tool's."""
    input: dict[str, Any]
    """The arguments, an object."""
    caller: Bookkeeping = None


class ToolResultBlock(BlockBody):
    """What a tool gave."""

    type: Literal["tool_result"]
    """Says that it is what a tool gave."""
    tool_use_id: str = Field(max_length=256)
    """Of the call that it answers."""
    content: LongText | list[Annotated[TextBlock | ImageBlock, Field(discriminator="type")]] | None = None
    """What the tool gave: words or blocks."""
    is_error: bool | None = None
    """Whether the tool failed, which is written out for the model."""


class ThinkingBlock(BlockBody):
    """How an answer of before was arrived at; no model here reads that again."""

    type: Literal["thinking", "redacted_thinking"]
    """Says that it is what a model thought before; not read."""
    thinking: Bookkeeping = None
    signature: Bookkeeping = None
    data: Bookkeeping = None


Block: TypeAlias = Annotated[
    TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock,
    Field(discriminator="type"),
]


class MessageTurn(RequestBody):
    """A turn."""

    role: Literal["user", "assistant", "system"]
    """Who speaks."""
    content: LongText | Annotated[list[Block], Field(max_length=256)]
    """Words, or blocks."""


class MessagesTool(RequestBody):
    """A function that the model may ask its caller to run."""

    type: Literal["custom"] | None = None
    """Tools that the caller runs are the only kind."""
    name: str = Field(max_length=64)
    """Letters, digits, `_` and `-`."""
    description: str | None = Field(default=None, max_length=65_536)
    """What it does and when to use it, for the model."""
    input_schema: dict[str, Any] = Field(default_factory=dict)
    """JSON schema of its arguments, an object."""
    strict: bool | None = None
    """Accepted: calls are made to fit their schema in any case."""
    cache_control: Bookkeeping = None
    input_examples: EmptyList = None
    eager_input_streaming: Bookkeeping = None
    defer_loading: Annotated[Any, Neutral(False)] = None
    allowed_callers: Annotated[Any, Neutral(["direct"], [])] = None


class MessagesToolChoice(RequestBody):
    """Whether tools are called, and which."""

    type: Literal["auto", "any", "tool", "none"]
    """`auto` lets the model choose, `any` asks for a call or more, `none` for none, `tool` for the one named."""
    name: str | None = Field(default=None, max_length=64)
    """Of the tool, where the type is `tool`."""
    disable_parallel_tool_use: bool | None = None
    """One call at most."""


class OutputFormat(RequestBody):
    """A schema that the answer is made to keep to."""

    type: Literal["json_schema"]
    """A JSON schema is the only form."""
    schema_: dict[str, Any] = Field(alias="schema")
    """The schema: an object."""


class OutputConfig(RequestBody):
    """What form the answer has."""

    format: OutputFormat | None = None
    """The form of the answer."""
    effort: Unset = None


class CountRequest(RequestBody):
    """A conversation whose tokens are counted."""

    model: str | None = Field(default=None, max_length=256)
    """One of `GET /v1/models`."""
    messages: Annotated[list[MessageTurn], Field(min_length=1, max_length=512)]
    """The turns so far; the last one is the user's."""
    system: LongText | Annotated[list[TextBlock], Field(max_length=256)] | None = None
    """The system prompt, before the conversation."""
    tools: Annotated[list[MessagesTool], Field(max_length=128)] | None = None
    """Tools that are offered; they are part of the prompt."""
    tool_choice: MessagesToolChoice | None = None
    """Whether and which tool is to be called."""
    thinking: Annotated[Any, Neutral({"type": "disabled"})] = None
    output_config: OutputConfig | None = None
    """What form the answer has."""
    cache_control: Bookkeeping = None
    context_management: EmptyObject = None
    mcp_servers: EmptyList = None
    speed: Annotated[Any, Neutral("standard")] = None


_Stop: TypeAlias = Annotated[str, StringConstraints(max_length=256)]


class MessagesRequest(CountRequest):
    """A conversation to answer."""

    max_tokens: int = Field(ge=1, le=MOST_TOKENS)
    """Most tokens of the answer."""
    stop_sequences: Annotated[list[_Stop], Field(max_length=16)] | None = None
    """Strings that end the answer; none of them is part of it."""
    stream: bool | None = None
    """Send the answer in pieces, as server-sent events."""
    temperature: float | None = Field(default=None, ge=0, le=1)
    """0, and left out, is the likeliest answer."""
    top_k: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    """Draw among so many of the likeliest tokens; left out, among all."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Draw among the likeliest tokens that have this probability together."""
    metadata: Bookkeeping = None
    service_tier: Bookkeeping = None
    inference_geo: Bookkeeping = None
    user_profile_id: Bookkeeping = None
    workspace_id: Bookkeeping = None
    diagnostics: Bookkeeping = None
    container: Unset = None


class CountResponse(ResponseBody):
    """How many tokens a conversation takes."""

    input_tokens: int


class MessagesUsage(ResponseBody):
    """What a request took, in tokens."""

    input_tokens: int
    """Those that were computed; those found again are in `cache_read_input_tokens`."""
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens: int


class SaidBlock(ResponseBody):
    """Words of the answer, or a call that the model asks for."""

    type: Literal["text", "tool_use"]
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None


class MessagesResponse(ResponseBody):
    """The answer."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[SaidBlock]
    stop_reason: Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]
    stop_sequence: str | None = None
    usage: MessagesUsage
    warnings: list[str] | None = None
    """What was not done as asked; absent where all was."""
