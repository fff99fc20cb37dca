"""What is covered cannot be computed from what is left, where a blur is undone by deconvolution."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as pillow
from PIL import ImageDraw

from tutti.trust.privacy.covering import covered


def drawn_face(side: int = 96) -> np.ndarray:
    """A face of a few strokes, with the texture of skin and hair."""
    made = pillow.new("L", (side, side), 60)
    pen = ImageDraw.Draw(made)
    pen.ellipse((14, 8, 82, 92), fill=190)
    for x in (34, 62):
        pen.ellipse((x - 8, 36, x + 8, 46), fill=245)
        pen.ellipse((x - 3, 37, x + 4, 45), fill=20)
        pen.line((x - 9, 30, x + 9, 28), fill=50, width=3)
    pen.line((48, 44, 44, 60, 51, 60), fill=110, width=2)
    pen.arc((34, 58, 62, 78), 10, 170, fill=70, width=4)
    rng = np.random.default_rng(1)
    return np.clip(np.asarray(made, float) + rng.normal(0, 6, (side, side)), 0, 255)


def kernel(side: int, sigma: float) -> np.ndarray:
    axis = np.minimum(np.arange(side), side - np.arange(side))
    one = np.exp(-(axis**2) / (2 * sigma**2))
    made = np.outer(one, one)
    return np.fft.fft2(made / made.sum())


def wiener(picture: np.ndarray, response: np.ndarray, noise: float = 1e-4) -> np.ndarray:
    """Wiener's deconvolution with a known blur."""
    inverse = np.conj(response) / (np.abs(response) ** 2 + noise)
    return np.real(np.fft.ifft2(np.fft.fft2(picture) * inverse))


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of what is finer than a sixth of the face, by which people are told apart."""
    side = one.shape[0]
    fine = []
    for picture in (one, other):
        cells = picture.reshape(6, side // 6, 6, side // 6).mean((1, 3))
        rest = picture - np.kron(cells, np.ones((side // 6, side // 6)))
        fine.append(rest - rest.mean())
    spread = fine[0].std() * fine[1].std()
    return 0.0 if spread < 1e-9 else float((fine[0] * fine[1]).mean() / spread)


@pytest.mark.parametrize("sigma", [2.0, 3.0, 4.0])
def test_a_blur_is_undone(sigma: float) -> None:
    face = drawn_face()
    response = kernel(96, sigma)
    blurred = np.round(np.real(np.fft.ifft2(np.fft.fft2(face) * response)))
    assert likeness(wiener(blurred, response), face) > 0.8
    assert likeness(wiener(blurred, response), face) > likeness(blurred, face) + 0.05


@pytest.mark.parametrize("how", ["solid", "pixelate"])
@pytest.mark.parametrize("sigma", [0.0, 2.0, 4.0, 8.0])
def test_nothing_comes_back_from_what_we_cover(how: str, sigma: float) -> None:
    face = drawn_face()
    pixels = np.repeat(face.astype(np.uint8)[..., None], 3, axis=2)
    left = covered(pixels, [(0, 0, 96, 96)], how, np.random.default_rng(2))[..., 0].astype(float)  # type: ignore[arg-type]
    attacked = wiener(left, kernel(96, sigma)) if sigma else left
    assert abs(likeness(attacked, face)) < 0.3


def test_a_solid_cover_does_not_depend_on_what_was_there() -> None:
    rng = np.random.default_rng(3)
    one, other = (rng.integers(0, 256, (40, 50, 3), np.uint8) for _ in range(2))
    boxes = [(-5.0, -5.0, 20.5, 20.5), (30.0, 10.0, 90.0, 90.0)]
    made = [covered(pixels, boxes)[:21, :21] for pixels in (one, other)]
    assert np.array_equal(*made)
    assert np.array_equal(covered(one, boxes)[:, 21:30], one[:, 21:30])


def test_pixelation_keeps_few_cells_and_they_are_noisy() -> None:
    pixels = np.full((60, 60, 3), 128, np.uint8)
    made = covered(pixels, [(0, 0, 60, 60)], "pixelate", np.random.default_rng(4))
    cells = made.reshape(6, 10, 6, 10, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    assert made.std() > 10
    assert not np.array_equal(made, covered(pixels, [(0, 0, 60, 60)], "pixelate", np.random.default_rng(5)))
