"""What a caller holds: a handle on an answer that is being made, and the events by which it comes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tutti.content import FinishReason, TokenLogprob, Usage
from tutti.engine.detokenizer import TextStream
from tutti.engine.sequence import Sequence
from tutti.engine.token_texts import TokenTexts


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One step of an answer."""

    token_ids: tuple[int, ...]
    """Tokens new since the last event; none where the answer ends with an end token, which is not part of it."""
    text: str
    """Text new since the last event; all pieces together are the whole text."""
    finish_reason: FinishReason | None = None
    """Set on the last event, and only there."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Of the tokens whose text is in `text`, where they were asked for; joined, they are the text."""


class Request:
    """A handle on an answer that is being made. Made by `Engine.submit`; read it, leave its making to the engine."""

    def __init__(self, sequence: Sequence, answer: TextStream) -> None:
        self.sequence = sequence
        self.answer = answer
        self.likely = TokenTexts(answer)
        self.events: deque[TokenEvent] = deque()
        """Events that no reader has taken yet."""

    @property
    def text(self) -> str:
        """The answer so far."""
        return self.answer.text

    @property
    def token_ids(self) -> list[int]:
        """The answer's tokens so far, without an end token."""
        return self.sequence.generated

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended, once it has."""
        return self.sequence.finish_reason

    @property
    def error(self) -> Exception | None:
        """Why the request failed, if it did."""
        return self.sequence.error

    @property
    def usage(self) -> Usage:
        """What the request took so far."""
        return Usage(
            prompt_tokens=self.sequence.prompt_tokens,
            completion_tokens=len(self.sequence.tokens) - self.sequence.prompt_tokens,
            media_tokens=sum(medium.tokens for medium in self.sequence.media),
            image_tokens=self._tokens_of("image"),
            audio_tokens=self._tokens_of("audio"),
            video_tokens=self._tokens_of("video"),
            cached_tokens=self.sequence.reused_tokens,
        )

    def _tokens_of(self, modality: str) -> int:
        return sum(medium.tokens for medium in self.sequence.media if medium.modality == modality)
