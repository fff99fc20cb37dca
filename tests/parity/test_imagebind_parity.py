"""ImageBind against the official code, run once on the same formulas (`provenance/imagebind_golden.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity import formulas
from tutti.checkpoints.loading import _Hollow
from tutti.content import Video
from tutti.media import Limits, decode_video
from tutti.models.imagebind.config import ImageBindConfig, huge
from tutti.models.imagebind.model import ImageBindModel
from tutti.processing.depth_thermal import center
from tutti.processing.imagebind import Sounds
from tutti.processing.images import ImageProcessor
from tutti.processing.kaldi import FilterBank
from tutti.processing.video_crops import Views

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden/imagebind.json").read_text())
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture(scope="module")
def model() -> ImageBindModel:
    made = ImageBindModel(ImageBindConfig.from_hf(formulas.TINY)).eval()
    formulas.fill(made)
    return made


def is_probe(array: np.ndarray, expected: dict[str, Any], atol: float) -> None:
    found = formulas.probe(array)
    assert found.pop("shape") == expected["shape"]
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], atol=atol, rtol=1e-5, err_msg=name)


def test_weights_are_named_and_shaped_as_in_the_published_checkpoint() -> None:
    with torch.device("meta"), _Hollow():
        made = ImageBindModel(ImageBindConfig.from_hf(huge()))
    expected = {
        pattern.format(block): shape
        for pattern, (count, shape) in GOLDEN["names"].items()
        for block in range(count)
        if pattern not in made.computed
    }
    assert {name: list(tensor.shape) for name, tensor in made.state_dict().items()} == expected


@torch.inference_mode()
def test_all_six_trunks_compute_the_same(model: ImageBindModel) -> None:
    given = formulas.inputs({"vocabulary": 49408})
    out = model(given["text"], given["vision"], given["audio"], given["depth"], given["thermal"], given["imu"])
    found = out._asdict() | {"video": model(pixel_values=given["video"]).vision}
    assert set(found) == set(GOLDEN["outputs"])
    for name, points in found.items():
        expected = torch.tensor(GOLDEN["outputs"][name])
        torch.testing.assert_close(points, expected, atol=1e-4, rtol=1e-5, msg=name)
        # The two inputs are told apart, so that the numbers say something.
        assert (expected[0] - expected[1]).norm() > 0.05 * expected.norm()


@pytest.mark.parametrize("seconds", GOLDEN["sounds"])
def test_clips_of_sound_are_the_same(seconds: str) -> None:
    is_probe(Sounds()(formulas.waveform(float(seconds))), GOLDEN["sounds"][seconds], atol=1e-4)


def test_filter_banks_are_those_of_kaldi_itself() -> None:
    # Kaldi computes in single precision, which shows in the faintest filters.
    is_probe(FilterBank(num_mel_bins=80)(formulas.waveform(0.7)), GOLDEN["kaldi"], atol=5e-4)


def test_filter_banks_are_those_of_a_second_formula() -> None:
    """One frame by the definition: a sum over the samples a frequency, a triangle a filter."""
    samples = formulas.waveform(0.025).astype(np.float64)
    frame = samples - samples.mean()
    frame = frame - 0.97 * np.concatenate((frame[:1], frame[:-1]))
    frame *= np.hanning(400)
    hertz = np.arange(256) * 16_000 / 512
    turns = np.exp(-2j * np.pi * np.outer(np.arange(256), np.arange(400)) / 512)
    power = np.abs(turns @ frame) ** 2
    mels = 1127 * np.log1p(hertz / 700)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 130)
    expected = [np.interp(mels, edges[index : index + 3], [0, 1, 0]) @ power for index in range(128)]
    found = FilterBank()(formulas.waveform(0.025))
    np.testing.assert_allclose(found, np.log(np.maximum(expected, 1.1920929e-07))[None], atol=1e-4)


@pytest.mark.parametrize("name", GOLDEN["pictures"])
def test_pixels_are_the_same(name: str) -> None:
    height, width = map(int, name.split(" x "))
    images = ImageProcessor(size={"shortest_edge": 224}, image_mean=MEAN, image_std=STD)
    is_probe(center(images(formulas.film(1, height, width)[0]), 224), GOLDEN["pictures"][name], atol=1e-5)


@pytest.mark.parametrize("name", GOLDEN["videos"])
def test_views_are_the_same(name: str) -> None:
    views = Views(size=224, image_mean=MEAN, image_std=STD)
    part = Video(formulas.film(*map(int, name.split(" x "))), frames_per_s=formulas.FRAMES_PER_S)
    is_probe(views(decode_video(part, Limits(), views.choice)), GOLDEN["videos"][name], atol=1e-4)
