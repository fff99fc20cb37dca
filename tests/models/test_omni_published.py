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
def test_within_margins_lie_the_point_and_the_names_and_not_the_grid(model: Omni) -> None:
    whole, closer = pictures(2).unbind(0)
    both = {"pixel_values": whole[None], "closer_pixel_values": closer[None]}
    apart = [{"pixel_values": one[None]} for one in (whole, closer)]
    torch.testing.assert_close(model.embed_media("image", both), model.embed_media("image", apart[1]))
    tokens, of_whole, of_closer = (model.connect("image", arrays) for arrays in (both, *apart))
    named = model.config.names.placeholders
    torch.testing.assert_close(tokens[:, :-named], of_whole[:, :-named])
    torch.testing.assert_close(tokens[:, -named:], of_closer[:, -named:])
    assert not torch.allclose(of_whole[:, -named:], of_closer[:, -named:])


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


FAMILIAR = {
    "trunks": {
        "image": {
            **CHANGES["trunks"]["image"],
            "familiar": {"centres": 3, "axes": 4, "likeliest": 5, "temperature": 1.5},
        }
    },
    "names": CHANGES["names"],
}


def head_of(model: Omni) -> PublishedHead:
    head = model.heads["image"]
    assert isinstance(head, PublishedHead)
    return head


def test_a_folder_that_says_nothing_of_the_familiar_gives_the_same_points() -> None:
    """By the formula that older weights were made with, and with the same names of parameters."""
    model = tiny_model(**CHANGES)
    head = head_of(model)
    assert not any("familiar" in name or "usual" in name for name in model.state_dict())
    own, seen, logits = torch.randn(3, head.width), torch.randn(3, 12), torch.randn(3, 20)
    likely, which = logits.softmax(-1).topk(10, dim=-1)
    named = F.normalize((likely[..., None] * head.classes[which]).sum(1), dim=-1)
    added = head.down(F.gelu(head.up(torch.cat((head.published_norm(seen), head.norm(own)), dim=-1))))
    assert torch.equal(head.point(own, seen, logits), named + added)


@torch.inference_mode()
def test_what_is_unfamiliar_keeps_the_published_point() -> None:
    head = head_of(tiny_model(**FAMILIAR))
    assert head.familiar is not None
    torch.nn.init.normal_(head.down.weight)
    head.usual.fill_(0.1)
    own, seen, logits = torch.randn(3, head.width), torch.randn(3, 12), torch.randn(3, 20)
    torch.testing.assert_close(head.familiar(seen), torch.ones(3, 1))
    whole = head.point(own, seen, logits)
    assert not torch.allclose(whole, head.named(logits))
    head.familiar.gate.copy_(torch.tensor([1e4, 1.0]))
    torch.testing.assert_close(head.point(own, seen, logits), head.named(logits))
    likely, which = (logits / 1.5).softmax(-1).topk(5, dim=-1)
    mean = (likely[..., None] * head.classes[which]).sum(1)
    torch.testing.assert_close(head.named(logits), F.normalize(mean, dim=-1) - 0.1)


@torch.inference_mode()
def test_familiarity_is_the_distance_to_all_less_that_to_the_nearest_centre() -> None:
    head = head_of(tiny_model(**FAMILIAR))
    part = head.familiar
    assert part is not None
    for name in ("within", "overall", "within_offset", "overall_offset", "centres"):
        torch.nn.init.normal_(getattr(part, name))
    seen = torch.randn(5, 12)
    for row, value in zip(F.layer_norm(seen, (12,)), part.measure(seen), strict=True):
        within, overall = part.within @ row + part.within_offset, part.overall @ row + part.overall_offset
        nearest = min(float((within - centre).pow(2).sum()) for centre in part.centres)
        assert float(value) == pytest.approx((float(overall.pow(2).sum()) - nearest) / 4, abs=1e-4)


def test_what_is_familiar_is_counted() -> None:
    model = tiny_model(**FAMILIAR)
    assert model.config.parameters() == sum(parameter.numel() for parameter in model.parameters())
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.connect("image", {"pixel_values": pictures(1)})
    assert model.config.media_flops("image") == counter.get_total_flops()


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({**FAMILIAR["trunks"]["image"], "familiar": {"centres": 0, "axes": 4}}, "A head has 0 centres, 4 axes"),
        ({**TINY["trunks"]["image"], "familiar": {"centres": 3, "axes": 4}}, "tells what is familiar"),
        ({**FAMILIAR["trunks"]["image"], "familiar": {"centres": 3}}, "trunks.image.familiar lacks 'axes'"),
    ],
)
def test_a_head_that_knows_nothing_to_be_familiar_with_is_refused(image: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedConfig) as caught:
        tiny_config(trunks={"image": image}, names=CHANGES["names"])
    assert said in str(caught.value)
