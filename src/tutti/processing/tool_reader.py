"""Calls of tools out of an answer that is still being written: text and calls, piece by piece."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator

from tutti.content import AnswerDelta, TextDelta, ToolCall, ToolCallDelta
from tutti.processing.tool_forms import CallForm, head_of

_ID_BYTES = 5


class CallReader:
    """Reads what a model writes, and tells text from calls as soon as it can.

    All pieces that were told are the whole: `text` and `calls` are what the events say.

    Args:
        form: How the model writes calls.
        names: Of the tools that are offered.
        announced: Whether the answer is held to calls, so that its first word is one.
    """

    def __init__(self, form: CallForm, names: Collection[str], *, announced: bool = False) -> None:
        self._tagged, self._bare = form, form.bare
        self._form = form if announced else self._bare
        self._names = names
        self._raw = ""
        self._at = 0
        self._state = self._text if announced and form.marker else self._start
        self._depth, self._quoted, self._escaped = 0, False, False
        self.text = ""
        """Words beside the calls."""
        self._calls: list[ToolCall] = []

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far; the last one may be incomplete if the answer was cut."""
        return tuple(self._calls)

    def push(self, piece: str) -> Iterator[AnswerDelta]:
        """More of the answer.

        Yields:
            What it adds to the text and to calls.
        """
        self._raw += piece
        while (step := self._state()) is not None:
            yield from step
        self._raw, self._at = self._raw[self._at :], 0

    def finish(self) -> Iterator[AnswerDelta]:
        """The end of the answer: what was held back as a possible call, and is none, is text."""
        if not self._calls and self._at < len(self._raw):
            yield self._said(self._raw[self._at :])
            self._at = len(self._raw)

    # Each state looks at what is left; None waits for more, anything else are events, after which it is looked again.

    def _start(self) -> list[AnswerDelta] | None:
        """The beginning of an answer, which may be a bare call."""
        head = head_of(self._raw[self._at :], self._bare, self._names)
        if head.fits and head.end is None:
            return None
        self._form = self._bare if head.fits else self._tagged
        if head.fits and head.name is not None and head.end is not None:
            return self._begin(head.name, head.end)
        self._state = self._text
        return []

    def _text(self) -> list[AnswerDelta] | None:
        """Words, up to a marker."""
        marker, left = self._tagged.marker, self._raw[self._at :]
        place = left.find(marker) if marker else -1
        if place >= 0:
            self._at += place + len(marker)
            self._form, self._state = self._tagged, self._in_list if self._tagged.listed else self._head
            return [self._said(left[:place].rstrip())] if left[:place].strip() else []
        held = next((size for size in range(min(len(marker) - 1, len(left)), 0, -1) if left.endswith(marker[:size])), 0)
        # Spaces before a marker are none of the text.
        held = len(left) - len(left[: len(left) - held].rstrip()) if marker else held
        if held >= len(left):
            return None
        self._at += len(left) - held
        return [self._said(left[: len(left) - held])]

    def _in_list(self) -> list[AnswerDelta] | None:
        left = self._raw[self._at :].lstrip()
        if not left:
            return None
        self._state = self._head
        self._at = len(self._raw) - len(left.removeprefix("["))
        return []

    def _head(self) -> list[AnswerDelta] | None:
        """Behind a marker, or a call: the beginning of the next one."""
        head = head_of(self._raw[self._at :], self._form, self._names)
        if head.name is not None and head.end is not None:
            return self._begin(head.name, head.end)
        if head.fits or self._calls:
            return None
        self._state = self._text
        return [self._said(self._tagged.marker)]

    def _begin(self, name: str, end: int) -> list[AnswerDelta]:
        self._at += end
        self._depth, self._quoted, self._escaped = 0, False, False
        self._state = self._arguments
        self._calls.append(ToolCall(secrets.token_hex(_ID_BYTES)[:9], name, ""))
        return [ToolCallDelta(len(self._calls) - 1, self._calls[-1].id, name)]

    def _arguments(self) -> list[AnswerDelta] | None:
        """Within arguments: a JSON object, of which strings hide braces."""
        left = self._raw[self._at :]
        if not left:
            return None
        size = self._object_end(left)
        self._at += size
        last = self._calls[-1]
        self._calls[-1] = ToolCall(last.id, last.name, last.arguments + left[:size])
        return [ToolCallDelta(len(self._calls) - 1, arguments=left[:size])]

    def _object_end(self, text: str) -> int:
        """How much of a text belongs to the object."""
        for place, letter in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif self._quoted:
                self._quoted, self._escaped = letter != '"', letter == "\\"
            elif letter == '"':
                self._quoted = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self._state = self._between
                    return place + 1
        return len(text)

    def _between(self) -> list[AnswerDelta] | None:
        """Behind a call: whatever closes it, up to the next one, is no text."""
        repeated = self._form.marker and not self._form.listed
        opening = self._form.marker if repeated else "{"
        left = self._raw[self._at :]
        place = left.find(opening)
        if place < 0:
            # What may be the beginning of a marker stays.
            self._at += max(0, len(left) - len(opening) + 1)
            return None
        self._at += place + (len(opening) if repeated else 0)
        self._state = self._head
        return []

    def _said(self, text: str) -> TextDelta:
        self.text += text
        return TextDelta(text)
