"""The one loop: every phase of every model runs through `train`.

Same seed, same machine, same numbers; cut and resumed, the same numbers again, because a batch depends on
(seed, step, task, micro-batch) alone and the state that is kept is complete.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import nn

from tutti.training import distributed
from tutti.training.batches import batches
from tutti.training.best import Best, BestKept
from tutti.training.phases import Phase
from tutti.training.run_folder import RunFolder
from tutti.training.step import StepOutcome, Stepper

Validate = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended."""

    step: int
    """Steps taken in all."""
    finished: bool
    """False if it was stopped early; calling `train` again continues."""
    stopped_by: Literal["end", "interrupt", "time", "step", "patience"]
    """The schedule's end, Ctrl-C or SIGTERM, `max_seconds`, `stop_after`, or no better validation for so long."""
    metrics: Mapping[str, float]
    """The last validation's figures; of a finished run that keeps the best weights, the best's."""
    seconds: float
    """Wall time of the run, over all its starts."""
    skipped_steps: int
    """Steps whose loss or gradient was not finite."""
    notes: tuple[str, ...] = ()
    """What the user should know."""
    best_step: int | None = None
    """Step whose weights were kept as the best, where `best` was asked for."""
    best_value: float | None = None
    """Its figure."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often a run does what besides learning, and when it stops."""

    validate_every: int
    log_every: int
    save_every_s: float
    save_every: int | None
    stop_after: int | None
    max_seconds: float | None


def train(  # noqa: PLR0913 - every argument has its own default and is a decision of the caller
    model: nn.Module,
    phase: Phase,
    folder: Path,
    *,
    resume: bool = True,
    device: str = "cpu",
    workers: int = 0,
    validate: Validate | None = None,
    validate_every: int = 0,
    save_every_s: float = 120.0,
    save_every: int | None = None,
    log_every: int = 20,
    stop_after: int | None = None,
    max_seconds: float | None = None,
    best: Best | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> RunResult:
    """Run a phase, or what is left of it.

    Under torchrun, the micro-batches of each step are shared out over the processes, and the first one writes.

    Args:
        model: Trained in place; left in evaluation mode, with averaged weights if the phase has them.
        phase: What to do.
        folder: The run folder; if it holds an unfinished run of this phase, that run is continued.
        resume: False starts this phase anew and removes what an earlier start left in the folder.
        device: Where to compute.
        workers: Processes that prepare batches; the numbers do not depend on it.
        validate: Called in evaluation mode, by the first process; its figures are logged.
        validate_every: Steps between validations; 0 means at the end only.
        save_every_s: Seconds between checkpoints.
        save_every: Steps between checkpoints, besides.
        log_every: Steps between lines of `metrics.jsonl`, whose figures are averages over these steps.
        stop_after: Stop (resumable) once so many steps were taken in all.
        max_seconds: Stop (resumable) after the step in which this start has taken so long.
        best: The figure of validation by which the best weights are kept and handed out; None hands out the last.
        say: Receives one line of progress at a time.

    Returns:
        How it ended. Ctrl-C and SIGTERM end it after the current step, with a checkpoint; a second Ctrl-C at once.

    Raises:
        TrainingError: The folder belongs to another run, or five steps in a row had no finite loss and gradient.
        InputError: A trainable pattern matches nothing, or an objective returns no loss to learn from.
    """
    pace = Pace(
        validate_every=validate_every,
        log_every=log_every,
        save_every_s=save_every_s,
        save_every=save_every,
        stop_after=stop_after,
        max_seconds=max_seconds,
    )
    group = distributed.join(device)
    with _graceful_stop() as asked_to_stop:
        files = RunFolder(Path(folder), phase, writes=group.rank == 0)
        group.wait()
        files.begin(group.device, group.size, resume=resume)
        group.wait()
        model.to(group.device)
        run = _Run(Stepper(model, phase, group), files, pace, validate, say)
        run.best = None if best is None else BestKept(files.path, best, files.writes)
        run.restore()
        run.go(workers, asked_to_stop)
        result = run.end()
        group.wait()  # so that no process reads what the first is still writing
        return result


@dataclass
class _Window:
    """Sums since the last line of the log; kept in checkpoints, so that a cut does not change the line."""

    steps: int = 0
    skipped: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, outcome: StepOutcome) -> None:
        if outcome.skipped:
            self.skipped += 1
            return
        self.steps += 1
        for name, value in outcome.figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        return {name: value / self.steps for name, value in self.sums.items()}


class _Run:
    """A phase on its way."""

    def __init__(
        self, stepper: Stepper, files: RunFolder, pace: Pace, validate: Validate | None, say: Callable[[str], None]
    ) -> None:
        self.stepper, self.files, self.pace, self.validate, self.say = stepper, files, pace, validate, say
        self.phase, self.steps = stepper.phase, stepper.phase.schedule.steps
        self.done = 0
        self.metrics: dict[str, float] = {}
        self.window = _Window()
        self.best: BestKept | None = None
        self.stopped_by: Literal["end", "interrupt", "time", "step", "patience"] = "end"
        self.began = self.logged_at = self.saved_at = time.monotonic()
        self.examples_since = self.steps_since = 0
        self.saved = -1

    def restore(self) -> None:
        """Continue where the folder's state left off, if it has one."""
        state = self.files.resume(self.stepper)
        group, model = self.stepper.group, self.stepper.model
        group.share([*model.parameters(), *model.buffers()])
        if state:
            self.done = self.saved = int(state["step"])
            self.metrics = dict(state["metrics"])
            self.stepper.skipped, self.stepper.skipped_in_a_row = state["skipped"]
            if self.best and "best" in state:
                self.best.restore(state["best"])
            self.window = _Window(state["window"][0], state["window"][1], state["window"][2])
            self.say(f"{self.phase.name}: continuing at step {self.done} of {self.steps}.")

    def go(self, workers: int, asked_to_stop: Callable[[], bool]) -> None:
        """Take the steps that are left, until the end or a reason to stop."""
        if self.best and self.best.exhausted:
            self.stopped_by = "patience"
            return
        if self.pace.stop_after is not None and self.done >= self.pace.stop_after < self.steps:
            self.stopped_by = "step"
            return
        for step, drawn in batches(self.phase, range(self.done, self.steps), self.stepper.group, workers):
            outcome = self.stepper.step(step, drawn)
            self.done = step + 1
            self._log(outcome)
            self._validate()
            if self._stops(asked_to_stop()):
                break
            self._save()

    def end(self) -> RunResult:
        """Keep the state, draw the curve, and leave the model as it is handed out."""
        finished = self.done >= self.steps or self.stopped_by == "patience"
        if self.saved < self.done or not finished:
            self.files.save(self.stepper, self.done, self._state(), finished=finished)
        note = self.files.draw()
        if self.stepper.average:
            self.stepper.average.exchange(self.stepper.parameters)
        if self.best and finished:
            self.best.tidy()
            self.best.put(self.stepper.parameters)
        self.stepper.model.eval()
        return RunResult(
            step=self.done,
            finished=finished,
            stopped_by="end" if self.done >= self.steps else self.stopped_by,
            metrics=self.best.figures if finished and self.best and self.best.step >= 0 else self.metrics,
            seconds=self.files.seconds,
            skipped_steps=self.stepper.skipped,
            notes=(note,) if note else (),
            best_step=self.best.step if self.best and self.best.step >= 0 else None,
            best_value=self.best.value if self.best and self.best.step >= 0 else None,
        )

    def _log(self, outcome: StepOutcome) -> None:
        self.window.add(outcome)
        self.examples_since += outcome.examples * self.stepper.group.size
        self.steps_since += 1
        if self.done % self.pace.log_every and self.done != self.steps:
            return
        now = time.monotonic()
        took = max(now - self.logged_at, 1e-9)
        figures = self.window.means() if self.window.steps else {}
        speed = {"steps_per_s": self.steps_since / took, "examples_per_s": self.examples_since / took}
        skipped = {"skipped_steps": self.window.skipped} if self.window.skipped else {}
        rate = {"learning_rate": self.phase.schedule.rate(self.done - 1)}
        self.files.log(self.done, {**figures, **rate, **speed, **skipped})
        self.say(self._line(figures, speed["steps_per_s"]))
        self.window, self.logged_at = _Window(), now
        self.examples_since = self.steps_since = 0

    def _line(self, figures: Mapping[str, float], rate: float) -> str:
        left_min = (self.steps - self.done) / rate / 60
        shown = ", ".join(f"{key} {value:.3f}" for key, value in figures.items() if "/" in key)
        skipped = f", {self.stepper.skipped} skipped" if self.stepper.skipped else ""
        learning = f"{self.phase.schedule.rate(self.done - 1):.2g}"
        pace = f"{rate:.2f} steps/s, {left_min:.1f} min left, learning rate {learning}{skipped}"
        return f"{self.phase.name} {self.done}/{self.steps} ({pace}): {shown}"

    def _validate(self) -> None:
        every = self.pace.validate_every
        due = self.done == self.steps or (every and self.done % every == 0)
        if not due or self.validate is None or not self.files.writes:
            return
        with self.stepper.exported() as model, torch.no_grad():
            self.metrics = {name: float(value) for name, value in self.validate(model).items()}
            if self.best:
                self.best.validated(self.done, self.metrics, self.stepper.parameters)
        self.files.log(self.done, self.metrics)
        self.say(f"{self.phase.name} {self.done}: " + ", ".join(f"{k} {v:.4f}" for k, v in self.metrics.items()))

    def _stops(self, asked: bool) -> bool:
        late = self.pace.max_seconds is not None and time.monotonic() - self.began >= self.pace.max_seconds
        for reason, holds in (("interrupt", asked), ("time", late)):
            if self.stepper.group.any(holds):
                self.stopped_by = "interrupt" if reason == "interrupt" else "time"
                return True
        if self.stepper.group.any(bool(self.best and self.best.exhausted)) and self.done < self.steps:
            self.stopped_by = "patience"
            return True
        if self.pace.stop_after is not None and self.done >= self.pace.stop_after:
            self.stopped_by = "step"
            return True
        return False

    def _save(self) -> None:
        due = self.pace.save_every and self.done % self.pace.save_every == 0
        if self.done < self.steps and (due or time.monotonic() - self.saved_at > self.pace.save_every_s):
            self.files.save(self.stepper, self.done, self._state())
            if self.best:
                self.best.tidy()
            self.saved_at, self.saved = time.monotonic(), self.done

    def _state(self) -> dict[str, Any]:
        window = [self.window.steps, self.window.skipped, dict(self.window.sums)]
        skipped = [self.stepper.skipped, self.stepper.skipped_in_a_row]
        best = {"best": self.best.state()} if self.best else {}
        return {"metrics": self.metrics, "skipped": skipped, "window": window, **best}


@contextmanager
def _graceful_stop() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT and SIGTERM into a question to be asked between steps (main thread only).

    A second Ctrl-C is a KeyboardInterrupt again, for a step that does not end.
    """
    asked = 0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 1 and number == signal.SIGINT:
            signal.default_int_handler(number, frame)

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever started the thread handles signals
        before = {}
    try:
        yield lambda: asked > 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
