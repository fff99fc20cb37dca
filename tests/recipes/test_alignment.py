"""What the phases of the trunks are asked."""

from __future__ import annotations

import torch

from recipes.tutti_mini.alignment import glance
from recipes.tutti_mini.build import SMALL
from recipes.tutti_mini.recipe import PHASES, TAKES_OVER
from tutti.models.omni.trunks import PictureTrunk


def test_a_phase_takes_over_from_earlier_ones_only() -> None:
    for phase, sources in TAKES_OVER.items():
        assert all(PHASES.index(source) < PHASES.index(phase) for source in sources)


def test_a_glance_at_a_small_picture_sees_it_where_it_is() -> None:
    torch.manual_seed(0)
    trunk = PictureTrunk(SMALL.trunks["image"]).eval()
    with torch.no_grad():
        trunk.positions.zero_()
        pixels = torch.full((1, 3, 32, 32), 120.0)
        plain = glance(trunk, pixels)
        pixels[:, :, 24:, :8] = 250  # the lower left corner
        changed = (glance(trunk, pixels) - plain).abs().sum(-1).unflatten(1, (4, 4))[0]
        assert plain.shape == (1, 16, SMALL.trunks["image"].width)
        assert changed[3, :2].min() > 1
        assert changed[:3].max() == changed[:, 2:].max() == 0
        trunk.positions[:] = torch.arange(64.0)[:, None] * torch.linspace(-1, 1, 192)
        places = glance(trunk, torch.full((1, 3, 32, 32), 120.0))
    assert not torch.allclose(places[:, 0], places[:, 1])
