"""What one query costs, before it is sent and beside what its provider counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tutti.content import Audio, Image, Media, Usage, Video
from tutti.errors import InputError
from tutti.media import Limits, UniformFrames, decode_audio, decode_video
from tutti.media.probing import measure
from tutti.pricing.prices import Price
from tutti.pricing.tokens import image_tokens, text_tokens


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
        size = measure(medium, limits)
        return image_tokens(price.image, size.width, size.height)
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
