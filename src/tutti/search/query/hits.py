"""What a query asks for, and what is found: a hit for each row, with its score and reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.search.query import colours
from tutti.search.query.reasons import Reason, SharesWords, as_values
from tutti.search.table.schema import COLUMNS, FacetKind

_BUT = re.compile(r"\b(this|that|it|but|and|in|like|the|a|an|one|colou?r|more|with|similar|same|as|only|of)\b")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A query with its vectors."""

    text: str | None = None
    text_vector: NDArray[np.float32] | None = None
    """(D,); None where the text only names a colour beside `like`, or the model's vocabulary has none of it."""
    spelled: bool = True
    """Whether the text is looked for as it is spelled, too."""
    like: tuple[tuple[FacetKind, NDArray[np.float32]], ...] = ()
    """FacetKind and (D,) vector of each thing to be like."""
    where: str | None = None
    others: NDArray[np.float32] | None = None
    """(W, D): words that mean something else than the text."""
    modalities: tuple[str, ...] = ()
    top: int = 10
    hybrid: bool = True
    per_item: int | None = 1
    """Most results of one item; None for all of its moments."""

    @property
    def wishes(self) -> list[colours.ColourWish]:
        """The colours it names."""
        return colours.wishes(self.text) if self.text else []

    @property
    def candidates(self) -> int:
        """Most rows of a kind that are looked at."""
        return max(100, 4 * self.top)

    @property
    def narrows_nothing(self) -> bool:
        """Whether all rows of a kind are candidates, if there are not too many."""
        return self.where is None and not self.modalities


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Something found."""

    id: str
    item: str
    path: str | None
    modality: str
    kind: FacetKind
    """Which part matched: what is seen, heard, or read."""
    score: float
    """From the fused ranks: 1 is first in every ranking."""
    why: tuple[Reason, ...]
    """Reasons; `str` of one is a sentence for people."""
    fit: float | None = None
    """Probability that it fits the words of the query rather than others; None without words."""
    start_s: float | None = None
    end_s: float | None = None
    page: int | None = None
    """Of a document, from 1."""
    words: str | None = None
    boxes: tuple[dict[str, Any], ...] = ()
    """Lines of text read in the picture that hold a word of the query: text, box in pixels, confidence."""
    colours: tuple[str, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def shares_words(self) -> bool:
        """Whether full text found words of the query in it."""
        return any(isinstance(reason, SharesWords) for reason in self.why)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON: `why` in sentences, `reasons` as values."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.__dict__.items()}
        return values | {"why": [str(reason) for reason in self.why], "reasons": [as_values(one) for one in self.why]}


OF_ROW = [part.name for part in fields(Hit) if part.name in COLUMNS and part.name != "colours"]
"""What a hit takes over from its row as it is."""


def only_colour(text: str) -> bool:
    """Whether a text names a colour and nothing more, as in "this, but in blue"."""
    named = {wish.word for wish in colours.wishes(text)}
    rest = [word for word in re.findall(r"[a-z]+", _BUT.sub(" ", text.lower())) if word not in named]
    return bool(named) and not rest
