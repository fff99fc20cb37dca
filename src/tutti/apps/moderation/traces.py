"""What the making of a medium left in it, as signs: copies and pasted parts, cuts, backgrounds, sound out of place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.apps.moderation.policy import ModerationPolicy
from tutti.content import Audio, Image, Part, Video
from tutti.errors import MissingExtra
from tutti.media import Limits, decode_audio, decode_image
from tutti.media.sound_windows import sound_windows
from tutti.search.ingest.facets import is_animation
from tutti.trust.forensics.coding_grid import coding_step
from tutti.trust.forensics.copied_regions import copied_region
from tutti.trust.forensics.picture_grids import pasted_region, resampled_region
from tutti.trust.forensics.sound_splices import RATE_HZ, floor_step, waveform_break
from tutti.trust.forensics.synchrony import film_fits

_WINDOW_S, _HOP_S = 12.0, 6.0
"""Stretches of sound that are looked at."""
_ON_PICTURES = ("copied", "pasted", "resampled")
_ON_SOUND = ("background", "cut")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumTrace:
    """One trace, before it is held to the categories of a policy."""

    signal: str
    score: float
    reason: str
    start_s: float | None = None
    end_s: float | None = None


def traces_of(
    part: Part, policy: ModerationPolicy, limits: Limits, streaming: Limits, notes: list[str]
) -> Iterator[MediumTrace]:
    """Traces of the kinds that the policy counts; what could not be looked for goes to the notes.

    Args:
        part: The medium; frames of films and pages are not looked at.
        policy: Which signals count.
        limits: Budgets for what is decoded as a whole.
        streaming: Budgets for what is read piece by piece.
        notes: Taken up.

    Raises:
        InputError: The medium cannot be read.
        CapacityError: It is over a budget.
    """
    if isinstance(part, Image) and any(map(policy.needs, _ON_PICTURES)):
        yield from _of_picture(decode_image(part, limits), policy, notes)
    if not isinstance(part, (Audio, Video)) or not any(map(policy.needs, (*_ON_SOUND, "recoded", "sync"))):
        return
    if isinstance(part, Video) and is_animation(part, streaming):
        return
    if any(map(policy.needs, _ON_SOUND)):
        yield from _of_sound(part, policy, streaming)
    if isinstance(part, Audio) and policy.needs("recoded"):
        yield from _of_coding(part, limits)
    if isinstance(part, Video) and policy.needs("sync"):
        yield from _of_film(part, streaming, notes)


def _of_picture(pixels: NDArray[np.uint8], policy: ModerationPolicy, notes: list[str]) -> Iterator[MediumTrace]:
    """In the picture as it came: scaling would take the fine detail."""
    if policy.needs("copied"):
        yield from _copied(pixels, notes)
    for signal, look in (("pasted", pasted_region), ("resampled", resampled_region)):
        if policy.needs(signal) and (found := look(pixels)) is not None:
            yield MediumTrace(signal=signal, score=found.score, reason=found.reason)


def _copied(pixels: NDArray[np.uint8], notes: list[str]) -> Iterator[MediumTrace]:
    try:
        found = copied_region(pixels)
    except MissingExtra as error:
        notes.append(f"regions that were copied were not looked for: {error}")
        return
    if found is None:
        return
    (left, top, right, bottom), (other_left, other_top, _, _) = found.box, found.other
    reason = (
        f"{right - left} by {bottom - top} pixels at {left}, {top} stand again at {other_left}, {other_top} "
        f"(agreement {found.agreement:.2f})"
    )
    yield MediumTrace(signal="copied", score=found.score, reason=reason)


def _of_sound(part: Audio | Video, policy: ModerationPolicy, streaming: Limits) -> Iterator[MediumTrace]:
    looks: list[tuple[str, Any]] = [("background", floor_step), ("cut", waveform_break)]
    for start_s, samples in sound_windows(part, streaming, rate_hz=RATE_HZ, window_s=_WINDOW_S, hop_s=_HOP_S):
        for signal, look in looks:
            if policy.needs(signal) and (found := look(samples, start_s)) is not None:
                at_s = start_s + found.at_s
                yield MediumTrace(
                    signal=signal, score=found.score, reason=found.reason, start_s=at_s, end_s=at_s + found.lasts_s
                )


def _of_coding(part: Audio, limits: Limits) -> Iterator[MediumTrace]:
    """At the rate at which it came: resampling would take the frames."""
    sound = decode_audio(part, limits)
    mono = sound.samples if sound.samples.ndim == 1 else sound.samples.mean(1)
    found = coding_step(mono, sound.sample_rate_hz)
    if found is not None:
        yield MediumTrace(
            signal="recoded", score=found.score, reason=found.reason, start_s=found.at_s, end_s=found.at_s
        )


def _of_film(part: Video, streaming: Limits, notes: list[str]) -> Iterator[MediumTrace]:
    told = False
    for start_s, end_s, fit in film_fits(part, streaming):
        told = True
        yield MediumTrace(signal="sync", score=fit.score, reason=fit.reason, start_s=start_s, end_s=end_s)
    if not told:
        notes.append("whether the sound goes with the picture cannot be told: it is too short, or one of them is even")
