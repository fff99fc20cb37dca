"""Content parts of the OpenAI dialect: words and media."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from tutti.serve.schemas.base import Bookkeeping, EmptyList, LongText, RequestBody, Unset

Detail: TypeAlias = Literal["auto", "low", "high", "original"]
"""How finely a picture is looked at; models here have one way, so that it changes nothing."""


class PartBody(RequestBody):
    """What parts of every kind may carry, and what changes no answer."""

    cache_control: Bookkeeping = None
    """Where a provider's cache of prompts may end; prompts are cached here without it."""
    prompt_cache_breakpoint: Bookkeeping = None


class TextPart(PartBody):
    """Words."""

    type: Literal["text"]
    """Says that it is words."""
    text: LongText
    """The words."""
    annotations: EmptyList = None
    logprobs: EmptyList = None


class RefusalPart(PartBody):
    """Words with which an assistant declined, in a turn of before."""

    type: Literal["refusal"]
    """Says that an assistant refused."""
    refusal: LongText
    """The words of the refusal."""


class MediaUrl(RequestBody):
    """Where a medium is: a `data:` URL, or an address or path that the server allows."""

    url: str
    """A `data:` URL, or an address or path that the server allows."""
    detail: Detail | None = None
    """Accepted and without effect."""


class ImageUrlPart(PartBody):
    """A picture by address."""

    type: Literal["image_url"]
    """Says that it is a picture."""
    image_url: MediaUrl
    """The picture's address."""
    uuid: Bookkeeping = None


class AudioUrlPart(PartBody):
    """A recording by address."""

    type: Literal["audio_url"]
    """Says that it is a recording."""
    audio_url: MediaUrl
    """The recording's address."""
    uuid: Bookkeeping = None


class VideoUrlPart(PartBody):
    """A video by address."""

    type: Literal["video_url"]
    """Says that it is a video."""
    video_url: MediaUrl
    """The video's address."""
    uuid: Bookkeeping = None


class InlineMedium(RequestBody):
    """A medium as base64; the format is detected from its content; `format` is ignored."""

    data: str
    """Base64, or a `data:` URL."""
    format: str | None = Field(default=None, max_length=32)
    """Ignored: the format is detected from the content."""


class InputAudioPart(PartBody):
    """A recording as base64."""

    type: Literal["input_audio"]
    """Says that it is a recording."""
    input_audio: InlineMedium
    """The recording."""


class InputVideoPart(PartBody):
    """A video as base64."""

    type: Literal["input_video"]
    """Says that it is a video."""
    input_video: InlineMedium
    """The video."""


class InlineFile(RequestBody):
    """A medium of any kind, as a `data:` URL or base64."""

    file_data: str
    """A `data:` URL, or base64."""
    filename: str | None = Field(default=None, max_length=256)
    """Ignored: the format is detected from the content."""
    file_id: Unset = None


class FilePart(PartBody):
    """A medium of any kind, which is detected from its content."""

    type: Literal["file"]
    """Says that it is a file of any kind that is read here."""
    file: InlineFile
    """The file."""


ContentPart: TypeAlias = Annotated[
    TextPart | RefusalPart | ImageUrlPart | InputAudioPart | AudioUrlPart | VideoUrlPart | InputVideoPart | FilePart,
    Field(discriminator="type"),
]
PART_TYPES = ("text", "refusal", "image_url", "input_audio", "audio_url", "video_url", "input_video", "file")
