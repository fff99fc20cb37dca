"""Chat completions of the OpenAI dialect, as far as it is spoken here.

Source: the OpenAI API reference (chat completions); options beside it as vLLM and llama.cpp document them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from tutti.serve.schemas.base import (
    MOST_TOKENS,
    Bookkeeping,
    EmptyList,
    EmptyObject,
    LongText,
    Neutral,
    Off,
    On,
    RequestBody,
    ResponseBody,
    Unset,
)
from tutti.serve.schemas.parts import ContentPart
from tutti.serve.schemas.sampling import DrawnRequest
from tutti.serve.schemas.tools import CallBody, MadeCall, ToolBody, ToolChoiceBody

FinishWord: TypeAlias = Literal["stop", "length", "tool_calls"]


class ChatMessage(RequestBody):
    """A turn."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    """`tool` is what a tool gave, as the answer to a call."""
    content: LongText | Annotated[list[ContentPart], Field(max_length=256)] | None = None
    """Words, or parts; an assistant's turn that only calls tools has none."""
    name: str | None = Field(default=None, max_length=64)
    """Of who speaks, for the caller's own bookkeeping."""
    tool_calls: Annotated[list[CallBody], Field(max_length=128)] | None = None
    """Of an assistant's turn: what it asked for."""
    tool_call_id: str | None = Field(default=None, max_length=256)
    """Of a tool's turn: which call it answers."""
    refusal: LongText | None = None
    """Words with which an assistant refused, in the place of content."""
    id: Bookkeeping = None
    reasoning: Bookkeeping = None
    reasoning_content: Bookkeeping = None
    """How an answer of before was arrived at; no model here reads that again."""
    annotations: EmptyList = None
    function_call: Unset = None
    audio: Unset = None
    cache_control: Bookkeeping = None


class JsonSchema(RequestBody):
    """A schema that an answer is made to keep to."""

    name: str = Field(default="answer", max_length=64)
    """A name for it."""
    description: str | None = None
    """What it is for; not read by the model."""
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    """The schema: an object."""
    strict: bool | None = None
    """Accepted: answers are made to fit the schema in any case."""


class PlainFormat(RequestBody):
    """An answer in words, or as a JSON object: any, or (as with llama.cpp and Together) one that keeps to a schema."""

    type: Literal["text", "json_object"]
    """`text`, or `json_object` for any JSON object."""
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    """With `json_object`, a schema that the object fits."""


class SchemaFormat(RequestBody):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    """Says that the answer fits a JSON schema."""
    json_schema: JsonSchema
    """The schema."""


class ChatRequest(DrawnRequest):
    """A conversation to answer."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=512)]
    """The turns so far."""
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Most tokens of the answer."""
    logprobs: bool | None = None
    """Tell how likely each token was; the tokens joined are the text."""
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    """And how likely so many others were in its place."""
    verify: bool | None = None
    """Check what the answer claims, by others than the model; not in the dialect of OpenAI."""
    response_format: Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")] | None = None
    """Words, any JSON object, or JSON that keeps to a schema."""
    tools: Annotated[list[ToolBody], Field(max_length=128)] | None = None
    """What the model may ask to be run; refused by models that cannot, unless the server drops them."""
    tool_choice: ToolChoiceBody | None = None
    """`auto` lets the model choose, `required` asks for a call or more, `none` for none; or one by its name."""
    parallel_tool_calls: bool | None = None
    """Whether an answer may hold more than one call."""
    # What clients send by habit: neutral values only, or what concerns bookkeeping and not the answer.
    functions: EmptyList = None
    function_call: Annotated[Any, Neutral("none", "auto")] = None
    audio: Unset = None
    modalities: Annotated[Any, Neutral(["text"], [])] = None
    prediction: Unset = None
    moderation: Unset = None
    web_search_options: Unset = None
    reasoning_effort: Annotated[Any, Neutral("none")] = None
    reasoning: EmptyObject = None
    verbosity: Annotated[Any, Neutral("medium")] = None
    store: Off = None
    metadata: Bookkeeping = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    """For other servers; there is one tier here."""
    safety_identifier: str | None = Field(default=None, max_length=256)
    """For the caller's own bookkeeping; it changes no answer."""
    prompt_cache_key: str | None = Field(default=None, max_length=256)
    """For other servers; what was computed is found again here without a key."""
    prompt_cache_options: Bookkeeping = None
    prompt_cache_retention: Bookkeeping = None
    echo: Off = None
    add_generation_prompt: On = None
    continue_final_message: Off = None
    add_special_tokens: Annotated[Any, Neutral(False, True)] = None
    include_reasoning: Annotated[Any, Neutral(False, True)] = None
    documents: EmptyList = None
    chat_template: Unset = None
    chat_template_kwargs: EmptyObject = None
    reasoning_format: Annotated[Any, Neutral("none", "auto", "deepseek")] = None


class PromptDetails(ResponseBody):
    """The prompt's tokens, apart."""

    text_tokens: int
    image_tokens: int
    audio_tokens: int
    video_tokens: int
    cached_tokens: int


class UsageBody(ResponseBody):
    """What a request took, in tokens."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int
    prompt_tokens_details: PromptDetails


class TopLogprob(ResponseBody):
    """A token that could have stood there."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprobs(TopLogprob):
    """A token of the answer."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(ResponseBody):
    """How likely an answer's tokens were."""

    content: list[TokenLogprobs]
    refusal: None = None


class AnswerMessage(ResponseBody):
    """The model's message."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    """Null where the model only calls tools."""
    refusal: None = None
    annotations: list[None] = Field(default_factory=list)
    tool_calls: list[MadeCall] | None = None


class VerifiedMessage(AnswerMessage):
    """The model's message, with what it claims and whether that is so, where this was asked for."""

    evidence: list[dict[str, Any]]
    warnings: list[str] = Field(default_factory=list)


class ChatChoice(ResponseBody):
    """One answer."""

    index: int
    message: VerifiedMessage | AnswerMessage
    logprobs: ChoiceLogprobs | None = None
    finish_reason: FinishWord


class ChatResponse(ResponseBody):
    """The answers."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageBody
    service_tier: Literal["default"] = "default"
    system_fingerprint: str | None = None
    warnings: list[str] | None = None
    """What was not done as asked; absent where all was."""
