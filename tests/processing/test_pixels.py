"""Pictures to pixel values, against the reference and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from transformers import CLIPImageProcessorPil

from tutti.errors import CapacityError, InputError, UnsupportedConfig
from tutti.processing import images
from tutti.processing.images import ImageProcessor, border_mean, center_crop

PLAIN = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
MINI = {**PLAIN, "size": {"longest_edge": 64}, "do_pad": True, "pad_color": "border_mean"}
STEP = 1 / 255 / 0.26
"""One step of eight bits after CLIP's normalization."""


def _picture(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(height * 7 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _agree(reference: CLIPImageProcessorPil, height: int, width: int) -> None:
    picture = _picture(height, width)
    expected = reference(picture, return_tensors="np", input_data_format="channels_last")["pixel_values"][0]
    found = ImageProcessor.from_config(reference.to_dict())(picture)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=STEP)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2000), (333, 500), (500, 333), (224, 224), (225, 223)])
def test_equal_to_clip(height: int, width: int) -> None:
    _agree(CLIPImageProcessorPil(), height, width)


@pytest.mark.parametrize("resample", range(6))
def test_every_filter_crops_as_clip(resample: int) -> None:
    _agree(CLIPImageProcessorPil(resample=resample), 480, 641)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 20), (9, 7), (8, 6), (11, 8), (12, 3), (10, 12)])
def test_crops_equal_to_clip(height: int, width: int) -> None:
    _agree(CLIPImageProcessorPil(do_resize=False, crop_size={"height": 10, "width": 7}), height, width)


@pytest.mark.parametrize("size", [{"height": 40, "width": 30}, {"shortest_edge": 20}])
def test_other_sizes_equal_to_clip(size: dict[str, int]) -> None:
    _agree(CLIPImageProcessorPil(size=size, do_center_crop=False, resample=2), 61, 47)


def test_the_crop_is_the_middle() -> None:
    ramp = np.arange(25, dtype=np.uint8).reshape(5, 5, 1).repeat(3, 2)
    assert center_crop(ramp, 3, 1)[..., 0].tolist() == [[7], [12], [17]]
    assert center_crop(ramp[:1, :1] + 9, 3, 3)[..., 0].tolist() == [[0, 0, 0], [0, 9, 0], [0, 0, 0]]


def test_the_long_side_is_fitted_and_the_rest_gets_the_borders_colour() -> None:
    picture = np.full((10, 40, 3), (200, 100, 0), np.uint8)
    values = ImageProcessor.from_config(MINI)(picture)
    assert values.shape == (3, 64, 64)
    expected = (np.array([200, 100, 0]) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(values, np.broadcast_to(expected[:, None, None], values.shape), atol=1e-6)


def test_a_named_colour_surrounds_the_picture() -> None:
    picture = np.full((64, 32, 3), 255, np.uint8)
    values = ImageProcessor.from_config({**MINI, "pad_color": [0, 0, 255]})(picture)
    assert (values[:, :, 16:48] == 1).all()
    assert values[:, 0, 0].tolist() == values[:, 63, 63].tolist() == [-1, -1, 1]


def test_the_borders_colour_is_a_mean() -> None:
    picture = np.zeros((3, 3, 3), np.uint8)
    picture[0] = 255
    picture[1, 1] = 77  # inside, so it does not count
    assert border_mean(picture).tolist() == [106, 106, 106]  # 5 of 12: corners count on both of their sides


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5000), (5000, 1), (64, 64), (63, 65)])
def test_every_shape_gives_a_square(height: int, width: int) -> None:
    assert ImageProcessor.from_config(MINI)(_picture(height, width)).shape == (3, 64, 64)


def test_older_forms_of_sizes_count() -> None:
    older = ImageProcessor.from_config({**PLAIN, "size": 24, "crop_size": 24})
    newer = {**PLAIN, "size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}, "do_center_crop": True}
    assert older == ImageProcessor.from_config(newer)


def test_bad_pictures_are_refused() -> None:
    processor = ImageProcessor.from_config({**PLAIN, "size": 224})
    with pytest.raises(CapacityError, match="The picture is 60000 x 1 pixels; with a short side of 224 it would have"):
        processor(_picture(1, 60_000))
    for bad in (_picture(4, 4)[..., 0], _picture(4, 4).astype(np.float32), _picture(0, 4)):
        with pytest.raises(InputError, match=r"Expected a picture \(H, W, 3\) of bytes"):
            processor(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"do_flip": True}, "has the unknown key 'do_flip' for pictures"),
        ({"size": None}, "lacks 'size' for pictures"),
        ({"image_std": None}, "lacks 'image_std' for pictures"),
        ({"pad_color": None}, "has do_pad without pad_color for pictures"),
        ({"pad_color": "pink"}, "pad_color is 'pink'; expected 'border_mean' or three numbers to 255"),
        ({"pad_color": [0, 0, 256]}, r"pad_color is \(0, 0, 256\); expected"),
        ({"size": {"shortest_edge": 3}}, r"do_pad needs a size by longest_edge; found \{'shortest_edge': 3\}"),
        ({"size": {"longest_edge": 0}}, "expected sides from 1 to 8192 pixels"),
        (
            {"size": {"longest_edge": 9, "shortest_edge": 9}},
            "expected shortest_edge or longest_edge or height and width",
        ),
        ({"size": [3, 4]}, r"size is \(3, 4\); expected shortest_edge"),
        ({"crop_size": {"height": 3}}, r"crop_size is \{'height': 3\}; expected height and width"),
        ({"resample": 9}, "resample is 9; expected one of Pillow's filters"),
        ({"image_std": [1, 1, 0]}, "image_std without a zero"),
        ({"image_mean": [1]}, "must be three numbers each"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig, match=sentence):
        ImageProcessor.from_config({**MINI, **change})


def test_a_thin_picture_swells_without_the_guard_and_not_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of 20,000 pixels within every budget, whose short side a model wants to be 224."""
    line = np.zeros((1, 20_000, 3), np.uint8)
    settings = ImageProcessor(size={"shortest_edge": 224})
    asked: list[int] = []

    def resized(picture: np.ndarray[Any, Any], height: int, width: int, *_: object) -> np.ndarray[Any, Any]:
        asked.append(height * width)
        return picture[:1, :1]

    monkeypatch.setattr(images, "resize", resized)
    with monkeypatch.context() as unguarded:
        unguarded.setattr(images, "_MAX_PIXELS", 2**60)
        settings(line)
    assert asked == [224 * 224 * 20_000], "three gigabytes, of a PNG of a hundred bytes"
    with pytest.raises(CapacityError, match="crop it first"):
        settings(line)
    assert len(asked) == 1
