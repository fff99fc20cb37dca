"""What a phase will take, without taking it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.tiny import make_model, make_phase, same_weights
from tutti.errors import InputError
from tutti.training.dry_run import _Kept, dry_run


def test_it_counts_and_measures():
    told = dry_run(make_model(), make_phase(steps=50, trainable=("4.*",), micro_batches=3))
    assert (told.steps, told.trainable_parameters, told.frozen_parameters) == (50, 9, 40 + 16)
    assert told.examples_per_step == 24
    assert told.total_seconds == pytest.approx(50 * told.seconds_per_step)
    assert 0 < told.seconds_preparing <= told.seconds_per_step
    assert "50 steps of 24 examples" in str(told)


def test_it_leaves_the_model_and_the_generators_as_they_were():
    model, before = make_model().eval(), make_model()
    model[0].weight.requires_grad_(False)
    torch.manual_seed(1)
    np.random.seed(1)
    dry_run(model, make_phase(ema_decay=0.9))
    drawn = torch.rand(1), np.random.rand()
    torch.manual_seed(1)
    np.random.seed(1)
    assert drawn == (torch.rand(1), np.random.rand())
    assert same_weights(model, before)
    assert not any(module.training for module in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True, True, True]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_puts_the_model_back_when_the_phase_cannot_be_run():
    model = make_model().eval()
    with pytest.raises(InputError, match="matches no parameter"):
        dry_run(model, make_phase(trainable=("nothing.*",)))
    assert not model.training


def test_memory_is_weights_gradients_moments_and_what_autograd_keeps():
    # One linear layer keeps its input (8 x 4 floats); the squared error keeps the difference (8 x 1).
    told = dry_run(nn.Linear(4, 1), make_phase())
    weights = 5 * 4
    activations = (8 * 4 + 8) * 4
    assert told.peak_bytes == pytest.approx(weights * 4 + activations, abs=64)
    averaged = dry_run(nn.Linear(4, 1), make_phase(ema_decay=0.9))
    assert averaged.peak_bytes == told.peak_bytes + weights


def test_what_autograd_keeps_is_given_back_after_the_backward_pass():
    layer = nn.Linear(4, 4)
    kept = _Kept(layer)
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
        for _ in range(3):
            layer(torch.ones(100, 4)).square().sum().backward()
    assert kept.now == 0
    assert kept.peak == (100 * 4 + 100 * 4) * 4
