"""What a customer wants, as values: wishes with the words they come from, and the state of a dialogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

WishField: TypeAlias = Literal[
    "kind", "brand", "price", "size", "colour", "shade", "pattern", "finish", "stock", "words", "likeness",
    "order",
]  # fmt: skip
WishTest: TypeAlias = Literal[
    "is", "is not", "below", "at most", "above", "at least", "near", "darker", "lighter", "goes with", "like"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One constraint, kept until it is replaced or dropped."""

    field: WishField
    test: WishTest
    said: str
    """The words of the turn that it comes from."""
    turn: int
    values: tuple[str, ...] = ()
    """Any of these, folded: names of a kind, brand, size, colour, pattern, or finish."""
    number: float | None = None
    """An amount of money, or a lightness."""
    unit: str | None = None
    """Currency of an amount."""
    lab: tuple[float, float, float] | None = None
    """A colour to compare with."""
    tolerance: float | None = None
    """ΔE up to which a colour is near."""
    product: str | None = None
    """The product that it refers to; of a colour or a likeness without one, the photograph."""

    def __str__(self) -> str:
        of = f" ({self.product})" if self.product else ""
        if self.field == "price":
            return f"price {self.test} {self.number:,.2f} {self.unit}{of}"
        if self.lab is not None:
            near = f" within ΔE {self.tolerance:.0f}" if self.tolerance else ""
            colour = "L* {:.0f} a* {:.0f} b* {:.0f}".format(*self.lab)
            return f"{self.field} {self.test} {colour}{near}{of or ' (photograph)'}"
        if self.number is not None:
            return f"{self.field} {self.test} L* {self.number:.0f}"
        if self.field == "stock":
            return "in stock"
        if self.field == "order":
            return f"the {self.values[0]} first"
        if self.field == "likeness":
            return f"like {self.product or 'the photograph'}"
        return f"{self.field} {self.test} {' or '.join(self.values)}{of}"

    @property
    def negative(self) -> bool:
        """Whether it says what is not wanted."""
        return self.test == "is not"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPhoto:
    """What is kept of a photograph: numbers, no picture."""

    lab: tuple[float, float, float]
    remains: float
    """ΔE below which nine of ten colours lie after the light was corrected."""
    light: str
    told: bool = True
    """Whether the thing was told from its ground."""
    pattern: str | None = None
    finish: str | None = None
    vector: tuple[float, ...] = ()
    """Where it stands in the shared space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopState:
    """All that a dialogue remembers. It is a value: a turn makes a new one."""

    turn: int = 0
    wishes: tuple[Wish, ...] = ()
    shown: tuple[str, ...] = ()
    """Ids of what the last answer showed, in order."""
    anchor: str | None = None
    """What was last compared with, where nothing was shown since; otherwise "that" is the first that was shown."""
    photo: SeenPhoto | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "turn": self.turn,
            "wishes": [wish.to_dict() for wish in self.wishes],
            "shown": list(self.shown),
            "anchor": self.anchor,
            "photo": asdict(self.photo) if self.photo else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ShopState:
        """The state of such values."""
        photo = values.get("photo")
        return cls(
            turn=values["turn"],
            wishes=tuple(wish_of(one) for one in values["wishes"]),
            shown=tuple(values["shown"]),
            anchor=values["anchor"],
            photo=SeenPhoto(**_tuples(photo)) if photo else None,
        )


def wish_of(values: Mapping[str, Any]) -> Wish:
    """The wish of plain values."""
    return Wish(**_tuples(values))


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnReading:
    """What a turn was understood to say."""

    wishes: tuple[Wish, ...] = ()
    dropped: tuple[WishField, ...] = ()
    """Fields whose wishes are withdrawn, as by "any colour"."""
    questions: tuple[str, ...] = ()
    """What has to be asked back, a sentence each."""
    anchor: str | None = None
    """The product that it compares with."""
    restart: bool = False
    new_thing: bool = False
    """Whether another thing is wanted beside the last one, as by "and a bag that goes with it"."""
    other_thing: bool = False
    """Whether the words of the turn name a thing that what was wanted so far is not."""
    taken: str | None = None
    """The id of a product that the customer takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextState:
    """The state after a turn, and what of the old one was given up for it."""

    state: ShopState
    given_up: tuple[Wish, ...] = field(default=())
