"""Recordings of any length to the likeliest token of each frame, in windows that overlap.

Up to one window a recording is computed as a whole, so that it comes out as in the reference. Longer ones are cut: what
attention takes grows with the square of a recording. A frame is read off the window in which it has the most around it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from tutti.errors import InputError
from tutti.models.wav2vec2.config import Wav2Vec2Config

WINDOW_FRAMES = 1500
"""Frames computed together: 30 s."""
CONTEXT_FRAMES = 250
"""Of which so many at each end are only heard: 5 s."""


class Speller(Protocol):
    """What is needed of a model that spells. Implementation: `models.wav2vec2`."""

    config: Wav2Vec2Config

    def __call__(self, input_values: Tensor) -> tuple[Tensor, ...]:
        """Shapes: (B, S) → logits (B, F, V), and more."""
        ...


@torch.inference_mode()
def spell(
    model: Speller,
    input_values: Tensor,
    progress: Callable[[float], None] | None = None,
    window_frames: int = WINDOW_FRAMES,
    context_frames: int = CONTEXT_FRAMES,
) -> list[int]:
    """The likeliest token of each frame.

    Args:
        model: In evaluation mode.
        input_values: (S,) on the model's device.
        progress: Told how much is done, from 0 to 1.
        window_frames: Frames computed together.
        context_frames: Of which so many at each end are only heard.

    Returns:
        F token ids.

    Raises:
        InputError: The recording is shorter than one frame.
    """
    config = model.config
    frames = config.frames(len(input_values))
    if frames < 1:
        raise InputError(
            f"The recording has {len(input_values)} samples; this model needs {config.samples_of_frame} or more: "
            "use a longer one."
        )
    if frames <= window_frames:
        return [int(token) for token in model(input_values[None])[0][0].argmax(dim=-1)]
    ids: list[int] = []
    kept = window_frames - 2 * context_frames
    for first in range(0, frames, kept):
        start, stop = max(0, first - context_frames), min(frames, first + kept + context_frames)
        last = (stop - 1) * config.samples_per_frame
        heard = input_values[None, start * config.samples_per_frame : last + config.samples_of_frame]
        best = model(heard)[0][0].argmax(dim=-1)
        ids += best[first - start : first + kept - start].tolist()
        if progress is not None:
            progress(len(ids) / frames)
    return ids
