"""Stems, blocks and pools of small trunks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from tutti.engine.passes import run_passes, undo_passes
from tutti.models.layers.stems import AttentionPool, ConvStages, ResidualConv, TrunkBlock, sinusoids


@pytest.mark.parametrize(
    ("height", "width", "left"), [(16, 16, (4, 4)), (17, 9, (5, 3)), (1, 2, (1, 1)), (8, 23, (2, 6))]
)
def test_stages_halve_both_sides_rounded_up(height: int, width: int, left: tuple[int, int]) -> None:
    stages = ConvStages(3, (4, 6), (0, 2)).eval()
    assert stages(torch.zeros(2, 3, height, width)).shape == (2, 6, *left)


def test_stages_need_a_number_of_blocks_each() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ConvStages(3, (4, 6), (1,))


def test_a_fresh_residual_block_adds_nothing() -> None:
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ResidualConv(4)(x), F.silu(x))


def test_folded_norms_change_no_output_and_leave_no_trace() -> None:
    torch.manual_seed(0)
    stages = ConvStages(3, (4, 6), (1, 2))
    for layer in stages.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for values in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
                torch.nn.init.uniform_(values, 0.5, 2.0)  # as after training
    x, kept = torch.randn(2, 3, 17, 9), {name: value.clone() for name, value in stages.state_dict().items()}
    out = stages.eval()(x)
    with torch.no_grad():
        torch.testing.assert_close(run_passes(stages)(x), out)
        assert all(torch.equal(value, kept[name]) for name, value in stages.state_dict().items())
        stages[0].conv.weight.mul_(2)  # not seen by what was folded before
        assert torch.equal(stages(x), run_passes(stages)(x)) is False
        torch.testing.assert_close(stages(x), undo_passes(stages)(x))
        assert not torch.allclose(run_passes(stages).train()(x), out)  # by the batch's own mean and variance


def test_what_a_block_does_not_see_changes_nothing() -> None:
    torch.manual_seed(0)
    block = TrunkBlock(8, heads=2, inner=12)
    x = torch.randn(2, 5, 8)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
    out = block(x, mask[:, None, None])
    torch.testing.assert_close(out[:1, :3], block(x[:1, :3]))
    torch.testing.assert_close(out[1:], block(x[1:]))


def test_a_block_knows_no_order() -> None:
    torch.manual_seed(0)
    block, x, order = TrunkBlock(8, heads=2, inner=12), torch.randn(1, 5, 8), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(block(x[:, order]), block(x)[:, order])


def test_a_fresh_pool_is_the_mean() -> None:
    x = torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])
    torch.testing.assert_close(AttentionPool(2)(x), torch.tensor([[2.0, 4.0]]))


def test_a_pool_weighs_by_its_query() -> None:
    pool = AttentionPool(4)
    with torch.no_grad():
        pool.query.copy_(torch.tensor([2.0, 0.0, 0.0, 0.0]))
    x = torch.tensor([[[0.0, 4.0, 0.0, 0.0], [math.log(3), 8.0, 0.0, 0.0]]])
    # Scores 0 and 2 log 3 / √4 = log 3: weights 1/4 and 3/4.
    torch.testing.assert_close(pool(x), torch.tensor([[0.75 * math.log(3), 7.0, 0.0, 0.0]]))


def test_a_masked_pool_is_the_pool_of_what_is_left() -> None:
    torch.manual_seed(0)
    pool, x = AttentionPool(8), torch.randn(2, 5, 8)
    torch.nn.init.normal_(pool.query)
    mask = torch.tensor([[1, 0, 1, 0, 1], [0, 0, 0, 1, 0]], dtype=torch.bool)
    out = pool(x, mask)
    torch.testing.assert_close(out[:1], pool(x[:1, ::2]))
    torch.testing.assert_close(out[1], x[1, 3])


def test_sinusoids_by_hand() -> None:
    # Width 4: rates 1 and 1 / √10000 = 0.01; sines first, then cosines.
    rows = [[math.sin(at), math.sin(at / 100), math.cos(at), math.cos(at / 100)] for at in range(3)]
    torch.testing.assert_close(sinusoids(3, 4), torch.tensor(rows))


def test_sinusoids_of_a_longer_row_begin_alike() -> None:
    assert torch.equal(sinusoids(9, 6)[:4], sinusoids(4, 6))
