"""ImageBind by itself: sizes, invariants, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models import bind
from tutti import checkpoints
from tutti.errors import CapacityError, InputError, UnsupportedConfig, UnsupportedTask
from tutti.models.imagebind.config import ImageBindConfig, huge
from tutti.processing.depth_thermal import DepthMap, HeatMap
from tutti.processing.kaldi import FilterBank


def test_parameters_and_tokens_are_counted() -> None:
    model = bind.build()
    stored = sum(tensor.numel() for tensor in model.state_dict().values())
    assert model.config.parameters() == stored
    published = ImageBindConfig.from_hf(huge())
    assert {name: trunk.tokens for name, trunk in published.trunks().items()} == {
        "vision": 257, "text": 77, "audio": 229, "depth": 197, "thermal": 197, "imu": 251,
    }  # fmt: skip
    assert published.parameters() == 1_200_781_061
    # ViT-H/14 over a picture: some 167 billion multiply-adds (Dosovitskiy et al. 2021).
    assert published.vision.flops(1024) / 2e9 == pytest.approx(167, rel=0.03)


@torch.inference_mode()
def test_what_follows_the_end_of_a_text_is_not_seen() -> None:
    model = bind.build()
    padded = torch.tensor([[4, 1, 5, 5, 5], [4, 2, 5, 0, 3]])
    assert torch.allclose(model.embed_text(padded), model.embed_text(padded[:, :3]), atol=1e-6)


@torch.inference_mode()
def test_a_still_is_a_clip_in_which_nothing_moves_and_views_are_averaged() -> None:
    model = bind.build()
    pictures = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    still = model.embed_media("image", {"pixel_values": pictures})
    clips = pictures[:, None, :, None].expand(-1, 1, -1, 2, -1, -1)
    torch.testing.assert_close(model.embed_media("video", {"pixel_values": clips}), still)
    both = model(pixel_values=torch.cat((clips[:1], clips[1:]), dim=1)).vision
    torch.testing.assert_close(both, still.mean(0, keepdim=True), atol=1e-5, rtol=1e-5)


def test_temperatures_are_those_of_the_paper() -> None:
    model = bind.build()
    text = 1 / 0.07
    assert model.sharpness("image") == model.sharpness("video") == pytest.approx(text)
    for modality, temperature in {"audio": 0.05, "depth": 0.2, "thermal": 0.1, "motion": 0.2}.items():
        assert model.sharpness(modality) == pytest.approx(text / temperature, rel=1e-5)
    with torch.no_grad():
        model.modality_postprocessors["text"][1].log_logit_scale.fill_(math.log(1000))
    assert model.sharpness("image") == pytest.approx(100)


def test_other_sizes_and_modalities_are_refused_in_a_sentence() -> None:
    model = bind.build()
    with pytest.raises(InputError, match=r"The inputs have shape \[3, 30, 28\]; this trunk takes \[3, 28, 28\]"):
        model(pixel_values=torch.zeros(1, 3, 30, 28))
    with pytest.raises(InputError, match=r"The inputs have shape \[6, 41\]; this trunk takes \[6, 40\]"):
        model(imu_values=torch.zeros(1, 6, 41))
    with pytest.raises(InputError, match="The texts are 9 tokens long; this model reads at most 8"):
        model(input_ids=torch.zeros(1, 9, dtype=torch.int64))
    with pytest.raises(UnsupportedTask, match="This model has no trunk for smell; it has some for image, video, audio"):
        model.embed_media("smell", {})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hidden_act": "gelu"}, "The imagebind configuration has the unknown key 'hidden_act'"),
        ({"imu_config": None}, "lacks 'imu_config'"),
        ({"depth_config": {**bind.BLOCKS, "channels": 2}}, "depth_config has the unknown key 'channels'"),
        ({"depth_config": {"hidden_size": 16}}, "depth_config lacks 'num_hidden_layers'"),
        ({"vision_config": {**bind.BLOCKS, "image_size": 30}}, "vision_config has image_size 30 and patch_size 14"),
        ({"audio_config": {**bind.BLOCKS, "num_mel_bins": 8}}, "audio_config has a patch_size larger than"),
        ({"imu_config": {**bind.BLOCKS, "num_steps": 41}}, "imu_config has num_steps that patch_size does not divide"),
        ({"text_config": {**bind.BLOCKS, "num_attention_heads": 3}}, "expected the second to divide the first"),
        ({"projection_dim": 0}, "projection_dim is 0; expected one whole number from 1 on"),
    ],
)
def test_configurations_that_are_not_computed(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig, match=sentence):
        ImageBindConfig.from_hf(bind.CONFIG | change)


@pytest.mark.parametrize(
    ("block", "values", "sentence"),
    [
        ("sound", {}, "has the keys audio, depth, image, motion, sound, thermal, video; expected audio, depth, image"),
        ("audio", {"window": 3}, "has the unknown key 'window' for audio"),
        ("audio", {"num_mel_bins": 80}, "has num_mel_bins 80 for audio; the model takes 26"),
        ("audio", {"clips": 0}, "The settings for audio have a number that is not above zero"),
        ("video", {"crops": 2}, "must have clips of some seconds, and 1 or 3 crops"),
        ("video", {"clips": "5"}, "has clips '5' for video; expected a number"),
        ("depth", {"min_depth": 60}, "The settings for depth have a number not above zero, or limits that cross"),
        ("image", {**bind.PREPROCESSOR["image"], "size": {"shortest_edge": 30}}, "must make the short side 28 pixels"),
    ],
)
def test_settings_that_do_not_suit_the_model(tmp_path: Path, block: str, values: dict[str, Any], sentence: str) -> None:
    settings = json.dumps(bind.PREPROCESSOR | {block: values})
    folder = bind.save(tmp_path / "bind", **{"preprocessor_config.json": settings})
    with pytest.raises(UnsupportedConfig, match=sentence):
        checkpoints.load(folder)


def test_depth_becomes_disparity() -> None:
    grid = np.full((40, 60), 2.0, np.float32)
    grid[:, :10], grid[:, -10:] = 0.0, 0.001
    made = DepthMap(size=40, mean=0.0, std=1.0)(grid)
    assert made.shape == (1, 40, 40)
    # 38.91 / 2 m of 75 pixels in the middle, which is all that the crop keeps.
    np.testing.assert_allclose(made[0, :, 10:30], 38.91 / 2 / 75, atol=1e-5)
    whole = DepthMap(size=40, mean=0.0418, std=0.0295)(grid[:, 10:50])
    np.testing.assert_allclose(whole, (38.91 / 2 / 75 - 0.0418) / 0.0295, atol=1e-3)
    near, none = (DepthMap(size=8, mean=0.0, std=1.0)(np.full((8, 8), value, np.float32)) for value in (0.001, 0.0))
    np.testing.assert_allclose(near, 1.0, atol=1e-6)
    np.testing.assert_allclose(none, 38.91 / 50 / 75, atol=1e-6)


def test_heat_is_between_the_coldest_and_the_hottest() -> None:
    kelvin = np.linspace(280, 320, 64, dtype=np.float32).reshape(8, 8)
    made = HeatMap(size=8)(kelvin)
    np.testing.assert_allclose(made[0], (kelvin - 280) / 40, atol=1e-6)
    assert not HeatMap(size=8)(np.full((9, 8), 300, np.float32)).any()
    with pytest.raises(CapacityError, match="The map is 4 x 30000; with a short side of 224 it would have"):
        HeatMap()(np.zeros((30_000, 4), np.float32))


def test_filter_banks_of_a_tone_peak_where_it_is() -> None:
    times = np.arange(16_000) / 16_000
    loud = FilterBank()(np.sin(2 * np.pi * 1000 * times).astype(np.float32)).mean(0)
    edges = np.linspace(1127 * math.log1p(20 / 700), 1127 * math.log1p(8000 / 700), 130)
    assert loud.argmax() == np.abs(edges[1:-1] - 1127 * math.log1p(1000 / 700)).argmin()
    with pytest.raises(InputError, match="The recording has 399 samples; expected 400 or more, which is 25 ms"):
        FilterBank()(np.zeros(399, np.float32))
