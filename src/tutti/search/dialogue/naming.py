"""What a turn names: sizes, brands, colours, patterns, finishes, stock, kinds of things, and other known words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tutti.processing.words import folded
from tutti.search.catalogue.assortment import Assortment, stem
from tutti.search.dialogue.spans import TurnText
from tutti.search.dialogue.wishes import Wish, WishField, WishTest
from tutti.search.query.colours import BASIC, lab_of_word, wishes

STOP = frozenset(
    (
        "a an the and or but nor not no of in on at to for from with without by as is are was be been am do does "
        "did has have had i me my we us our you your it its this that these those there here he she they them what "
        "which who how where when why can could would should will shall may might must please thanks thank hello "
        "hi hey yes ok okay just only also too very really quite so then than if else some any all more most less "
        "least other another same such like want need look looking looks find show give see get search searching "
        "got sell offer something anything nothing one ones thing things item items product products let lets "
        "let's i'd i'm i'll it's that's what's maybe perhaps about around up down out over under colour colours "
        "color colors shade shades brand brands size sizes price prices pattern patterns finish kind kinds type "
        "sort wear made make new now still rather instead n't ca wo good nice best better great well suit love "
        "prefer first second third last next bit little slightly much many few both each every own into onto off "
        "between photo picture image said say tell know think buy take going go goes gone match matches matching "
        "available cheap cheapest affordable options option alternatives alternative else's s t re ve d ll m add "
        "cart basket order"
    ).split()
)
_SIZE_NAMED = (
    r"\b(?:in |a |my |for )?(?:eu |uk |us )?sizes? (?:is |of |in )?(?P<size>(?:eu |uk |us )?[\w./½-]+)"
    r"(?P<more>(?:(?:,| or|, or) (?:size )?(?:\d[\w./½-]*|x{0,4}[sml])\b)*)"
)
_SIZE_BARE = r"\b(?:in|a|an) (?:(?:eu|uk|us) )?(?P<size>(?:\d{1,3}(?:[.,]5)?|x{0,4}s|m|x{0,4}l|one size))(?![\w.,]*\w)"
_LETTER_SIZE = r"x{0,4}[sml]"
"""Sizes that are also what contractions leave behind, as the m of "I'm"."""
_PATTERNS = {
    "plain": "plain|solid|unpatterned|single[- ]colou?r(?:ed)?",
    "striped": "striped|stripes?|stripy",
    "dotted": "dotted|dots?|polka[- ]dots?|polka|spotted",
    "checked": "checked|checks|checkered|chequered|plaid|gingham|tartan",
}
_FINISHES = {
    "matt": "matte?|mat",
    "gloss": "gloss|glossy|shiny|shine",
    "metallic": "metallic|metal|shimmer(?:ing|y)?",
}
_STOCK = (
    r"\b(?:only )?(?:(?:what|that|which)(?: is|'s| are) )?"
    r"(?:in stock|available(?: now)?|deliverable|ready to ship|that you have)\b"
)
_LIGHT, _DARK = 65.0, 45.0
"""L* from which a colour is light, and up to which it is dark."""


class NameWords:
    """Reads names.

    Args:
        turn: What is read.
        number: Of the turn.
        assortment: Whose names it knows.
    """

    def __init__(self, turn: TurnText, number: int, assortment: Assortment) -> None:
        self.turn, self.number, self.assortment = turn, number, assortment
        self.wishes: list[Wish] = []

    def read(self, anchor_brand: str | None = None) -> None:
        """Read all but sizes, which come before prices, and words, which come last."""
        self._brands()
        self._listed("pattern", _PATTERNS)
        self._listed("finish", _FINISHES)
        self._colours()
        found = self.turn.first(_STOCK)
        if found is not None:
            self.wishes.append(Wish(field="stock", test="is", said=found[0], turn=self.number))

    def sizes(self) -> None:
        """Read sizes: "in size 42", "size M or L", and "in 42" where the catalogue has such a size."""
        for found in self.turn.find(_SIZE_NAMED):
            first = folded(found["size"]).strip(".")
            if first in STOP and not re.fullmatch(_LETTER_SIZE, first):
                continue
            values = [first, *re.findall(r"[\w./½-]+", re.sub(r"\bor\b|\bsize\b|,", " ", found["more"] or ""))]
            self._add("size", found, [self._known_size(value) for value in values])
        for found in self.turn.find(_SIZE_BARE):
            value = self._known_size(found["size"])
            if value in self.assortment.sizes:
                self._add("size", found, [value])

    def words(self) -> None:
        """Read what is left: words for kinds of things, and other words of the catalogue's texts."""
        names = self.assortment
        left = [(word, start) for word, start in self.turn.rest() if word not in STOP]
        for word, start in left:
            key = next((key for key in (stem(word), word, stem(word.replace("-", ""))) if key in names.stems), None)
            if key is None:
                continue
            found = re.compile(re.escape(word)).match(self.turn.text, start)
            if found is not None:
                self._add("kind" if key in names.kinds else "words", found, [key])

    def _known_size(self, value: str) -> str:
        """The size as the catalogue writes it, without what stands before it."""
        plain = re.sub(r"^(?:eu|uk|us) ", "", value.replace(",", "."))
        return next((key for key in (value, plain) if key in self.assortment.sizes), plain)

    def _brands(self) -> None:
        words = self.turn.text
        named = sorted((brand for brand in self.assortment.brands if brand in words), key=len, reverse=True)
        self._in_order(
            "brand",
            {brand: rf"(?<!\w)(?:by |from |of )?(?P<name>{re.escape(brand)})(?:'s)?(?!\w)" for brand in named},
        )

    def _listed(self, matter: WishField, names: dict[str, str]) -> None:
        ends = "(?: (?:pattern|finish|ones?))?"
        self._in_order(matter, {name: rf"\b(?:with )?(?P<name>{one}){ends}\b" for name, one in names.items()})

    def _in_order(self, matter: WishField, patterns: Mapping[str, str]) -> None:
        """Read names as the turn has them, so that in "no A or B" A is known when B is read."""
        found = []
        for name, pattern in patterns.items():
            for match in self.turn.find(pattern):
                self.turn.take(match)
                found.append((match.start("name"), name, match))
        for start, name, match in sorted(found, key=lambda one: one[0]):
            self._add(matter, match, [name], start=start)

    def _colours(self) -> None:
        for wish in wishes(self.turn.text):
            pattern = rf"\b(?:in )?(?:(?P<tone>light|pale|bright|dark|deep) )?{wish.word}(?:ish)?(?: ones?)?\b"
            found = next(self.turn.find(pattern), None)
            if found is None:
                continue
            start, tone = found.start(), found["tone"]
            exact = wish.word not in BASIC
            lab = lab_of_word(wish.word) if exact else None
            self._add("colour", found, [wish.word if exact else wish.term], lab=lab)
            if tone is not None and not self.turn.negated(start):
                light = tone in ("light", "pale", "bright")
                test: WishTest = "at least" if light else "at most"
                self.wishes.append(
                    Wish(
                        field="shade",
                        test=test,
                        number=_LIGHT if light else _DARK,
                        said=found[0],
                        turn=self.number,
                    )
                )

    def _add(
        self,
        matter: WishField,
        found: re.Match[str],
        values: Iterable[str],
        start: int | None = None,
        lab: tuple[float, float, float] | None = None,
    ) -> None:
        """A wish for any of some values; of a list in one turn, one wish."""
        start = found.start() if start is None else start
        known = frozenset(value for wish in self.wishes if wish.field == matter for value in wish.values)
        negative = self.turn.negated(start, known | frozenset(word for value in known for word in value.split()))
        self.turn.take(found)
        test: WishTest = "is not" if negative else "is"
        before = next((wish for wish in self.wishes if wish.field == matter and wish.test == test), None)
        new = tuple(values)
        if (before is not None and matter not in ("words", "kind")) or (before is not None and negative):
            self.wishes.remove(before)
            new = tuple(dict.fromkeys((*before.values, *new)))
        said = f"{'not ' if negative else ''}{found[0].strip()}"
        self.wishes.append(Wish(field=matter, test=test, values=new, said=said, turn=self.number, lab=lab))
