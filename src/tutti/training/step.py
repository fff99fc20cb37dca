"""One optimizer step: freeze, accumulate, clip, refuse what is not finite, move, average."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tutti.errors import InputError, TrainingError
from tutti.training.batches import move
from tutti.training.distributed import Group
from tutti.training.phases import Phase, TrainingTask, select

MOST_BAD_STEPS = 5
"""Consecutive steps without a finite loss and gradient after which training gives up."""

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What a step did."""

    figures: Mapping[str, float]
    """`<task>/<name>` for all that the objectives returned, `gradient_norm` and `learning_rate`."""
    examples: int
    """Examples seen by this process."""
    skipped: bool
    """The loss or the gradient was not finite, and nothing moved."""


class Stepper:
    """A model being trained: its trained parameters, optimizer, running averages and guard.

    Args:
        model: Trained in place.
        phase: What to do.
        group: The processes that share the work.
    """

    def __init__(self, model: nn.Module, phase: Phase, group: Group) -> None:
        self.model, self.phase, self.group = model, phase, group
        self.parameters = freeze(model, phase)
        self.optimizer = make_optimizer(model, self.parameters, phase)
        decay = phase.schedule.ema_decay
        self.average = None if decay is None else Average(self.parameters, decay)
        self.statistics = _statistics(model)
        self.skipped = self.skipped_in_a_row = 0

    def step(self, step: int, batches: list[list[Any]]) -> StepOutcome:
        """Accumulate the gradients of all tasks and micro-batches, then move once.

        Args:
            step: Its number, the first being 0.
            batches: For every micro-batch of this process, one batch a task.

        Raises:
            TrainingError: The fifth step in a row without a finite loss and gradient; the weights stay finite.
        """
        kept = [buffer.clone() for buffer in self.statistics]
        self.optimizer.zero_grad()
        sums: dict[str, Tensor] = {}
        for index, micro in enumerate(batches):
            self._accumulate(step, index * self.group.size + self.group.rank, micro, sums)
        values = torch.stack([value.to(torch.float32) for value in sums.values()]).tolist()  # one wait for the device
        trained = list(self.parameters.values())
        self.group.sum_gradients(trained)
        norm = float(nn.utils.clip_grad_norm_(trained, self.phase.schedule.clip_norm))
        figures = self.group.sum_figures(dict(zip(sums, values, strict=True)))
        rate = self.phase.schedule.rate(step)
        finite = math.isfinite(norm) and all(math.isfinite(figures[f"{task.name}/loss"]) for task in self.phase.tasks)
        if finite:
            self._move(step, rate)
        else:
            self._skip(step, kept, figures)
        figures |= {"gradient_norm": norm, "learning_rate": rate}
        examples = sum(_examples(batch) for micro in batches for batch in micro)
        return StepOutcome(figures=figures, examples=examples, skipped=not finite)

    @contextmanager
    def exported(self) -> Iterator[nn.Module]:
        """The model as it is validated and handed out: evaluation mode, averaged weights if the phase has them."""
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        if self.average:
            self.average.exchange(self.parameters)
        try:
            yield self.model
        finally:
            if self.average:
                self.average.exchange(self.parameters)
            for module, mode in modes.items():
                module.training = mode

    def _accumulate(self, step: int, micro: int, batches: list[Any], sums: dict[str, Tensor]) -> None:
        share = 1 / self.phase.schedule.micro_batches
        for index, (task, batch) in enumerate(zip(self.phase.tasks, batches, strict=True)):
            # Seeded by what is computed and not by what went before, so that a resumed run drops out the same units.
            _seed(self.phase.seed, step, index, micro)
            with self._precision():
                outcome = task.objective(self.model, move(batch, self.group.device))
            loss = _loss(task, outcome)
            (loss * (task.weight * share)).backward()  # type: ignore[no-untyped-call]
            for name, value in outcome.items():
                key, scalar = f"{task.name}/{name}", torch.as_tensor(value, device=loss.device).detach() * share
                sums[key] = sums[key] + scalar if key in sums else scalar

    def _precision(self) -> torch.autocast:
        narrow = self.phase.schedule.precision == "bfloat16"
        return torch.autocast(torch.device(self.group.device).type, torch.bfloat16, enabled=narrow)

    def _move(self, step: int, rate: float) -> None:
        for options in self.optimizer.param_groups:
            options["lr"] = rate
        self.optimizer.step()
        self.group.average(self.statistics)
        if self.average:
            self.average.update(self.parameters, step)
        self.skipped_in_a_row = 0

    def _skip(self, step: int, kept: list[Tensor], figures: Mapping[str, float]) -> None:
        """Leave the weights, and put back the running statistics, which the forward pass has already spoilt."""
        for buffer, value in zip(self.statistics, kept, strict=True):
            buffer.copy_(value)
        self.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row < MOST_BAD_STEPS:
            return
        bad = [task.name for task in self.phase.tasks if not math.isfinite(figures[f"{task.name}/loss"])]
        what, times = f"loss of {', '.join(bad)}" if bad else "gradient", self.skipped_in_a_row
        raise TrainingError(
            f"Phase {self.phase.name!r} stopped at step {step}: the {what} was not finite {times} times in a row, from "
            f"step {step - times + 1} on. The weights are as before these steps. Look at their batches, lower the "
            f"learning rate (now {self.phase.schedule.learning_rate:g}), or lengthen the warm-up."
        )


class Average:
    """An exponential moving average of the trained weights (Polyak and Juditsky 1992).

    Early on the decay is (1 + step) / (10 + step), so that the first weights do not weigh on the average for long.

    Args:
        parameters: The weights, by name.
        decay: What stays of the average at each step.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.decay = decay
        self.values = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Mapping[str, nn.Parameter], step: int) -> None:
        """Move the average towards the weights."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in self.values.items():
            value.lerp_(parameters[name].detach(), 1 - decay)

    @torch.no_grad()
    def exchange(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Put the average where the weights are, and the weights where the average was."""
        for name, value in self.values.items():
            weights = parameters[name].detach().clone()
            parameters[name].copy_(value)
            value.copy_(weights)


def freeze(model: nn.Module, phase: Phase) -> dict[str, nn.Parameter]:
    """Put the model into training mode and freeze what the phase does not train.

    A batch norm whose parameters are all frozen also keeps its running statistics, by staying in evaluation mode: they
    belong to the weights that were learned with them, and a phase over other data would shift them unnoticed, so that a
    "frozen" trunk answers differently afterwards. One without parameters follows the module that holds it.

    Returns:
        The trained parameters by name.

    Raises:
        InputError: A pattern matches no parameter.
    """
    named = dict(model.named_parameters())
    chosen = select(named, phase.trainable)
    for name, parameter in named.items():
        parameter.requires_grad_(name in chosen)
    model.train()
    for holder in model.modules():
        for module in holder.children():
            if isinstance(module, BATCH_NORMS):
                owner = module if module.affine else holder
                module.train(any(parameter.requires_grad for parameter in owner.parameters()))
    return {name: parameter for name, parameter in named.items() if name in chosen}


def make_optimizer(model: nn.Module, parameters: Mapping[str, nn.Parameter], phase: Phase) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) that decays matrices only: not biases, norms, scales or other vectors."""
    schedule = phase.schedule
    norms = {id(p) for m in model.modules() if "Norm" in type(m).__name__ for p in m.parameters(recurse=False)}
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in parameters.items():
        groups[parameter.ndim > 1 and id(parameter) not in norms and not name.endswith("bias")].append(parameter)
    settings = [
        {"params": chosen, "weight_decay": schedule.weight_decay if decayed else 0.0}
        for decayed, chosen in groups.items()
        if chosen
    ]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters.values())
    return torch.optim.AdamW(settings, lr=schedule.learning_rate, betas=schedule.betas, fused=fused)


def _statistics(model: nn.Module) -> list[Tensor]:
    """What a forward pass changes: running means and variances, and their counts."""
    norms = [module for module in model.modules() if isinstance(module, BATCH_NORMS) and module.training]
    return [buffer for module in norms for buffer in module.buffers(recurse=False) if buffer.is_floating_point()]


def _seed(*numbers: int) -> None:
    """Seed torch and numpy's global generator; sources have their own."""
    first, second = np.random.SeedSequence(numbers).generate_state(2)
    torch.manual_seed(int(first))
    np.random.seed(int(second))  # for objectives that draw from the global generator


def _loss(task: TrainingTask, outcome: Mapping[str, Tensor]) -> Tensor:
    loss = outcome.get("loss")
    if loss is None:
        raise InputError(f"The objective of task {task.name!r} returned {sorted(outcome)}; expected 'loss' among them.")
    if not loss.requires_grad:
        raise InputError(
            f"The loss of task {task.name!r} depends on no parameter that the phase trains; "
            "add a pattern to `trainable` or leave the task out."
        )
    return loss


def _examples(batch: Any) -> int:
    """The leading size of the first array in a batch."""
    if getattr(batch, "shape", None):
        return int(batch.shape[0])
    items = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, (list, tuple)) else ()
    return next((count for item in items if (count := _examples(item))), 0)
