"""Comparisons in a turn: "this colour", "like the second but darker", "same pattern", "cheaper", "goes with it"."""

from __future__ import annotations

import re

from tutti.processing.words import folded
from tutti.search.catalogue.assortment import Assortment
from tutti.search.dialogue.references import Referred
from tutti.search.dialogue.spans import TurnText
from tutti.search.dialogue.wishes import ShopState, Wish, WishField, WishTest
from tutti.search.query.colours import lab_of_word, wishes

NEAR = 6.0
"""ΔE up to which a colour is "this colour" beside what remains uncertain: a plain difference at a glance."""
_THIS = (
    r"(?:(?P<negation>not |no )?(?:in |of |with |by |from )?(?:exactly )?(?:the )?"
    r"(?P<which>same|this|that|its|other|another|different|similar|these|those)(?: a)?(?: exact)?"
)
_COLOUR = rf"\b{_THIS} (?:colou?rs?|shades?|tones?))\b"
_COLOUR_LIKE = (
    r"\b(?:colou?rs?|shades?) (?:like|as|similar to|close to|near) (?:this|that|it|these|in the (?:photo|picture))\b"
)
_MATTERS: dict[WishField, str] = {
    "pattern": "patterns?",
    "finish": "finish(?:es)?",
    "brand": "(?:brands?|makers?)",
    "size": "sizes?",
    "kind": "(?:kinds?|types?|sorts?)(?: of thing)?",
}
_CHEAPER = (
    r"\b(?:cheaper|less expensive|lower[- ]priced|for less(?: money)?|costs? less|(?:something )?more affordable)\b"
)
_DEARER = r"\b(?:more expensive|pricier|dearer|higher[- ]priced)\b"
_CHEAPEST = r"\b(?:the )?(?:cheapest|least expensive|lowest[- ]priced)(?: ones?)?\b"
_DEAREST = r"\b(?:the )?(?:most expensive|dearest|priciest|highest[- ]priced)(?: ones?)?\b"
_SHADES: tuple[tuple[str, WishTest], ...] = (
    (r"\b(?:a (?:bit|little) |slightly |much )?(?:darker|deeper)\b", "darker"),
    (r"\b(?:a (?:bit|little) |slightly |much )?(?:lighter|paler|brighter)\b", "lighter"),
)
_THAN = r"^\s*than (?:this|that|it|the one|these|those|them)?\b"
_ITSELF = r"(?: (?:this|that|it|these|those|the one|them|the (?:photo|picture)))?"
_LIKE = (
    rf"(?<!'d )(?<!would )(?<!\bi )(?<!you )(?<!we )(?<!also )"
    rf"\b(?:(?:something |anything |one |ones |more |exactly )?(?:like|similar to|resembling){_ITSELF}(?: one)?"
    rf"|(?:the )?same(?: (?:as|one|thing))?{_ITSELF})(?=\s|[,.;!?]|$)"
)


class Comparisons:
    """Reads comparisons.

    Args:
        turn: What is read.
        number: Of the turn.
        assortment: Of the products that are compared with.
        state: Before the turn.
        referred: What the turn refers to.
    """

    def __init__(
        self, turn: TurnText, number: int, assortment: Assortment, state: ShopState, referred: Referred
    ) -> None:
        self.turn, self.number, self.assortment, self.state = turn, number, assortment, state
        self.referred = referred
        self.wishes: list[Wish] = []
        self.questions: list[str] = []
        self.used_anchor = False
        self.anchor_brand: str | None = None

    def read(self, goes_with: bool) -> None:
        """Read all of them."""
        if goes_with:
            self._goes_with()
        self._colours()
        for matter, pattern in _MATTERS.items():
            for found in self.turn.find(rf"\b{_THIS} {pattern})\b"):
                self._same(matter, found)
        self._prices()
        self._shades()
        self._likeness()

    @property
    def _place(self) -> int | None:
        """Where the product is that is compared with."""
        anchor = self.referred.anchor
        return self.assortment.by_id.get(anchor) if anchor is not None else None

    def _by_photo(self) -> bool:
        """Whether "this" is the photograph: it was given, and nothing was shown or named since."""
        return self.state.photo is not None and self.referred.named is None and not self.state.shown

    def _colours(self) -> None:
        for found in [*self.turn.find(_COLOUR), *self.turn.find(_COLOUR_LIKE)]:
            self.turn.take(found)
            which = found.groupdict().get("which")
            other = which in ("other", "another", "different") or bool(found.groupdict().get("negation"))
            self._near_colour(found[0], other)

    def _near_colour(self, said: str, other: bool) -> None:
        photo = self.state.photo
        if photo is not None and self.referred.named is None and not (other and self.state.shown):
            values: dict[str, object] = {"lab": photo.lab, "tolerance": NEAR + photo.remains}
        else:
            place = self._place
            if place is None or self.assortment.looks[place].lab is None:
                self._ask(said, "no photograph was given and nothing with a known colour was shown")
                return
            lab = self.assortment.looks[place].lab
            values = {"lab": lab, "tolerance": NEAR, "product": self._anchored()}
        self._add("colour", "is not" if other else "near", said, **values)

    def _same(self, matter: WishField, found: re.Match[str]) -> None:
        self.turn.take(found)
        place, photo = self._place, self.state.photo
        other = found["which"] in ("other", "another", "different") or bool(found["negation"])
        value, product = None, None
        if self._by_photo() and matter in ("pattern", "finish") and photo is not None:
            value = photo.pattern if matter == "pattern" else photo.finish
        elif place is not None:
            value, product = self._value(matter, place), self._anchored()
        if value is None:
            self._ask(found[0], f"no {matter} of what was shown is known")
            return
        self._add(matter, "is not" if other else "is", found[0], values=(folded(value),), product=product)

    def _value(self, matter: WishField, place: int) -> str | None:
        product, look = self.assortment.products[place], self.assortment.looks[place]
        if matter == "kind":
            return next(iter(self.assortment.kind_of(place)), None)
        known = {"pattern": look.pattern, "finish": look.finish, "brand": product.brand, "size": product.size}
        return known[matter]

    def _prices(self) -> None:
        for pattern, order in ((_CHEAPEST, "cheapest"), (_DEAREST, "dearest")):
            found = self.turn.first(pattern)
            if found is not None:
                self._add("order", "is", found[0], values=(order,))
        tests: tuple[tuple[str, WishTest], ...] = ((_CHEAPER, "below"), (_DEARER, "above"))
        for pattern, test in tests:
            found = self.turn.first(pattern)
            if found is None:
                continue
            self._than(found)
            place = self._place
            if place is None:
                self._ask(found[0], "nothing was shown yet")
                continue
            price = self.assortment.products[place].price
            self._add("price", test, found[0], number=price.amount, unit=price.currency, product=self._anchored())

    def _shades(self) -> None:
        for pattern, test in _SHADES:
            found = self.turn.first(pattern)
            if found is None:
                continue
            self._than(found)
            photo, place = self.state.photo, self._place
            if self._by_photo() and photo is not None:
                self._add("shade", test, found[0], lab=photo.lab)
            elif place is not None and self.assortment.looks[place].lab is not None:
                self._add("shade", test, found[0], lab=self.assortment.looks[place].lab, product=self._anchored())
            else:
                self._ask(found[0], "nothing with a known colour was shown")

    def _likeness(self) -> None:
        found = self.turn.first(_LIKE)
        if found is None:
            return
        if self._by_photo():
            self._add("likeness", "like", found[0])
        elif self._place is not None:
            kind = self._value("kind", self._place)
            if kind is not None:
                self._add("kind", "is", found[0], values=(kind,), product=self._anchored())
            self._add("likeness", "like", found[0], product=self._anchored())
        else:
            self._ask(found[0], "nothing was shown yet and no photograph given")

    def _goes_with(self) -> None:
        place = self._place
        lab = self._colour_of(place) if place is not None else self.state.photo.lab if self.state.photo else None
        if lab is None:
            if not self.referred.question:
                self._ask("goes with", "nothing with a known colour was shown")
            return
        product = self._anchored() if place is not None else None
        self._add("colour", "goes with", "goes with", lab=lab, product=product)

    def _colour_of(self, place: int) -> tuple[float, float, float] | None:
        """The colour of a product; where it is not known, that of the word by which the catalogue states it."""
        named = wishes(self.assortment.products[place].colour or "")
        return self.assortment.looks[place].lab or (lab_of_word(named[0].word) if named else None)

    def _than(self, found: re.Match[str]) -> None:
        behind = re.match(_THAN, self.turn.text[found.end() :])
        if behind is not None:
            for than in self.turn.find(re.escape(behind[0].strip())):
                self.turn.take(than)

    def _anchored(self) -> str | None:
        self.used_anchor = True
        return self.referred.anchor

    def _add(self, matter: WishField, test: WishTest, said: str, **values: object) -> None:
        self.wishes.append(
            Wish(field=matter, test=test, said=said.strip(), turn=self.number, **values)  # type: ignore[arg-type]
        )

    def _ask(self, said: str, reason: str) -> None:
        self.questions.append(f"“{said.strip()}” compares with something, and {reason}; which one is meant?")
