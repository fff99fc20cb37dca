"""Questions about what is said in a recording or a film: recognized, and answered from its transcript.

A small decoder that was taught about pictures and noises cannot read a transcript, so the answer is taken out of it:
what was said, the passage nearest to the question, when something is mentioned, which digit, in which language. The
segments that an answer rests on are its evidence, with their times.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tutti.content import Audio, Claim, Conversation, Segment, Text, Transcript, Video
from tutti.processing.languages import LANGUAGES

Kind = Literal["words", "when", "digit", "language", "whether"]

_SAY = r"(?:say(?:s|ing)?|said|speak(?:s|ing)?|spoken?|talk(?:s|ed|ing)?|mention(?:s|ed|ing)?|utter(?:s|ed)?)"
_ABOUT_WORDS = re.compile(
    rf"\b{_SAY}\b|\btells?\b(?!\s+(?:me|us|apart)\b)|\btold\b"
    r"|\b(?:words?|sentences?|phrases?|speech|transcripts?|dialogues?|monologues?|quotes?|quoted|narrator|speaker)\b"
    r"|\btranscri(?:be|bed|ption)\b|\bwrite down\b|\bask(?:s|ed|ing)? for\b|\border(?:s|ed|ing)?\b"
    r"|\bannounce(?:s|d|ment)?\b|\brecit(?:e|es|ed|ing)\b",
    re.IGNORECASE,
)
_ABOUT_WRITING = re.compile(r"\b(?:written|printed|sign|label|caption|subtitle|read|reads)\b", re.IGNORECASE)
_WHEN = re.compile(r"\b(?:when|at (?:what|which) (?:time|second|minute|point|moment)|how far in)\b", re.IGNORECASE)
_DIGIT = re.compile(r"\b(?:which|what)\s+(?:\w+\s+)?(?:digits?|numbers?|numerals?)\b", re.IGNORECASE)
_LANGUAGE = re.compile(r"\b(?:which|what)\s+(?:\w+\s+)?languages?\b", re.IGNORECASE)
_WHETHER = re.compile(
    rf"^\W*(?:is|are|does|do|did|was|were|can you hear)\b.*\b(?:{_SAY}|speech|words?|voices?)\b", re.IGNORECASE
)
_IN_ENGLISH = re.compile(r"\btranslat\w*|\bin english\b", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:when|where|time|second|minute|point|moment|in)\b\s*(?:is|are|was|were|does|do|did)?\s*"
    rf"(?:(?:he|she|it|they|someone|somebody|anyone|the \w+)\s+{_SAY}\s+(?P<after>.+)|(?P<before>.+?)\s+{_SAY}\b.*)",
    re.IGNORECASE,
)
_MOST_REPETITION = 2.4
"""Bytes of a text per byte of it compressed, above which Whisper repeats itself (Radford et al. 2022, section 4.5)."""
_ANNOTATION = re.compile(r"\W*(?:\[[^\]]*\]|\([^)]*\)|\*+[^*]*\*+|♪[^♪]*♪?)?\W*")
"""What Whisper writes of noises and music: (dog barking), [Music], ** sounds **."""
_SMALL = frozenset(
    "a an the of in on at to for and or is are was were be been by with from about this that these those it its he she "
    "they them his her their you your i we our me my word words name first last".split()
)
_DIGITS = "zero one two three four five six seven eight nine".split()
_HEARD_AS = {
    "oh": "zero", "o": "zero", "nil": "zero", "won": "one", "to": "two", "too": "two", "tree": "three", "for": "four",
    "fore": "four", "fife": "five", "sex": "six", "sics": "six", "ate": "eight", "hate": "eight", "nein": "nine",
    "mine": "nine", "night": "nine",
}  # fmt: skip
"""Other words that a lone digit is written down as, where a digit was asked for."""
_SHORT_WORDS = 60
"""A transcript of so many words is an answer; of a longer one the passages nearest to the question are."""
_NEAREST = 3

Near = Callable[[str, Sequence[str]], Sequence[float]]
"""How near texts are to a question."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question about speech."""

    kind: Kind
    question: str
    medium: Audio | Video
    """The last one that has sound."""
    translate: bool = False


def asked_about_speech(conversation: Conversation) -> Asked | None:
    """The question if the last turn asks about words that are spoken, and there is a recording or a film; else None."""
    media = [part for message in conversation for part in message.parts if isinstance(part, (Audio, Video))]
    if not conversation or not media:
        return None
    question = " ".join(part.text for part in conversation[-1].parts if isinstance(part, Text)).strip()
    kind = _kind(question)
    if kind is None or (isinstance(media[-1], Video) and _ABOUT_WRITING.search(question)):
        return None
    return Asked(kind=kind, question=question, medium=media[-1], translate=bool(_IN_ENGLISH.search(question)))


def _kind(question: str) -> Kind | None:
    if _LANGUAGE.search(question):
        return "language"
    if _DIGIT.search(question):
        return "digit"
    if not _ABOUT_WORDS.search(question):
        return None
    if _WHETHER.search(question) and not _targets(question):
        return "whether"
    return "when" if _WHEN.search(question) else "words"


@dataclass(frozen=True, kw_only=True)
class SpokenAnswer:
    """An answer from a transcript."""

    text: str
    segments: tuple[Segment, ...]
    """What it rests on."""


def told(asked: Asked, transcript: Transcript, near: Near) -> SpokenAnswer | None:
    """The answer that a transcript gives; None if it gives none, so that what answers otherwise may.

    Args:
        asked: The question.
        transcript: Of its medium.
        near: How near texts are to a question, for long transcripts.
    """
    words = tuple(segment for segment in transcript.segments if _is_speech(segment.text))
    if not words:
        return None
    transcript = replace(transcript, segments=words, text=" ".join(segment.text for segment in words))
    if asked.kind == "digit":
        return _digit(transcript)
    if asked.kind == "language":
        name = next((name for name, code in LANGUAGES.items() if code == transcript.language), None)
        return None if name is None else SpokenAnswer(text=f"{name.capitalize()}.", segments=transcript.segments[:1])
    if asked.kind == "whether":
        return SpokenAnswer(text="Yes.", segments=transcript.segments[:1])
    if asked.kind == "when":
        return _when(asked.question, transcript)
    return _words(asked.question, transcript, near)


def _is_speech(text: str) -> bool:
    """Whether a segment is words, and neither the name of a noise nor one word over and over, as noises become."""
    content = text.encode()
    return not _ANNOTATION.fullmatch(text) and len(content) <= _MOST_REPETITION * len(zlib.compress(content))


def claims(segments: Sequence[Segment], source: str) -> tuple[Claim, ...]:
    """Segments as an answer's evidence: the words, and when they were heard and by what."""
    return tuple(
        Claim(text=segment.text, evidence=f"heard at {_clock(segment.start_s)} to {_clock(segment.end_s)} by {source}")
        for segment in segments
    )


def _digit(transcript: Transcript) -> SpokenAnswer | None:
    for segment in transcript.segments:
        for word in re.findall(r"[a-z]+|\d", segment.text.lower()):
            digit = _DIGITS[int(word)] if word.isdigit() else word if word in _DIGITS else None
            if digit is not None:
                return SpokenAnswer(text=digit, segments=(segment,))
    first = transcript.segments[0]
    words = re.findall(r"[a-z]+", first.text.lower())
    if len(words) == 1 and words[0] in _HEARD_AS:
        return SpokenAnswer(text=_HEARD_AS[words[0]], segments=(first,))
    return None


def _targets(question: str) -> list[str]:
    """The words whose place is asked for."""
    found = _NAMED.search(question)
    if found is None:
        return []
    phrase = found["after"] or found["before"] or ""
    return [_stem(word) for word in re.findall(r"\w+", phrase.lower()) if word not in _SMALL]


def _stem(word: str) -> str:
    return re.sub(r"(?:'s|ies|es|s|ing|ed)$", "", word) if len(word) > 4 else word


def _when(question: str, transcript: Transcript) -> SpokenAnswer:
    wanted = _targets(question)
    found = []
    for segment in transcript.segments:
        said = {_stem(word) for word in re.findall(r"\w+", segment.text.lower())}
        if wanted and all(word in said for word in wanted):
            found.append(segment)
    if not wanted:
        first, last = transcript.segments[0], transcript.segments[-1]
        return SpokenAnswer(text=f"From {_clock(first.start_s)} to {_clock(last.end_s)}.", segments=(first, last))
    if not found:
        return SpokenAnswer(text="It is not mentioned in what is said.", segments=())
    times = ", ".join(f"{_clock(segment.start_s)} (“{segment.text}”)" for segment in found[:5])
    return SpokenAnswer(text=f"At {times}.", segments=tuple(found))


def _words(question: str, transcript: Transcript, near: Near) -> SpokenAnswer:
    segments = transcript.segments
    if len(transcript.text.split()) <= _SHORT_WORDS:
        return SpokenAnswer(text=f"“{transcript.text}”", segments=segments)
    scores = near(question, [segment.text for segment in segments])
    best = sorted(sorted(range(len(segments)), key=lambda index: -scores[index])[:_NEAREST])
    kept = tuple(segments[index] for index in best)
    quoted = " … ".join(segment.text for segment in kept)
    return SpokenAnswer(text=f"“{quoted}”", segments=kept)


def _clock(seconds: float) -> str:
    """1.2 s, or 3:04 from a minute on."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
