"""A catalogue in memory: products in a fixed order, and arrays and tables by which they are sifted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tutti.processing.words import folded, words_of
from tutti.search.catalogue.products import Product
from tutti.search.query.colours import nearest_terms, to_lab, wishes

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_BEHIND = re.compile(r"(?<=\w)(?:[,;:(\[]|\s[-–—|]\s|\s(?:with|in|for|by|from|without|w/)\s)", re.IGNORECASE)
"""Where a title has said what the thing is."""
ProductPlaces = NDArray[np.int64]
"""Positions of products, in order."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a product looks."""

    lab: tuple[float, float, float] | None = None
    """Its colour: from the code that the feed states, else measured in its picture."""
    pattern: str | None = None
    finish: str | None = None
    measured: bool = False
    """Whether the colour was measured, not stated."""


@dataclass(frozen=True, eq=False)
class Assortment:
    """Products and what they are found by.

    Args:
        products: In the order of all arrays.
        looks: One a product.
        pictures: (N, D) float32 unit rows, zeros where there is no picture.
        words: (N, D) float32 unit rows, zeros where the vocabulary of the model has no word.
    """

    products: Sequence[Product]
    looks: Sequence[Appearance]
    pictures: NDArray[np.float32]
    words: NDArray[np.float32]
    prices: NDArray[np.float64] = field(init=False)
    available: NDArray[np.bool_] = field(init=False)
    lab: NDArray[np.float32] = field(init=False)
    """(N, 3); NaN where a colour is not known."""
    currencies: Mapping[str, ProductPlaces] = field(init=False)
    brands: Mapping[str, ProductPlaces] = field(init=False)
    """Brand, folded, → its products; as `sizes`, `groups`, `patterns`, `finishes`."""
    sizes: Mapping[str, ProductPlaces] = field(init=False)
    groups: Mapping[str, ProductPlaces] = field(init=False)
    patterns: Mapping[str, ProductPlaces] = field(init=False)
    finishes: Mapping[str, ProductPlaces] = field(init=False)
    stems: Mapping[str, ProductPlaces] = field(init=False)
    """Stem of a word of title, kind, colour, material or description → products."""
    kinds: Mapping[str, ProductPlaces] = field(init=False)
    """Stem of a noun that says what a thing is → products."""
    terms: Mapping[str, ProductPlaces] = field(init=False)
    """Basic colour term → products that state it, or that have it where the feed states none that is known."""
    by_id: Mapping[str, int] = field(init=False)
    ids: Mapping[str, str] = field(init=False)
    """Folded id → id."""

    def __post_init__(self) -> None:
        own, products = object.__setattr__, self.products
        own(self, "prices", np.array([product.price.amount for product in products], float))
        own(self, "available", np.array([product.available for product in products], bool))
        lab = [look.lab or (np.nan,) * 3 for look in self.looks]
        own(self, "lab", np.array(lab, np.float32).reshape(-1, 3))
        own(self, "by_id", {product.id: place for place, product in enumerate(products)})
        own(self, "ids", {folded(product.id): product.id for product in products})
        own(self, "currencies", _table([[product.price.currency] for product in products]))
        own(self, "brands", _table([_one(product.brand) for product in products]))
        own(self, "sizes", _table([_one(product.size) for product in products]))
        own(self, "groups", _table([[product.group] for product in products]))
        own(self, "patterns", _table([_one(look.pattern) for look in self.looks]))
        own(self, "finishes", _table([_one(look.finish) for look in self.looks]))
        own(self, "stems", _table([stems(product.words) for product in products]))
        own(self, "kinds", _table([kind_heads(product) for product in products]))
        own(self, "terms", _table(_terms(products, self.lab)))

    def kind_of(self, place: int) -> list[str]:
        """Stems of the words that say what a product is, the narrowest first."""
        return kind_heads(self.products[place])

    def __len__(self) -> int:
        return len(self.products)

    @property
    def currency(self) -> str | None:
        """The currency of most prices."""
        return max(self.currencies, key=lambda code: len(self.currencies[code]), default=None)

    def mask(self, places: ProductPlaces | None) -> NDArray[np.bool_]:
        """(N,) whether each product is among some."""
        found = np.zeros(len(self), bool)
        if places is not None:
            found[places] = True
        return found


def stated_lab(product: Product) -> tuple[float, float, float] | None:
    """The colour of the code that the feed states."""
    if product.hex is None:
        return None
    rgb = np.array([int(product.hex[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
    lightness, a, b = to_lab(rgb).tolist()
    return lightness, a, b


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """An English noun in the singular, roughly: "dresses" and "dress", "berries" and "berry"."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def stems(text: str) -> list[str]:
    """The stems of a text, each once; parts of hyphenated words, and those as a whole."""
    if text.isascii():  # twenty times as fast, and a catalogue has many
        found = [stem(word) for word in _ASCII_WORD.findall(text.lower())]
    else:
        found = [stem(word) for word in words_of(text)]
    joined = [stem(word.replace("-", "")) for word in words_of(text, "-") if "-" in word] if "-" in text else []
    return list(dict.fromkeys(found + joined))


def kind_heads(product: Product) -> list[str]:
    """Stems of the nouns that say what a product is: the last of each step of its kind, else the last of its title.

    Of "Apparel > Evening Dresses" these are dress and apparel, the narrowest first; of the title "Dog bowl in blue" it
    is bowl, as what stands behind a comma or a preposition says how the thing is.
    """
    steps = re.split(r"[>/|]", product.kind) if product.kind else [_BEHIND.split(product.title)[0]]
    nouns = [[key for key in stems(step) if not key.isdigit()] for step in reversed(steps)]
    return list(dict.fromkeys(own[-1] for own in nouns if own))


def title_head(product: Product) -> str | None:
    """The stem of the noun by which a title says what a thing is."""
    nouns = [key for key in stems(_BEHIND.split(product.title)[0]) if not key.isdigit()]
    return nouns[-1] if nouns else None


@lru_cache(maxsize=100_000)
def _folded(text: str) -> str:
    return folded(text)


def _one(text: str | None) -> list[str]:
    return [_folded(text)] if text else []


def _terms(products: Sequence[Product], lab: NDArray[np.float32]) -> list[list[str]]:
    found: list[list[str]] = [[] for _ in products]
    known = np.flatnonzero(np.isfinite(lab[:, 0]))
    several, which = np.unique(lab[known], axis=0, return_inverse=True)
    names = nearest_terms(several)
    for place, own in zip(known.tolist(), which.ravel().tolist(), strict=True):
        found[place] = [names[own]]
    stated: dict[str, list[str]] = {}
    for place, product in enumerate(products):
        if product.colour:
            if product.colour not in stated:
                stated[product.colour] = list(dict.fromkeys(wish.term for wish in wishes(product.colour)))
            found[place] = stated[product.colour] or found[place]
    return found


def _table(keys: Sequence[Sequence[str]]) -> Mapping[str, ProductPlaces]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, own in enumerate(keys):
        for key in own:
            found[key].append(place)
    return {key: np.array(places, np.int64) for key, places in found.items()}
