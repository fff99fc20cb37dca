"""The price book as what a provider asks before it sends and after it was answered (`tutti.interfaces.Prices`)."""

from __future__ import annotations

from dataclasses import dataclass

from tutti.content import Conversation, Media, Text, Usage
from tutti.media import Limits
from tutti.pricing.costs import query_cost
from tutti.pricing.prices import PriceBook


@dataclass(frozen=True)
class Tariff:
    """Prices of requests by the book.

    Args:
        book: The prices.
        limits: Budgets for looking at media.
    """

    book: PriceBook
    limits: Limits

    def estimate(self, model: str, conversation: Conversation, max_tokens: int) -> float:
        """US dollars that a request may cost at most: its media by rule, its words by estimate, the longest answer.

        Raises:
            InputError: No price is known for the model, or no rule for a medium; or one cannot be read.
        """
        parts = [part for message in conversation for part in message.parts]
        words = "\n".join(part.text for part in parts if isinstance(part, Text))
        media = [part for part in parts if isinstance(part, Media)]
        price = self.book.price(model)
        return query_cost(price, words, media, answer_tokens=max_tokens, limits=self.limits).usd

    def cost(self, model: str, usage: Usage) -> float:
        """US dollars that a finished request has cost, by the tokens that the provider counted.

        Raises:
            InputError: No price is known for the model.
        """
        return self.book.price(model).cost_usd(usage)
