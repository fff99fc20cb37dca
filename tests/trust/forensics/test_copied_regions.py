"""A region that was copied within a picture is found where it is; other pictures are left alone."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image as pillow

from tutti.errors import MissingExtra
from tutti.trust.forensics.copied_regions import copied_region


def photograph(seed: int = 1, height: int = 240, width: int = 320) -> np.ndarray:
    """Blobs of many sizes with noise, as photographs of leaves and stones have them."""
    rng = np.random.default_rng(seed)
    made = np.zeros((height, width, 3))
    for side in (3, 6, 12, 24, 48):
        cells = rng.normal(0, 1, (height // side + 2, width // side + 2))
        wide = pillow.fromarray(cells.astype(np.float32)).resize((width, height), pillow.Resampling.BICUBIC)
        made += np.asarray(wide)[..., None] * (12 + side / 2)
    return np.clip(120 + made + rng.normal(0, 2, made.shape), 0, 255).astype(np.uint8)


def with_copy(pixels: np.ndarray, quality: int | None = None) -> np.ndarray:
    made = pixels.copy()
    made[130:200, 210:280] = pixels[30:100, 40:110]
    if quality is None:
        return made
    out = io.BytesIO()
    pillow.fromarray(made).save(out, "JPEG", quality=quality)
    return np.asarray(pillow.open(out))


@pytest.mark.parametrize("quality", [None, 85])
def test_a_copy_is_found_where_it_is(quality: int | None) -> None:
    found = copied_region(with_copy(photograph(), quality))
    assert found is not None and found.score > 0.6 and found.agreement > 0.8
    for box, (left, top) in zip(sorted((found.box, found.other)), [(40, 30), (210, 130)], strict=True):
        assert left - 8 <= box[0] < box[2] <= left + 78 and top - 8 <= box[1] < box[3] <= top + 78
        assert (box[2] - box[0]) * (box[3] - box[1]) > 0.6 * 70 * 70


def test_a_copy_that_was_turned_and_scaled_is_found() -> None:
    pixels = photograph(2)
    region = pillow.fromarray(pixels[30:100, 40:110]).resize((84, 84), pillow.Resampling.BICUBIC)
    made = pillow.fromarray(pixels)
    made.paste(region.rotate(20, pillow.Resampling.BICUBIC), (200, 120), pillow.new("L", (84, 84), 255).rotate(20))
    found = copied_region(np.asarray(made))
    assert found is not None and found.score > 0.3


def test_a_large_picture_is_looked_at_smaller_and_told_in_its_own_pixels() -> None:
    large = pillow.fromarray(with_copy(photograph())).resize((2560, 1920), pillow.Resampling.BICUBIC)
    found = copied_region(np.asarray(large))
    assert found is not None
    right = sorted((found.box, found.other))[1]
    assert 8 * 202 <= right[0] < right[2] <= 8 * 288


def test_what_was_not_copied_is_left_alone() -> None:
    for seed in range(4):
        assert copied_region(photograph(seed)) is None
    assert copied_region(np.zeros((200, 200, 3), np.uint8)) is None
    assert copied_region(np.zeros((20, 20, 3), np.uint8)) is None
    # Put back where it stood, by the same steps: only the place tells the two apart.
    pixels = photograph(5)
    pixels[30:100, 40:110] = pixels[30:100, 40:110].copy()
    assert copied_region(pixels) is None


def test_things_of_one_form_with_noise_of_their_own_agree_less_than_a_copy() -> None:
    rng = np.random.default_rng(3)
    tile = photograph(7, 80, 80).astype(float)
    wall = np.tile(tile, (3, 4, 1)) * np.linspace(0.8, 1.1, 320)[None, :, None]
    alike = copied_region(np.clip(wall + rng.normal(0, 14, wall.shape), 0, 255).astype(np.uint8))
    copy = copied_region(with_copy(photograph(7)))
    assert copy is not None and (alike is None or alike.agreement < copy.agreement - 0.1)


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r"tutti\[ocr\]"):
        copied_region(photograph())
