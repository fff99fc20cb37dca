"""Responses of the OpenAI dialect, as far as it is spoken here. Source: the OpenAI API reference (responses)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from tutti.serve.schemas.base import (
    MOST_TOKENS,
    Bookkeeping,
    EmptyList,
    LongText,
    NamedRequest,
    Neutral,
    Off,
    RequestBody,
    ResponseBody,
    Unset,
)
from tutti.serve.schemas.parts import Detail, InlineMedium


class InputBody(RequestBody):
    """What items and parts may carry, and what changes no answer."""

    id: Bookkeeping = None
    status: Bookkeeping = None
    prompt_cache_breakpoint: Bookkeeping = None


class InputText(InputBody):
    """Words: a user's, or an assistant's of before."""

    type: Literal["input_text", "output_text", "text"]
    text: LongText
    annotations: EmptyList = None
    logprobs: Bookkeeping = None


class InputRefusal(InputBody):
    """Words with which an assistant declined, in a turn of before."""

    type: Literal["refusal"]
    refusal: LongText


class InputImage(InputBody):
    """A picture: a `data:` URL, or an address or path that the server allows."""

    type: Literal["input_image"]
    image_url: str
    detail: Detail | None = None
    """Accepted and without effect."""
    file_id: Unset = None


class ResponseAudio(InputBody):
    """A recording as base64."""

    type: Literal["input_audio"]
    input_audio: InlineMedium


class ResponseVideo(InputBody):
    """A video as base64."""

    type: Literal["input_video"]
    input_video: InlineMedium


class InputFile(InputBody):
    """A medium or a PDF, whose kind is detected from its content."""

    type: Literal["input_file"]
    file_data: str | None = None
    """A `data:` URL, or base64."""
    file_url: str | None = None
    """An address that the server allows, in the place of `file_data`."""
    filename: str | None = Field(default=None, max_length=256)
    detail: Bookkeeping = None
    file_id: Unset = None


InputPart: TypeAlias = Annotated[
    InputText | InputRefusal | InputImage | ResponseAudio | ResponseVideo | InputFile, Field(discriminator="type")
]


class InputMessage(InputBody):
    """A turn."""

    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: LongText | Annotated[list[InputPart], Field(max_length=256)]
    phase: Bookkeeping = None


class InputCall(InputBody):
    """A call that the model asked for, in a turn of before."""

    type: Literal["function_call"]
    call_id: str = Field(max_length=256)
    name: str = Field(max_length=64)
    arguments: LongText = "{}"
    namespace: Unset = None
    caller: Bookkeeping = None


class InputCallOutput(InputBody):
    """What a tool gave."""

    type: Literal["function_call_output"]
    call_id: str = Field(max_length=256)
    output: LongText | Annotated[list[InputPart], Field(max_length=256)]
    name: Bookkeeping = None
    caller: Bookkeeping = None


class InputReasoning(InputBody):
    """How an answer of before was arrived at; no model here reads that again."""

    type: Literal["reasoning"]
    summary: Bookkeeping = None
    content: Bookkeeping = None
    encrypted_content: Bookkeeping = None


def _kind(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
    return "message" if kind is None else str(kind)


InputItem: TypeAlias = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[InputCall, Tag("function_call")]
    | Annotated[InputCallOutput, Tag("function_call_output")]
    | Annotated[InputReasoning, Tag("reasoning")],
    Discriminator(_kind),
]


class ResponseTool(RequestBody):
    """A function that the model may ask its caller to run; no other kind of tool is known."""

    type: Literal["function"]
    name: str = Field(max_length=64)
    description: str | None = Field(default=None, max_length=65_536)
    parameters: dict[str, Any] | None = None
    """JSON schema of its arguments, an object."""
    strict: bool | None = None
    """Accepted: calls are made to fit their schema in any case."""
    defer_loading: Off = None
    allowed_callers: Annotated[Any, Neutral(["direct"], [])] = None
    output_schema: Bookkeeping = None


class ResponseToolChoice(RequestBody):
    """One tool that has to be called."""

    type: Literal["function"]
    name: str = Field(max_length=64)


class ResponsePlainFormat(RequestBody):
    """An answer in words, or as any JSON object."""

    type: Literal["text", "json_object"]


class ResponseSchemaFormat(RequestBody):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    name: str = Field(default="answer", max_length=64)
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseText(RequestBody):
    """What form the answer has."""

    format: Annotated[ResponsePlainFormat | ResponseSchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Annotated[Any, Neutral("medium")] = None


class ResponseStreamOptions(RequestBody):
    """What a stream holds besides the answer."""

    include_obfuscation: Bookkeeping = None


class ResponsesRequest(NamedRequest):
    """A turn to answer, behind those of a response of before if one is named."""

    input: LongText | Annotated[list[InputItem], Field(min_length=1, max_length=512)]
    """Words, or items: turns, calls of tools and what they gave."""
    instructions: LongText | None = None
    """Instructions before the conversation (a system prompt); those of a response of before are not kept."""
    previous_response_id: str | None = Field(default=None, max_length=128)
    """A stored response, whose conversation goes on here."""
    store: bool | None = None
    """Keep the response for a while, which is done unless it is false."""
    stream: bool | None = None
    """Send the answer in pieces, as server-sent events."""
    stream_options: ResponseStreamOptions | None = None
    max_output_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Most tokens of the answer."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """0, and left out, is the likeliest answer; above, answers vary."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    """Tell how likely each token was, and so many others in its place."""
    text: ResponseText | None = None
    """What form the answer has: words, any JSON object, or JSON that keeps to a schema."""
    tools: Annotated[list[ResponseTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ResponseToolChoice | None = None
    parallel_tool_calls: bool | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    metadata: dict[str, Any] | None = None
    """For the caller's own bookkeeping; returned unchanged."""
    background: Off = None
    conversation: Unset = None
    prompt: Unset = None
    max_tool_calls: Unset = None
    moderation: Unset = None
    context_management: EmptyList = None
    truncation: Annotated[Any, Neutral("disabled")] = None
    reasoning: Annotated[Any, Neutral({}, {"effort": None}, {"effort": "none"}, {"effort": None, "summary": None})] = (
        None
    )
    service_tier: Bookkeeping = None
    safety_identifier: Bookkeeping = None
    prompt_cache_key: Bookkeeping = None
    prompt_cache_options: Bookkeeping = None
    prompt_cache_retention: Bookkeeping = None


class CachedDetails(ResponseBody):
    """Of the prompt's tokens, those that were found again."""

    cached_tokens: int
    cache_write_tokens: int = 0


class ReasoningDetails(ResponseBody):
    """Of the answer's tokens, those that nobody sees."""

    reasoning_tokens: int = 0


class ResponsesUsage(ResponseBody):
    """What a request took, in tokens."""

    input_tokens: int
    input_tokens_details: CachedDetails
    output_tokens: int
    output_tokens_details: ReasoningDetails = Field(default_factory=ReasoningDetails)
    total_tokens: int


ResponseStatus: TypeAlias = Literal["in_progress", "completed", "incomplete", "failed"]


class ResponseObject(ResponseBody):
    """A response: what was asked for, and what came of it."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: ResponseStatus
    model: str
    output: list[dict[str, Any]]
    """Messages of the assistant, and calls of tools that it asks for."""
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    reasoning: dict[str, None] = Field(default_factory=lambda: {"effort": None, "summary": None})
    store: bool = True
    temperature: float | None = None
    text: dict[str, Any] = Field(default_factory=lambda: {"format": {"type": "text"}})
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = Field(default_factory=list)
    top_logprobs: int = 0
    top_p: float | None = None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponsesUsage | None = None
    user: str | None = None
    service_tier: Literal["default"] = "default"
    background: Literal[False] = False
    warnings: list[str] | None = None
    """What was not done as asked; absent where all was."""


class DeletedResponse(ResponseBody):
    """That a response is gone."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True
