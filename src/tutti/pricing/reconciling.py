"""What the rules predict for answers, beside what the provider counted and charges by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from tutti.content import Media, Usage
from tutti.errors import TuttiError
from tutti.media import Limits, wrap
from tutti.pricing.costs import Reconciliation, query_cost
from tutti.pricing.prices import Price
from tutti.pricing.tokens import text_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A question that was answered."""

    model: str
    question: str
    media: tuple[str, ...]
    """Paths and `data:` URLs."""
    returned: Usage
    """What the provider counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """A model's answers that could be predicted, summed, and why others could not be."""

    model: str
    answers: int
    tokens: Reconciliation
    predicted_usd: float
    """By the rules, for answers as long as those that came."""
    charged_usd: float
    """By the usage that the provider returned."""
    left_out: Mapping[str, int]
    """Reason → answers that could not be held against a prediction."""

    @property
    def sentence(self) -> str:
        """Both, in words."""
        reasons = "; ".join(f"{count} left out: {reason}" for reason, count in self.left_out.items())
        if not self.answers:
            return f"{self.model}, predicted against counted: nothing to compare. {reasons}"
        found = (
            f"{self.model}, predicted against counted on {self.answers} answers: {self.tokens.sentence}; "
            f"${self.predicted_usd:.6f} predicted, ${self.charged_usd:.6f} by the usage returned"
        )
        return f"{found}. {reasons}" if reasons else f"{found}."


def reconciled(answers: Sequence[Answered], prices: Mapping[str, Price], limits: Limits) -> list[Reconciled]:
    """Hold every priced model's answers to what the rules predict of them.

    Args:
        answers: What came of the questions.
        prices: Rows by the name of the model; models without one are passed over.
        limits: Budgets for looking at the media.
    """
    names = dict.fromkeys(answer.model for answer in answers)
    return [
        _of(prices[name], [one for one in answers if one.model == name], limits) for name in names if name in prices
    ]


def _of(price: Price, answers: Sequence[Answered], limits: Limits) -> Reconciled:
    of_media: dict[tuple[str, ...], Usage | str] = {}  # all variants of a case share them
    left_out: Counter[str] = Counter()
    pairs: list[tuple[Usage, Usage]] = []
    for answer in answers:
        media, returned = answer.media, answer.returned
        if media not in of_media:
            of_media[media] = _media_usage(price, media, limits)
        counted = of_media[media]
        if isinstance(counted, str):
            left_out[counted] += 1
        elif returned.prompt_tokens <= 0:
            left_out["The provider returned no prompt tokens."] += 1
        else:
            prompt = counted.prompt_tokens + text_tokens(answer.question)
            predicted = replace(counted, prompt_tokens=prompt, completion_tokens=returned.completion_tokens)
            pairs.append((predicted, returned))
    return Reconciled(
        model=price.name,
        answers=len(pairs),
        tokens=Reconciliation(
            estimated=sum(predicted.prompt_tokens for predicted, _ in pairs),
            returned=sum(returned.prompt_tokens for _, returned in pairs),
        ),
        predicted_usd=sum(price.cost_usd(predicted) for predicted, _ in pairs),
        charged_usd=sum(price.cost_usd(returned) for _, returned in pairs),
        left_out=dict(left_out),
    )


def _media_usage(price: Price, media: Sequence[str], limits: Limits) -> Usage | str:
    """What the media of a case take, or why that cannot be told."""
    try:
        parts = [cast("Media", wrap(path)) for path in media]
        return query_cost(price, "", parts, answer_tokens=0, limits=limits).usage
    except TuttiError as error:
        return str(error)
