"""The beginning of a sound that is longer than a model takes, where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tutti.content import Media
from tutti.media import PADDING_S, Sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Notes: TypeAlias = list[str] | None
"""Sentences for whoever reads the answer; None where nobody does."""


def beginning(part: Media, sound: Sound, longest: int | None, notes: Notes) -> NDArray[np.float32]:
    """As much of a sound as a model takes at a time, if that is half of it or more; otherwise all of it.

    Args:
        part: What it is of.
        sound: The sound, at the model's rate.
        longest: Samples that the model takes at a time; None is any number.
        notes: Receives a sentence if the sound was cut; None cuts nothing.

    Returns:
        (S,) float32.
    """
    samples, rate = sound.samples, sound.sample_rate_hz
    if notes is None or longest is None:
        return samples
    if not rate * PADDING_S < len(samples) - longest <= longest:
        return samples
    notes.append(
        f"The sound of {part.name} lasts {len(samples) / rate:.1f} s; the model takes {longest / rate:g} s at a time "
        f"and was given the first {longest / rate:g} s."
    )
    return samples[:longest]
