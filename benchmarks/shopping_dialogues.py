"""Dialogues generated with their truth: what each turn means is known, and checked on rows of the feed.

The generator keeps its own state in plain values and its own test of a row; it shares no code with what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

KINDS = {"dress": "Dresses", "shirt": "Shirts", "bag": "Bags", "shoe": "Shoes", "hat": "Hats", "skirt": "Skirts"}
BRANDS = ["Norlund", "Ada & Vale", "Kestrel", "Mirabel", "Otto Wren", "Solveig", "Tarn", "Bellamy"]
COLOURS = {
    "red": "#c81e28",
    "blue": "#2446b4",
    "green": "#1e8c3c",
    "black": "#141414",
    "white": "#f5f5f3",
    "pink": "#f08caa",
}
PATTERNS = ["plain", "striped", "dotted", "checked"]
SIZES = ["38", "40", "42", "44", "M", "L"]
ORDINALS = ["first", "second", "third"]


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of a feed."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        kind = list(KINDS)[rng.integers(len(KINDS))]
        colour, brand = list(COLOURS)[rng.integers(len(COLOURS))], BRANDS[rng.integers(len(BRANDS))]
        pattern = PATTERNS[rng.integers(4)]
        made.append(
            {
                "id": f"P{number:05d}",
                "title": f"{pattern} {kind} in {colour}",
                "price": f"{rng.integers(500, 12000) / 100:.2f} EUR",
                "availability": "in_stock" if rng.random() < 0.8 else "out_of_stock",
                "brand": brand,
                "color": colour,
                "hex": COLOURS[colour],
                "pattern": pattern,
                "size": SIZES[rng.integers(len(SIZES))],
                "product_type": f"Apparel > {KINDS[kind]}",
            }
        )
    return made


@dataclass
class Truth:
    """What is wanted, as the generator knows it."""

    kind: str | None = None
    below: float | None = None
    """Price, exclusive."""
    most: float | None = None
    above: float | None = None
    brand: str | None = None
    not_brands: set[str] = field(default_factory=set)
    colour: str | None = None
    not_colours: set[str] = field(default_factory=set)
    pattern: str | None = None
    not_patterns: set[str] = field(default_factory=set)
    size: str | None = None
    stock: bool = False

    def fits(self, row: dict[str, Any]) -> bool:
        price = float(row["price"].split()[0])
        return (
            (self.kind is None or row["product_type"].endswith(KINDS[self.kind]))
            and (self.below is None or price < self.below)
            and (self.most is None or price <= self.most)
            and (self.above is None or price > self.above)
            and (self.brand is None or row["brand"] == self.brand)
            and row["brand"] not in self.not_brands
            and (self.colour is None or row["color"] == self.colour)
            and row["color"] not in self.not_colours
            and (self.pattern is None or row["pattern"] == self.pattern)
            and row["pattern"] not in self.not_patterns
            and (self.size is None or row["size"] == self.size)
            and (not self.stock or row["availability"] == "in_stock")
        )

    def upper(self, *, below: float | None = None, most: float | None = None) -> None:
        self.below, self.most = below, most


class Speaker:
    """Says turns of one dialogue.

    Args:
        seed: Of the dialogue.
        by_id: The feed's rows.
    """

    def __init__(self, seed: int, by_id: dict[str, dict[str, Any]]) -> None:
        self.rng, self.by_id, self.truth = np.random.default_rng(seed), by_id, Truth()
        self.length = int(self.rng.integers(3, 9))

    def first(self) -> str:
        """The first turn: a kind of thing, perhaps with more."""
        self.truth.kind = self._of(list(KINDS))
        plural = {"dress": "dresses"}.get(self.truth.kind, f"{self.truth.kind}s")
        words = self._of([f"I am looking for {plural}", f"show me {plural}", f"Do you have any {plural}?", plural])
        if self.rng.random() < 0.4:
            self.truth.colour = self._of(list(COLOURS))
            words = self._of([f"{self.truth.colour} {plural}", f"{plural} in {self.truth.colour}, please"])
        return words

    def next(self, shown: list[str]) -> str:
        """A further turn, over what was shown."""
        ways = [self._price, self._brand, self._not_brand, self._colour, self._not_colour, self._pattern, self._size]
        ways += [self._stock, self._withdraw, self._no_pattern]
        if shown:
            ways += [self._cheaper, self._that_brand, self._same_pattern, self._both] * 2
        return ways[self.rng.integers(len(ways))](shown)

    def _of(self, some: list[Any]) -> Any:
        return some[self.rng.integers(len(some))]

    def _price(self, _: list[str]) -> str:
        bound = int(self.rng.integers(15, 110))
        way = self.rng.integers(3)
        if way == 0:
            self.truth.upper(below=bound)
            return self._of([f"under {bound}", f"less than {bound} euros", f"below €{bound}, please"])
        if way == 1:
            self.truth.upper(most=bound)
            return self._of(
                [f"at most {bound} EUR", f"not more than {bound}", f"{bound} euros or less", f"up to {bound}€"]
            )
        self.truth.above = bound
        return self._of([f"over {bound}", f"more than {bound} euros"])

    def _brand(self, _: list[str]) -> str:
        self.truth.brand = self._of(BRANDS)
        self.truth.not_brands.discard(self.truth.brand)
        return self._of([f"by {self.truth.brand}", f"from {self.truth.brand}, please", f"only {self.truth.brand}"])

    def _not_brand(self, _: list[str]) -> str:
        brand = self._of(BRANDS)
        self._refuse_brand(brand)
        return self._of([f"not {brand}", f"nothing from {brand}", f"anything but {brand}", f"without {brand}, please"])

    def _colour(self, _: list[str]) -> str:
        self.truth.colour = self._of(list(COLOURS))
        self.truth.not_colours.discard(self.truth.colour)
        return self._of([f"in {self.truth.colour}", f"I'd like it in {self.truth.colour}", f"{self.truth.colour} ones"])

    def _not_colour(self, _: list[str]) -> str:
        colour = self._of(list(COLOURS))
        self.truth.not_colours.add(colour)
        if self.truth.colour == colour:
            self.truth.colour = None
        return self._of([f"not {colour}", f"no {colour}", f"anything but {colour}"])

    def _pattern(self, _: list[str]) -> str:
        self.truth.pattern = self._of(PATTERNS)
        self.truth.not_patterns.discard(self.truth.pattern)
        word = {"dotted": "with dots", "striped": "with stripes"}.get(self.truth.pattern, self.truth.pattern)
        return self._of([word, f"something {self.truth.pattern}", f"{self.truth.pattern} ones, please"])

    def _no_pattern(self, _: list[str]) -> str:
        pattern = self._of(PATTERNS[1:])
        self.truth.not_patterns.add(pattern)
        if self.truth.pattern == pattern:
            self.truth.pattern = None
        word = {"dotted": "dots", "striped": "stripes", "checked": "checks"}[pattern]
        return self._of([f"without {word}", f"not {pattern}", f"no {word}, please"])

    def _size(self, _: list[str]) -> str:
        self.truth.size = self._of(SIZES)
        return self._of([f"in size {self.truth.size}", f"size {self.truth.size}", f"I need size {self.truth.size}"])

    def _stock(self, _: list[str]) -> str:
        self.truth.stock = True
        return self._of(["only what is in stock", "in stock, please", "that are available now"])

    def _withdraw(self, _: list[str]) -> str:
        what = self._of(["brand", "colour", "size", "price", "pattern"])
        if what == "brand":
            self.truth.brand, self.truth.not_brands = None, set()
        elif what == "colour":
            self.truth.colour, self.truth.not_colours = None, set()
        elif what == "pattern":
            self.truth.pattern, self.truth.not_patterns = None, set()
        elif what == "size":
            self.truth.size = None
        else:
            self.truth.upper()
            self.truth.above = None
        return self._of([f"any {what}", f"the {what} doesn't matter", f"any {what} is fine"])

    def _cheaper(self, shown: list[str]) -> str:
        place, words = self._one(shown)
        self.truth.upper(below=float(self.by_id[shown[place]]["price"].split()[0]))
        return f"cheaper than {words}" if words else self._of(["cheaper", "something less expensive"])

    def _that_brand(self, shown: list[str]) -> str:
        place, words = self._one(shown)
        self._refuse_brand(self.by_id[shown[place]]["brand"])
        return f"another brand than {words}" if words else "not that brand"

    def _same_pattern(self, shown: list[str]) -> str:
        place, words = self._one(shown)
        self.truth.pattern = self.by_id[shown[place]]["pattern"]
        self.truth.not_patterns.discard(self.truth.pattern)
        return f"same pattern as {words}" if words else "same pattern"

    def _both(self, shown: list[str]) -> str:
        place, words = self._one(shown)
        row = self.by_id[shown[place]]
        self.truth.upper(below=float(row["price"].split()[0]))
        self.truth.pattern = row["pattern"]
        self.truth.not_patterns.discard(self.truth.pattern)
        return f"same pattern as {words} but cheaper" if words else "same pattern, cheaper"

    def _one(self, shown: list[str]) -> tuple[int, str]:
        """A place among what was shown, and how it is named; the first needs no name."""
        place = int(self.rng.integers(min(3, len(shown))))
        return place, "" if place == 0 else self._of([f"the {ORDINALS[place]}", f"number {place + 1}", f"#{place + 1}"])

    def _refuse_brand(self, brand: str) -> None:
        self.truth.not_brands.add(brand)
        if self.truth.brand == brand:
            self.truth.brand = None
