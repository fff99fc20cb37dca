"""A month of queries: at a provider, and on machines of one's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

HOURS_A_MONTH = 730.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PerQuery:
    """Dollars a query over a suite: the mean, and where it may lie."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfHosting:
    """Machines of one's own, or rented by the month: a staircase, since there are only whole ones."""

    usd_per_hour: float
    """Of one machine, which runs all month."""
    queries_per_s: float
    """What one machine answers, as measured by `tutti bench`."""
    utilisation: float = 0.6
    """Share of that which is planned for; queues grow without bound towards 1."""
    peak: float = 3.0
    """Load of the busiest hour over the mean."""
    fixed_usd: float = 0.0
    """A month, however many queries: people, standby."""

    def machines(self, queries: float) -> int:
        """Whole machines for so many queries a month, at least one."""
        a_month = self.queries_per_s * self.utilisation * 3600 * HOURS_A_MONTH / self.peak
        return max(1, math.ceil(queries / a_month - 1e-9))

    def usd(self, queries: float, dearer: float = 1.0) -> float:
        """Dollars a month, machines so many times as dear."""
        return self.fixed_usd + self.machines(queries) * self.usd_per_hour * dearer * HOURS_A_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A month's queries, hosted against self-hosted."""

    per_query: PerQuery
    hosting: SelfHosting
    hidden: float = 0.35
    """Preprocessing, storage, monitoring, as a share on top: 30 to 40 % by experience. Both sides bear it."""
    spread: float = 0.2
    """How far the machines' price and speed may be off, as a share; it widens the band of the break-even."""

    def hosted_usd(self, queries: float, per_query: float | None = None) -> float:
        """Dollars a month at the provider."""
        return queries * (self.per_query.mean if per_query is None else per_query) * (1 + self.hidden)

    def own_usd(self, queries: float, dearer: float = 1.0) -> float:
        """Dollars a month on machines, so many times as dear."""
        return self.hosting.usd(queries, dearer) * (1 + self.hidden)

    def break_even(self, per_query: float | None = None, dearer: float = 1.0) -> float | None:
        """The fewest queries a month at which machines cost no more than the provider; None if that never comes.

        Each step of the staircase is tried: a flat step meets the hosted line once, if within the step.

        Args:
            per_query: Dollars at the provider; the mean when not given.
            dearer: Factor on the machines' price.
        """
        rate = self.per_query.mean if per_query is None else per_query
        if rate <= 0:
            return None
        one = self.hosting
        step = one.queries_per_s * one.utilisation * 3600 * HOURS_A_MONTH / one.peak
        for count in range(1, 10_001):
            meets = (one.fixed_usd + count * one.usd_per_hour * dearer * HOURS_A_MONTH) / rate
            if meets <= count * step:
                return max(meets, (count - 1) * step)
        return None

    def band(self) -> tuple[float | None, float | None]:
        """Break-even where the provider is dear and machines are cheap, and the other way round."""
        return (
            self.break_even(self.per_query.high, 1 - self.spread),
            self.break_even(self.per_query.low, 1 + self.spread),
        )
