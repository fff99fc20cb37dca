"""Whatever is done to the bytes, the answer is an array or a `TuttiError`, and every file is closed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutti.content import Audio, Image, Video
from tutti.errors import TuttiError
from tutti.media import Limits, UniformFrames, decode_audio, decode_image, decode_video, wrap

LIMITS = Limits(max_pixels=1_000_000, max_seconds=30, max_bytes=10_000_000)
NAMES = [*"JPEG PNG WEBP GIF BMP TIFF AVIF HEIC WAV FLAC OGG MP3 mp4 mov webm mkv m4a".split(), "gif film", "webp film"]


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(NAMES),
    keep=st.floats(0.02, 1.0),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 7)), max_size=6),
    near_start=st.booleans(),
)
def test_damaged_bytes(
    one_of_each: dict[str, bytes], name: str, keep: float, flips: list[tuple[float, int]], near_start: bool
) -> None:
    content = bytearray(one_of_each[name])
    content = content[: max(1, round(keep * len(content)))] if not flips else content
    for place, bit in flips:
        content[int(place * min(len(content), 300 if near_start else len(content)))] ^= 1 << bit
    damaged = bytes(content)
    jobs = (
        lambda: decode_image(Image(damaged), LIMITS),
        lambda: decode_audio(Audio(damaged), LIMITS).samples,
        lambda: decode_video(Video(damaged), LIMITS, UniformFrames(2)).frames,
        lambda: np.zeros(0) if wrap(damaged, limits=LIMITS) else None,
    )
    for job in jobs:
        try:
            result = job()
        except TuttiError as error:
            assert str(error).endswith(".")
        else:
            assert isinstance(result, np.ndarray)


def test_nothing_is_left_open(one_of_each: dict[str, bytes], tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for name, content in one_of_each.items():
        for kind, share in (("whole", 1.0), ("half", 0.5)):
            path = tmp_path / f"{kind} {name}"
            path.write_bytes(content[: int(len(content) * share)])
            try:
                part = wrap(path)
                if isinstance(part, Image):
                    decode_image(part, LIMITS)
                elif isinstance(part, Audio):
                    decode_audio(part, LIMITS)
                elif isinstance(part, Video):
                    decode_video(part, LIMITS)
            except TuttiError:
                assert kind == "half"
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert len(os.listdir(tmp_path)) == 2 * len(one_of_each)
