from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tutti.errors import InputError, UnsupportedConfig, UnsupportedTask
from tutti.models.clip import model as clip
from tutti.models.clip.config import CLIPConfig, CLIPTextConfig, CLIPVisionConfig
from tutti.models.clip.model import CLIPModel
from tutti.models.layers.activations import quick_gelu

CONFIG = CLIPConfig(
    text=CLIPTextConfig(
        vocab_size=30,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=9,
        eos_token_id=20,
    ),
    vision=CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=14,
        patch_size=4,
    ),
    projection_dim=12,
)
LARGE_TEXT = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "projection_dim": 768,
}
LARGE_VISION = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
}
LEGACY: dict[str, Any] = {
    "_name_or_path": "",
    "add_cross_attention": False,
    "architectures": None,
    "attention_dropout": 0.0,
    "bad_words_ids": None,
    "bos_token_id": 0,
    "chunk_size_feed_forward": 0,
    "diversity_penalty": 0.0,
    "dropout": 0.0,
    "eos_token_id": 2,
    "exponential_decay_length_penalty": None,
    "hidden_act": "quick_gelu",
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "initializer_factor": 1.0,
    "is_encoder_decoder": False,
    "layer_norm_eps": 1e-05,
    "max_length": 20,
    "pad_token_id": 1,
    "projection_dim": 512,
    "pruned_heads": {},
    "return_dict": True,
    "temperature": 1.0,
    "tf_legacy_loss": False,
    "tie_word_embeddings": True,
    "torch_dtype": None,
    "transformers_version": "4.16.0.dev0",
    "typical_p": 1.0,
    "use_bfloat16": False,
}
"""What published files repeat in both towers."""
TOP: dict[str, Any] = {
    "_name_or_path": "",
    "architectures": ["CLIPModel"],
    "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592,
    "model_type": "clip",
    "torch_dtype": "float32",
    "transformers_version": None,
}
B32 = TOP | {
    "projection_dim": 512,
    "text_config": LEGACY | {"hidden_size": 512, "model_type": "clip_text_model", "vocab_size": 49408},
    "text_config_dict": None,
    "vision_config": LEGACY | {"model_type": "clip_vision_model", "num_channels": 3, "eos_token_id": None},
    "vision_config_dict": None,
}
B16 = B32 | {"vision_config": {"model_type": "clip_vision_model", "patch_size": 16}}
L14 = TOP | {
    "projection_dim": 768,
    "text_config": LEGACY | LARGE_TEXT,
    "text_config_dict": LARGE_TEXT,
    "vision_config": LEGACY | LARGE_VISION,
    "vision_config_dict": LARGE_VISION,
}
L14_336 = L14 | {"vision_config_dict": LARGE_VISION | {"image_size": 336}}
NEW: dict[str, Any] = {
    "architectures": ["CLIPModel"],
    "dtype": "float32",
    "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592,
    "model_type": "clip",
    "projection_dim": 512,
    "text_config": {"attention_dropout": 0.0, "bos_token_id": 49406, "eos_token_id": 49407, "projection_dim": 512},
    "transformers_version": "5.23.0",
    "vision_config": {"attention_dropout": 0.0, "image_size": 224, "num_channels": 3, "projection_dim": 512},
}


def model(config: CLIPConfig = CONFIG) -> CLIPModel:
    torch.manual_seed(0)
    return CLIPModel(config).eval()


def pixels(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 14, 14, generator=torch.Generator().manual_seed(1))


PUBLISHED: dict[str, tuple[dict[str, Any], int, int, int]] = {
    "openai/clip-vit-base-patch32": (B32, 151_277_313, 49, 2),
    "openai/clip-vit-base-patch16": (B16, 149_620_737, 196, 2),
    # What the second form leaves out is not taken from the first, the end token included.
    "openai/clip-vit-large-patch14": (L14, 427_616_513, 256, 49407),
    "openai/clip-vit-large-patch14-336": (L14_336, 427_944_193, 576, 49407),
}


@pytest.mark.parametrize(
    ("values", "parameters", "patches", "end"),
    [*PUBLISHED.values(), (NEW, 151_277_313, 49, 49407)],
    ids=[*PUBLISHED, "base-patch32, newer form"],
)
def test_published_configurations_are_read(values: dict[str, Any], parameters: int, patches: int, end: int) -> None:
    config = CLIPConfig.from_hf(values)
    assert config.parameters() == parameters  # as published with the models
    assert (config.vision.patches, config.text.eos_token_id) == (patches, end)
    assert (config.text.max_position_embeddings, config.text.hidden_act) == (77, "quick_gelu")
    assert config.projection_dim == config.text.hidden_size


def with_tower(tower: str, **changes: Any) -> dict[str, Any]:
    return NEW | {tower: NEW[tower] | changes}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (NEW | {"tile_size": 4}, "The clip configuration has the unknown key 'tile_size'."),
        (with_tower("text_config", rope_theta=1.0), "text_config has the unknown key 'rope_theta'."),
        (with_tower("vision_config", vocab_size=7), "vision_config has the unknown key 'vocab_size'."),
        (
            with_tower("text_config", hidden_act="silu"),
            "hidden_act is 'silu'; computed are gelu, gelu_pytorch_tanh, quick_gelu.",
        ),
        (
            with_tower("text_config", eos_token_id=[2, 3]),
            "eos_token_id is [2, 3]; expected one whole number from 1 on.",
        ),
        (
            with_tower("vision_config", image_size=[224, 112]),
            "image_size is [224, 112]; expected one whole number from 1 on.",
        ),
        (with_tower("vision_config", layer_norm_eps="1e-5"), "layer_norm_eps is '1e-5'; expected a number."),
        (with_tower("vision_config", num_channels=4), "vision_config has num_channels 4; this tower computes 3 only."),
        (
            with_tower("text_config", pruned_heads={"1": [0]}),
            "text_config has pruned_heads {'1': [0]}; this tower computes {} only.",
        ),
        (
            with_tower("text_config", num_attention_heads=7),
            "hidden_size is 512 and num_attention_heads is 7; expected the second to divide the first.",
        ),
        (NEW | {"projection_dim": 0}, "projection_dim is 0; expected one whole number from 1 on."),
        (NEW | {"logit_scale_init_value": "warm"}, "logit_scale_init_value is 'warm'; expected a number."),
        (NEW | {"vision_config": 3}, "vision_config is 3; expected an object."),
    ],
)
def test_what_it_does_not_compute_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig) as caught:
        CLIPConfig.from_hf(values)
    assert str(caught.value) == sentence


def test_parameters_are_counted() -> None:
    both = model()
    assert CONFIG.parameters() == sum(parameter.numel() for parameter in both.parameters())
    assert CONFIG.text.parameters() == sum(parameter.numel() for parameter in both.text_model.parameters())
    assert CONFIG.vision.parameters() == sum(parameter.numel() for parameter in both.vision_model.parameters())


def test_flops_are_those_of_the_projections_and_of_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not every counter knows attention's operator, so its part is written out below.
    monkeypatch.setattr(clip, "attention", lambda query, key, value, mask, causal, dtype: query)
    both = model()
    with FlopCounterMode(display=False) as words, torch.inference_mode():
        both.embed_text(torch.tensor([[1, 2, 20]]))
    with FlopCounterMode(display=False) as picture, torch.inference_mode():
        both.embed_media("image", {"pixel_values": pixels(1)})
    # Two products of two operations: of 1 + 2 + 3 pairs of tokens, 16 wide, twice; of 10 x 10 pairs, 24 wide, twice,
    # and in the last block of 1 x 10.
    assert CONFIG.text_flops(3) == words.get_total_flops() + 2 * (2 * 2 * 6 * 16)
    assert CONFIG.image_flops() == picture.get_total_flops() + (2 * 100 + 10) * (2 * 2 * 24)


def test_quick_gelu_by_hand() -> None:
    expected = torch.tensor([0.0, 0.8458, -0.1542])  # 1 / (1 + e^-1.702) = 0.8458, 1 / (1 + e^1.702) = 0.1542
    torch.testing.assert_close(quick_gelu(torch.tensor([0.0, 1.0, -1.0])), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_points_have_length_one_and_logits_are_their_scaled_products() -> None:
    both = model()
    ids = torch.tensor([[1, 2, 20], [4, 20, 20], [5, 6, 20]])
    out = both(ids, pixels())
    torch.testing.assert_close(out.text_embeds.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(out.image_embeds.norm(dim=-1), torch.ones(2))
    # e^2.6592 = 14.2849, the reciprocal of the paper's first temperature, 0.07.
    torch.testing.assert_close(out.logits_per_image, out.image_embeds @ out.text_embeds.T * 14.2849, atol=1e-3, rtol=0)
    assert torch.equal(out.logits_per_text, out.logits_per_image.T)
    assert torch.equal(out.text_embeds, both.embed_text(ids))
    assert torch.equal(out.image_embeds, both.embed_media("image", {"pixel_values": pixels()}))


@torch.inference_mode()
def test_a_text_ends_at_its_first_end_token() -> None:
    tower = model().text_model
    ids = torch.tensor([[1, 25, 3, 20, 7, 20]])
    whole = tower(ids)
    torch.testing.assert_close(whole.pooler_output, whole.last_hidden_state[:, 3])
    torch.testing.assert_close(whole.pooler_output, tower(ids[:, :4]).pooler_output)


@torch.inference_mode()
def test_the_older_end_token_stands_for_the_highest() -> None:
    tower = model(replace(CONFIG, text=replace(CONFIG.text, eos_token_id=2))).text_model
    whole = tower(torch.tensor([[1, 2, 20, 3, 20], [1, 25, 20, 20, 20]]))
    torch.testing.assert_close(whole.pooler_output, whole.last_hidden_state[[0, 1], [2, 1]])


def test_a_text_without_its_end_token_is_refused() -> None:
    with pytest.raises(InputError, match="A text has no end token; expected token 20 in each"):
        model().embed_text(torch.tensor([[1, 20, 20], [1, 2, 3]]))


@torch.inference_mode()
def test_padding_on_either_side_changes_nothing() -> None:
    both = model()
    plain = both.embed_text(torch.tensor([[1, 2, 20]]))
    right = both.embed_text(torch.tensor([[1, 2, 20, 7, 7]]), torch.tensor([[1, 1, 1, 0, 0]]))
    left = both.embed_text(
        torch.tensor([[7, 7, 1, 2, 20]]), torch.tensor([[0, 0, 1, 1, 1]]), torch.tensor([[0, 0, 0, 1, 2]])
    )
    torch.testing.assert_close(right, plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(left, plain, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_batch_is_its_rows() -> None:
    both = model()
    ids, some = torch.tensor([[1, 2, 20], [4, 5, 20]]), pixels()
    torch.testing.assert_close(both.embed_text(ids), torch.cat([both.embed_text(row[None]) for row in ids]))
    rows = [both.embed_media("image", {"pixel_values": row[None]}) for row in some]
    torch.testing.assert_close(both.embed_media("image", {"pixel_values": some}), torch.cat(rows))


@torch.inference_mode()
def test_the_last_block_runs_for_the_state_that_stands_for_the_picture_only() -> None:
    tower = model().vision_model
    out, widths = tower(pixels()), []
    tower.encoder.layers[-1].mlp.register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    torch.testing.assert_close(tower.pooled(pixels()), out.pooler_output)
    assert widths == [1]


@torch.inference_mode()
def test_what_no_patch_covers_is_not_seen() -> None:
    # Three patches of four pixels: the last two rows and columns of fourteen lie outside.
    changed = pixels()
    changed[..., 12:, :] = 0
    changed[..., :, 12:] = 0
    both = model()
    here, there = (both.embed_media("image", {"pixel_values": item}) for item in (pixels(), changed))
    assert torch.equal(here, there)


def test_other_media_and_sizes_are_refused_in_a_sentence() -> None:
    with pytest.raises(UnsupportedTask) as caught:
        model().embed_media("audio", {})
    assert str(caught.value) == "This model sees images and reads text, and was given audio; tutti-mini embeds audio."
    with pytest.raises(InputError, match=r"The pictures are \[3, 14, 15\]; this model sees \[3, 14, 14\]"):
        model().embed_media("image", {"pixel_values": torch.zeros(1, 3, 14, 15)})
    with pytest.raises(InputError, match="The texts are 10 tokens long; this model reads at most 9: shorten them"):
        model().embed_text(torch.full((1, 10), 20))


def test_it_learns_which_picture_goes_with_which_text() -> None:
    both = model().train()
    ids, some = torch.tensor([[1, 2, 20], [1, 3, 20], [1, 4, 20]]), pixels(3)
    optimizer = torch.optim.Adam(both.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        out = both(ids, some)
        loss = torch.nn.functional.cross_entropy(out.logits_per_image, torch.arange(3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.8
    assert losses[-1] < 0.1
    unused = [name for name, parameter in both.named_parameters() if parameter.grad is None]
    # The picture's state is taken before the last norm's other rows, yet every weight takes part.
    assert unused == []
