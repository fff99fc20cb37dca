"""Why a product fits, wish by wish, in words that state what the catalogue holds and what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tutti.search.catalogue.assortment import Assortment
from tutti.search.dialogue.wishes import ShopState, Wish
from tutti.search.query.colours import difference

_SIGNS = {"below": "under", "at most": "at most", "above": "over", "at least": "at least"}


def reasons(state: ShopState, wishes: Sequence[Wish], assortment: Assortment, place: int) -> list[str]:
    """A sentence a wish, of those that the product fits."""
    return [reason for wish in wishes if (reason := _reason(state, wish, assortment, place))]


def colour_difference(wish: Wish, assortment: Assortment, place: int) -> float | None:
    """ΔE of a product from the colour of a wish; None where it has no known colour or the wish none."""
    if wish.lab is None or assortment.looks[place].lab is None:
        return None
    return float(difference(assortment.lab[place], np.array(wish.lab, np.float32)))


def _reason(state: ShopState, wish: Wish, assortment: Assortment, place: int) -> str | None:
    product = assortment.products[place]
    if wish.field == "order":
        return None
    if wish.field == "price":
        return f"{product.price} is {_SIGNS[wish.test]} {wish.number:,.2f} {wish.unit}"
    if wish.field in ("stock", "likeness"):
        return "in stock" if wish.field == "stock" else f"among the most like {wish.product or 'the photograph'}"
    if wish.field == "shade" and wish.number is not None:
        return f"its lightness is L* {assortment.lab[place, 0]:.0f}"
    if wish.field in ("colour", "shade") and wish.lab is not None and not wish.values:
        return _of_colour(state, wish, assortment, place)
    return _of_names(wish, assortment, place)


def _of_names(wish: Wish, assortment: Assortment, place: int) -> str:
    product, look = assortment.products[place], assortment.looks[place]
    if wish.negative:
        return f"{wish.field} is not {' or '.join(wish.values)}"
    if wish.field in ("brand", "size"):
        return f"{wish.field} {product.brand if wish.field == 'brand' else product.size}"
    if wish.field in ("pattern", "finish"):
        own, stated = (look.pattern, product.pattern) if wish.field == "pattern" else (look.finish, product.finish)
        return f"{wish.field} {own}{'' if stated else ' (measured)'}"
    if wish.field == "colour":
        return f"colour {product.colour or f'{wish.values[0]} (measured)'}"
    return f"“{wish.values[0]}” is in its {'kind or title' if wish.field == 'kind' else 'words'}"


def _of_colour(state: ShopState, wish: Wish, assortment: Assortment, place: int) -> str | None:
    what = wish.product or "the photograph"
    apart = colour_difference(wish, assortment, place)
    if apart is None:
        return (
            f"its colour, {assortment.products[place].colour}, goes with {what}" if wish.test == "goes with" else None
        )
    own, target = assortment.lab[place], wish.lab or (0.0, 0.0, 0.0)
    if wish.test in ("darker", "lighter"):
        return f"{abs(own[0] - target[0]):.0f} L* {wish.test} than {what}, ΔE {apart:.1f}"
    if wish.test == "goes with":
        neutral = np.hypot(own[1], own[2]) <= 12
        return f"{'a neutral colour, which goes' if neutral else 'of the same hue, so it goes'} with {what}"
    remains = (
        f", of which the light leaves up to {state.photo.remains:.1f} open"
        if _of_photo(state, wish) and state.photo
        else ""
    )
    return f"ΔE {apart:.1f} from {what}{remains}"


def _of_photo(state: ShopState, wish: Wish) -> bool:
    return wish.product is None and state.photo is not None
