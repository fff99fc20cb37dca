"""The voice head of a speech model, where its folder has one: `voice_head.json` holds weights, bias and step."""

from __future__ import annotations

import json
from pathlib import Path

from tutti.errors import CheckpointError
from tutti.processing.voice_head import VoiceHead

VOICE_HEAD_FILE = "voice_head.json"
_MOST_BYTES = 1 << 20


def read_voice_head(folder: Path, width: int) -> VoiceHead | None:
    """The head in a folder; None if there is none.

    Args:
        folder: Of the checkpoint.
        width: D of the encoder's states.

    Raises:
        CheckpointError: It is damaged, or of another model.
    """
    import numpy as np

    try:
        with (folder / VOICE_HEAD_FILE).open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError:
        return None
    try:
        values = json.loads(content)
        weights = np.asarray(values["weights"], np.float32)
        bias, step_s = float(values["bias"]), float(values["step_s"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(
            f"{VOICE_HEAD_FILE} is damaged ({error!r}); expected an object of weights, bias and step_s: copy the "
            "folder anew, or remove the file."
        ) from None
    if weights.shape != (width,) or not np.isfinite([*weights, bias]).all() or not 0 < step_s < 60:
        raise CheckpointError(
            f"{VOICE_HEAD_FILE} holds weights of shape {list(weights.shape)} and steps of {step_s:g} s; expected "
            f"{[width]} finite ones, and a step from 0 to 60 s."
        )
    return VoiceHead(weights=weights, bias=bias, step_s=step_s)
