"""What queries like those of a suite cost, and what an evaluation's answers cost beside what was predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from tutti.content import Media, Part
from tutti.evaluate.running import Outcome
from tutti.evaluate.statistics import mean_interval
from tutti.evaluate.suite import Suite
from tutti.media import Limits, wrap
from tutti.pricing.costs import query_cost
from tutti.pricing.months import PerQuery
from tutti.pricing.prices import Price
from tutti.pricing.reconciling import Answered, Reconciled, reconciled


def like_suite(price: Price, suite: Suite, *, answer_tokens: int, frames: int, limits: Limits) -> PerQuery:
    """What a query like those of a suite costs, with its 95 % interval over the suite's media.

    Raises:
        InputError: A medium cannot be read, or counted.
    """
    costs = [
        query_cost(
            price,
            case.question,
            [medium for path in case.media if isinstance(medium := _wrapped(path), Media)],
            answer_tokens=answer_tokens,
            frames=frames,
            limits=limits,
        ).usd
        for case in suite.cases
    ]
    found = mean_interval(costs, [case.cluster for case in suite.cases])
    return PerQuery(mean=mean(costs), low=found.low, high=found.high)


def _wrapped(path: str) -> Part:
    return wrap(path)


def reconciled_outcomes(outcomes: Sequence[Outcome], prices: Mapping[str, Price], limits: Limits) -> list[Reconciled]:
    """Hold an evaluation's answers to what the rules predict of them, a row a priced model. As `reconciled`."""
    answered = [
        Answered(model=one.model, question=one.question, media=one.case.media, returned=one.reply.usage)
        for one in outcomes
        if one.reply is not None
    ]
    return reconciled(answered, prices, limits)
