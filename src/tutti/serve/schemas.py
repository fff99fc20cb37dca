"""What requests and responses look like: the OpenAI dialect, as far as it is spoken here.

Source: the OpenAI API reference (chat completions, embeddings, audio transcriptions, models). Fields that would change
an answer and that no model here honours are not listed, so that they are refused rather than ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_CHOICES = 8
"""Largest `n`."""
MOST_INPUTS = 512
"""Most inputs of one embeddings request."""
MOST_TOKENS = 1_000_000
_Words: TypeAlias = Annotated[str, StringConstraints(max_length=4_000_000)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class TextPart(_Request):
    """Words."""

    type: Literal["text"]
    text: _Words


class MediaUrl(_Request):
    """Where a medium is: a `data:` URL, or an address or path that the server allows."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImageUrlPart(_Request):
    """A picture by address."""

    type: Literal["image_url"]
    image_url: MediaUrl


class AudioUrlPart(_Request):
    """A recording by address."""

    type: Literal["audio_url"]
    audio_url: MediaUrl


class VideoUrlPart(_Request):
    """A video by address."""

    type: Literal["video_url"]
    video_url: MediaUrl


class InlineMedium(_Request):
    """A medium as base64; the format is detected from its content; `format` is ignored."""

    data: str
    format: str | None = Field(default=None, max_length=32)


class InputAudioPart(_Request):
    """A recording as base64."""

    type: Literal["input_audio"]
    input_audio: InlineMedium


class InputVideoPart(_Request):
    """A video as base64."""

    type: Literal["input_video"]
    input_video: InlineMedium


class InlineFile(_Request):
    """A medium of any kind, as a `data:` URL or base64."""

    file_data: str
    filename: str | None = Field(default=None, max_length=256)


class FilePart(_Request):
    """A medium of any kind, which is detected from its content."""

    type: Literal["file"]
    file: InlineFile


ContentPart: TypeAlias = Annotated[
    TextPart | ImageUrlPart | InputAudioPart | AudioUrlPart | VideoUrlPart | InputVideoPart | FilePart,
    Field(discriminator="type"),
]
PART_TYPES = ("text", "image_url", "input_audio", "audio_url", "video_url", "input_video", "file")


class ChatMessage(_Request):
    """A turn."""

    role: Literal["system", "developer", "user", "assistant"]
    content: _Words | Annotated[list[ContentPart], Field(max_length=256)]
    name: str | None = Field(default=None, max_length=64)
    refusal: None = None


class JsonSchema(_Request):
    """A schema that an answer is made to keep to."""

    name: str = Field(max_length=64)
    description: str | None = None
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")
    strict: bool | None = None


class PlainFormat(_Request):
    """An answer in words, or as any JSON object."""

    type: Literal["text", "json_object"]


class SchemaFormat(_Request):
    """An answer that keeps to a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(_Request):
    """What a stream reports besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Named(_Request):
    """What every request may carry and what changes no answer."""

    model: str | None = Field(default=None, max_length=256)
    user: str | None = Field(default=None, max_length=256)


_Stop: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class ChatRequest(_Named):
    """A conversation to answer."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=512)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    repetition_penalty: float | None = Field(default=None, gt=0, le=10)
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    verify: bool | None = None
    """Check what the answer claims, by others than the model; not in the dialect of OpenAI."""
    response_format: Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")] | None = None
    # What clients send by habit: neutral values only, or what concerns bookkeeping and not the answer.
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    modalities: list[Literal["text"]] | None = None
    store: Literal[False] | None = None
    metadata: dict[str, str] | None = None
    service_tier: Literal["auto", "default"] | None = None
    safety_identifier: str | None = Field(default=None, max_length=256)
    prompt_cache_key: str | None = Field(default=None, max_length=256)


class EmbeddingsMessage(_Request):
    """An input of several parts: each part becomes a vector of its own."""

    role: Literal["user"] = "user"
    content: _Words | Annotated[list[ContentPart], Field(min_length=1, max_length=MOST_INPUTS)]


class EmbeddingsRequest(_Named):
    """What to place in the shared space: words as input, or media and words as messages."""

    input: _Words | Annotated[list[_Words], Field(min_length=1, max_length=MOST_INPUTS)] | None = None
    messages: Annotated[list[EmbeddingsMessage], Field(min_length=1, max_length=MOST_INPUTS)] | None = None
    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    encoding_format: Literal["float", "base64"] | None = None
    truncate: bool = False
    """Embed of a text that is too long its beginning; otherwise it is refused."""


class ErrorBody(BaseModel):
    """What went wrong, in one sentence."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(BaseModel):
    """An error, as every OpenAI client reads it."""

    error: ErrorBody


class PromptDetails(BaseModel):
    """The prompt's tokens, apart."""

    text_tokens: int
    image_tokens: int
    audio_tokens: int
    video_tokens: int
    cached_tokens: int


class UsageBody(BaseModel):
    """What a request took, in tokens."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int
    prompt_tokens_details: PromptDetails


class TopLogprob(BaseModel):
    """A token that could have stood there."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprobs(TopLogprob):
    """A token of the answer."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(BaseModel):
    """How likely an answer's tokens were."""

    content: list[TokenLogprobs]
    refusal: None = None


class AnswerMessage(BaseModel):
    """The model's message."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class VerifiedMessage(AnswerMessage):
    """The model's message, with what it claims and whether that is so, where this was asked for."""

    evidence: list[dict[str, Any]]
    warnings: list[str] = []


class ChatChoice(BaseModel):
    """One answer."""

    index: int
    message: VerifiedMessage | AnswerMessage
    logprobs: ChoiceLogprobs | None = None
    finish_reason: Literal["stop", "length"]


class ChatResponse(BaseModel):
    """The answers."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageBody


class Delta(BaseModel):
    """More of an answer."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """More of one answer, or why it ended."""

    index: int
    delta: Delta
    logprobs: ChoiceLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None = None


class ChatChunk(BaseModel):
    """One event of a stream."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: UsageBody | None = None


class EmbeddingBody(BaseModel):
    """One vector: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsResponse(BaseModel):
    """The vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingBody]
    model: str
    usage: UsageBody
    warnings: list[str] | None = None
    """Texts that are in their vectors in part only; absent where all are whole."""


class ModelBody(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "tutti"


class ModelsResponse(BaseModel):
    """The models served."""

    object: Literal["list"] = "list"
    data: list[ModelBody]


class SegmentBody(BaseModel):
    """A stretch of speech, in seconds."""

    id: int
    start: float
    end: float
    text: str


class TranscriptionResponse(BaseModel):
    """The transcript; `verbose_json` includes times."""

    text: str
    task: Literal["transcribe", "translate"] | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[SegmentBody] | None = None


class HealthResponse(BaseModel):
    """Whether requests are accepted."""

    status: Literal["ok", "draining"]
