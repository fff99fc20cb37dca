"""Spoken words and times against a transcript made by another than the model that answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tutti.content import Audio, Evidence, Segment, TranscriptionOptions, Video
from tutti.errors import TuttiError
from tutti.evaluate.claims import Assertion
from tutti.interfaces import Transcriber
from tutti.trust.verification.finding import Opinion
from tutti.trust.verification.matching import NEAR, Match, find_text

_NEAR_S = 1.5
"""A word that is heard within so many seconds of a claimed time is heard at that time."""
_WORD_S = 2.0
"""A word that takes longer was stretched over a pause by who wrote it down: where in it it is said is not known."""
_ALIKE = 0.4
"""Share of letters, in order, that two words have in common which are taken for one another."""
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
    """Whether words are said in a recording.

    Words that sound like those which were heard may have been misheard: that contradicts nothing (of 53 claims that
    were called contradicted while it did, 13 were right: `benchmarks/verification.py spoken`).
    """
    match = heard.find(assertion.text)
    found = _evidence(heard, match)
    if match.exact:
        return Opinion("supported", f"heard: {match.text}", found=found)
    if not heard.words:
        return Opinion("contradicted", "no speech was heard", "no speech")
    if match.similarity >= NEAR and _may_be_misheard(assertion.text, match.text):
        return Opinion("not_checkable", f"heard nearly so, as {match.text!r}, which may be misheard", found=found)
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
    stretched: Opinion | None = None
    for one in (match, *_others(heard, assertion.subject, match)):
        start, end = heard.words[one.lines[0]].start_s, heard.words[one.lines[-1]].end_s
        if not start - _NEAR_S <= assertion.value <= end + _NEAR_S:
            continue
        if end - start <= _WORD_S * len(assertion.subject.split()):
            return Opinion("supported", f"heard from {start:.1f} to {end:.1f} s", found=_evidence(heard, one))
        where = f"heard somewhere from {start:.1f} to {end:.1f} s"
        stretched = stretched or Opinion("not_checkable", where, found=_evidence(heard, one))
    if stretched is not None:
        return stretched
    start = heard.words[match.lines[0]].start_s
    return Opinion("contradicted", f"heard at {start:.1f} s", f"{start:.1f} s", _evidence(heard, match))


def _may_be_misheard(wanted: str, heard: str) -> bool:
    """Whether each word that is wanted has one like it, letter by letter, among those that were heard."""
    others = heard.casefold().split()
    return all(
        any(SequenceMatcher(None, word, other).ratio() >= _ALIKE for other in others)
        for word in wanted.casefold().split()
    )


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
