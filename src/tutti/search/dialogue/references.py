"""Which product a turn refers to: "the second", "number 3", "#2", an id, "that one"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tutti.search.dialogue.spans import TurnText

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_ORDINAL = (
    rf"\b(?:the |that |this )?(?P<word>{'|'.join(_ORDINALS)}|last)(?: (?:one|item|product|result|shade|thing))?\b"
)
_NUMBERED = r"(?:\b(?:number|no\.?|nr\.?|item|result|option)\s*|#)(?P<number>\d{1,2})\b"


class Referred:
    """What a turn refers to.

    Args:
        turn: What is read.
        shown: Ids of the last answer, in order.
        ids: Folded id → id, of the catalogue.
        anchor: What was last referred to.
    """

    def __init__(self, turn: TurnText, shown: Sequence[str], ids: Mapping[str, str], anchor: str | None) -> None:
        self.question: str | None = None
        self.named: str | None = None
        """The product that this turn names."""
        self.pointed = False
        """Whether the turn points at something without naming it."""
        self._shown = shown
        self.named = self._by_id(turn, ids) or self._by_place(turn)
        self.open = self.named is None and anchor is None and len(shown) > 1
        """Whether "it" may be any of several."""
        self.pointed = bool(re.search(r"\b(it|that one|this one|them)\b", turn.text))
        self.anchor = self.named or anchor or (shown[0] if shown else None)
        """What "that brand", "cheaper" and "goes with it" are about."""

    @staticmethod
    def _by_id(turn: TurnText, ids: Mapping[str, str]) -> str | None:
        for found in turn.find(r"(?:\bid )?[^\s,;!?()\"“”]*[^\s,;!?()\"“”.]"):
            word = found[0].removeprefix("id ")
            if word in ids and (found[0] != word or (re.search(r"\d", word) and not word.isdigit())):
                turn.take(found)
                return ids[word]
        return None

    def _by_place(self, turn: TurnText) -> str | None:
        for found in turn.find(f"{_ORDINAL}|{_NUMBERED}"):
            place = _place(found, len(self._shown))
            turn.take(found)
            if 0 <= place < len(self._shown):
                return self._shown[place]
            count = len(self._shown)
            self.question = f"Which one is “{found[0]}”? {count or 'None'} {'was' if count == 1 else 'were'} shown."
        return None


def _place(found: re.Match[str], count: int) -> int:
    if found["number"] is not None:
        return int(found["number"]) - 1
    return count - 1 if found["word"] == "last" else _ORDINALS.index(found["word"])
