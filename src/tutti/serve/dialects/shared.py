"""What the dialects share: from content parts to parts, and how answers, tokens and reasons are written."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from tutti.content import (
    Answer,
    Modality,
    Part,
    SamplingOptions,
    Text,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)
from tutti.errors import InputError
from tutti.serve.media_parts import as_data_url
from tutti.serve.schemas import chat, parts
from tutti.serve.schemas.sampling import DrawnRequest
from tutti.serve.schemas.tools import ChosenTool, MadeCall, MadeFunction, ToolBody, ToolChoiceBody

Open: TypeAlias = Callable[[str, Modality | None], Part]
"""From an address (`data:`, `http:`, `file:` or a path) and the modality, if it is known, to a medium."""


def parts_of(content: str | Sequence[parts.ContentPart] | None, open_address: Open, place: str) -> list[Part]:
    """The parts of a message's content.

    Args:
        content: LongText, or parts.
        open_address: Opens what a part names.
        place: Where they stand in the body, for errors.

    Raises:
        InputError: A medium cannot be opened, or is no base64; the message says which part.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)]
    return [opened(partial(_part, part, open_address), f"{place}[{number}]") for number, part in enumerate(content)]


def opened(open_part: Callable[[], Part], place: str) -> Part:
    """A part, whose errors say where it stands.

    Raises:
        InputError: As `open_part`, with the place before the message.
    """
    try:
        return open_part()
    except InputError as error:
        raise type(error)(f"{place}: {error}") from None


def _part(part: parts.ContentPart, open_address: Open) -> Part:
    match part:
        case parts.TextPart():
            return Text(part.text)
        case parts.RefusalPart():
            return Text(part.refusal)
        case parts.ImageUrlPart():
            return open_address(part.image_url.url, "image")
        case parts.AudioUrlPart():
            return open_address(part.audio_url.url, "audio")
        case parts.VideoUrlPart():
            return open_address(part.video_url.url, "video")
        case parts.InputAudioPart():
            return open_address(as_data_url(part.input_audio.data), "audio")
        case parts.InputVideoPart():
            return open_address(as_data_url(part.input_video.data), "video")
        case parts.FilePart():
            return open_address(as_data_url(part.file.file_data), None)


def drawn(body: DrawnRequest, tenant: str, most: int | None = None) -> SamplingOptions:
    """How the answer is to be drawn. Without a temperature it is the likeliest one, as everywhere in Tutti.

    Args:
        body: The request.
        tenant: Whose it is.
        most: Most tokens, where the body gives none.

    Raises:
        InputError: The options contradict one another.
    """
    if body.stream_options is not None and not body.stream and body.stream_options.include_usage:
        raise InputError("stream_options is given without stream; set stream to true.")
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return SamplingOptions(
        temperature=body.temperature or 0.0,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=max(0, body.top_k or 0),
        repetition_penalty=body.repetition_penalty or 1.0,
        stop=tuple(word for word in stop if word),
        seed=secrets.randbits(62) if body.seed is None else body.seed % 2**63,
        max_tokens=body.max_tokens or most or SamplingOptions().max_tokens,
        tenant=tenant,
    )


def tools_of(bodies: Sequence[ToolBody] | None) -> tuple[Tool, ...]:
    """Tools as Tutti's own."""
    return tuple(
        Tool(one.function.name, one.function.description or "", one.function.parameters or {}) for one in bodies or ()
    )


def choice_of(choice: ToolChoiceBody | None) -> str:
    """The choice among tools: a word, or the name of a tool."""
    if isinstance(choice, ChosenTool):
        return choice.function.name
    return choice or "auto"


def calls_of(answer: Answer) -> list[MadeCall] | None:
    """The calls of an answer; None where there are none."""
    return [made_call(call) for call in answer.tool_calls] or None


def made_call(call: ToolCall) -> MadeCall:
    """A call in the dialect."""
    return MadeCall(id=call.id, function=MadeFunction(name=call.name, arguments=call.arguments))


def finish_word(answer: Answer) -> chat.FinishWord:
    """Why an answer ended, in the dialect's words; one that was cut off ended by length."""
    if answer.finish_reason in ("stop", "tool_calls"):
        return answer.finish_reason
    return "length"


def logprobs_of(logprobs: Sequence[TokenLogprob]) -> list[chat.TokenLogprobs]:
    """How likely tokens were. Tokens that are part of a character have a replacement character for their text."""
    return [
        chat.TokenLogprobs(
            token=one.token,
            logprob=one.logprob,
            bytes=_utf8(one.token),
            top_logprobs=[chat.TopLogprob(token=token, logprob=value, bytes=_utf8(token)) for token, value in one.top],
        )
        for one in logprobs
    ]


def _utf8(text: str) -> list[int] | None:
    return None if "\N{REPLACEMENT CHARACTER}" in text else list(text.encode())


def usage_of(usages: Sequence[Usage]) -> chat.UsageBody:
    """What choices took together; they share one prompt."""
    prompt, completed = usages[0], sum(usage.completion_tokens for usage in usages)
    return chat.UsageBody(
        prompt_tokens=prompt.prompt_tokens,
        completion_tokens=completed,
        total_tokens=prompt.prompt_tokens + completed,
        prompt_tokens_details=chat.PromptDetails(
            text_tokens=prompt.prompt_tokens - prompt.media_tokens,
            image_tokens=prompt.image_tokens,
            audio_tokens=prompt.audio_tokens,
            video_tokens=prompt.video_tokens,
            cached_tokens=prompt.cached_tokens,
        ),
    )


def warnings_of(given: Sequence[str], answers: Sequence[Answer]) -> list[str]:
    """What was not done as asked: of the request, and of its answers, each once."""
    return list(dict.fromkeys((*given, *(note for answer in answers for note in answer.notes))))
