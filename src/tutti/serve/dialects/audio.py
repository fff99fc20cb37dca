"""`/v1/audio/transcriptions` and `/v1/audio/translations`: OpenAI's dialect."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from tutti.content import Segment, Transcript, TranscriptionOptions
from tutti.errors import InputError
from tutti.serve.responses import EventStream, unless_gone
from tutti.serve.schemas import audio
from tutti.serve.service import Service

_MULTIPART = "multipart/form-data"


class AudioRoutes:
    """The routes of the dialect.

    Args:
        service: The model and its limits.
    """

    def __init__(self, service: Service) -> None:
        self.service = service

    def add_to(self, router: APIRouter) -> None:
        """Add the routes."""
        add, response = router.add_api_route, audio.TranscriptionResponse
        add("/v1/audio/transcriptions", self.transcriptions, methods=["POST"], response_model=response)
        add("/v1/audio/translations", self.translations, methods=["POST"], response_model=response)

    async def transcriptions(
        self, form: Annotated[audio.TranscriptionForm, Form(media_type=_MULTIPART)], request: Request
    ) -> Response:
        """Write down the speech in a recording."""
        times, shape = form.granularities or [], form.response_format or "json"
        if times and shape != "verbose_json":
            raise InputError(f"timestamp_granularities is given with response_format {shape}; it needs verbose_json.")
        if form.stream and shape not in ("json", "text"):
            raise InputError(f"stream is given with response_format {shape}; expected json or text, or no stream.")
        options = _options(form)
        options = replace(options, language=form.language or None, timestamps="word" if "word" in times else "segment")
        transcript = await self._transcript(form, options, request)
        if form.stream:
            return EventStream(_events(transcript), self.service.admission.limits.send_seconds)
        return _response(transcript, shape, times)

    async def translations(
        self, form: Annotated[audio.TranslationForm, Form(media_type=_MULTIPART)], request: Request
    ) -> Response:
        """Say in English what is said in a recording."""
        transcript = await self._transcript(form, replace(_options(form), task="translate"), request)
        return _response(transcript, form.response_format or "json", [])

    async def _transcript(
        self, form: audio.TranslationForm, options: TranscriptionOptions, request: Request
    ) -> Transcript:
        self.service.check_model(form.model)
        return await unless_gone(request.receive, self.service.transcribe(await form.file.read(), options))


def _options(form: audio.TranslationForm) -> TranscriptionOptions:
    options = TranscriptionOptions(prompt=form.prompt or "")
    return options if not form.temperature else replace(options, temperatures=(form.temperature,))


def _response(transcript: Transcript, shape: str, times: Sequence[str]) -> Response:
    written = transcription(transcript, shape, times)
    return PlainTextResponse(written) if isinstance(written, str) else JSONResponse(written)


async def _events(transcript: Transcript) -> AsyncGenerator[str, None]:
    """The text in pieces, a segment each; joined they are the whole."""
    left = transcript.text
    for segment in transcript.segments:
        place = left.find(segment.text)
        if place < 0:
            break
        piece, left = left[: place + len(segment.text)], left[place + len(segment.text) :]
        yield json.dumps({"type": "transcript.text.delta", "delta": piece})
    if left:
        yield json.dumps({"type": "transcript.text.delta", "delta": left})
    yield json.dumps(
        {"type": "transcript.text.done", "text": transcript.text, "usage": _usage(transcript).model_dump()}
    )
    yield "[DONE]"


def transcription(transcript: Transcript, shape: str, times: Sequence[str] = ()) -> dict[str, Any] | str:
    """Speech in one of the dialect's forms.

    Args:
        transcript: What was said.
        shape: `json`, `verbose_json`, `text`, `srt` or `vtt`.
        times: What the verbose form tells, `segment` or `word`; segments if nothing is named.
    """
    if shape == "text":
        return transcript.text + "\n"
    if shape in ("srt", "vtt"):
        return transcript.to_srt() if shape == "srt" else transcript.to_vtt()
    written = audio.TranscriptionResponse(text=transcript.text, usage=_usage(transcript))
    if shape == "verbose_json":
        written.task, written.duration = transcript.task, transcript.duration_s
        written.language = transcript.language or "unknown"
        if not times or "segment" in times:
            written.segments = [_segment(number, one) for number, one in enumerate(transcript.segments)]
        if "word" in times:
            words = transcript.words
            written.words = [audio.WordBody(word=one.text, start=one.start_s, end=one.end_s) for one in words]
    return written.model_dump(exclude_none=True)


def _segment(number: int, one: Segment) -> audio.SegmentBody:
    told: dict[str, Any] = {"tokens": list(one.tokens)}
    if one.scores is not None:
        told |= {
            "seek": round(100 * one.scores.window_start_s),
            "temperature": one.scores.temperature,
            "avg_logprob": one.scores.mean_log_probability,
            "compression_ratio": one.scores.compression_ratio,
            "no_speech_prob": one.scores.no_speech,
        }
    return audio.SegmentBody(id=number, start=one.start_s, end=one.end_s, text=one.text, **told)


def _usage(transcript: Transcript) -> audio.DurationUsage:
    return audio.DurationUsage(seconds=math.ceil(transcript.duration_s))
