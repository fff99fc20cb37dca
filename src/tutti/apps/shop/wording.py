"""Answers in words, composed from facts; and the check of what a model makes of them.

A model may word an answer anew. Its words are taken only if every one of them stands in the composed answer or is a
word without content, and every sentence that names a product has the numbers and the availability of that product.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tutti.apps.shop.offers import Alternatives, Offer
from tutti.processing.words import words_of

PROMPT = (
    "Word this answer of a shop anew for its customer, friendly and short. Use only what it says: no other products, "
    "numbers or properties. Name each product by its id in parentheses.\n\n"
)
_CONTENTLESS = frozenset(
    (
        "a an the and or but with for of in on at to from by as is are was it its this that these those there here "
        "you your we our i they them one ones two three four five have has do does can could would will may might "
        "if so also too then than which who what not no nothing all each both any some more most very just only "
        "please thanks thank hello sorry yes found find see look looking want take first second third fourth fifth "
        "next last other another option options choice product products item items offer offers available great "
        "nice good happy glad fit fits fitting match matches matching price prices costs cost priced let know"
    ).split()
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_STOCK = ("out of stock", "in stock", "preorder", "backorder")


def composed(
    offers: Sequence[Offer],
    alternatives: Sequence[Alternatives],
    questions: Sequence[str],
    wishes: Sequence[str],
    fitting: int,
) -> str:
    """The answer in words."""
    lines = list(questions)
    if offers:
        count = "One product fits" if fitting == 1 else f"{fitting:,} products fit"
        lines.append(f"{count}:" if fitting <= len(offers) else f"{count}; the best {len(offers)}:")
        lines += [sentence(offer) for offer in offers]
    elif wishes and not questions:
        lines.append(f"Nothing in the catalogue fits all of this: {'; '.join(wishes)}.")
        if not alternatives:
            lines.append("Giving up a single one of these is not enough.")
    for group in alternatives:
        lines.append(f"{group.what[0].upper()}{group.what[1:]}:")
        lines += [sentence(offer) for offer in group.offers]
    return "\n".join(lines)


def sentence(offer: Offer) -> str:
    """An offer in words."""
    facts = [f"{offer.price:,.2f} {offer.currency}", offer.availability if offer.availability != "unknown" else ""]
    facts.append(f"size {offer.size}" if offer.size else "")
    facts.append(f"ΔE {offer.delta_e:.1f}" if offer.delta_e is not None else "")
    also = f"; also {', '.join(offer.variants)}" if offer.variants else ""
    return f"{offer.number}. {offer.title} ({offer.id}): {', '.join(filter(None, facts))}{also}."


def keeps_to_facts(text: str, facts: str, offers: Sequence[Offer]) -> bool:
    """Whether a wording says nothing but what the composed answer says."""
    known = set(words_of(facts)) | _CONTENTLESS
    if any(word not in known for word in words_of(text)):
        return False
    for piece in re.split(r"(?<=[.!?])\s+|\n", text):
        named = [offer for offer in offers if re.search(rf"(?<![\w-]){re.escape(offer.id)}(?![\w-])", piece)]
        if not _numbers_of(piece) <= _numbers_of("\n".join(map(sentence, named)) if named else facts):
            return False
        stock = {word for word in _STOCK if word in piece.lower()}
        if not named and (stock or any(money in piece for money in _prices(offers))):
            return False
        if named and not stock <= {offer.availability for offer in named}:
            return False
        if len(named) > 1 and (stock or _numbers_of(piece) - {n for o in named for n in _numbers_of(o.id)}):
            return False  # of several products in one sentence, which number belongs to which is unknown
    return True


def _numbers_of(text: str) -> set[str]:
    return {number.rstrip(".,") for number in _NUMBER.findall(text)}


def _prices(offers: Sequence[Offer]) -> set[str]:
    return {f"{offer.price:,.2f}" for offer in offers}
