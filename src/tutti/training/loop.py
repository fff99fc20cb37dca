"""The one loop: every phase of every model runs through `train`.

Same seed, same machine, same numbers; cut and resumed, the same numbers again, because a batch depends on
(seed, task, step, micro-batch) alone and the state that is kept is complete.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tutti.errors import TrainingError
from tutti.training import distributed
from tutti.training.phases import Phase, select
from tutti.training.run_folder import RunFolder

MOST_BAD_STEPS = 5
"""Consecutive steps without a finite gradient after which training gives up."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended."""

    step: int
    """Steps taken in all."""
    finished: bool
    """False if it was interrupted; calling `train` again continues."""
    metrics: Mapping[str, float]
    """The last validation's figures."""


def train(
    model: nn.Module,
    phase: Phase,
    folder: Path,
    *,
    device: str = "cpu",
    workers: int = 0,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    validate_every: int = 0,
    save_every_s: float = 120.0,
    log_every: int = 20,
    stop_after: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> RunResult:
    """Run a phase, or what is left of it.

    Args:
        model: Trained in place.
        phase: What to do.
        folder: The run folder; if it holds an unfinished run of this phase, that run is continued.
        device: Where to compute.
        workers: Processes that prepare batches; the numbers do not depend on it.
        validate: Called in evaluation mode; its figures are logged.
        validate_every: Steps between validations; 0 means at the end only.
        save_every_s: Seconds between checkpoints.
        log_every: Steps between lines of `metrics.jsonl`.
        stop_after: Stop (resumable) once so many steps were taken in all.
        say: Receives one line of progress at a time.

    Returns:
        How it ended. Ctrl-C and SIGTERM end it after the current step, with a checkpoint.

    Raises:
        TrainingError: The folder belongs to another run, or five steps in a row had no finite gradient.
    """
    with distributed.group(device) as group, _graceful_stop() as stopping:
        run = RunFolder(folder, phase, writes=group.rank == 0)
        model.to(device)
        parameters = freeze(model, phase)
        optimizer = make_optimizer(parameters, phase)
        start = run.resume(model, optimizer, parameters)
        loop = _Loop(model, phase, parameters, optimizer, group)
        last_save = last_log = time.monotonic()
        last_logged, step, metrics = start, start, dict[str, float]()
        end = min(phase.schedule.steps, stop_after or phase.schedule.steps)
        for step, batches in _batches(phase, start, end, group, workers):
            figures = loop.step(step, batches)
            done = step + 1
            if done % log_every == 0 or done == end:
                now = time.monotonic()
                rate = (done - last_logged) / (now - last_log)
                last_log, last_logged = now, done
                run.log({"step": done, **figures, "steps_per_s": rate})
                say(_line(phase, done, rate, figures))
            if validate and (done == phase.schedule.steps or (validate_every and done % validate_every == 0)):
                metrics = dict(_validated(model, validate))
                run.log({"step": done, **metrics})
                say(f"{phase.name} {done}: " + ", ".join(f"{key} {value:.4f}" for key, value in metrics.items()))
            start = done
            if group.any(stopping()):
                break
            if time.monotonic() - last_save > save_every_s:
                run.save(model, optimizer, parameters, done)
                last_save = time.monotonic()
        finished = start >= phase.schedule.steps
        run.save(model, optimizer, parameters, start, finished=finished)
        return RunResult(step=start, finished=finished, metrics=metrics)


def freeze(model: nn.Module, phase: Phase) -> dict[str, nn.Parameter]:
    """Freeze what the phase does not train.

    A batch norm that is frozen also keeps its running statistics: they belong to the weights that were learned with
    them, and a phase over other data would otherwise shift them without learning anything.

    Returns:
        The trained parameters by name.
    """
    named = dict(model.named_parameters())
    chosen = select(named, phase.trainable)
    for name, parameter in named.items():
        parameter.requires_grad_(name in chosen)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not any(p.requires_grad for p in module.parameters()):
            module.eval()
    return {name: parameter for name, parameter in named.items() if name in chosen}


def make_optimizer(parameters: Mapping[str, nn.Parameter], phase: Phase) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) that decays matrices only."""
    schedule = phase.schedule
    matrices = [parameter for parameter in parameters.values() if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters.values() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": schedule.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=schedule.learning_rate, betas=schedule.betas)


class _Loop:
    """What one step needs."""

    def __init__(
        self,
        model: nn.Module,
        phase: Phase,
        parameters: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        group: distributed.Group,
    ) -> None:
        self.model, self.phase, self.optimizer, self.group = model, phase, optimizer, group
        self.parameters = list(parameters.values())
        self.buffers = [b for b in model.buffers() if b.is_floating_point() and b.numel() < 1_000_000]
        self.device = self.parameters[0].device
        self.bad = 0

    def step(self, step: int, batches: list[list[Any]]) -> dict[str, float]:
        """Accumulate the gradients of all tasks and micro-batches, then move once."""
        schedule = self.phase.schedule
        kept = [buffer.clone() for buffer in self.buffers]
        torch.manual_seed(int(np.random.SeedSequence((self.phase.seed, step)).generate_state(1)[0]))
        self.optimizer.zero_grad()
        figures: dict[str, float] = {}
        total = 0.0
        for micro in batches:
            for task, batch in zip(self.phase.tasks, micro, strict=True):
                outcome = task.objective(self.model, _to(batch, self.device))
                loss = outcome["loss"] * (task.weight / schedule.micro_batches)
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.item()
                for name, value in outcome.items():
                    key = f"{task.name}/{name}"
                    figures[key] = figures.get(key, 0.0) + float(value.detach()) / len(batches)
        self.group.sum_gradients(self.parameters)
        norm = float(nn.utils.clip_grad_norm_(self.parameters, schedule.clip_norm))
        rate = schedule.rate(step)
        if np.isfinite(norm) and np.isfinite(total):
            for options in self.optimizer.param_groups:
                options["lr"] = rate
            self.optimizer.step()
            self.group.average(self.buffers)
            self.bad = 0
        else:
            self._skip(step, kept)
        return {**figures, "gradient_norm": norm, "learning_rate": rate}

    def _skip(self, step: int, kept: list[Tensor]) -> None:
        for buffer, value in zip(self.buffers, kept, strict=True):
            buffer.copy_(value)
        self.bad += 1
        if self.bad >= MOST_BAD_STEPS:
            raise TrainingError(
                f"{self.phase.name}: {self.bad} steps in a row up to step {step} had no finite gradient; "
                f"the weights were left as they were. Lower the learning rate ({self.phase.schedule.learning_rate:g})."
            )


class _Steps(Dataset[list[list[Any]]]):
    """Batches by step: for every micro-batch of this process, one batch a task."""

    def __init__(self, phase: Phase, rank: int, size: int) -> None:
        self.phase, self.rank, self.size = phase, rank, size

    def __getitem__(self, step: int) -> list[list[Any]]:
        return [
            [
                task.source.batch(np.random.default_rng(np.random.SeedSequence((self.phase.seed, index, step, micro))))
                for index, task in enumerate(self.phase.tasks)
            ]
            for micro in range(self.rank, self.phase.schedule.micro_batches, self.size)
        ]


def _batches(
    phase: Phase, start: int, end: int, group: distributed.Group, workers: int
) -> Iterator[tuple[int, list[list[Any]]]]:
    if phase.schedule.micro_batches % group.size:
        raise TrainingError(
            f"{phase.schedule.micro_batches} micro-batches cannot be shared out over {group.size} processes; "
            "make micro_batches a multiple of the number of processes."
        )
    steps = range(start, end)
    loader = DataLoader(
        _Steps(phase, group.rank, group.size),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_ignore_interrupts,
    )
    yield from zip(steps, loader, strict=True)


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; the main one decides when workers end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _to(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).to(device)
    if isinstance(value, Mapping):
        return {key: _to(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to(item, device) for item in value)
    return value


def _validated(model: nn.Module, validate: Callable[[nn.Module], Mapping[str, float]]) -> Mapping[str, float]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    with torch.inference_mode():
        metrics = validate(model)
    for module, mode in modes.items():
        module.training = mode
    return metrics


def _line(phase: Phase, done: int, rate: float, figures: Mapping[str, float]) -> str:
    left = (phase.schedule.steps - done) / max(rate, 1e-9)
    shown = ", ".join(f"{key} {value:.3f}" for key, value in figures.items() if "/" in key)
    return f"{phase.name} {done}/{phase.schedule.steps} ({rate:.2f} steps/s, {left / 60:.1f} min left): {shown}"


@contextmanager
def _graceful_stop() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a question to be asked between steps (main thread only)."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever started the thread handles signals
        before = {}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
