"""The leaves, on numbers that can be checked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tutti.models.layers.attention import MaskedAttend, attention
from tutti.models.layers.mlp import GatedMLP
from tutti.models.layers.norms import RMSNorm
from tutti.models.layers.rotary import inverse_frequencies, rotary_angles, rotate

LOG3 = math.log(3)


def heads(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rms_norm_by_hand() -> None:
    norm = RMSNorm(2, eps=0.0)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 10.0]))
    # The mean square of 1 and 7 is 25.
    torch.testing.assert_close(norm(torch.tensor([[1.0, 7.0], [-5.0, 5.0]])), torch.tensor([[0.2, 14.0], [-1.0, 10.0]]))


def test_rms_norm_adds_eps_to_the_mean_square() -> None:
    assert RMSNorm(1, eps=3.0)(torch.tensor([1.0])).item() == pytest.approx(0.5)


def test_rms_norm_computes_in_float32_and_returns_the_type_it_was_given() -> None:
    norm = RMSNorm(64).to(torch.float16)
    out = norm(torch.full((64,), 1000.0, dtype=torch.float16))  # the squares are beyond float16
    assert out.dtype == torch.float16
    torch.testing.assert_close(out, torch.ones(64, dtype=torch.float16))


def test_frequencies_fall_from_one_by_theta() -> None:
    torch.testing.assert_close(inverse_frequencies(4, 100.0), torch.tensor([1.0, 0.1]))


def test_rotate_turns_entry_i_with_entry_i_plus_half() -> None:
    angles = rotary_angles(torch.tensor([[1]]), torch.tensor([math.pi / 2, math.pi]))
    out = rotate(torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 1, 4), angles)
    # (1, 3) by a quarter turn is (-3, 1); (2, 4) by half a turn is (-2, -4).
    torch.testing.assert_close(out.flatten(), torch.tensor([-3.0, -2.0, 1.0, -4.0]), atol=1e-6, rtol=0)


def test_rotate_leaves_position_zero_alone_and_keeps_lengths() -> None:
    x = heads(2, 5, 3, 8)
    out = rotate(x, rotary_angles(torch.arange(5).expand(2, 5), inverse_frequencies(8, 10000.0)))
    assert torch.equal(out[:, 0], x[:, 0])
    torch.testing.assert_close(out.norm(dim=-1), x.norm(dim=-1))
    assert not torch.allclose(out[:, 1:], x[:, 1:])


def test_rotate_makes_products_depend_on_the_distance_only() -> None:
    query, key, frequencies = heads(1, 1, 1, 8), heads(1, 1, 1, 8, seed=1), inverse_frequencies(8, 10000.0)

    def product(query_at: int, key_at: int) -> float:
        turned = [
            rotate(x, rotary_angles(torch.tensor([[at]]), frequencies)) for x, at in ((query, query_at), (key, key_at))
        ]
        return (turned[0] * turned[1]).sum().item()

    assert product(9, 4) == pytest.approx(product(105, 100), abs=1e-4)
    assert product(9, 4) != pytest.approx(product(9, 5), abs=1e-2)


@pytest.mark.parametrize("bias", [False, True])
def test_gated_mlp_by_hand(bias: bool) -> None:
    mlp = GatedMLP(1, 1, bias=bias)
    with torch.no_grad():
        for value, layer in zip((2.0, 3.0, 5.0), (mlp.gate_proj, mlp.up_proj, mlp.down_proj), strict=True):
            layer.weight.fill_(value)
            if bias:
                layer.bias.fill_(1.0)
    gate, up = (3.0, 4.0) if bias else (2.0, 3.0)
    expected = 5 * gate / (1 + math.exp(-gate)) * up + bias
    assert mlp(torch.ones(1)).item() == pytest.approx(expected)


def test_attention_by_hand() -> None:
    query = torch.ones(1, 1, 1, 1)
    key = torch.tensor([0.0, LOG3]).view(1, 2, 1, 1)
    value = torch.tensor([4.0, 8.0]).view(1, 2, 1, 1)
    # Weights e^0 : e^log 3 = 1 : 3.
    assert attention(query, key, value).item() == pytest.approx(7.0)


def test_attention_divides_by_the_root_of_the_width() -> None:
    query = torch.tensor([2.0, 0.0, 0.0, 0.0]).view(1, 1, 1, 4)
    key = torch.tensor([[0.0] * 4, [LOG3, 0.0, 0.0, 0.0]]).view(1, 2, 1, 4)
    value = torch.tensor([[4.0] * 4, [8.0] * 4]).view(1, 2, 1, 4)
    torch.testing.assert_close(attention(query, key, value).flatten(), torch.full((4,), 7.0))


def test_grouped_heads_are_repeated_heads() -> None:
    query, key, value = heads(2, 5, 6, 4), heads(2, 5, 2, 4, seed=1), heads(2, 5, 2, 4, seed=2)
    repeated = [x.repeat_interleave(3, dim=2) for x in (key, value)]
    torch.testing.assert_close(attention(query, key, value), attention(query, *repeated))


def test_without_a_mask_attend_is_causal() -> None:
    query, key, value = heads(2, 5, 4, 4), heads(2, 5, 2, 4, seed=1), heads(2, 5, 2, 4, seed=2)
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    out = MaskedAttend()(0, query, key, value)
    torch.testing.assert_close(out, MaskedAttend(causal)(0, query, key, value))
    # The first token sees itself only, whatever comes later.
    torch.testing.assert_close(out[:, 0], value[:, 0].repeat_interleave(2, dim=1))


def test_a_mask_hides_what_it_says() -> None:
    query, key, value = heads(1, 3, 2, 4), heads(1, 3, 2, 4, seed=1), heads(1, 3, 2, 4, seed=2)
    mask = torch.tensor([[True, False, True]]).expand(3, 3)[None, None]
    hidden = attention(query, key[:, [0, 2]], value[:, [0, 2]])
    torch.testing.assert_close(MaskedAttend(mask)(0, query, key, value), hidden)
