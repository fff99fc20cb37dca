"""What an answer in free text asserts, and whether the annotation supports it: objects, numbers and quoted texts.

In the manner of CHAIR (Rohrbach et al. 2018, "Object Hallucination in Image Captioning", section 3), which counts
objects of a fixed list; here others, numbers and texts are counted, too, and what is denied is not asserted.
Each invention is listed with what it was checked against, so that a person can overrule it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tutti.content import Claim
from tutti.evaluate.claims import Assertion, counted, denied, extract, sentences, tokens_of
from tutti.evaluate.language import normalized, numbers_in, singular, stems
from tutti.evaluate.located import LocatedText
from tutti.evaluate.numerals import number_of
from tutti.evaluate.objects import DETERMINERS, lexicon, objects_in
from tutti.evaluate.suite import Annotation

_CARRIERS = ("sign", "poster", "banner", "board", "sticker", "screen", "page", "paper", "plate")
_NEAR_ENOUGH = 0.8
"""Share of characters that must agree between a quoted text and an annotated one; reading is rarely exact."""


def assertions(answer: str) -> list[Assertion]:
    """Objects, numbers and quoted texts that an answer asserts, in order, each once, wherever they stand.

    What is quoted counts as a text, spoken or not: an annotation does not tell them apart.
    """
    found = extract(answer)
    alike = [Assertion("text" if one.kind == "spoken" else one.kind, one.text, one.value, one.counted) for one in found]
    return list(dict.fromkeys(alike))


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
                    known = counted(index, starts)
                    if known is not None:
                        for name in lexicon().closure(known):
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
    for sentence, quotes in sentences(answer):
        tokens, _ = tokens_of(sentence)
        kept = [token for token, gone in zip(tokens, denied(tokens), strict=True) if not gone]
        said_names, said_words = _parts(kept + _tokens(" ".join(quote.text for quote in quotes)))
        closure = {kind for name in said_names for kind in lexicon().closure(name)}
        if wanted_names <= closure and wanted_words <= said_words | {part for name in closure for part in name.split()}:
            return bool(wanted_names or wanted_words)
    return False


def _tokens(text: str) -> list[str]:
    return tokens_of(LocatedText.plain(text))[0]


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
