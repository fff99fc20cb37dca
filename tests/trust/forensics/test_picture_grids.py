"""What was in another JPEG is found where it was pasted, and pictures without a past of their own are left alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as pillow

from tests.trust.forensics.test_copied_regions import photograph
from tutti.trust.forensics.picture_grids import pasted_region, resampled_region


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, "JPEG", quality=quality)
    return np.asarray(pillow.open(out))


def pasted(host: np.ndarray, other: np.ndarray, down: int, across: int) -> np.ndarray:
    made = host.copy()
    made[72:184, 144:256] = other[40 + down : 152 + down, 80 + across : 192 + across]
    return made


@pytest.mark.parametrize("seed", [2, 4])
def test_a_part_of_another_jpeg_is_found_where_it_is(seed: int) -> None:
    host, other = jpeg(photograph(1), 85), jpeg(photograph(seed), 80)
    found = pasted_region(pasted(host, other, 3, 5))
    assert found is not None and found.score > 0.6
    left, top, right, bottom = found.box
    assert 144 - 40 <= left < right <= 256 + 40 and 72 - 40 <= top < bottom <= 184 + 40
    assert "in another JPEG" in found.reason and "(3 across, 5 down)" in found.reason


def test_what_is_in_step_or_was_never_a_jpeg_is_left_alone() -> None:
    host, other = jpeg(photograph(1), 85), jpeg(photograph(2), 80)
    assert pasted_region(host) is None
    assert pasted_region(pasted(host, other, 0, 0)) is None  # one place in 64 is in step
    assert pasted_region(photograph(3)) is None
    assert pasted_region(host[5:, 3:]) is None  # cropped as a whole
    assert pasted_region(np.zeros((200, 200, 3), np.uint8)) is None
    assert pasted_region(host[:40, :40]) is None
    # Put back where it stood, by the same steps: only where it comes from tells the two apart.
    same = host.copy()
    same[72:184, 144:256] = host[72:184, 144:256].copy()
    assert pasted_region(same) is None


def texture(seed: int) -> np.ndarray:
    """Detail of all sizes that was never scaled. Shapes: (320, 480, 3) uint8."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).normal(0, 1, (320, 480)))
    size = np.hypot(np.fft.fftfreq(320)[:, None], np.fft.rfftfreq(480)[None])
    made = np.fft.irfft2(spectrum / np.maximum(size, 0.01), (320, 480))
    return np.repeat(np.clip(128 + 40 * made / made.std(), 0, 255).astype(np.uint8)[..., None], 3, 2)


def test_a_part_that_was_scaled_is_found_where_it_is() -> None:
    host, other = texture(6), texture(7)
    larger = np.asarray(pillow.fromarray(other).resize((624, 416), pillow.Resampling.BICUBIC))
    scaled, plain = host.copy(), host.copy()
    scaled[96:256, 192:352], plain[96:256, 192:352] = larger[50:210, 60:220], other[50:210, 60:220]
    found, left = resampled_region(scaled), resampled_region(plain)
    assert found is not None and left is not None
    assert found.score > 0.6 and left.score < 0.4
    assert (
        found.box[0] >= 192 - 48 and found.box[2] <= 352 + 48 and found.box[1] >= 96 - 48 and found.box[3] <= 256 + 48
    )
    assert resampled_region(host[:120, :120]) is None
    assert resampled_region(np.zeros((40, 40, 3), np.uint8)) is None
