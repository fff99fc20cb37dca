"""One step: what is frozen, what decays, what is refused, and what is averaged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.tiny import Sums, make_model, make_phase, same_weights, squares
from tutti.errors import InputError, TrainingError
from tutti.training.batches import Steps
from tutti.training.distributed import Group
from tutti.training.phases import Phase, TrainingTask
from tutti.training.step import Average, Stepper, freeze, make_optimizer


def _stepper(model: nn.Module, phase: Phase) -> Stepper:
    return Stepper(model, phase, Group())


def _take(stepper: Stepper, step: int):
    return stepper.step(step, Steps(stepper.phase, Group())[step])


def test_what_no_pattern_matches_stays_as_it_is():
    model, before = make_model(), make_model()
    stepper = _stepper(model, make_phase(trainable=("4.*",)))
    _take(stepper, 0)
    assert set(stepper.parameters) == {"4.weight", "4.bias"}
    assert not torch.equal(model[4].weight, before[4].weight)
    assert torch.equal(model[0].weight, before[0].weight)
    assert torch.equal(model[1].running_mean, before[1].running_mean), "a frozen batch norm keeps its statistics"


def test_batch_norms_follow_their_own_parameters_or_the_module_that_holds_them():
    plain = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False))
    model = nn.ModuleDict({"a": plain, "b": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))})
    freeze(model, make_phase(trainable=("a.*",)))
    assert model["a"][1].training
    assert not model["b"][1].training
    freeze(model, make_phase(trainable=("b.1.*",)))
    assert not model["a"][1].training
    assert model["b"][1].training


def test_only_matrices_decay():
    model = nn.ModuleDict(
        {
            "linear": nn.Linear(2, 2),
            "norm": nn.LayerNorm((2, 2)),
            "words": nn.Embedding(3, 2),
            "scale": nn.ParameterList([torch.ones(())]),
        }
    )
    phase = make_phase(weight_decay=0.5)
    optimizer = make_optimizer(model, freeze(model, phase), phase)
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(model["linear"].weight), id(model["words"].weight)}


def test_the_first_step_of_adam_moves_each_weight_by_the_learning_rate():
    model = nn.Linear(4, 1, bias=False)
    before = model.weight.detach().clone()
    phase = make_phase(learning_rate=0.1, warmup_steps=0, weight_decay=0.0)
    outcome = _take(_stepper(model, phase), 0)
    assert (model.weight - before).abs().detach().flatten().tolist() == pytest.approx([0.1] * 4, rel=1e-4)
    assert outcome.examples == 8
    assert outcome.figures["learning_rate"] == 0.1
    assert outcome.figures["sums/root"] == pytest.approx(outcome.figures["sums/loss"] ** 0.5)


def test_micro_batches_equal_one_batch_of_all_their_rows():
    @dataclasses.dataclass(frozen=True)
    class Rows:
        """The batches of `Sums`, of several micro-batches at once."""

        phase: Phase

        def batch(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
            draws = [micro[0] for micro in Steps(self.phase, Group())[0]]
            return {key: np.concatenate([draw[key] for draw in draws]) for key in ("x", "y")}

    several = make_phase(micro_batches=3)
    whole = make_phase(source=Rows(several))
    models = nn.Linear(4, 1), nn.Linear(4, 1)
    models[1].load_state_dict(models[0].state_dict())
    outcomes = [_take(_stepper(model, phase), 0) for model, phase in zip(models, (several, whole), strict=True)]
    assert outcomes[0].figures["sums/loss"] == pytest.approx(outcomes[1].figures["sums/loss"], rel=1e-5)
    assert outcomes[0].figures["gradient_norm"] == pytest.approx(outcomes[1].figures["gradient_norm"], rel=1e-5)
    assert torch.allclose(models[0].weight, models[1].weight, atol=1e-6)
    assert outcomes[0].examples == outcomes[1].examples == 24


def test_tasks_add_up_by_their_weights():
    def first(model, batch):
        return {"loss": model.weight.sum()}

    tasks = (
        TrainingTask(name="a", objective=first, source=Sums(), weight=2.0),
        TrainingTask(name="b", objective=first, source=Sums(), weight=0.5),
    )
    phase = dataclasses.replace(make_phase(clip_norm=1e9), tasks=tasks)
    outcome = _take(_stepper(nn.Linear(4, 1, bias=False), phase), 0)
    assert outcome.figures["gradient_norm"] == pytest.approx(2.5 * 4**0.5)


class _Poison:
    """Not a number at some steps, from the data, so that running statistics are hit as well."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.calls = bad, 0

    def __call__(self, model: nn.Module, batch: dict) -> dict:
        self.calls += 1
        factor = float("nan") if self.calls - 1 in self.bad else 1.0
        return squares(model, {"x": batch["x"] * factor, "y": batch["y"]})


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted():
    model = make_model()
    stepper = _stepper(model, make_phase(objective=_Poison({1}), ema_decay=0.9))
    _take(stepper, 0)
    before = make_model()
    before.load_state_dict(model.state_dict())
    average = {name: value.clone() for name, value in stepper.average.values.items()}
    assert _take(stepper, 1).skipped
    assert torch.equal(model[1].running_mean, before[1].running_mean)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    assert all(torch.equal(value, average[name]) for name, value in stepper.average.values.items())
    assert not _take(stepper, 2).skipped
    assert (stepper.skipped, stepper.skipped_in_a_row) == (1, 0)


def test_five_bad_steps_in_a_row_end_it_with_advice_and_finite_weights():
    model = make_model()
    stepper = _stepper(model, make_phase(objective=_Poison({2, 3, 4, 5, 6})))
    for step in range(6):
        _take(stepper, step)
    with pytest.raises(
        TrainingError, match=r"step 6: the loss of sums was not finite 5 times in a row, from step 2.*learning rate"
    ):
        _take(stepper, 6)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_a_gradient_that_is_not_finite_is_refused_though_the_loss_is():
    def infinite_slope(model, batch):
        return {"loss": (model.weight * 0).abs().sqrt().sum()}

    model = nn.Linear(4, 1)
    before = model.weight.detach().clone()
    outcome = _take(_stepper(model, make_phase(objective=infinite_slope)), 0)
    assert outcome.skipped
    assert torch.equal(model.weight, before)


def test_an_objective_must_return_a_loss_that_depends_on_what_is_trained():
    with pytest.raises(InputError, match=r"returned \['error'\]"):
        _take(_stepper(make_model(), make_phase(objective=lambda model, batch: {"error": torch.zeros(())})), 0)
    with pytest.raises(InputError, match="depends on no parameter"):
        _take(_stepper(make_model(), make_phase(objective=lambda model, batch: {"loss": torch.zeros(())})), 0)


def test_dropout_depends_on_the_step_and_not_on_what_went_before():
    kept: list[torch.Tensor] = []

    def look(model, batch):
        kept.append(nn.functional.dropout(torch.ones(64)))
        return squares(model, batch)

    stepper = _stepper(make_model(), make_phase(objective=look))
    _take(stepper, 3)
    torch.rand(100)
    np.random.rand(100)
    _take(stepper, 3)
    _take(stepper, 4)
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])


def test_the_average_by_hand():
    weights = {"w": nn.Parameter(torch.tensor([1.0]))}
    average = Average(weights, decay=0.5)
    weights["w"].data.fill_(2.0)
    average.update(weights, step=0)  # decay min(0.5, 1/10): 0.1 of 1 and 0.9 of 2
    assert average.values["w"].item() == pytest.approx(1.9)
    weights["w"].data.fill_(3.0)
    average.update(weights, step=1000)  # decay 0.5
    assert average.values["w"].item() == pytest.approx(2.45)
    average.exchange(weights)
    assert (weights["w"].item(), average.values["w"].item()) == (pytest.approx(2.45), 3.0)


def test_what_is_exported_is_the_average_in_evaluation_mode_and_only_for_the_moment():
    model = make_model()
    stepper = _stepper(model, make_phase(ema_decay=0.99))
    for step in range(3):
        _take(stepper, step)
    before = make_model()
    before.load_state_dict(model.state_dict())
    with stepper.exported() as exported:
        assert not exported.training
        assert not same_weights(exported, before)
    assert model.training
    assert same_weights(model, before)
