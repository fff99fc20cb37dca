"""Which products fit wishes, which of those come first, and why each does: by arrays over the whole assortment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutti.search.catalogue.assortment import Assortment
from tutti.search.dialogue.wishes import ShopState, Wish
from tutti.search.query.colours import GREYS, difference, nearest_terms

Fits = NDArray[np.bool_]
"""(N,): which products fit."""
_DARKER = 2.5
"""L* by which a darker or lighter one differs at least."""
_HUE = 16.0
"""ΔE, lightness left out, up to which a darker one is of the same colour."""
_SHADE_NEAR = 22.0
"""ΔE up to which a colour is a named shade such as navy."""
_NEUTRAL, _TURN = 12.0, 28.0
"""Chroma up to which a colour goes with all, and degrees of hue up to which two go together."""
_SLACK = 1e-9
_SAMPLE, _LEAST_SPREAD = 2048, 0.05


@dataclass(frozen=True, kw_only=True)
class ShopSetting:
    """How what fits is ordered."""

    likeness: float = 1.0
    """Weight of nearness in the shared space to what is liked, in standard deviations."""
    words: float = 1.0
    """Weight of nearness to the words of the wishes."""
    colour: float = 3.0
    """Weight of ΔE 10 to the colour that is wished."""
    stock: float = 2.0
    """What being in stock is worth."""
    price: float = 0.1
    """What being cheaper by a factor e is worth."""
    top: int = 5
    """Most products shown."""


def fits(wish: Wish, assortment: Assortment) -> Fits:
    """Which products fit a wish. What the catalogue does not state or show does not fit, negative wishes apart."""
    if wish.field == "price":
        return _price(wish, assortment)
    if wish.field == "stock":
        return assortment.available
    if wish.field == "likeness":
        return _others(wish, assortment)
    if wish.field == "order":
        return np.ones(len(assortment), bool)
    if wish.lab is not None and wish.test in ("near", "darker", "lighter", "goes with", "is not") and not wish.values:
        return _by_lab(wish, assortment)
    if wish.field == "shade" and wish.number is not None:
        lightness = assortment.lab[:, 0]
        return np.asarray(lightness >= wish.number if wish.test == "at least" else lightness <= wish.number)
    found = _named(wish, assortment)
    return ~found if wish.negative else found


def all_fit(wishes: Sequence[Wish], assortment: Assortment) -> Fits:
    """Which products fit all of some wishes."""
    found = np.ones(len(assortment), bool)
    for wish in wishes:
        found &= fits(wish, assortment)
    return found


def delta_e(wishes: Sequence[Wish], assortment: Assortment) -> NDArray[np.float64] | None:
    """ΔE of each product from the colour that is wished; None where none is. NaN where a colour is not known."""
    near = next((wish for wish in wishes if wish.lab is not None and wish.test == "near"), None)
    return None if near is None else difference(assortment.lab, np.array(near.lab, np.float32))


def ranked(
    state: ShopState,
    assortment: Assortment,
    found: Fits,
    setting: ShopSetting,
    text: NDArray[np.float32] | None = None,
) -> list[int]:
    """Places of what fits, the best first, one of each group.

    Args:
        state: Whose wishes give the colour and the likeness.
        assortment: All products.
        found: Which fit.
        setting: The weights.
        text: (D,) where the words of the wishes stand in the shared space; None without.
    """
    places = np.flatnonzero(found)
    if not len(places):
        return []
    score = setting.stock * assortment.available[places] - setting.price * np.log(assortment.prices[places] + 1)
    apart = delta_e(state.wishes, assortment)
    if apart is not None:
        score -= setting.colour * np.nan_to_num(apart[places], nan=100.0) / 10
    if text is not None:
        score += setting.words * _near(assortment, text, places)
    for vector in _liked(state, assortment):
        score += setting.likeness * _near(assortment, vector, places)
    by = next((wish.values[0] for wish in state.wishes if wish.field == "order"), None)
    price = assortment.prices[places] * {"cheapest": 1, "dearest": -1}.get(by or "", 0)
    order = places[np.lexsort((places, -score, price))]
    return _one_a_group(order, assortment)


def _price(wish: Wish, assortment: Assortment) -> Fits:
    own, bound = assortment.prices, float(wish.number or 0.0)
    ways = {
        "below": own < bound - _SLACK,
        "at most": own <= bound + _SLACK,
        "above": own > bound + _SLACK,
        "at least": own >= bound - _SLACK,
    }
    return np.asarray(ways[wish.test] & assortment.mask(assortment.currencies.get(wish.unit or "")))


def _others(wish: Wish, assortment: Assortment) -> Fits:
    """All but the product itself, and its variants."""
    found = np.ones(len(assortment), bool)
    if wish.product is not None and wish.product in assortment.by_id:
        product = assortment.products[assortment.by_id[wish.product]]
        found[assortment.groups[product.group]] = False
    return found


def _by_lab(wish: Wish, assortment: Assortment) -> Fits:
    own, target = assortment.lab, np.array(wish.lab, np.float32)
    if wish.test in ("near", "is not"):
        near = difference(own, target) <= (wish.tolerance or 0.0)
        return np.asarray(~near if wish.negative else near)
    if wish.test == "goes with":
        chroma = np.hypot(own[:, 1], own[:, 2])
        hue = np.degrees(np.arctan2(own[:, 2], own[:, 1]) - np.arctan2(target[2], target[1]))
        turn = np.abs((hue + 180) % 360 - 180)
        stated = assortment.mask(None)
        for term in (*GREYS, *nearest_terms(target[None])):  # of what has no known colour, by the word for it
            stated |= assortment.mask(assortment.terms.get(term))
        return np.asarray((chroma <= _NEUTRAL) | (turn <= _TURN) | np.isnan(own[:, 0]) & stated)
    level = own.copy()
    level[:, 0] = target[0]
    alike = difference(level, target) <= _HUE
    darker = own[:, 0] <= target[0] - _DARKER if wish.test == "darker" else own[:, 0] >= target[0] + _DARKER
    return np.asarray(alike & darker)


def _named(wish: Wish, assortment: Assortment) -> Fits:
    tables = {
        "kind": assortment.kinds,
        "brand": assortment.brands,
        "size": assortment.sizes,
        "pattern": assortment.patterns,
        "finish": assortment.finishes,
        "words": assortment.stems,
        "colour": assortment.terms,
    }
    table = tables[wish.field]
    found = np.zeros(len(assortment), bool)
    for value in wish.values:
        found |= assortment.mask(table.get(value))
        if wish.field == "colour" and wish.lab is not None:  # a named shade: stated in words, or near to it
            found |= assortment.mask(assortment.stems.get(value))
            found |= difference(assortment.lab, np.array(wish.lab, np.float32)) <= _SHADE_NEAR
    return found


def _liked(state: ShopState, assortment: Assortment) -> list[NDArray[np.float32]]:
    found = []
    for wish in state.wishes:
        if wish.field != "likeness":
            continue
        place = assortment.by_id.get(wish.product) if wish.product else None
        if place is not None:
            found += [rows[place] for rows in (assortment.pictures, assortment.words) if rows[place].any()]
        elif wish.product is None and state.photo is not None and state.photo.vector:
            found.append(np.array(state.photo.vector, np.float32))
    return found


def _near(assortment: Assortment, vector: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard deviations above a sample of the assortment, the better of picture and words; 0 without either."""
    best = np.full(len(places), -np.inf)
    for rows in (assortment.pictures, assortment.words):
        sample = rows[:: max(1, len(rows) // _SAMPLE)] @ vector
        sample = sample[sample != 0]
        cosines = (rows[places] if len(places) < len(rows) else rows) @ vector
        if len(sample):
            spread = max(float(sample.std()), _LEAST_SPREAD)
            best = np.where(cosines == 0, best, np.maximum(best, (cosines - sample.mean()) / spread))
    return np.where(np.isfinite(best), best, 0.0).astype(np.float64)


def _one_a_group(order: NDArray[np.int64], assortment: Assortment) -> list[int]:
    seen: set[str] = set()
    kept = []
    for place in order.tolist():
        group = assortment.products[place].group
        if group not in seen:
            seen.add(group)
            kept.append(place)
            if len(kept) >= 200:
                break
    return kept
