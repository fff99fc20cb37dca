"""Transcriptions and translations of recordings, in the OpenAI dialect."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from fastapi import UploadFile
from pydantic import Field

from tutti.serve.schemas.base import Bookkeeping, Neutral, RequestBody, ResponseBody

TranscriptForm: TypeAlias = Literal["json", "verbose_json", "text", "srt", "vtt"]


_NoList: TypeAlias = Annotated[Any, Neutral([], [""])]


class TranslationForm(RequestBody):
    """A recording whose speech is said in English."""

    file: UploadFile
    """The recording, or a video with sound."""
    model: str | None = Field(default=None, max_length=256)
    """One of `GET /v1/models`."""
    prompt: str | None = Field(default=None, max_length=4096)
    """Words that stand before the recording, as if they had been said: names, spelling, style."""
    response_format: TranscriptForm | None = None
    """`json`, unless another is named."""
    temperature: float | None = Field(default=None, ge=0, le=1)
    """Left out and 0 try rising temperatures until the text is believable."""
    user: Bookkeeping = None


class TranscriptionForm(TranslationForm):
    """A recording whose speech is written down."""

    language: str | None = Field(default=None, max_length=64)
    """Of the speech, as `en` or `english`; left out, the model detects it."""
    granularities: list[Literal["word", "segment"]] | None = Field(default=None, alias="timestamp_granularities[]")
    """What `verbose_json` times: `segment`, `word`, or both."""
    stream: bool | None = None
    """Send the text as events."""
    chunking_strategy: Annotated[Any, Neutral("auto", "")] = None
    include: _NoList = Field(default=None, alias="include[]")
    languages: _NoList = Field(default=None, alias="languages[]")
    keywords: _NoList = Field(default=None, alias="keywords[]")
    known_speaker_names: _NoList = Field(default=None, alias="known_speaker_names[]")
    known_speaker_references: _NoList = Field(default=None, alias="known_speaker_references[]")


class SegmentBody(ResponseBody):
    """A stretch of speech, in seconds."""

    id: int
    start: float
    end: float
    text: str
    seek: int = 0
    """Where the window begins in which it was heard, in hundredths of a second."""
    tokens: list[int] = Field(default_factory=list)
    temperature: float | None = None
    avg_logprob: float | None = None
    """Mean logarithm of the probability of its window's tokens."""
    compression_ratio: float | None = None
    no_speech_prob: float | None = None
    """Probability that its window holds no speech."""


class WordBody(ResponseBody):
    """A word, in seconds."""

    word: str
    start: float
    end: float


class DurationUsage(ResponseBody):
    """What a request took."""

    type: Literal["duration"] = "duration"
    seconds: float


class TranscriptionResponse(ResponseBody):
    """The transcript; `verbose_json` includes times."""

    text: str
    task: Literal["transcribe", "translate"] | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[SegmentBody] | None = None
    words: list[WordBody] | None = None
    usage: DurationUsage | None = None
