"""`tutti_omni` with a published network beside its picture trunk, tiny."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.models.conftest import TINY, tiny_config, tiny_model
from tutti.engine.passes import run_passes, undo_passes
from tutti.errors import UnsupportedConfig
from tutti.models.efficientnet.config import EfficientNetConfig
from tutti.models.omni.model import Omni
from tutti.models.omni.published import PublishedHead

NETWORK = EfficientNetConfig(
    stem=4, repeats=(1, 1), kernels=(3, 5), strides=(2, 2), expands=(1, 2), channels=(6, 8), width=12, classes=20
)
CHANGES: dict[str, Any] = {
    "trunks": {"image": {**TINY["trunks"]["image"], "published": asdict(NETWORK), "residual": 9}},
    "names": {"count": 7, "tokens": 2, "shown": 3},
}


def pictures(*shape: int) -> Tensor:
    return torch.randn(*shape, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def model() -> Omni:
    made = tiny_model(**CHANGES)
    made.names.ids.copy_(torch.arange(9, 23).view(7, 2))
    return made


def test_tokens_of_a_medium_are_as_many_as_the_configuration_says(model: Omni) -> None:
    config = model.config
    assert config.trunks["image"].pixels == 32
    with torch.inference_mode():
        assert model.connect("image", {"pixel_values": pictures(2)}).shape == (2, config.picture_tokens(), 16)
        clip = model.connect("video", {"pixel_values": pictures(1, 3)})
    assert clip.shape == (1, config.clip_tokens(3, 0), 16)
    assert config.picture_tokens() == 4 + 4 + 6
    assert config.clip_tokens(3, 0) == 3 * (1 + 1) + 6


@torch.inference_mode()
def test_a_medium_in_a_batch_is_the_medium_alone(model: Omni) -> None:
    for modality, batch in (("image", pictures(3)), ("video", pictures(3, 2))):
        points, tokens = (act(modality, {"pixel_values": batch}) for act in (model.embed_media, model.connect))
        for row in range(3):
            alone = {"pixel_values": batch[row : row + 1]}
            torch.testing.assert_close(points[row], model.embed_media(modality, alone)[0], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(tokens[row], model.connect(modality, alone)[0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_without_a_residual_the_point_is_that_of_the_likeliest_classes() -> None:
    """ConSE by its definition, one class at a time."""
    model = tiny_model(**CHANGES)
    head, trunk = model.heads["image"], model.trunks["image"]
    assert isinstance(head, PublishedHead)
    torch.nn.init.zeros_(head.down.weight)
    torch.nn.init.zeros_(head.down.bias)
    batch = pictures(2)
    likely = trunk.published((batch * 0.25 + 0.5) * (255 / 128) - 127 / 128).logits.softmax(-1)
    for row, point in zip(likely, model.embed_media("image", {"pixel_values": batch}), strict=True):
        order = sorted(range(20), key=lambda index: -float(row[index]))[:10]
        mean = sum((row[index] * head.classes[index] for index in order), torch.zeros(10))
        torch.testing.assert_close(point, mean / mean.norm(), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_the_names_given_are_the_nearest_with_their_probability(model: Omni) -> None:
    assert model.names is not None
    point = F.normalize(torch.randn(1, 10), dim=-1)
    named = model.names.nearest(point, torch.tensor(5.0))
    share = (5 * point @ model.names.points.T).softmax(-1)[0]
    order = sorted(range(7), key=lambda index: -float(share[index]))[:3]
    assert named.ids[0].tolist() == model.names.ids[order].tolist()
    torch.testing.assert_close(named.share[0], share[order])


@torch.inference_mode()
def test_the_decoder_hears_of_another_name_where_the_picture_is_near_it(model: Omni) -> None:
    assert model.names is not None
    batch = {"pixel_values": pictures(1)}
    before = model.connect("image", batch)
    kept = model.names.ids.clone()
    model.names.ids.copy_(kept.flip(0))
    after = model.connect("image", batch)
    model.names.ids.copy_(kept)
    assert torch.equal(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8:], after[:, 8:])


@torch.inference_mode()
def test_folded_is_unfolded() -> None:
    model = tiny_model(**CHANGES)
    batch = {"pixel_values": pictures(2)}
    plain = model.connect("image", batch)
    torch.testing.assert_close(run_passes(model).connect("image", batch), plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(undo_passes(model).connect("image", batch), plain)


def test_parameters_and_operations_are_counted(model: Omni) -> None:
    assert model.config.parameters() == sum(parameter.numel() for parameter in model.parameters())
    for modality, batch, frames in (("image", pictures(1), 1), ("video", pictures(1, 3), 3)):
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            model.connect(modality, {"pixel_values": batch})
        assert model.config.media_flops(modality, frames=frames) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": {"count": 7, "tokens": 2, "shown": 3}}, "names are given, but no trunk has a published network"),
        (
            {"trunks": {"image": {**CHANGES["trunks"]["image"], "residual": 0}}},
            "a residual of 0; expected a picture trunk",
        ),
        (
            {"trunks": {"audio": {**TINY["trunks"]["audio"], "published": asdict(NETWORK), "residual": 4}}},
            "A trunk of kind sound",
        ),
        (
            {"trunks": {"image": {**CHANGES["trunks"]["image"], "published": {"stem": 4, "colour": 1}}}},
            "trunks.image.published has the unknown key 'colour'",
        ),
    ],
)
def test_a_configuration_that_does_not_add_up_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedConfig) as caught:
        tiny_config(**changes)
    assert said in str(caught.value)
