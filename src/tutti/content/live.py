"""What comes out of speech that is written down while it is said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from tutti.content.messages import Answer
from tutti.content.speech import Segment, TimedWord


@dataclass(frozen=True, slots=True)
class GuessedWords:
    """The words behind the final ones as they look now; the next guess replaces them, an empty one removes them."""

    text: str
    start_s: float
    """From the beginning of the stream."""
    end_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"type": "guess", **asdict(self)}


@dataclass(frozen=True, slots=True)
class FinalWords:
    """Words that no longer change, behind those that were final before."""

    words: tuple[TimedWord, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"type": "words", **asdict(self)}

    @property
    def text(self) -> str:
        """The words with spaces between them."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class FinalSegment:
    """A caption: final words up to the end of a sentence, a pause, or what two lines hold."""

    segment: Segment

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        segment = self.segment
        return {"type": "segment", "start_s": segment.start_s, "end_s": segment.end_s, "text": segment.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAlert:
    """Something that was watched for is there; it is reported once, until it was gone for a while."""

    thing: str
    """In the words in which it was asked for."""
    sense: Literal["seen", "heard", "said"]
    start_s: float
    """From the beginning of the stream."""
    end_s: float
    fit: float
    """Probability against names of common things; 1 where the words themselves were said."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"type": "alert", **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAnswer:
    """A spoken question, and its answer from what is seen."""

    question: str
    asked_s: float
    """When the question ended, from the beginning of the stream."""
    shown_s: float | None
    """When the picture was seen that the answer is about; None if there is none."""
    answer: Answer

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        told = {"question": self.question, "asked_s": self.asked_s, "shown_s": self.shown_s}
        return {"type": "answer", **told, "text": self.answer.text, "answer": self.answer.to_dict()}


LiveEvent: TypeAlias = GuessedWords | FinalWords | FinalSegment
