"""A turn in English read as wishes: what it names, what it compares with, what it does not want, what it gives up.

Rules in order, each taking the words that it reads. What is left is looked for in the catalogue's own words; what is
not there either is asked back, and never guessed.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import numpy as np

from tutti.search.catalogue.assortment import Assortment, stem, title_head
from tutti.search.dialogue.amounts import PriceWords
from tutti.search.dialogue.comparing import Comparisons
from tutti.search.dialogue.naming import STOP, NameWords
from tutti.search.dialogue.references import Referred
from tutti.search.dialogue.sifting import all_fit
from tutti.search.dialogue.spans import TurnText
from tutti.search.dialogue.wishes import ShopState, TurnReading, Wish, WishField

_ANY: dict[str, WishField] = {
    "brand": "brand",
    "colour": "colour",
    "color": "colour",
    "shade": "colour",
    "size": "size",
    "price": "price",
    "budget": "price",
    "pattern": "pattern",
    "finish": "finish",
    "stock": "stock",
    "availability": "stock",
}
_TITLES = 50
"""Products whose titles are looked at."""
_NOUN = "|".join(_ANY)
_WITHDRAWN = (
    r"\b(?:any|whatever|whichever|regardless of(?: the)?|no matter(?: the| what)?|forget(?: about)?(?: the| that)?"
    rf"|drop the|never mind the|ignore the|remove the) (?P<noun>{_NOUN})s?(?: limit| will do| (?:is|are) fine)?\b"
    r"(?! (?:\d|x{0,4}[sml]\b))"
    rf"|\b(?:the )?(?P<noun2>{_NOUN}) (?:does n't|does not|doesnt) matter\b"
)
_RESTART = r"\b(?:start (?:over|again|afresh)|new search|forget (?:everything|all(?: of)? (?:that|it))|reset)\b"
_TAKEN = (
    r"\b(?:i(?:'ll| will|'d like to| want to)? (?:take|buy|order)"
    r"|(?:add|put) .* (?:to|in) (?:my |the )?(?:cart|basket|bag))\b"
)
_GOES = (
    r"\b(?:goes? (?:well )?with|matches|matching|match|fits (?:with|to)?|to go (?:well )?with|to match|pairs? with)"
    r"(?: (?:it|that|this|them|the \w+(?: one)?))?(?: one)?\b"
)


@dataclass(frozen=True)
class TurnReader:
    """Reads turns.

    Args:
        assortment: Whose words, brands and sizes it knows.
    """

    assortment: Assortment

    def read(self, text: str, state: ShopState) -> TurnReading:
        """Read a turn over what was said before."""
        turn, number = TurnText(text), state.turn + 1
        restart = turn.first(_RESTART) is not None
        names = NameWords(turn, number, self.assortment)
        dropped = self._withdrawn(turn)  # before sizes, as "any size is fine" names none
        names.sizes()  # before prices, as "size 42" holds a number
        prices = PriceWords(turn, number, self.assortment.currency)
        prices.read()
        referred = Referred(turn, state.shown, self.assortment.ids, state.anchor)
        goes = turn.first(_GOES)
        compared = Comparisons(turn, number, self.assortment, state, referred)
        compared.read(goes is not None)
        names.read(compared.anchor_brand)
        taken = turn.first(_TAKEN)
        names.words()
        if taken is not None and referred.pointed and referred.open:
            compared.questions.append(f"Which one is taken? {len(state.shown)} were shown.")
        wishes = (*prices.wishes, *compared.wishes, *names.wishes)
        questions = [*prices.questions, *compared.questions, *([referred.question] if referred.question else [])]
        questions += [self._unknown(word) for word, _ in turn.rest() if word not in STOP and not word.isdigit()]
        questions += [f"What is {word} meant to be: a price, a size?" for word, _ in turn.rest() if word.isdigit()]
        return TurnReading(
            wishes=tuple(wishes),
            dropped=tuple(dropped),
            questions=tuple(dict.fromkeys(questions)),
            anchor=referred.named or (referred.anchor if compared.used_anchor else None),
            restart=restart,
            new_thing=goes is not None and any(_is_kind(wish) for wish in wishes),
            other_thing=goes is None and _names_another(wishes, state.wishes, turn, self.assortment),
            taken=referred.anchor
            if taken is not None and (referred.named or (referred.pointed and not referred.open))
            else None,
        )

    @staticmethod
    def _withdrawn(turn: TurnText) -> list[WishField]:
        dropped: list[WishField] = []
        for found in turn.find(_WITHDRAWN):
            turn.take(found)
            dropped.append(_ANY[found["noun"] or found["noun2"]])
        return [*dropped, "shade"] if "colour" in dropped else dropped

    def _unknown(self, word: str) -> str:
        known = [*self.assortment.brands, *self.assortment.kinds]
        near = difflib.get_close_matches(stem(word), known, n=1, cutoff=0.8)
        hint = f"; did you mean “{near[0]}”?" if near else "; what is meant by it?"
        return f"Nothing in the catalogue is called “{word}”{hint}"


def _names_another(new: tuple[Wish, ...], old: tuple[Wish, ...], turn: TurnText, assortment: Assortment) -> bool:
    """Whether the words of a turn are the name of products that what was wanted so far excludes.

    "A dog bowl" after a camera is another thing, even where the catalogue's kinds have no bowl; "in leather" is not, as
    no title ends in it and it stands behind a preposition.
    """
    words = [wish for wish in new if wish.field in ("words", "kind") and not wish.negative and wish.product is None]
    before = [wish for wish in old if wish.field in ("words", "kind") and not wish.negative]
    if not words or not before or words[-1].field == "kind":
        return False
    own = all_fit(words, assortment)
    if not own.any() or (own & all_fit(before, assortment)).any():
        return False
    head = words[-1].values[0]
    if re.search(rf"\b(?:in|with|of|from|for|made of)\s+(?:a |an |the )?{re.escape(words[-1].said)}\b", turn.text):
        return False
    some = np.flatnonzero(own)[:_TITLES].tolist()
    return any(head == title_head(assortment.products[place]) for place in some)


def _is_kind(wish: Wish) -> bool:
    return wish.field == "kind" and not wish.negative
