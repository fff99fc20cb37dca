"""What callers give, as the values that providers take: media as parts, questions as conversations, options by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, get_args

from tutti.content import (
    Media,
    Message,
    Part,
    SamplingOptions,
    Source,
    Text,
    Timestamps,
    TranscriptionOptions,
)
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import Embedder, TextBounded

Medium: TypeAlias = "Media | Source"


def shortened_parts(embedder: Embedder, parts: Sequence[Part]) -> list[Part]:
    """The parts with each text shortened to what the embedder reads.

    Raises:
        UnsupportedTask: The embedder does not state how much that is.
    """
    if not isinstance(embedder, TextBounded):
        raise UnsupportedTask(
            f"{embedder.name} does not state how much text it embeds; shorten the text, or leave truncate out."
        )
    return [Text(embedder.shortened(part.text)) if isinstance(part, Text) else part for part in parts]


def as_part(item: Any) -> Part:
    """Leave parts as they are; wrap anything else in its modality, by content."""
    if isinstance(item, (Text, Media)):
        return item
    from tutti.media import wrap

    return wrap(item, keep=True)


def as_medium(item: Medium) -> Media:
    """Like `as_part`, for what cannot be text."""
    return medium_of(as_part(item))


def medium_of(part: Part) -> Media:
    """A part that is no text. Raises `InputError` otherwise."""
    if isinstance(part, Text):
        raise InputError("Words were given in the place of a medium; put them into the question.")
    return part


def conversation_of(question: str | Sequence[Message], *media: Medium) -> Sequence[Message]:
    """A question with its media as a conversation; one that is a conversation stays as it is.

    Raises:
        InputError: The question is empty, media were given beside a conversation, or one cannot be read.
    """
    if not isinstance(question, str):
        if media:
            raise InputError("Media were given beside a conversation; put them into its messages.")
        return question
    if not question.strip():
        raise InputError("The question is empty; expected words, such as: What is this?")
    return [Message.user(*map(as_medium, media), question)]


def sampling_options(values: dict[str, Any]) -> SamplingOptions:
    """Arguments of `ask` as options. Raises `InputError` where one is not known."""
    _check_names(values, SamplingOptions)
    if isinstance(values.get("stop"), str):
        # Taken as it is, each of its letters would end the answer.
        values["stop"] = (values["stop"],)
    return SamplingOptions(**{"cut_media": True, **values})


def transcription_options(values: dict[str, Any]) -> TranscriptionOptions:
    """Arguments of `transcribe` as options. Raises `InputError` where one is not known or out of range."""
    _check_names(values, TranscriptionOptions)
    if isinstance(values.get("temperatures"), (int, float)):
        values["temperatures"] = (float(values["temperatures"]),)
    options = TranscriptionOptions(**values)
    if options.timestamps not in get_args(Timestamps):
        raise InputError(f"timestamps is {options.timestamps!r}; expected {', '.join(get_args(Timestamps))}.")
    if not options.temperatures:
        raise InputError("temperatures is empty; expected at least one, such as 0.")
    return options


def _check_names(values: dict[str, Any], options: type[SamplingOptions | TranscriptionOptions]) -> None:
    known = options.__dataclass_fields__
    for name in values:
        if name not in known:
            raise InputError(f"Unknown option {name!r}; known are: {', '.join(known)}.")
