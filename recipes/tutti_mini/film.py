"""Frames and samples as an encoded video, the form in which a user has them."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from recipes.tutti_mini.voices import RATE_HZ

TICKS_PER_S = 1000


def encode(frames: NDArray[np.uint8], times_s: NDArray[np.float64], sound: NDArray[np.float32] | None) -> bytes:
    """MP4 with H.264 and, where there is sound, AAC.

    Args:
        frames: (F, H, W, 3) uint8, sides even.
        times_s: (F,) the middle of each frame's time, at equal distances.
        sound: (S,) float32 mono at 16 kHz, or None.
    """
    file = io.BytesIO()
    step_s = 2 * float(times_s[0])
    with av.open(file, "w", format="mp4") as container:
        video: Any = container.add_stream("libx264", rate=Fraction(TICKS_PER_S, round(step_s * TICKS_PER_S)))
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "16", "preset": "veryfast"}
        audio: Any = container.add_stream("aac", rate=RATE_HZ) if sound is not None else None
        for picture in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return file.getvalue()
