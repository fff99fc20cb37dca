from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tutti.errors import UnsupportedConfig, UnsupportedTask
from tutti.models.layers.attention import MaskedAttend
from tutti.models.llama.config import LlamaConfig, RopeScaling
from tutti.models.llama.model import LlamaForCausalLM, rope_frequencies

CONFIG = LlamaConfig(
    vocab_size=50,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
)
HF: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 50,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}


class Unattended(MaskedAttend):
    """No attention at all, of which only some tokens are asked for."""

    def __init__(self, asked: Tensor | None = None) -> None:
        super().__init__()
        self.wanted = asked

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        return query

    @property
    def asked(self) -> Tensor | None:
        return self.wanted


VARIANTS = pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, tie_word_embeddings=True), replace(CONFIG, attention_bias=True, mlp_bias=True)],
    ids=["plain", "tied", "biased"],
)


def model(config: LlamaConfig = CONFIG) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def test_a_configuration_is_read() -> None:
    assert LlamaConfig.from_hf(HF) == CONFIG


def test_what_is_left_out_is_derived_from_the_heads() -> None:
    without = {key: value for key, value in HF.items() if key not in ("num_key_value_heads", "head_dim")}
    for values in (without, without | {"num_key_value_heads": None, "head_dim": None}):
        config = LlamaConfig.from_hf(values)
        assert (config.num_key_value_heads, config.head_dim) == (4, 6)


LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_type": "llama3",
}


@pytest.mark.parametrize(
    ("rope", "scaling"),
    [
        ({"rope_theta": 5e5}, None),
        ({"rope_theta": 5e5, "rope_scaling": None}, None),
        ({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}, None),
        (
            {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}},
            RopeScaling(rope_type="linear", factor=2.0),
        ),
        (
            {"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0}},
            RopeScaling(rope_type="linear", factor=2.0),
        ),
        ({"rope_theta": 5e5, "rope_scaling": LLAMA3}, RopeScaling(**LLAMA3)),
        ({"rope_parameters": {"rope_theta": 5e5, **LLAMA3}}, RopeScaling(**LLAMA3)),
    ],
)
def test_both_forms_of_rotary_settings_are_read(rope: dict[str, Any], scaling: RopeScaling | None) -> None:
    config = LlamaConfig.from_hf(HF | rope)
    assert (config.rope_theta, config.rope_scaling) == (5e5, scaling)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sliding_window": 4}, "The llama configuration has the unknown key 'sliding_window'."),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; this decoder computes 'silu' only."),
        (
            {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
            "rope_scaling is of type 'yarn'; this decoder computes 'linear' and 'llama3'.",
        ),
        (
            {"num_key_value_heads": 3},
            "num_attention_heads is 4 and num_key_value_heads is 3; expected the second to divide the first.",
        ),
        ({"num_attention_heads": "4"}, "num_attention_heads is '4'; expected a whole number from 1 on."),
        ({"head_dim": 8, "num_hidden_layers": 0}, "num_hidden_layers is 0; expected a whole number from 1 on."),
        ({"head_dim": 7}, "head_dim is 7; expected an even number, since rotary positions turn pairs."),
        (
            {"rope_parameters": {"rope_theta": 1e4, "rope_type": "linear"}},
            "rope_scaling of type 'linear' lacks 'factor'.",
        ),
        (
            {"rope_scaling": {"rope_type": "linear", "factor": 2.0, "attention_factor": 1.0}},
            "rope_scaling of type 'linear' has the unknown key 'attention_factor'.",
        ),
    ],
)
def test_what_it_does_not_compute_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsupportedConfig) as caught:
        LlamaConfig.from_hf(HF | change)
    assert str(caught.value) == sentence


def test_a_missing_size_is_named() -> None:
    with pytest.raises(UnsupportedConfig) as caught:
        LlamaConfig.from_hf({key: value for key, value in HF.items() if key != "hidden_size"}, left_out={})
    assert str(caught.value) == "The llama configuration lacks 'hidden_size'."


@VARIANTS
def test_parameters_are_counted(config: LlamaConfig) -> None:
    assert config.parameters() == sum(parameter.numel() for parameter in model(config).parameters())


@VARIANTS
def test_flops_are_those_of_the_projections_and_of_attention(config: LlamaConfig) -> None:
    decoder = model(config)
    inputs = decoder.embed_tokens(torch.tensor([[3]]))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        decoder.logits(decoder.decode(inputs, torch.tensor([[0]]), Unattended()))
    # Not every counter knows attention's operator: two layers of two products over four heads, eight wide.
    assert config.flops(tokens=1) == counter.get_total_flops() + 2 * 2 * (2 * 4 * 8)


def test_flops_count_what_each_token_sees() -> None:
    # Each new token sees those in the cache, those before it and itself: 4, 5 and 6.
    # Two products of two operations in each of two layers, four heads, eight wide.
    score = 2 * 2 * 2 * 4 * 8
    assert CONFIG.flops(tokens=3, context=3) == 3 * (CONFIG.flops(tokens=1) - score) + score * (4 + 5 + 6)


def test_flops_in_two_parts_are_those_of_the_whole() -> None:
    assert CONFIG.flops(tokens=5) + CONFIG.flops(tokens=7, context=5) == CONFIG.flops(tokens=12)


def test_kv_bytes_are_two_a_layer_a_head_a_value() -> None:
    assert CONFIG.kv_bytes_per_token() == 2 * 2 * 2 * 8 * 4
    assert CONFIG.kv_bytes_per_token(2) == 2 * 2 * 2 * 8 * 2


def test_linear_scaling_divides_every_frequency() -> None:
    scaled = replace(CONFIG, rope_scaling=RopeScaling(rope_type="linear", factor=4.0))
    torch.testing.assert_close(rope_frequencies(scaled) * 4, rope_frequencies(CONFIG))


def test_llama3_scaling_stretches_slow_frequencies_and_leaves_fast_ones() -> None:
    scaled = replace(CONFIG, rope_scaling=RopeScaling(**LLAMA3))
    # theta 10^4, E 8: frequencies 1, 0.1, 0.01, 0.001; wavelengths 6.3, 63, 628, 6283 against 32 positions: the first
    # is below 32 / high = 8 and stays, the others are above 32 / low = 32 and are stretched eightfold.
    torch.testing.assert_close(rope_frequencies(scaled), torch.tensor([1.0, 0.1 / 8, 0.01 / 8, 0.001 / 8]))
    # With 128 original positions the second wavelength, 62.8, lies between 32 and 128: 128 / 62.8 = 2.04 of 1 to 4.
    between = replace(scaled, rope_scaling=replace(scaled.rope_scaling, original_max_position_embeddings=128))  # type: ignore[type-var]
    blend = (128 / (2 * math.pi / 0.1) - 1) / 3
    assert rope_frequencies(between)[1].item() == pytest.approx((1 - blend) * 0.1 / 8 + blend * 0.1)


def test_only_relative_positions_count() -> None:
    decoder = model()
    inputs = decoder.embed_tokens(torch.tensor([[3, 1, 4, 1, 5]]))
    positions = torch.arange(5)[None]
    with torch.inference_mode():
        here = decoder.decode(inputs, positions, MaskedAttend())
        later = decoder.decode(inputs, positions + 30, MaskedAttend())
    torch.testing.assert_close(here, later, atol=1e-5, rtol=1e-5)


def test_a_token_sees_nothing_after_it() -> None:
    decoder = model()
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.inference_mode():
        torch.testing.assert_close(decoder(ids).logits[:, :3], decoder(ids[:, :3]).logits, atol=1e-5, rtol=1e-5)


def test_padding_on_either_side_changes_nothing() -> None:
    decoder = model()
    ids = torch.tensor([[3, 1, 4]])
    with torch.inference_mode():
        plain = decoder(ids).logits
        right = decoder(torch.tensor([[3, 1, 4, 0, 0]]), attention_mask=torch.tensor([[1, 1, 1, 0, 0]])).logits[:, :3]
        left = decoder(torch.tensor([[0, 0, 3, 1, 4]]), attention_mask=torch.tensor([[0, 0, 1, 1, 1]])).logits[:, 2:]
    torch.testing.assert_close(right, plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(left, plain, atol=1e-5, rtol=1e-5)


def test_it_is_built_on_meta_and_run_after_loading() -> None:
    with torch.device("meta"):
        empty = LlamaForCausalLM(CONFIG)
    source = model()
    empty.load_state_dict(source.state_dict(), assign=True)
    ids = torch.tensor([[3, 1, 4]])
    assert torch.equal(empty(ids).logits, source(ids).logits)


def test_tied_embeddings_are_one_parameter_and_named() -> None:
    tied = model(replace(CONFIG, tie_word_embeddings=True))
    assert tied.lm_head.weight is tied.model.embed_tokens.weight
    assert tied.tied == {"lm_head.weight": "model.embed_tokens.weight"}
    assert model().tied == {}


def test_it_learns() -> None:
    decoder = model().train()
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        logits = decoder(ids).logits
        loss = torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 3
    assert losses[-1] < 0.1
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_media_are_refused_in_a_sentence() -> None:
    with pytest.raises(UnsupportedTask) as caught:
        model().encode_media("image", {})
    assert str(caught.value) == (
        "This model reads text only, and was given image; tutti-mini answers questions about image."
    )


@VARIANTS
@pytest.mark.parametrize("rows", [[4], [1, 4], [2, 3, 0], []])
def test_tokens_that_nobody_asks_for_change_nothing(config: LlamaConfig, rows: list[int]) -> None:
    decoder = model(config)
    inputs, positions = decoder.embed_tokens(torch.tensor([[3, 7, 9, 1, 2]])), torch.arange(5)[None]
    asked = torch.tensor(rows, dtype=torch.int64)
    with torch.inference_mode():
        some = decoder.decode(inputs, positions, Unattended(asked))
        whole = decoder.decode(inputs, positions, Unattended())
    torch.testing.assert_close(some, whole[:, rows])
