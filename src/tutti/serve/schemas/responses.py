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
    """Says that it is words."""
    text: LongText
    """The words."""
    annotations: EmptyList = None
    logprobs: Bookkeeping = None


class InputRefusal(InputBody):
    """Words with which an assistant declined, in a turn of before."""

    type: Literal["refusal"]
    """Says that an assistant refused."""
    refusal: LongText
    """The words of the refusal."""


class InputImage(InputBody):
    """A picture: a `data:` URL, or an address or path that the server allows."""

    type: Literal["input_image"]
    """Says that it is a picture."""
    image_url: str
    """A data URL, or an address of a domain that this server may fetch from."""
    detail: Detail | None = None
    """Accepted and without effect."""
    file_id: Unset = None


class ResponseAudio(InputBody):
    """A recording as base64."""

    type: Literal["input_audio"]
    """Says that it is a recording."""
    input_audio: InlineMedium
    """The recording."""


class ResponseVideo(InputBody):
    """A video as base64."""

    type: Literal["input_video"]
    """Says that it is a video."""
    input_video: InlineMedium
    """The video."""


class InputFile(InputBody):
    """A medium or a PDF, whose kind is detected from its content."""

    type: Literal["input_file"]
    """Says that it is a file of any kind that is read here."""
    file_data: str | None = None
    """A `data:` URL, or base64."""
    file_url: str | None = None
    """An address that the server allows, in the place of `file_data`."""
    filename: str | None = Field(default=None, max_length=256)
    """A name for it."""
    detail: Bookkeeping = None
    file_id: Unset = None


InputPart: TypeAlias = Annotated[
    InputText | InputRefusal | InputImage | ResponseAudio | ResponseVideo | InputFile, Field(discriminator="type")
]


class InputMessage(InputBody):
    """A turn."""

    type: Literal["message"] | None = None
    """Says that it is a turn; may be left out."""
    role: Literal["user", "assistant", "system", "developer"]
    """Who speaks."""
    content: LongText | Annotated[list[InputPart], Field(max_length=256)]
    """Words, or parts."""
    phase: Bookkeeping = None


class InputCall(InputBody):
    """A call that the model asked for, in a turn of before."""

    type: Literal["function_call"]
    """Says that it is a call of a tool."""
    call_id: str = Field(max_length=256)
    """The call's own, which its output names."""
    name: str = Field(max_length=64)
    """The function's."""
    arguments: LongText = "{}"
    """JSON, an object."""
    namespace: Unset = None
    caller: Bookkeeping = None


class InputCallOutput(InputBody):
    """What a tool gave."""

    type: Literal["function_call_output"]
    """Says that it is what a tool gave."""
    call_id: str = Field(max_length=256)
    """Of the call that it answers."""
    output: LongText | Annotated[list[InputPart], Field(max_length=256)]
    """What the tool gave: words or parts."""
    name: Bookkeeping = None
    caller: Bookkeeping = None


class InputReasoning(InputBody):
    """How an answer of before was arrived at; no model here reads that again."""

    type: Literal["reasoning"]
    """Says that it is what a model thought before; not read."""
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
    """Functions are the only kind."""
    name: str = Field(max_length=64)
    """Letters, digits, `_` and `-`."""
    description: str | None = Field(default=None, max_length=65_536)
    """What it does and when to use it, for the model."""
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
    """Functions are the only kind."""
    name: str = Field(max_length=64)
    """The function's."""


class ResponsePlainFormat(RequestBody):
    """An answer in words, or as any JSON object."""

    type: Literal["text", "json_object"]
    """`text`, or `json_object` for any JSON object."""


class ResponseSchemaFormat(RequestBody):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    """Says that the answer fits a JSON schema."""
    name: str = Field(default="answer", max_length=64)
    """A name for it."""
    description: str | None = None
    """What it is for; not read by the model."""
    schema_: dict[str, Any] = Field(alias="schema")
    """The schema: an object."""
    strict: bool | None = None
    """Accepted: answers are made to fit the schema in any case."""


class ResponseText(RequestBody):
    """What form the answer has."""

    format: Annotated[ResponsePlainFormat | ResponseSchemaFormat, Field(discriminator="type")] | None = None
    """The form of the answer."""
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
    """What a stream has beside the answer."""
    max_output_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Most tokens of the answer."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """0, and left out, is the likeliest answer; above, answers vary."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Draw among the likeliest tokens that have this probability together."""
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    """Tell how likely each token was, and so many others in its place."""
    text: ResponseText | None = None
    """What form the answer has: words, any JSON object, or JSON that keeps to a schema."""
    tools: Annotated[list[ResponseTool], Field(max_length=128)] | None = None
    """Functions that the model may ask the caller to run."""
    tool_choice: Literal["none", "auto", "required"] | ResponseToolChoice | None = None
    """`auto` lets the model choose, `required` asks for a call or more, `none` for none; or one by its name."""
    parallel_tool_calls: bool | None = None
    """Whether there may be several calls in one answer."""
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    """What an answer has in addition: `message.output_text.logprobs`."""
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
