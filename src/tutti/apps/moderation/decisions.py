"""What was decided of a medium, and why: signs at moments, the category they belong to, the action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutti.apps.moderation.policy import ACTIONS, ModerationAction, ModerationPolicy, PolicyCategory


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationSign:
    """One signal at one moment."""

    category: str
    signal: str
    score: float
    """From 0 to 1, before its weight."""
    reason: str
    start_s: float | None = None
    end_s: float | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryFinding:
    """How far a category is met, where, and by what."""

    category: str
    score: float
    action: ModerationAction
    spans: tuple[tuple[float, float], ...]
    """Seconds in which the category reaches what asks for an action; empty for media without time."""
    signs: tuple[ModerationSign, ...]
    """Those that count, the strongest first."""


@dataclass(frozen=True, kw_only=True)
class ModerationDecision:
    """What happens with a medium."""

    id: str
    """Of medium, caption, policy: the same again gives the same."""
    file: str
    action: ModerationAction
    policy: str
    version: str
    """Of the policy, and of the calibration behind a `+`."""
    findings: tuple[CategoryFinding, ...] = ()
    notes: tuple[str, ...] = ()
    seen_s: float | None = None
    """How far a film or recording was looked at."""
    by: str | None = None
    """The person who decided; None: the policy did."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return asdict(self)


MOST_SIGNS = 12


def action_of(category: PolicyCategory, threshold: float, score: float) -> ModerationAction:
    """What a score asks for."""
    if score > 0 and score >= threshold:
        return category.action
    if category.review is not None and score > 0 and score >= min(category.review, threshold):
        return "review"
    return "allow"


def strictest(actions: Iterable[ModerationAction]) -> ModerationAction:
    """The one that lets least through; of none, allow."""
    return max(actions, key=ACTIONS.index, default="allow")


def findings_of(
    policy: ModerationPolicy, signs: Sequence[ModerationSign], thresholds: dict[str, float]
) -> tuple[CategoryFinding, ...]:
    """Categories that ask for an action."""
    found = []
    for category in policy.categories:
        own = [sign for sign in signs if sign.category == category.name]
        limit = thresholds.get(category.name, category.threshold)
        counted = [
            (category.signals[sign.signal] * sign.score, sign) for sign in own if category.signals.get(sign.signal)
        ]
        acting = [(score, sign) for score, sign in counted if action_of(category, limit, score) != "allow"]
        if not acting:
            continue
        acting.sort(key=lambda pair: -pair[0])
        found.append(
            CategoryFinding(
                category=category.name,
                score=round(acting[0][0], 4),
                action=action_of(category, limit, acting[0][0]),
                spans=merged(
                    (sign.start_s, sign.end_s if sign.end_s is not None else sign.start_s)
                    for _, sign in acting
                    if sign.start_s is not None
                ),
                signs=tuple(sign for _, sign in acting[:MOST_SIGNS]),
            )
        )
    return tuple(found)


def merged(spans: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Spans that touch as one, in order."""
    made: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1] + 0.5:
            made[-1] = made[-1][0], max(made[-1][1], end)
        else:
            made.append((start, end))
    return tuple((round(start, 3), round(end, 3)) for start, end in made)


def score_of(category: PolicyCategory, signs: Sequence[ModerationSign]) -> float:
    """A category's score over all moments: the largest of weight times signal."""
    return max(
        (category.signals.get(sign.signal, 0) * sign.score for sign in signs if sign.category == category.name),
        default=0.0,
    )
