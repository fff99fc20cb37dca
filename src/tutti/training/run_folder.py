"""A run's folder: what was configured, how it went, and the state to continue from. Safetensors, no pickle."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tutti import __version__
from tutti.engine.machine import processor
from tutti.errors import TrainingError, writing
from tutti.media.text_files import json_object, lines_of
from tutti.training.curve import draw
from tutti.training.files import save_tensors, save_text
from tutti.training.phases import Phase
from tutti.training.step import BATCH_NORMS, Stepper

_SLOTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps for a parameter."""


class RunFolder:
    """The files of a run.

    `run.json` (resolved configuration and every start), `metrics.jsonl` (one object a log interval or validation),
    `curve.png`, `state.json` with the `state-<step>.safetensors` that it names; when finished, `model.safetensors`.

    Args:
        path: Made if missing.
        phase: The phase that runs in it.
        writes: Whether this process writes; of several, one does.

    Raises:
        TrainingError: The folder holds another run.
    """

    def __init__(self, path: Path, phase: Phase, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.phase = json.loads(json.dumps(phase.describe()))
        self.seconds_before, self.began = 0.0, time.monotonic()
        file = path / "run.json"
        self.starts: list[dict[str, Any]] = []
        if file.exists():
            written = _read_json(file)
            found, self.starts = written.get("phase", {}), list(written.get("starts", []))
            if found != self.phase:
                different = sorted(key for key in self.phase if found.get(key) != self.phase[key])
                raise TrainingError(
                    f"{path} holds a run of {found.get('name')!r} with another {' and '.join(different) or 'setup'}; "
                    "choose another folder, or remove it to start anew."
                )

    @property
    def seconds(self) -> float:
        """How long the run has taken in all, interruptions not counted."""
        return self.seconds_before + time.monotonic() - self.began

    def begin(self, device: str, processes: int, *, resume: bool) -> None:
        """Write down what starts, and where; without `resume`, forget what an earlier start left."""
        if not self.writes:
            return
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        if not resume:
            for name in ("state.json", "metrics.jsonl", "curve.png", "model.safetensors"):
                (self.path / name).unlink(missing_ok=True)
            for old in [*self.path.glob("state-*"), *self.path.glob("best-*")]:
                old.unlink()
            self.starts = []
        self.starts.append(
            {
                "versions": {"tutti": __version__, "torch": torch.__version__, "python": platform.python_version()},
                "processor": processor(),
                "threads": torch.get_num_threads(),
                "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
                "processes": processes,
            }
        )
        save_text(json.dumps({"phase": self.phase, "starts": self.starts}, indent=1) + "\n", self.path / "run.json")

    def log(self, step: int, figures: Mapping[str, Any]) -> None:
        """Append a line to `metrics.jsonl`."""
        if self.writes:
            line = {"step": step, "seconds": round(self.seconds, 2), **{k: _short(v) for k, v in figures.items()}}
            file = self.path / "metrics.jsonl"
            with writing(file), file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def resume(self, stepper: Stepper) -> dict[str, Any]:
        """Load the state if there is one.

        Returns:
            The values given to `save`, with `step` and `finished`; empty if nothing was saved.

        Raises:
            TrainingError: The state is damaged or belongs to another model.
        """
        file = self.path / "state.json"
        if not file.exists():
            return {}
        values = _read_json(file)
        try:
            _fill(stepper, load_file(self.path / values["tensors"]))
        except (OSError, KeyError, RuntimeError, SafetensorError) as error:
            raise TrainingError(
                f"The state in {self.path} cannot be loaded into this model ({_first_line(error)}); expected the model "
                "that the run began with: build it the same way, or remove the folder to start anew."
            ) from None
        self.seconds_before, self.began = float(values.get("seconds", 0.0)), time.monotonic()
        if self.writes:
            self._forget_after(int(values["step"]))
        return values

    def save(self, stepper: Stepper, step: int, values: Mapping[str, Any], *, finished: bool = False) -> None:
        """Keep the state; the previous one is removed only when the new one is complete."""
        if not self.writes:
            return
        file = self.path / f"state-{step}.safetensors"
        save_tensors(_drain(stepper), file)
        state = {"step": step, "tensors": file.name, "finished": finished, "seconds": self.seconds, **values}
        if finished:  # before the state says so
            with stepper.exported():
                save_tensors(_kept(stepper), self.path / "model.safetensors")
        save_text(json.dumps(state), self.path / "state.json")
        for old in self.path.glob("state-*"):
            if old != file:
                old.unlink()

    def draw(self) -> str:
        """Draw the curve.

        Returns:
            A note to the user if it could not be drawn, or nothing.
        """
        return draw(self.path / "metrics.jsonl", self.path / "curve.png") if self.writes else ""

    def _forget_after(self, step: int) -> None:
        """Drop the lines of steps that will be taken again, so that the curve has each step once."""
        file = self.path / "metrics.jsonl"
        if file.exists():
            whole = file.read_text(encoding="utf-8").rpartition("\n")[0]
            kept = (line for _, line in lines_of(whole) if json_object(line)["step"] <= step)
            save_text("".join(f"{line}\n" for line in kept), file)


def _drain(stepper: Stepper) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {f"model.{name}": tensor for name, tensor in _kept(stepper).items()}
    for name, parameter in stepper.parameters.items():
        for slot, value in stepper.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{slot}.{name}"] = value
    if stepper.average:
        tensors |= {f"average.{name}": value for name, value in stepper.average.values.items()}
    return tensors


def _kept(stepper: Stepper) -> dict[str, Tensor]:
    """The weights that a state holds: all, or the trained ones with the running statistics that go with them."""
    if stepper.phase.keeps == "all":
        return dict(stepper.model.state_dict())
    norms = (name for name, module in stepper.model.named_modules() if isinstance(module, BATCH_NORMS))
    held = {f"{name}.{buffer}" for name in norms for buffer in ("running_mean", "running_var", "num_batches_tracked")}
    statistics = {name: value for name, value in stepper.model.named_buffers() if name in held}
    return {**stepper.parameters, **statistics}


def _fill(stepper: Stepper, tensors: Mapping[str, Tensor]) -> None:
    weights = {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
    if stepper.phase.keeps == "all":
        stepper.model.load_state_dict(weights)
    else:
        with torch.no_grad():
            for name, value in _kept(stepper).items():
                value.copy_(weights[name])
    for name, parameter in stepper.parameters.items():
        slots = {slot: tensors[f"optimizer.{slot}.{name}"] for slot in _SLOTS if f"optimizer.{slot}.{name}" in tensors}
        if slots:  # a parameter that never had a gradient has none
            stepper.optimizer.state[parameter] = {slot: value.to(parameter.device) for slot, value in slots.items()}
        if stepper.average:
            stepper.average.values[name].copy_(tensors[f"average.{name}"])


def _read_json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, UnicodeDecodeError, TypeError):
        raise TrainingError(f"{file} is damaged; expected a JSON object: remove the folder to start anew.") from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(":. ") if str(error).strip() else type(error).__name__


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
