"""Rows of data as token ids with what is learned of them, and the media they stand for, known by digest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.content import Media, Message, Part, Text
from tutti.errors import CapacityError, InputError
from tutti.processing.idefics3 import TiledInput
from tutti.processing.prompt import MediaInput, Processor, TaughtDialogue, View

ReadMedium = Callable[[Media], MediaInput]
"""A medium, decoded and made ready by the processor."""

_KEPT_BYTES = 2**28
"""Of media that are ready for their trunks: of later use where several rows stand on one medium."""


@dataclass(frozen=True)
class Place:
    """Where a medium stands in a lesson."""

    digest: str
    modality: str
    start: int
    tokens: int


@dataclass(frozen=True, eq=False)
class Lesson:
    """A conversation to learn from, without the bytes of its media."""

    where: str
    ids: NDArray[np.int64]
    """(T,)."""
    said: NDArray[np.bool_]
    """(T,), True at tokens that are learned."""
    places: tuple[Place, ...]
    views: tuple[View, ...]
    group: str
    """What it shares its luck with: its media, otherwise itself."""

    @property
    def learned(self) -> int:
        """Tokens that are learned; the first token of all has none before it and is not among them."""
        return int(self.said[1:].sum())


class LessonReader:
    """Makes lessons, and gives their media again by digest.

    Args:
        processor: Of the model.
        read: Decodes a medium and makes it ready.
        longest: Most tokens of a lesson.
    """

    def __init__(self, processor: Processor, read: ReadMedium, longest: int) -> None:
        self._processor, self._read, self._longest = processor, read, longest
        self._sources: dict[str, Media] = {}
        self._ready: OrderedDict[int, tuple[Media, MediaInput]] = OrderedDict()
        self._known: dict[str, Media] = {}
        self._bytes = 0

    def lesson(self, messages: Sequence[Message], where: str, *, only_last: bool = False) -> Lesson:
        """A conversation as a lesson.

        Args:
            messages: Ending with the assistant's.
            where: Where it stands in its file.
            only_last: Whether earlier answers are context only.

        Raises:
            InputError: A medium cannot be read, or the conversation does not suit the model.
            CapacityError: It is longer than the model reads, or a medium is over a budget.
        """
        if empty := [message.role for message in messages if not _holds_something(message)]:
            raise InputError(f"A turn of the {empty[0]} is empty; expected words or media.")
        media = [part for message in messages for part in message.parts if isinstance(part, Media)]
        turns = [
            (
                m.role,
                [p.text if isinstance(p, Text) else self.medium(p) for p in m.parts if isinstance(p, (Text, Media))],
            )
            for m in messages
        ]
        taught = self._processor.dialogue(turns)
        said = _last_run(taught) if only_last else taught.said
        prompt = taught.prompt
        if len(prompt.input_ids) > self._longest:
            media_tokens = sum(medium.tokens for medium in prompt.media)
            raise CapacityError(
                f"It takes {len(prompt.input_ids)} tokens, of them answers {int(said.sum())} and media {media_tokens}; "
                f"expected {self._longest} at most: shorten it."
            )
        places = tuple(
            Place(medium.digest, medium.modality, start, medium.tokens)
            for medium, start in zip(prompt.media, prompt.starts, strict=True)
        )
        group = "\0".join(sorted(_source_of(part) for part in media)) or where
        return Lesson(where, prompt.input_ids, said, places, prompt.views, group)

    def _piece(self, part: Part) -> str | MediaInput:
        return part.text if isinstance(part, Text) else self.medium(part)

    def medium(self, part: Media) -> MediaInput:
        """A medium, made ready; the last ones are kept, so that several questions on one medium decode it once."""
        known = self._ready.get(id(part)) or self._same(part)
        if known is not None:
            return known[1]
        made = self._read(part)
        tiles = made.tiles if isinstance(made, TiledInput) else ()
        for one in (made, *tiles):
            self._sources.setdefault(one.digest, part)
        self._ready[id(part)] = (part, made)
        self._bytes += _size(made)
        while self._bytes > _KEPT_BYTES and len(self._ready) > 1:
            self._bytes -= _size(self._ready.popitem(last=False)[1][1])
        return made

    def arrays(self, digest: str) -> MediaInput:
        """The medium, or the tile of one, that has a digest.

        Raises:
            InputError: Its file has changed since it was read.
        """
        made = self.medium(self._sources[digest])
        tiles = made.tiles if isinstance(made, TiledInput) else ()
        for one in (made, *tiles):
            if one.digest == digest:
                return one
        raise InputError(f"{_source_of(self._sources[digest])[:200]} has changed since it was read; start again.")

    def _same(self, part: Media) -> tuple[Media, MediaInput] | None:
        wanted = _source_of(part)
        found = (kept for kept in reversed(self._ready.values()) if type(kept[0]) is type(part))
        return next((kept for kept in found if _source_of(kept[0]) == wanted), None)


def _source_of(part: Media) -> str:
    source = part.source
    return source if isinstance(source, str) else f"{type(part).__name__} {id(source)}"


def _holds_something(message: Message) -> bool:
    return any(not isinstance(part, Text) or part.text.strip() for part in message.parts)


def _size(medium: MediaInput) -> int:
    return sum(array.nbytes for array in medium.arrays.values())


def _last_run(taught: TaughtDialogue) -> NDArray[np.bool_]:
    """The last stretch of what the assistant says."""
    said = taught.said.copy()
    last = int(np.flatnonzero(said)[-1])
    before = np.flatnonzero(~said[:last])
    if len(before):
        said[: before[-1]] = False
    return said
