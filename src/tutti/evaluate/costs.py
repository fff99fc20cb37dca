"""What queries cost: one, a month of them hosted, and a month of them on machines of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from tutti.content import Audio, Image, Media, Part, Usage, Video
from tutti.errors import InputError
from tutti.evaluate.prices import Price
from tutti.evaluate.statistics import mean_interval
from tutti.evaluate.suite import Suite
from tutti.evaluate.tokens import image_tokens, text_tokens
from tutti.media import Limits, UniformFrames, decode_audio, decode_image, decode_video, wrap

HOURS_A_MONTH = 730.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCost:
    """What one query takes at one model."""

    usage: Usage
    usd: float
    parts: tuple[tuple[str, int], ...]
    """What each part takes: its name, and its tokens."""


def query_cost(
    price: Price, question: str, media: Sequence[Media], *, answer_tokens: int, frames: int = 8, limits: Limits
) -> QueryCost:
    """Tokens and dollars of one query, before it is sent.

    Args:
        price: The model's row.
        question: In words; its tokens are estimated, those of media are exact.
        media: What goes with it.
        answer_tokens: Tokens of the answer that is expected.
        frames: Pictures into which a video is taken apart for models that take no video.
        limits: Budgets for looking at the media.

    Raises:
        InputError: A medium cannot be read, or no rule is known by which the model counts it.
    """
    usage = Usage(prompt_tokens=text_tokens(question), completion_tokens=answer_tokens)
    parts = [("question, estimated", usage.prompt_tokens)]
    for medium in media:
        tokens = _tokens(price, medium, frames, limits)
        parts.append((medium.name, tokens))
        counted = f"{medium.modality}_tokens"
        usage = replace(
            usage,
            prompt_tokens=usage.prompt_tokens + tokens,
            media_tokens=usage.media_tokens + tokens,
            **{counted: getattr(usage, counted, 0) + tokens},
        )
    parts.append(("answer, expected", answer_tokens))
    return QueryCost(usage=usage, usd=price.cost_usd(usage), parts=tuple(parts))


def _tokens(price: Price, medium: Media, frames: int, limits: Limits) -> int:
    if isinstance(medium, Image) and price.image:
        height, width = decode_image(medium, limits).shape[:2]
        return image_tokens(price.image, width, height)
    if isinstance(medium, Audio) and price.audio_per_s:
        return math.ceil(decode_audio(medium, limits).duration_s * price.audio_per_s)
    if isinstance(medium, Video) and (price.video_per_s or price.image):
        clip = decode_video(medium, limits, UniformFrames(1 if price.video_per_s else frames))
        if price.video_per_s:
            if clip.sound and not price.audio_per_s:
                raise _uncounted(price, "the sound of a video")
            return math.ceil(clip.duration_s * (price.video_per_s + (price.audio_per_s or 0.0) * bool(clip.sound)))
        height, width = clip.frames[0].shape[:2]
        return len(clip.frames) * image_tokens(price.image, width, height)
    raise _uncounted(price, medium.modality)


def _uncounted(price: Price, what: str) -> InputError:
    return InputError(
        f"No rule is known by which {price.name} counts {what}; its cost is not told, and is not 0. "
        f"Give the model's row a rule in a file and name it with --prices. Source of the row: {price.source}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """An estimate beside what the provider counted."""

    estimated: int
    returned: int

    @property
    def share(self) -> float:
        """How much more the provider counted, as a share of the estimate."""
        return self.returned / self.estimated - 1

    @property
    def sentence(self) -> str:
        """Both, in words."""
        return f"estimated {self.estimated:,} prompt tokens, the provider counted {self.returned:,} ({self.share:+.1%})"


def reconcile(estimate: QueryCost, returned: Usage) -> Reconciliation:
    """Hold an estimate to the usage that a provider returned.

    Raises:
        InputError: The provider returned none.
    """
    if returned.prompt_tokens <= 0:
        raise InputError("The provider returned no prompt tokens; there is nothing to reconcile with.")
    return Reconciliation(estimated=estimate.usage.prompt_tokens, returned=returned.prompt_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerQuery:
    """Dollars a query over a suite: the mean, and where it may lie."""

    mean: float
    low: float
    high: float


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
