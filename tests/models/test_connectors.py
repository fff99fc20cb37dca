"""Connectors: who is merged with whom, and how many tokens come out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tutti.models.connectors.projections import MLP, merge_grid, merge_time
from tutti.models.connectors.resampler import Resampler


def test_a_grid_is_merged_square_by_square() -> None:
    grid = torch.arange(16.0).view(1, 16, 1)  # four rows of four
    merged = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert merge_grid(grid, side=4, merge=2)[0].tolist() == merged


def test_channels_of_a_neighbour_stay_together() -> None:
    grid = torch.tensor([[[1.0, -1.0], [2.0, -2.0], [3.0, -3.0], [4.0, -4.0]]])
    assert merge_grid(grid, side=2, merge=2).tolist() == [[[1, -1, 2, -2, 3, -3, 4, -4]]]


def test_pictures_of_a_batch_are_not_mixed() -> None:
    grids = torch.randn(3, 36, 5, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([merge_grid(grid[None], side=6, merge=3) for grid in grids])
    assert torch.equal(merge_grid(grids, side=6, merge=3), alone)
    assert alone.shape == (3, 4, 45)


def test_merging_one_is_leaving_alone() -> None:
    x = torch.randn(2, 9, 4)
    assert torch.equal(merge_grid(x, side=3, merge=1), x)
    assert torch.equal(merge_time(x, merge=1), x)


@pytest.mark.parametrize(
    ("tokens", "merged"),
    [([1, 2, 3, 4], [[1, 2], [3, 4]]), ([1, 2, 3], [[1, 2], [3, 0]]), ([1], [[1, 0]])],
)
def test_time_is_merged_in_order_and_filled_with_zeros(tokens: list[int], merged: list[list[int]]) -> None:
    assert merge_time(torch.tensor(tokens).view(1, -1, 1), merge=2)[0].tolist() == merged


def test_the_mlp_by_its_parts() -> None:
    torch.manual_seed(0)
    mlp, x = MLP(4, 6), torch.randn(2, 3, 4)
    hidden = F.layer_norm(x, (4,)) @ mlp.up.weight.T + mlp.up.bias
    torch.testing.assert_close(mlp(x), F.gelu(hidden) @ mlp.down.weight.T + mlp.down.bias)


@pytest.mark.parametrize("tokens", [1, 5, 40])
def test_a_resampler_gives_as_many_tokens_as_it_has_queries(tokens: int) -> None:
    resampler = Resampler(6, 16, tokens=3, layers=2, heads=4)
    assert resampler(torch.randn(2, tokens, 6)).shape == (2, 3, 16)


def test_a_resampler_reads_a_set_and_every_member_of_it() -> None:
    torch.manual_seed(0)
    resampler, x = Resampler(6, 16, tokens=3, layers=2, heads=4), torch.randn(1, 5, 6)
    out = resampler(x)
    torch.testing.assert_close(resampler(x.flip(1)), out, atol=1e-5, rtol=1e-5)
    for place in range(5):
        changed = x.clone()
        changed[0, place] += 1
        assert not torch.allclose(resampler(changed), out, atol=1e-3)


def test_what_a_batch_resamples_is_what_each_does_alone() -> None:
    torch.manual_seed(0)
    resampler, x = Resampler(6, 16, tokens=3, layers=1, heads=4), torch.randn(3, 5, 6)
    torch.testing.assert_close(resampler(x), torch.cat([resampler(row[None]) for row in x]))
