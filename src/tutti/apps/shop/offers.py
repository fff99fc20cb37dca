"""What an answer offers, as values: everything in it stands in the catalogue or was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutti.search.catalogue.assortment import Assortment
from tutti.search.dialogue.explaining import colour_difference, reasons
from tutti.search.dialogue.wishes import ShopState, Wish

_MOST_VARIANTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A product that is offered."""

    number: int
    """In the answer, from 1; alternatives count on."""
    id: str
    title: str
    price: float
    currency: str
    availability: str
    why: tuple[str, ...] = ()
    """A sentence for each wish that it fits."""
    brand: str | None = None
    colour: str | None = None
    size: str | None = None
    delta_e: float | None = None
    """CIEDE2000 from the colour that was asked for."""
    link: str | None = None
    variants: tuple[str, ...] = ()
    """Ids of its variants that fit, too, with their sizes or colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternatives:
    """Products along one relaxation."""

    what: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopAnswer:
    """An answer of the shop."""

    text: str
    """In words, composed from what follows."""
    offers: tuple[Offer, ...]
    alternatives: tuple[Alternatives, ...]
    questions: tuple[str, ...]
    """What is asked back."""
    fitting: int
    """How many products fit all wishes, variants counted once."""
    wishes: tuple[str, ...]
    """All wishes that hold, in words."""
    given_up: tuple[str, ...]
    """Earlier wishes that this turn gave up."""
    photo: str | None
    """What was seen in the photograph, and under which light."""
    session: str
    turn: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return asdict(self)


def offers_of(
    places: Sequence[int],
    state: ShopState,
    wishes: Sequence[Wish],
    assortment: Assortment,
    fitting: Sequence[int] = (),
    start: int = 1,
) -> tuple[Offer, ...]:
    """Offers for some products.

    Args:
        places: Of the products.
        state: Whose photograph the reasons speak of.
        wishes: Those that the products fit.
        assortment: All products.
        fitting: ProductPlaces of all that fits, for variants.
        start: Number of the first.
    """
    among = set(fitting)
    return tuple(
        _offer(number, place, state, wishes, assortment, among) for number, place in enumerate(places, start=start)
    )


def _offer(
    number: int, place: int, state: ShopState, wishes: Sequence[Wish], assortment: Assortment, among: set[int]
) -> Offer:
    product = assortment.products[place]
    compared = [wish for wish in state.wishes if wish.lab is not None and not wish.values and wish.test != "goes with"]
    apart = [colour_difference(wish, assortment, place) for wish in compared[:1]]
    others = [other for other in assortment.groups[product.group].tolist() if other != place and other in among]
    return Offer(
        number=number,
        id=product.id,
        title=product.title,
        price=product.price.amount,
        currency=product.price.currency,
        availability=product.availability,
        why=tuple(reasons(state, wishes, assortment, place)),
        brand=product.brand,
        colour=product.colour,
        size=product.size,
        delta_e=round(apart[0], 2) if apart and apart[0] is not None else None,
        link=product.link,
        variants=tuple(_variant(assortment, other) for other in others[:_MOST_VARIANTS]),
    )


def _variant(assortment: Assortment, place: int) -> str:
    product = assortment.products[place]
    told = ", ".join(filter(None, (product.size and f"size {product.size}", product.colour)))
    return f"{product.id} ({told})" if told else product.id
