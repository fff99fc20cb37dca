"""Two rankings compared on one customer's choices: team-draft interleaving (Radlinski, Kurup and Joachims 2008).

Both rankings pick in turns, a coin deciding who goes first in each round; a choice counts for whoever picked it. Of
choices that were recorded under another ranking, those count that are among the first of the interleaved list.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from tutti.evaluate.statistics import Interval, mean_interval, sign_flip_p

InterleavedKey = TypeVar("InterleavedKey", bound=Hashable)


class Interleaved(NamedTuple):
    """A list made of two."""

    items: tuple[Hashable, ...]
    teams: tuple[int, ...]
    """0 where the first ranking picked it, 1 where the second did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """Which of two rankings is chosen from."""

    first: int
    """Choices that count for the first ranking."""
    second: int
    neither: int
    """Choices that were not among what both would show."""
    advantage: Interval | None
    """Of the second over the first, from -1 to 1, over choices in clusters of sessions; None of fewer than two."""
    p_value: float | None


def team_draft(
    first: Sequence[InterleavedKey], second: Sequence[InterleavedKey], top: int, rng: np.random.Generator
) -> Interleaved:
    """Interleave the first of two rankings."""
    items: list[Hashable] = []
    teams: list[int] = []
    rankings = (first, second)
    while len(items) < top:
        before = len(items)
        order = (0, 1) if rng.random() < 0.5 else (1, 0)
        for team in order:
            pick = next((item for item in rankings[team] if item not in items), None)
            if pick is not None and len(items) < top:
                items.append(pick)
                teams.append(team)
        if len(items) == before:
            break
    return Interleaved(tuple(items), tuple(teams))


def credit(made: Interleaved, chosen: Hashable) -> int | None:
    """Whose item was chosen, 0 or 1; None where it is not in the list."""
    return made.teams[made.items.index(chosen)] if chosen in made.items else None


def preferred(credits_: Sequence[float | None], clusters: Sequence[str], *, seed: int = 0) -> Preferred:
    """Sum up the credits of many choices.

    Args:
        credits_: (N,) share of draws in which the second ranking picked what was chosen; None where neither did.
        clusters: (N,) the session of each.
        seed: Of the interval's draws.
    """
    told = [(credit_, cluster) for credit_, cluster in zip(credits_, clusters, strict=True) if credit_ is not None]
    scores = [2 * credit_ - 1 for credit_, _ in told]
    sessions = [cluster for _, cluster in told]
    enough = len(set(sessions)) > 1
    return Preferred(
        first=sum(score < 0 for score in scores),
        second=sum(score > 0 for score in scores),
        neither=len(credits_) - len(told),
        advantage=mean_interval(scores, sessions, seed=seed) if enough else None,
        p_value=sign_flip_p(scores, sessions, seed=seed) if enough else None,
    )
