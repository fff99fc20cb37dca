"""Between the OpenAI dialect and Tutti's own values: requests to conversations and options, answers to responses."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tutti.content import (
    Answer,
    Embeddings,
    Message,
    Modality,
    Part,
    SamplingOptions,
    Text,
    TokenLogprob,
    Transcript,
    Usage,
)
from tutti.errors import InputError
from tutti.serve import schemas

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Open = Callable[[str, Modality | None], Part]
"""From an address (`data:`, `http:`, `file:` or a path) and the modality, if it is known, to a medium."""

_BYTES_A_TOKEN = 3
"""Of text, roughly; an estimate for admission only."""


def conversation(messages: Sequence[schemas.ChatMessage], open_address: Open) -> list[Message]:
    """Messages as Tutti's own.

    Args:
        messages: As they came.
        open_address: Opens what a part names.

    Raises:
        InputError: A medium cannot be opened, or is no base64.
    """
    turns: list[Message] = []
    for place, message in enumerate(messages):
        role = "system" if message.role == "developer" else message.role
        parts = parts_of(message.content, open_address, f"messages[{place}].content")
        turns.append(Message(role, tuple(parts)))
    return turns


def parts_of(content: str | Sequence[schemas.ContentPart], open_address: Open, place: str) -> list[Part]:
    """The parts of a message's content.

    Raises:
        InputError: As in `conversation`; the message says which part.
    """
    if isinstance(content, str):
        return [Text(content)]
    parts: list[Part] = []
    for number, part in enumerate(content):
        try:
            parts.append(_part(part, open_address))
        except InputError as error:
            raise type(error)(f"{place}[{number}]: {error}") from None
    return parts


def _part(part: schemas.ContentPart, open_address: Open) -> Part:
    match part:
        case schemas.TextPart():
            return Text(part.text)
        case schemas.ImageUrlPart():
            return open_address(part.image_url.url, "image")
        case schemas.AudioUrlPart():
            return open_address(part.audio_url.url, "audio")
        case schemas.VideoUrlPart():
            return open_address(part.video_url.url, "video")
        case schemas.InputAudioPart():
            return open_address(_as_url(part.input_audio.data), "audio")
        case schemas.InputVideoPart():
            return open_address(_as_url(part.input_video.data), "video")
        case schemas.FilePart():
            return open_address(_as_url(part.file.file_data), None)


def _as_url(data: str) -> str:
    """Base64 as a `data:` URL, which it may be already; no other address can come of it."""
    return data if data.startswith("data:") else f"data:application/octet-stream;base64,{data}"


def options_of(body: schemas.ChatRequest, tenant: str) -> SamplingOptions:
    """How the answer is to be drawn. Without a temperature it is the likeliest one, as everywhere in Tutti.

    Raises:
        InputError: The options contradict one another.
    """
    if body.top_logprobs is not None and not body.logprobs:
        raise InputError("top_logprobs is given without logprobs; set logprobs to true.")
    if body.stream_options is not None and not body.stream:
        raise InputError("stream_options is given without stream; set stream to true.")
    if body.verify and body.stream:
        raise InputError("An answer is verified when it is whole; leave out stream or verify.")
    options = SamplingOptions(
        temperature=body.temperature or 0.0,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=body.top_k or 0,
        repetition_penalty=body.repetition_penalty or 1.0,
        stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        seed=secrets.randbits(62) if body.seed is None else body.seed % 2**63,
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        json_schema=_schema(body.response_format),
        tenant=tenant,
    )
    most = body.max_completion_tokens or body.max_tokens
    return options if most is None else replace(options, max_tokens=most)


def _schema(wanted: schemas.PlainFormat | schemas.SchemaFormat | None) -> str | None:
    if isinstance(wanted, schemas.SchemaFormat):
        return json.dumps(wanted.json_schema.schema_)
    return '{"type": "object"}' if wanted is not None and wanted.type == "json_object" else None


def choice_options(options: SamplingOptions, count: int) -> list[SamplingOptions]:
    """Options of each of several choices, which differ in their seeds."""
    return [replace(options, seed=(options.seed + place) % 2**63) for place in range(count)]


def text_tokens(texts: Iterable[str]) -> int:
    """Roughly how many tokens texts take."""
    return sum(1 + len(text.encode(errors="replace")) // _BYTES_A_TOKEN for text in texts)


def embedding_parts(body: schemas.EmbeddingsRequest, open_address: Open) -> list[Part]:
    """What is to be embedded, in order.

    Raises:
        InputError: There is nothing, or two things where one is expected, or a medium cannot be opened.
    """
    if (body.input is None) == (body.messages is None):
        raise InputError('Give either "input" (words) or "messages" (words and media).')
    if body.input is not None:
        return [Text(text) for text in ([body.input] if isinstance(body.input, str) else body.input)]
    parts: list[Part] = []
    for place, message in enumerate(body.messages or ()):
        parts += parts_of(message.content, open_address, f"messages[{place}].content")
    if len(parts) > schemas.MOST_INPUTS:
        raise InputError(f"The messages hold {len(parts)} parts; expected at most {schemas.MOST_INPUTS}.")
    return parts


def _message(answer: Answer) -> schemas.AnswerMessage:
    if not any(claim.verdict for claim in answer.evidence):
        return schemas.AnswerMessage(content=answer.text)
    evidence = [claim.to_dict() for claim in answer.evidence]
    return schemas.VerifiedMessage(content=answer.text, evidence=evidence, warnings=list(answer.notes))


class Envelope:
    """What all pieces of one response share.

    Args:
        model: What the model is called.
    """

    def __init__(self, model: str) -> None:
        self.shared: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, answers: Sequence[Answer], options: SamplingOptions) -> schemas.ChatResponse:
        """All choices at once."""
        choices = [
            schemas.ChatChoice(
                index=index,
                message=_message(answer),
                logprobs=None if options.logprobs is None else logprobs_of(answer.logprobs),
                finish_reason=finish_reason(answer),
            )
            for index, answer in enumerate(answers)
        ]
        return schemas.ChatResponse(**self.shared, choices=choices, usage=usage_of([one.usage for one in answers]))

    def opening(self, index: int) -> schemas.ChatChunk:
        """The first chunk of a choice."""
        return self._chunk(schemas.ChunkChoice(index=index, delta=schemas.Delta(role="assistant", content="")))

    def piece(self, index: int, text: str, logprobs: Sequence[TokenLogprob]) -> schemas.ChatChunk:
        """More of a choice."""
        listed = logprobs_of(logprobs) if logprobs else None
        return self._chunk(schemas.ChunkChoice(index=index, delta=schemas.Delta(content=text), logprobs=listed))

    def ending(self, index: int, answer: Answer) -> schemas.ChatChunk:
        """The last chunk of a choice."""
        reason = finish_reason(answer)
        return self._chunk(schemas.ChunkChoice(index=index, delta=schemas.Delta(), finish_reason=reason))

    def usage(self, answers: Sequence[Answer]) -> schemas.ChatChunk:
        """The last chunk of a stream that was asked for usage."""
        return schemas.ChatChunk(**self.shared, choices=[], usage=usage_of([one.usage for one in answers]))

    def _chunk(self, choice: schemas.ChunkChoice) -> schemas.ChatChunk:
        return schemas.ChatChunk(**self.shared, choices=[choice])


def finish_reason(answer: Answer) -> Any:
    """Why an answer ended, in the dialect's words; one that was cut off ended by length."""
    return "stop" if answer.finish_reason == "stop" else "length"


def logprobs_of(logprobs: Sequence[TokenLogprob]) -> schemas.ChoiceLogprobs:
    """How likely tokens were. Tokens that are part of a character have a replacement character for their text."""
    return schemas.ChoiceLogprobs(
        content=[
            schemas.TokenLogprobs(
                token=one.token,
                logprob=one.logprob,
                bytes=_utf8(one.token),
                top_logprobs=[
                    schemas.TopLogprob(token=token, logprob=value, bytes=_utf8(token)) for token, value in one.top
                ],
            )
            for one in logprobs
        ]
    )


def _utf8(text: str) -> list[int] | None:
    return None if "\N{REPLACEMENT CHARACTER}" in text else list(text.encode())


def usage_of(usages: Sequence[Usage]) -> schemas.UsageBody:
    """What choices took together; they share one prompt."""
    prompt, completed = usages[0], sum(usage.completion_tokens for usage in usages)
    return schemas.UsageBody(
        prompt_tokens=prompt.prompt_tokens,
        completion_tokens=completed,
        total_tokens=prompt.prompt_tokens + completed,
        prompt_tokens_details=schemas.PromptDetails(
            text_tokens=prompt.prompt_tokens - prompt.media_tokens,
            image_tokens=prompt.image_tokens,
            audio_tokens=prompt.audio_tokens,
            video_tokens=prompt.video_tokens,
            cached_tokens=prompt.cached_tokens,
        ),
    )


def embeddings_response(found: Embeddings, model: str, body: schemas.EmbeddingsRequest) -> schemas.EmbeddingsResponse:
    """Vectors in the dialect.

    Raises:
        InputError: More dimensions were asked for than there are.
    """
    vectors = _shortened(found.vectors, body.dimensions)
    data = [
        schemas.EmbeddingBody(
            index=index,
            embedding=base64.b64encode(row.astype("<f4").tobytes()).decode()
            if body.encoding_format == "base64"
            else [float(value) for value in row],
        )
        for index, row in enumerate(vectors)
    ]
    warnings = [f"input {note.index}: {note}" for note in found.notes] or None
    return schemas.EmbeddingsResponse(data=data, model=model, usage=usage_of([found.usage]), warnings=warnings)


def _shortened(vectors: NDArray[np.float32], dimensions: int | None) -> NDArray[np.float32]:
    """The first so many numbers of each row, at length one again. Shapes: (N, D) → (N, dimensions)."""
    import numpy as np

    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    if dimensions > vectors.shape[1]:
        raise InputError(f"dimensions is {dimensions}; this model has {vectors.shape[1]}.")
    short = vectors[:, :dimensions]
    lengths = np.linalg.norm(short, axis=1, keepdims=True)
    unit: NDArray[np.float32] = short / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def transcription(transcript: Transcript, form: str) -> schemas.TranscriptionResponse | str:
    """Speech in one of the dialect's forms: `json`, `verbose_json`, `text`, `srt`, `vtt`."""
    if form == "text":
        return transcript.text + "\n"
    if form in ("srt", "vtt"):
        return transcript.to_srt() if form == "srt" else transcript.to_vtt()
    if form == "json":
        return schemas.TranscriptionResponse(text=transcript.text)
    return schemas.TranscriptionResponse(
        text=transcript.text,
        task=transcript.task,
        language=transcript.language,
        duration=transcript.duration_s,
        segments=[
            schemas.SegmentBody(id=number, start=one.start_s, end=one.end_s, text=one.text)
            for number, one in enumerate(transcript.segments)
        ],
    )
