"""Alternatives: what fits if one wish, which is stated, is given up; what is cheaper, in stock, of another brand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tutti.processing.words import folded
from tutti.search.catalogue.assortment import Assortment
from tutti.search.dialogue.sifting import Fits, all_fit
from tutti.search.dialogue.wishes import Wish

Ranking = Callable[[Fits], list[int]]
"""What fits → places, the best first."""


class Relaxed(NamedTuple):
    """Products that fit all wishes but those given up."""

    what: str
    """What was given up, or what is better about them, in words."""
    without: tuple[Wish, ...]
    places: tuple[int, ...]


def relaxations(wishes: Sequence[Wish], assortment: Assortment, rank: Ranking, each: int = 2) -> list[Relaxed]:
    """Where nothing fits: for each wish, what fits all others. The kind of thing is never given up."""
    found = []
    for wish in wishes:
        if wish.field in ("kind", "likeness", "order"):
            continue
        rest = [other for other in wishes if other is not wish]
        places = rank(all_fit(rest, assortment))[:each]
        if places:
            found.append(Relaxed(f"without “{wish}”", (wish,), tuple(places)))
    return found


def improvements(wishes: Sequence[Wish], assortment: Assortment, rank: Ranking, shown: Sequence[int]) -> list[Relaxed]:
    """Where something fits: the nearest in stock, a cheaper one and one of another brand, if the first is not it.

    Of the wishes only how near the colour is, and the brand for another brand, are given up; what is shown is left out.
    """
    first = shown[0]
    product = assortment.products[first]
    colour = tuple(wish for wish in wishes if wish.test == "near")
    brand = tuple(wish for wish in wishes if wish.field == "brand" and not wish.negative)
    hidden = np.ones(len(assortment), bool)
    for place in shown:
        hidden[assortment.groups[assortment.products[place].group]] = False
    cheaper = assortment.prices < assortment.prices[first]
    cheaper &= assortment.mask(assortment.currencies[product.price.currency])
    others = ~assortment.mask(assortment.brands.get(folded(product.brand or "")))
    others &= np.array([True]) if product.brand else np.array([False])
    wanted: list[tuple[str, Fits, tuple[Wish, ...]]] = [
        ("cheaper", cheaper, colour),
        ("of another brand", others, (*colour, *brand)),
    ]
    if not product.available:
        wanted.insert(0, ("in stock", assortment.available, colour))
    found = []
    for what, condition, without in wanted:
        rest = [wish for wish in wishes if wish not in without]
        if what != "in stock" and not without:
            continue  # it would be among what is shown, if there were one
        places = rank(all_fit(rest, assortment) & condition & hidden)[:1]
        if places:
            given = " and ".join(f"“{wish}”" for wish in without)
            found.append(Relaxed(f"{what}{f', without {given}' if given else ''}", without, tuple(places)))
    return found
