"""Pieces that tuning stands on: gradients through codes, the best weights, early ends, batches, targets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.models.conftest import tiny_model
from tests.training.tiny import make_model, make_phase
from tutti.checkpoints.families import FAMILIES
from tutti.errors import InputError
from tutti.models.layers.codes import quantize
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.lora import LoRALinear, without_adapters
from tutti.training.best import Best
from tutti.training.lesson_batches import LessonGroup, LessonSource
from tutti.training.lessons import Lesson
from tutti.training.loop import train
from tutti.training.tuning_parts import FAMILY_PARTS, target_layers, trained_patterns


@pytest.mark.parametrize("scheme", ["int8", "int4"])
@pytest.mark.parametrize("rows", [2, 40])
def test_gradients_pass_through_codes_as_through_what_they_stand_for(scheme: Any, rows: int) -> None:
    torch.manual_seed(0)
    codes = quantize(torch.randn(64, 64), scheme)
    layer, x = QuantizedLinear(codes, torch.randn(64)), torch.randn(rows, 64, requires_grad=True)
    with torch.inference_mode():
        served = layer(x.detach())
    out = layer(x)
    assert torch.equal(out.detach(), served)
    weights = torch.randn(rows, 64)
    (out * weights).sum().backward()
    torch.testing.assert_close(x.grad, weights @ codes.dequantized())


def test_an_adapter_beside_codes_learns_and_can_be_left_out() -> None:
    torch.manual_seed(0)
    base = QuantizedLinear(quantize(torch.randn(8, 32), "int8"))
    layer, x = LoRALinear(base, (8, 32), rank=2, scale=2.0, dropout=0.5), torch.randn(4, 32)
    nn.init.normal_(layer.lora_B.weight)
    layer.eval()
    assert not torch.equal(layer(x), base(x))
    with without_adapters(layer):
        assert torch.equal(layer(x), base(x))
    layer.train()
    layer(x).square().sum().backward()
    assert layer.lora_A.weight.grad is not None and layer.lora_A.weight.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in base.parameters())


def test_the_best_weights_are_handed_out_and_patience_ends_a_run(tmp_path: Path) -> None:
    figures = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    seen: list[Mapping[str, torch.Tensor]] = []

    def validate(model: nn.Module) -> dict[str, float]:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"score": next(figures), "loss": float(len(seen))}

    model = make_model()
    best = Best(figure="score", tie="loss", patience=3)
    result = train(model, make_phase(steps=12), tmp_path, validate=validate, validate_every=2, best=best)
    assert (result.stopped_by, result.finished, result.step) == ("patience", True, 10)
    assert (result.best_step, result.best_value, result.metrics) == (4, 0.5, {"score": 0.5, "loss": 2.0})
    trained = dict(model.named_parameters())
    assert all(torch.equal(value, seen[1][name]) for name, value in trained.items())
    again = train(make_model(), make_phase(steps=12), tmp_path, validate=validate, validate_every=2, best=best)
    assert (again.stopped_by, again.step, again.best_step) == ("patience", 10, 4)
    assert [file.name for file in tmp_path.glob("best-*")] == ["best-4.safetensors"]
    with pytest.raises(InputError, match="Validation measures score, loss; expected 'other' to be among it"):
        train(make_model(), make_phase(steps=2), tmp_path / "other", validate=lambda _: {"score": 1, "loss": 1},
              best=Best(figure="other"))  # fmt: skip


def lesson(length: int) -> Lesson:
    return Lesson(f"{length}", np.arange(length), np.arange(length) > 1, (), (), f"{length}")


def test_every_lesson_comes_once_an_epoch_and_like_lengths_together() -> None:
    source = LessonSource([LessonGroup((lesson(length),)) for length in range(3, 26)], batch=5, micro_batches=2, seed=1)
    assert (source.batches_an_epoch, source.steps_an_epoch) == (5, 3)
    for epoch in range(2):
        batches = [source.batch_at(*divmod(5 * epoch + number, 2)) for number in range(5)]
        assert sorted(len(one.ids) for batch in batches for one in batch.lessons) == list(range(3, 26))
        assert {len(batch.lessons) for batch in batches} == {4, 5}
        assert max(batch.input_ids.shape[1] - min(len(one.ids) for one in batch.lessons) for batch in batches) <= 4
    first = [source.batch_at(step, 0).input_ids.shape for step in range(3)]
    assert first == [source.batch_at(step, 0).input_ids.shape for step in range(3)]
    one = source.batch_at(0, 0)
    labelled = one.labels != -100
    assert (one.labels[labelled] == np.roll(one.input_ids, -1, 1)[labelled]).all()
    both = [source.batch_at(0, micro) for micro in range(2)]
    assert both[0].share == both[1].share == sum((batch.labels != -100).sum() for batch in both) / 2


def test_targets_and_parts_are_of_the_decoder() -> None:
    model, family = tiny_model(), FAMILIES["tutti_omni"]
    layers = target_layers(model, "tutti_omni", family)
    assert len(layers) == 14 and all(layer.startswith("decoder.layers.") for layer in layers)
    assert target_layers(model, "tutti_omni", family, ["v_proj"]) == tuple(x for x in layers if x.endswith("v_proj"))
    assert all(x.startswith("connectors.") for x in target_layers(model, "tutti_omni", family, ["connectors.*"]))
    with pytest.raises(InputError, match="matches no linear layer; the decoder's blocks have down_proj, gate_proj"):
        target_layers(model, "tutti_omni", family, ["w_proj"])
    with pytest.raises(InputError, match="models of family llama have decoder"):
        trained_patterns("llama", ["connector"])
    assert set(FAMILY_PARTS) <= set(FAMILIES)
