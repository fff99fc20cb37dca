"""Questions about what is said in a recording or a film, answered from its transcript.

A small decoder that was taught about pictures and noises cannot read a transcript, so the answer is taken out of it:
what was said, the passage nearest to the question, when something is mentioned, which digit, in which language. The
segments that an answer rests on are its evidence, with their times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tutti.content import Audio, Claim, Evidence, Segment, Transcript, Video
from tutti.processing.languages import LANGUAGES
from tutti.processing.spoken_words import is_speech
from tutti.providers.question_checks import Check, is_in, tokens_of
from tutti.providers.question_routes import LANGUAGE, AskedOf, RoutedQuestion

Kind = Literal["words", "when", "digit", "digits", "language", "check", "heard"]

_SAY = r"(?:say(?:s|ing)?|said|speak(?:s|ing)?|spoken?|talk(?:s|ed|ing)?|mention(?:s|ed|ing)?|utter(?:s|ed)?)"
_WHEN = re.compile(r"\b(?:when|at (?:what|which) (?:time|second|minute|point|moment)|how far in)\b", re.IGNORECASE)
_DIGIT = re.compile(
    r"\b(?:which|what)(?: (?:is|are))?(?: the)?(?: \w+)? (?P<what>digits?|numbers?|numerals?)\b"
    r"|\b(?:list|write down) the(?: \w+)? (?P<listed>digits|numbers|numerals)\b",
    re.IGNORECASE,
)
_IN_ENGLISH = re.compile(r"\btranslat\w*|\bin english\b", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:when|where|time|second|minute|point|moment|in)\b\s*(?:is|are|was|were|does|do|did)?\s*"
    rf"(?:(?:he|she|it|they|someone|somebody|anyone|the \w+)\s+{_SAY}\s+(?P<after>.+)|(?P<before>.+?)\s+{_SAY}\b.*)",
    re.IGNORECASE,
)
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
_BEGINNING = 24
"""Words that are quoted where it was asked what is heard."""

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
    check: Check | None = None
    """What a yes/no question asks to find."""


def about_speech(asked: AskedOf, routed: RoutedQuestion) -> Asked | None:
    """A question that a transcript answers, and what kind of answer it wants; None if something else answers it."""
    if asked.sound is None or not (routed.route in ("transcript", "check transcript") or routed.asks_heard):
        return None
    return Asked(
        kind=_kind(routed),
        question=asked.question,
        medium=asked.sound,
        translate=bool(_IN_ENGLISH.search(asked.question)) and routed.check is None,
        check=routed.check,
    )


def _kind(routed: RoutedQuestion) -> Kind:
    core = routed.form.core
    if routed.asks_heard:
        return "heard"
    if routed.check is not None:
        return "check"
    if LANGUAGE.search(core):
        return "language"
    if _WHEN.search(core):
        return "when"
    digit = _DIGIT.search(core)
    if digit is None:
        return "words"
    return "digits" if next(filter(None, digit.groupdict().values())).lower().endswith("s") else "digit"


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
    words = tuple(segment for segment in transcript.segments if is_speech(segment))
    if not words:
        return None
    transcript = replace(transcript, segments=words, text=" ".join(segment.text for segment in words))
    if asked.check is not None:
        return _checked(asked.check, transcript)
    if asked.kind in ("digit", "digits"):
        return _digits(transcript, asked.kind == "digits")
    if asked.kind == "language":
        name = next((name for name, code in LANGUAGES.items() if code == transcript.language), None)
        return None if name is None else SpokenAnswer(text=f"{name.capitalize()}.", segments=transcript.segments[:1])
    if asked.kind == "heard":
        return _heard(transcript)
    if asked.kind == "when":
        return _when(asked.question, transcript)
    return _words(asked.question, transcript, near)


def claims(segments: Sequence[Segment], source: str, medium: int = 0) -> tuple[Claim, ...]:
    """Segments as an answer's evidence: the words, and when they were heard and by what.

    Args:
        segments: Of the transcript.
        source: What wrote it down.
        medium: Place of the recording among the media of the conversation.
    """
    return tuple(
        Claim(
            text=one.text,
            evidence=f"heard at {_clock(one.start_s)} to {_clock(one.end_s)} by {source}",
            found=(Evidence(source=source, text=one.text, medium=medium, start_s=one.start_s, end_s=one.end_s),),
        )
        for one in segments
    )


def _digits(transcript: Transcript, several: bool) -> SpokenAnswer | None:
    """The one digit that is said, or all of them in order; None if there is none, or another number than was asked."""
    said = [(digit, segment) for segment in transcript.segments for digit in _digits_in(segment.text)]
    if not said:
        first = transcript.segments[0]
        words = tokens_of(first.text)
        if len(words) == 1 and words[0] in _HEARD_AS:
            return SpokenAnswer(text=_HEARD_AS[words[0]], segments=(first,))
        return None
    kept = said if several else said[:1]
    segments = tuple(dict.fromkeys(segment for _, segment in kept))
    return SpokenAnswer(text=" ".join(digit for digit, _ in kept), segments=segments)


def _digits_in(text: str) -> list[str]:
    """Digits that are said one by one: "2, 15" is two, one, five."""
    return [_DIGITS[int(digit)] for token in tokens_of(text) if token.isdecimal() for digit in token]


def _heard(transcript: Transcript) -> SpokenAnswer | None:
    """The voice and the beginning of what it says; None if that is a single word or digits, which a model may hear."""
    words = transcript.text.split()
    if len(words) < 2 or _only_digits(transcript):
        return None
    said = " ".join(words[:_BEGINNING]) + (" …" if len(words) > _BEGINNING else "")
    return SpokenAnswer(text=f"a voice saying “{said}”", segments=transcript.segments)


def _checked(check: Check, transcript: Transcript) -> SpokenAnswer:
    """Yes with where it is said, or no with all that is said, if that is short."""
    segments = transcript.segments
    if not check.named:
        return SpokenAnswer(text="Yes.", segments=segments[:1])
    if check.language:
        spoken = next((name for name, code in LANGUAGES.items() if code == transcript.language), "")
        return SpokenAnswer(text="Yes." if check.named.lower() == spoken else "No.", segments=segments[:1])
    holding = tuple(segment for segment in segments if is_in(check.named, segment.text))
    wanted = tokens_of(check.named)
    if not holding and len(wanted) == 1 and wanted[0].isdecimal() and _only_digits(transcript):
        found = _digits(transcript, several=True)
        holding = found.segments if found and _DIGITS[int(wanted[0][:1])] in found.text.split() else ()
    if not holding and is_in(check.named, transcript.text):
        holding = segments
    if holding:
        return SpokenAnswer(text="Yes.", segments=holding)
    return SpokenAnswer(text="No.", segments=segments if len(transcript.text.split()) <= _SHORT_WORDS else ())


def _only_digits(transcript: Transcript) -> bool:
    """Whether nothing but numbers is said, as where somebody reads out digits; or one word that may be one."""
    words = tokens_of(transcript.text)
    return all(word.isdecimal() for word in words) or (len(words) == 1 and words[0] in _HEARD_AS)


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
