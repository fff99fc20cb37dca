"""Prices in a turn: bounds, ranges, "around", and numbers with signs, codes and words of currencies."""

from __future__ import annotations

import re

from tutti.errors import InputError
from tutti.search.catalogue.money import CODES, NAMES, NUMBER, SIGNS, code_of, number_of
from tutti.search.dialogue.spans import TurnText
from tutti.search.dialogue.wishes import Wish, WishTest

_CODES = "|".join(sorted(code.lower() for code in CODES))
_SIGNS = "|".join([*map(re.escape, (sign.lower() for sign in SIGNS)), *NAMES])
_UNIT = rf"(?:{_SIGNS}|\b(?:{_CODES})\b)"
_AMOUNT = rf"(?:(?P<before>{_UNIT})\s*)?(?P<number>{NUMBER})(?:\s*(?P<after>{_UNIT}))?(?![\w])"
_OTHER_UNIT = re.compile(
    r"\s*(cm|mm|m|ml|l|kg|g|oz|inch|inches|years?|months?|days?|watts?|percent|%|stars?|pieces?)\b"
)
_AT_MOST = (
    r"(?:not (?:more|over|above)(?: than)?|no more than|nothing (?:over|above)|at (?:the )?most|max(?:imum)?(?: of)?"
    r"|up to|below or equal to|within|<=)"
)
_AT_LEAST = r"(?:not (?:less|under|below)(?: than)?|no less than|at least|starting (?:at|from)|min(?:imum)?(?: of)?|>=)"
_RULES: tuple[tuple[str, WishTest], ...] = (
    (_AT_MOST, "at most"),
    (_AT_LEAST, "at least"),
    (r"(?:under|below|less than|cheaper than|beneath|for less than|<)", "below"),
    (r"(?:over|above|more than|dearer than|>)", "above"),
    (r"(?:my )?budget (?:is|of|:)?", "at most"),
)
_AFTER: tuple[tuple[str, WishTest], ...] = (
    (r"\s*(?:or (?:less|under|below|cheaper)|max(?:imum)?|at (?:the )?most|tops)\b", "at most"),
    (r"\s*(?:or (?:more|above|over)|and (?:up|above)|at least)\b", "at least"),
)
_ABOUT = 0.15
"""Share by which a price may differ that is asked for as "around"."""
_PRICE = r"(?:(?:a )?price (?:is |of )?|costs? |costing |it should cost |for )?"


class PriceWords:
    """Reads prices.

    Args:
        turn: What is read.
        number: Of the turn.
        currency: Of the catalogue, which a number without a currency is in.
    """

    def __init__(self, turn: TurnText, number: int, currency: str | None) -> None:
        self.turn, self.number, self.currency = turn, number, currency
        self.wishes: list[Wish] = []
        self.questions: list[str] = []

    def read(self) -> None:
        """Read all of them."""
        for found in self.turn.find(rf"(?:between|from) {_AMOUNT} (?:and|to|-) {_renamed(_AMOUNT)}"):
            self._range(found)
        for found in self.turn.find(rf"{_PRICE}(?:around|about|roughly|approximately|circa) {_AMOUNT}"):
            self._around(found)
        for rule, test in _RULES:
            for found in self.turn.find(rf"(?<!\w){_PRICE}{rule}\s*{_AMOUNT}"):
                self._bound(found, test)
        for rule, test in _AFTER:
            for found in self.turn.find(_PRICE + _AMOUNT + rule):
                self._bound(found, test)
        for found in self.turn.find(rf"(?<![\w]){_PRICE}{_AMOUNT}"):
            if found["before"] or found["after"]:
                self._bound(found, "at most")

    def _bound(self, found: re.Match[str], test: WishTest) -> None:
        amount = self._amount(found, "before", "number", "after")
        if amount is not None:
            self.wishes.append(self._wish(test, amount, found[0]))

    def _range(self, found: re.Match[str]) -> None:
        if not found["after"] and not found["before"] and (found["after2"] or found["before2"]):
            low = self._amount(found, "before2", "number", "after2")
        else:
            low = self._amount(found, "before", "number", "after")
        high = self._amount(found, "before2", "number2", "after2") if low is not None else None
        if low is None or high is None:
            return
        if low > high:
            self.questions.append(f"The price is to be from {low:g} to {high:g}; which is the lower bound?")
            return
        self.wishes += [self._wish("at least", low, found[0]), self._wish("at most", high, found[0])]

    def _around(self, found: re.Match[str]) -> None:
        amount = self._amount(found, "before", "number", "after")
        if amount is not None:
            self.wishes.append(self._wish("at least", round(amount * (1 - _ABOUT), 2), found[0]))
            self.wishes.append(self._wish("at most", round(amount * (1 + _ABOUT), 2), found[0]))

    def _amount(self, found: re.Match[str], before: str, number: str, after: str) -> float | None:
        """The amount in the catalogue's currency; None, with a question, where it is in another or cannot be read."""
        other = _OTHER_UNIT.match(self.turn.text, found.end())
        self.turn.take(found)
        if other is not None and not found[after]:
            rest = next(self.turn.find(re.escape(other[0].strip())), None)
            if rest is not None:
                self.turn.take(rest)
            self.questions.append(f"“{found[0].strip()}{other[0]}” is no price; what should it be compared with?")
            return None
        named = found[before] or found[after]
        try:
            code = code_of(named, self.currency) if named else self.currency
            amount = number_of(found[number])
        except InputError as error:
            self.questions.append(str(error))
            return None
        if code != self.currency:
            self.questions.append(
                f"The catalogue's prices are in {self.currency}, and {amount:g} {code} was named; how much is that in "
                f"{self.currency}? Currencies are not converted here."
            )
            return None
        return amount

    def _wish(self, test: WishTest, amount: float, said: str) -> Wish:
        return Wish(field="price", test=test, number=amount, unit=self.currency, said=said.strip(), turn=self.number)


def _renamed(pattern: str) -> str:
    return re.sub(r"\(\?P<(\w+)>", r"(?P<\g<1>2>", pattern)
