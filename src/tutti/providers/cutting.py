"""The beginning of a sound that is longer than a model takes, where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tutti.content import Media
from tutti.media import PADDING_S

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Notes: TypeAlias = list[str] | None
"""Sentences for whoever reads the answer; None where nobody does."""


def beginning(part: Media, samples: NDArray[np.float32], processor: Any, notes: Notes) -> NDArray[np.float32]:
    """As much of a sound as a model takes at a time, if that is half of it or more; otherwise all of it.

    Args:
        part: What it is of.
        samples: (S,) float32, at the processor's rate.
        processor: With `longest_sound` in samples, if there is a longest.
        notes: Receives a sentence if the sound was cut; None cuts nothing.

    Returns:
        (S,) float32.
    """
    longest = getattr(processor, "longest_sound", None)
    if notes is None or longest is None:
        return samples
    rate = processor.sounds.sampling_rate
    if not rate * PADDING_S < len(samples) - longest <= longest:
        return samples
    notes.append(
        f"The sound of {part.name} lasts {len(samples) / rate:.1f} s; the model takes {longest / rate:g} s at a time "
        f"and was given the first {longest / rate:g} s."
    )
    return samples[:longest]
