"""The one extractor of claims: what an answer in free text asserts, of which kind, and where in the answer it stands.

Objects, numbers and quoted texts are what `evaluate.hallucination` counts (in the manner of CHAIR, Rohrbach et al.
2018, section 3); `trust.verification` checks colours, places, times and spoken words, too. Sentences that decline to
answer, and what stands behind a denial ("no", "not", "without") up to the next comma, assert nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tutti.evaluate.language import abstains
from tutti.evaluate.located import LocatedText, Span
from tutti.evaluate.numerals import NUMBER, number_of, number_runs
from tutti.evaluate.objects import DETERMINERS, FUNCTION_WORDS, objects_in
from tutti.evaluate.qualities import colours_in, places_in, times_in
from tutti.processing.words import word_pattern

AssertionKind = Literal["object", "number", "text", "count", "colour", "place", "time", "spoken"]

_QUOTED = re.compile(r'"([^"\n]{1,200})"|(?<!\w)\'([^\'\n]{1,200})\'(?!\w)')
_SHOUTED = re.compile(
    r"\b(?:says?|said|reads?|saying|reading|labell?ed|titled|spells?|the words?|the text|the letters?)(?: is| are)?:?"
    r"\s+"
    r"((?:[A-Z0-9][A-Z0-9&'-]*)(?:\s+[A-Z0-9][A-Z0-9&'-]*)*)(?![a-z])"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_DENIES = set("no not without neither nor none never cannot nothing nobody lacks lack lacking absent instead".split())
_ENDS_DENIAL = {",", "but", "except", "only", "however", "though"}
_SPEAKS = re.compile(
    r"\b(?:he|she|they|i|we|you|speaker|voice|man|woman|boy|girl|person|someone|narrator|caller|child|president)\s+"
    r"(?:\w+\s+)?(?:says?|said|asks?|asked|hears?|heard|shouts?|answers?|tells?|mentions?|speaks?|spoke)\b"
    r"|\b(?:hear|heard|spoken|speech|audible|voice says|recording says|transcript)\b",
    re.IGNORECASE,
)
_ROUGHLY = {"about", "around", "roughly", "approximately", "nearly", "almost", "over", "perhaps", "maybe"}
_WRITTEN_NUMBER = re.compile(r"[#+(]?\d(?:[\d.,:/'()#+-]|(?<=\d) (?=\d{2,}\b))*\d|\d")
"""What is one number where it is written: an amount, a date, a time of day, a telephone number."""
_UNIT = re.compile(
    r"\s?(%|°[CF]?|[€$£¥]|(?:kg|g|mg|km|cm|mm|m|l|ml|cl|kcal|kj|kwh|mph|km/h|am|pm|euros?|eur|usd|dollars?|cents?|pounds?"
    r"|percent|s|secs?|ms|min|h|litres?|liters?|grams?|met(?:re|er)s?|miles?|hours?|minutes?|seconds?|degrees?|pixels?)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Assertion:
    """One thing that an answer asserts."""

    kind: AssertionKind
    text: str
    """As a person would look for it: the object's name, the number, the quoted words, the colour, the place."""
    value: float | None = None
    """Of a number or count; of a time, in seconds from the medium's beginning."""
    counted: str | None = None
    """For a number: the object that it counts, if one follows it."""
    span: Span = (0, 0)
    """Where it stands in the answer."""
    subject: str | None = None
    """Of what a colour, place or time is asserted: an object's name, or quoted words; None where it is not told."""
    unit: str = ""
    """Of a number, as it is written."""
    rough: bool = False
    """Whether a number is said to be only about so large."""


def extract(answer: str, *, written: bool = False) -> list[Assertion]:
    """What an answer asserts, in order of the text.

    Args:
        answer: In free text.
        written: Take dates, times of day, amounts and telephone numbers as one number each, as they are written, and
            numbers that count objects as counts.
    """
    found: list[Assertion] = []
    for sentence, quotes in sentences(answer):
        of_sentence = list(_of_sentence(sentence, quotes))
        if written:
            of_sentence = _as_written(of_sentence, answer)
            of_sentence += _qualities(sentence, of_sentence)
        found += of_sentence
    return found


@dataclass(frozen=True, slots=True)
class Quote:
    """Quoted words of an answer."""

    text: str
    span: Span


def sentences(answer: str) -> Iterator[tuple[LocatedText, list[Quote]]]:
    """Sentences with each quoted text replaced by the word `quoted<n>x`, which stands for `quotes[n]`."""
    quotes: list[Quote] = []
    text = LocatedText.plain(answer)

    def take(match: re.Match[str]) -> tuple[str, str]:
        group = next(number for number, inner in enumerate(match.groups(), 1) if inner is not None)
        start, end = text.span(*match.span(group))
        quotes.append(Quote(match[group].strip(" .,;:!?"), (start, end)))
        head = match[0][: match.start(1) - match.start(0)] if match.re is _SHOUTED else ""
        return head, f"quoted{len(quotes) - 1}x "

    text = text.replaced(_QUOTED, take)
    text = text.replaced(_SHOUTED, take)
    for sentence in text.split(_SENTENCE_END):
        if not abstains(sentence.text):
            yield sentence, quotes


def tokens_of(text: LocatedText) -> tuple[list[str], list[Span]]:
    """Caseless words, numbers and punctuation in order, and where each stands.

    Words that together are one number are one token.
    """
    pattern = rf"{NUMBER}%?(?!\w)|{word_pattern('-' + chr(39)).pattern}%?|[,.:!?()]"
    shown = text.folded()
    found = list(re.finditer(pattern, shown.text))
    words = [one[0] for one in found]
    runs = list(number_runs(words))
    spans = [shown.span(found[start].start(), found[end - 1].end()) for start, end in runs]
    return [" ".join(words[start:end]) for start, end in runs], spans


def _of_sentence(sentence: LocatedText, quotes: list[Quote]) -> Iterator[Assertion]:
    found, spans = tokens_of(sentence)
    tokens = [token.removesuffix("'s") for token in found]
    gone = denied(tokens)
    objects = [found for found in objects_in(tokens) if not gone[found[0]]]
    starts = {start: name for start, _, name in objects}
    ends = {start: start + length - 1 for start, length, _ in objects}
    for index, token in enumerate(tokens):
        if gone[index]:
            continue
        if quote := re.fullmatch(r"quoted(\d+)x", token):
            if quotes[int(quote[1])].text:
                yield _quoted(quotes[int(quote[1])], sentence, token)
        elif (value := number_of(token)) is not None and _is_amount(tokens, index, starts):
            rough = any(word in _ROUGHLY for word in tokens[max(0, index - 2) : index])
            counts = counted(index, starts)
            yield Assertion("number", token, value, counts, spans[index], rough=rough)
        if index in starts:
            yield Assertion("object", starts[index], span=(spans[index][0], spans[ends[index]][1]))


def _quoted(quote: Quote, sentence: LocatedText, token: str) -> Assertion:
    """Quoted words: spoken ones where what comes before them speaks, else a text."""
    before = sentence.text[: sentence.text.casefold().find(token)]
    return Assertion("spoken" if _SPEAKS.search(before) else "text", quote.text, span=quote.span)


def denied(words: Sequence[str]) -> list[bool]:
    """For each word, whether it stands in the reach of a denial."""
    out, reach = [], False
    for index, word in enumerate(words):
        if word in _DENIES or word.endswith("n't"):
            reach = True
        elif reach and word in _ENDS_DENIAL and not (word == "," and _continues(words, index + 1)):
            reach = False
        out.append(reach)
    return out


def _continues(tokens: Sequence[str], start: int) -> bool:
    """Whether a comma in the reach of a denial goes on with a list: "no cats, dogs or birds"."""
    rest = list(tokens[start:])
    end = next((index for index, token in enumerate(rest) if token in ("or", "nor")), None)
    return end is not None and end <= 4 and not {"but", "a", "an", "the", "is", "are", "there"} & set(rest[:end])


def _is_amount(tokens: Sequence[str], index: int, starts: dict[int, str]) -> bool:
    """Whether a number word counts here: "one of them" and "no one" count nothing."""
    word = tokens[index]
    before = tokens[index - 1] if index else ""
    after = tokens[index + 1] if index + 1 < len(tokens) else ""
    if word in ("couple", "pair"):
        return before in DETERMINERS
    if word != "one":
        return True
    return after not in FUNCTION_WORDS and (before in ("only", "exactly", "just") or counted(index, starts) is not None)


def counted(index: int, starts: dict[int, str]) -> str | None:
    """The object that a number at a token counts."""
    return next((starts[near] for near in range(index + 1, index + 5) if near in starts), None)


def _as_written(found: list[Assertion], answer: str) -> list[Assertion]:
    """Numbers joined to what they are parts of in writing, with their units; those of objects as counts."""
    runs = [run.span() for run in _WRITTEN_NUMBER.finditer(answer)]
    joined: list[Assertion] = []
    units: set[int] = set()
    for one in found:
        if one.kind != "number":
            if one.span[0] not in units:
                joined.append(one)
            continue
        start, end = next((run for run in runs if run[0] <= one.span[0] < run[1]), one.span)
        if joined and joined[-1].span[0] == start:
            continue  # another part of the same number
        unit = _UNIT.match(answer, end)
        if unit:
            units.add(unit.start(1))
        before = answer[start - 1 : start] if start and answer[start - 1] in "€$£¥" else ""
        whole = end - start > one.span[1] - one.span[0]
        shown = replace(one, text=answer[start:end], span=(start, end), unit=before or (unit[1] if unit else ""))
        small = not whole and not shown.unit and one.value is not None and one.value == int(one.value)
        joined.append(replace(shown, kind="count") if one.counted is not None and small else shown)
    return joined


def _qualities(sentence: LocatedText, found: list[Assertion]) -> Iterator[Assertion]:
    """Colours, places and times of a sentence, each with what it is asserted of."""
    tokens, spans = tokens_of(sentence)
    gone = denied(tokens)
    for index, word, subject in colours_in(tokens):
        if not gone[index]:
            yield Assertion("colour", word, span=spans[index], subject=subject)
    subjects = [one for one in found if one.kind in ("object", "text", "spoken")]
    for place, start, end in places_in(sentence.text):
        span = sentence.span(start, end)
        if not _in_denial(spans, gone, span):
            yield Assertion("place", place, span=span, subject=_nearest(subjects, span))
    for seconds, start, end in times_in(sentence.text):
        span = sentence.span(start, end)
        text = " ".join(sentence.text[start:end].split())
        if not _in_denial(spans, gone, span):
            yield Assertion("time", text, seconds, span=span, subject=_nearest(subjects, span))


def _in_denial(spans: Sequence[Span], gone: Sequence[bool], span: Span) -> bool:
    return any(is_gone for (start, _), is_gone in zip(spans, gone, strict=True) if span[0] <= start < span[1])


def _nearest(found: Sequence[Assertion], span: Span) -> str | None:
    """What stands nearest to a stretch of the answer; what stands before it, where two are as near."""
    apart = {one.text: min(abs(span[0] - one.span[1]), abs(one.span[0] - span[1])) for one in reversed(found)}
    return min(apart, key=lambda text: apart[text]) if apart else None
