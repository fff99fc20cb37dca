"""What an answer in free text asserts, and whether the annotation supports it: objects, numbers and quoted texts.

In the manner of CHAIR (Rohrbach et al. 2018, "Object Hallucination in Image Captioning", section 3), which counts
objects of a fixed list; here others, numbers and texts are counted, too, and what is denied is not asserted.
Each invention is listed with what it was checked against, so that a person can overrule it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tutti.content import Claim
from tutti.evaluate.language import abstains, normalized, numbers_in, plain, singular, stems
from tutti.evaluate.numerals import NUMBER, number_of, spelled_together
from tutti.evaluate.objects import DETERMINERS, FUNCTION_WORDS, lexicon, objects_in
from tutti.evaluate.suite import Annotation
from tutti.processing.words import folded, word_pattern

AssertionKind = Literal["object", "number", "text"]

_QUOTED = re.compile(r'"([^"\n]{1,200})"|(?<!\w)\'([^\'\n]{1,200})\'(?!\w)')
_SHOUTED = re.compile(
    r"\b(?:says?|said|reads?|saying|reading|labell?ed|titled|spells?|the words?|the text|the letters?)(?: is| are)?:?"
    r"\s+"
    r"((?:[A-Z0-9][A-Z0-9&'-]*)(?:\s+[A-Z0-9][A-Z0-9&'-]*)*)(?![a-z])"
)
_DENIES = set("no not without neither nor none never cannot nothing nobody lacks lack lacking absent instead".split())
_ENDS_DENIAL = {",", "but", "except", "only", "however", "though"}
_CARRIERS = ("sign", "poster", "banner", "board", "sticker", "screen", "page", "paper", "plate")
_NEAR_ENOUGH = 0.8
"""Share of characters that must agree between a quoted text and an annotated one; reading is rarely exact."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """One thing that an answer asserts."""

    kind: AssertionKind
    text: str
    """As a person would look for it: the object's name, the number, the quoted words."""
    value: float | None = None
    counted: str | None = None
    """For a number: the object that it counts, if one follows it."""


def assertions(answer: str) -> list[Assertion]:
    """Objects, numbers and quoted texts that an answer asserts, in order, each once.

    Sentences that decline to answer, and what stands behind a denial ("no", "not", "without") up to the next comma,
    assert nothing.
    """
    found: list[Assertion] = []
    for sentence, quotes in _sentences(answer):
        found.extend(_of_sentence(sentence, quotes))
    return list(dict.fromkeys(found))


def _sentences(answer: str) -> Iterator[tuple[str, list[str]]]:
    """Sentences with each quoted text replaced by the word `quoted<n>`, which stands for `quotes[n]`."""
    quotes: list[str] = []

    def take(match: re.Match[str]) -> str:
        inner = next(group for group in match.groups() if group is not None)
        quotes.append(inner.strip(" .,;:!?"))
        whole = match[0]
        head = whole[: match.start(1) - match.start(0)] if match.re is _SHOUTED else ""
        return f"{head}quoted{len(quotes) - 1}x "

    text = _SHOUTED.sub(take, _QUOTED.sub(take, plain(answer)))
    for sentence in re.split(r"(?<=[.!?;])\s+|\n+", text):
        if not abstains(sentence):
            yield sentence, quotes


def _of_sentence(sentence: str, quotes: list[str]) -> Iterator[Assertion]:
    tokens = [token.removesuffix("'s") for token in _tokens(sentence)]
    denied = _denied(tokens)
    objects = [found for found in objects_in(tokens) if not denied[found[0]]]
    starts = {start: name for start, _, name in objects}
    for index, token in enumerate(tokens):
        if denied[index]:
            continue
        if quote := re.fullmatch(r"quoted(\d+)x", token):
            if quotes[int(quote[1])]:
                yield Assertion("text", quotes[int(quote[1])])
        elif (value := number_of(token)) is not None and _is_amount(tokens, index, starts):
            yield Assertion("number", token, value, _counted(index, starts))
        if index in starts:
            yield Assertion("object", starts[index])


def _denied(words: Sequence[str]) -> list[bool]:
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
    return after not in FUNCTION_WORDS and (
        before in ("only", "exactly", "just") or _counted(index, starts) is not None
    )


def _counted(index: int, starts: dict[int, str]) -> str | None:
    return next((starts[near] for near in range(index + 1, index + 5) if near in starts), None)


@dataclass(slots=True)
class Truth:
    """What may be asserted of a case's media.

    Args:
        annotation: Facts and texts; None when nobody annotated the media.
        read: Lines that a reader of text found in the media; None when there was no reader.
    """

    annotation: Annotation | None
    read: Sequence[str] | None = None
    _names: set[str] = field(init=False, default_factory=set)
    _stems: set[str] = field(init=False, default_factory=set)
    _counts: dict[str, set[float]] = field(init=False, default_factory=dict)
    _numbers: set[float] = field(init=False, default_factory=set)
    _texts: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        annotation = self.annotation or Annotation()
        self._texts = [*annotation.texts, *(self.read or ())]
        for fact in annotation.facts:
            self._stems.update(stems(fact))
            tokens = _tokens(fact)
            objects = list(objects_in(tokens))
            for _, _, name in objects:
                self._names |= lexicon().closure(name)
            starts = {start: name for start, _, name in objects}
            for index, token in enumerate(tokens):
                value = number_of(token)
                if value is not None:
                    self._numbers.add(value)
                    counted = _counted(index, starts)
                    if counted is not None:
                        for name in lexicon().closure(counted):
                            self._counts.setdefault(name, set()).add(value)
        for text in (*annotation.facts, *self._texts):
            self._numbers.update(numbers_in(text))
        for text in self._texts:
            self._stems.update(stems(text))
        if self._texts:  # what is written stands on something
            self._stems.update(_CARRIERS)
            self._names.update(lexicon().names.get((carrier,), carrier) for carrier in _CARRIERS)

    def claim(self, assertion: Assertion) -> Claim:
        """Check an assertion; `supported` is None where there is nothing to check it against."""
        check = {"object": self._object, "number": self._number, "text": self._text}[assertion.kind]
        supported, evidence = check(assertion)
        return Claim(text=f"{assertion.kind}: {assertion.text}", supported=supported, evidence=evidence)

    def _object(self, assertion: Assertion) -> tuple[bool | None, str]:
        if self.annotation is None:
            return None, "no annotation"
        if assertion.text in self._names or all(part in self._stems for part in stems(assertion.text)):
            return True, "annotation"
        return False, "not among the facts"

    def _number(self, assertion: Assertion) -> tuple[bool | None, str]:
        if self.annotation is None and self.read is None:
            return None, "no annotation"
        known = self._counts.get(assertion.counted or "")
        if known is not None:
            holds = assertion.value in known
            shown = ", ".join(f"{value:g}" for value in sorted(known))
            return holds, f"{assertion.counted}: {shown} in the annotation"
        if assertion.value in self._numbers:
            return True, "annotation or text in the media"
        if assertion.value == 1 and assertion.counted in self._names:
            return True, "annotation"
        if self.annotation is None:
            return None, "not in the text that was read; no annotation"
        return False, "no such number in the annotation"

    def _text(self, assertion: Assertion) -> tuple[bool | None, str]:
        if self.annotation is None and self.read is None:
            return None, "no annotation, and no reader of text"
        facts = () if self.annotation is None else self.annotation.facts
        wanted = normalized(assertion.text)
        # What an answer quotes in one piece, a reader may have found as several.
        for text in (*self._texts, " ".join(self.read or ()), *facts):
            if _alike(wanted, normalized(text)):
                return True, text
        return False, "not among the texts" if self._texts else "no such text"


def _alike(wanted: str, known: str) -> bool:
    """Whether a text is another one, or stands in it as whole words, up to a few characters read otherwise."""
    from difflib import SequenceMatcher

    if not wanted:
        return True
    if f" {wanted} " in f" {known} ":
        return True
    size = len(wanted.split())
    parts = known.split()
    windows = [" ".join(parts[start : start + size]) for start in range(max(1, len(parts) - size + 1))]
    return len(wanted) > 3 and any(SequenceMatcher(None, wanted, one).ratio() >= _NEAR_ENOUGH for one in windows)


def check(answer: str, truth: Truth) -> list[Claim]:
    """Every assertion of an answer, each checked."""
    return [truth.claim(assertion) for assertion in assertions(answer)]


def asserts(answer: str, phrase: str) -> bool:
    """Whether an answer asserts a phrase: in one sentence that does not decline, every part of it, none denied.

    Objects go by any of their names, and by what is a kind of them; numbers by value; other words by their stem.
    """
    wanted_names, wanted_words = _parts(_tokens(phrase))
    for sentence, quotes in _sentences(answer):
        tokens = _tokens(sentence)
        kept = [token for token, gone in zip(tokens, _denied(tokens), strict=True) if not gone]
        said_names, said_words = _parts(kept + _tokens(" ".join(quotes)))
        closure = {kind for name in said_names for kind in lexicon().closure(name)}
        if wanted_names <= closure and wanted_words <= said_words | {part for name in closure for part in name.split()}:
            return bool(wanted_names or wanted_words)
    return False


def _tokens(text: str) -> list[str]:
    """Caseless words, numbers and punctuation in order; words that together are one number are one token."""
    pattern = rf"{NUMBER}%?(?!\w)|{word_pattern('-' + chr(39)).pattern}%?|[,.:!?()]"
    return spelled_together(re.findall(pattern, folded(plain(text))))


def _parts(tokens: list[str]) -> tuple[set[str], set[str]]:
    """Names of objects, and the stems of the other words, numbers in digits; determiners and punctuation left out."""
    names: set[str] = set()
    inside: set[int] = set()
    for start, length, name in objects_in(tokens):
        names.add(name)
        inside.update(range(start, start + length))
    words = set()
    for index, token in enumerate(tokens):
        if index not in inside and token[0].isalnum() and token not in DETERMINERS:
            value = number_of(token)
            words.add(f"{value:g}" if value is not None else singular(token))
    return names, words
