"""Spoken words and times against a transcript made by another than the model that answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutti.content import Audio, Evidence, Segment, TranscriptionOptions, Video
from tutti.errors import TuttiError
from tutti.evaluate.claims import Assertion
from tutti.interfaces import Transcriber
from tutti.trust.verification.finding import Opinion
from tutti.trust.verification.matching import NEAR, Match, find_text

_NEAR_S = 1.5
"""A word that is heard within so many seconds of a claimed time is heard at that time."""
_PHRASE_WORDS = 12
"""Words around the best place that are shown as what was said instead."""


@dataclass(frozen=True, slots=True)
class HeardWords:
    """The words of a recording, each with its times."""

    words: tuple[Segment, ...]
    medium: int
    source: str

    def find(self, text: str) -> Match:
        """Where words are said, or what is nearest to them."""
        return find_text(text, [word.text for word in self.words])


def listen(medium: Audio | Video, place: int, transcriber: Transcriber) -> HeardWords | None:
    """The words of a recording; None where nothing can be heard in it.

    A transcriber that does not time words is asked for segments.
    """
    for times in ("word", "segment"):
        try:
            found = transcriber.transcribe(medium, TranscriptionOptions(timestamps=times))
        except TuttiError:
            continue
        return HeardWords(tuple(word for word in found.segments if word.text.strip()), place, found.model)
    return None


def check_spoken(assertion: Assertion, heard: HeardWords) -> Opinion:
    """Whether words are said in a recording."""
    match = heard.find(assertion.text)
    found = _evidence(heard, match)
    if match.exact:
        return Opinion("supported", f"heard: {match.text}", found=found)
    if not heard.words:
        return Opinion("contradicted", "no speech was heard", "no speech")
    if match.similarity >= NEAR:
        return Opinion("contradicted", f"what is said there is: {match.text}", match.text, found)
    said = " ".join(word.text.strip() for word in heard.words[:_PHRASE_WORDS])
    return Opinion("contradicted", "not among the words that were heard", said, found)


def check_time(assertion: Assertion, heard: HeardWords) -> Opinion:
    """Whether what a time is asserted of is said at that time."""
    if assertion.subject is None or assertion.value is None:
        return Opinion("not_checkable", "it is not told what happens at this time")
    match = heard.find(assertion.subject)
    if not match.exact:
        return Opinion("not_checkable", f"{assertion.subject!r} is not heard, so that it has no time")
    places = [match, *_others(heard, assertion.subject, match)]
    for one in places:
        start, end = heard.words[one.lines[0]].start_s, heard.words[one.lines[-1]].end_s
        if start - _NEAR_S <= assertion.value <= end + _NEAR_S:
            return Opinion("supported", f"heard from {start:.1f} to {end:.1f} s", found=_evidence(heard, one))
    start = heard.words[match.lines[0]].start_s
    return Opinion("contradicted", f"heard at {start:.1f} s", f"{start:.1f} s", _evidence(heard, match))


def _others(heard: HeardWords, text: str, first: Match) -> list[Match]:
    """Further places where the words are said."""
    found, done = [], first.lines[-1] + 1
    while done < len(heard.words):
        match = find_text(text, [word.text for word in heard.words[done:]])
        if not match.exact:
            break
        lines = tuple(line + done for line in match.lines)
        found.append(Match(exact=True, similarity=1.0, lines=lines, text=match.text))
        done = lines[-1] + 1
    return found


def _evidence(heard: HeardWords, match: Match) -> tuple[Evidence, ...]:
    if not match.lines:
        return ()
    words: Sequence[Segment] = heard.words
    return (
        Evidence(
            source=heard.source,
            text=match.text,
            medium=heard.medium,
            start_s=words[match.lines[0]].start_s,
            end_s=words[match.lines[-1]].end_s,
        ),
    )
