"""A run's folder: what was configured, how it went, and the state to continue from. Tensors in safetensors, no pickle."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutti import __version__
from tutti.errors import TrainingError
from tutti.training.phases import Phase


class RunFolder:
    """`run.json` (resolved configuration), `metrics.jsonl`, `curve.png`, `state.json` and `state-<step>.safetensors`.

    Args:
        path: Made if missing.
        phase: The phase that runs in it.
        writes: Whether this process writes; of several, one does.

    Raises:
        TrainingError: The folder holds another run.
    """

    def __init__(self, path: Path, phase: Phase, writes: bool = True) -> None:
        self.path, self.writes = path, writes
        self.began = time.monotonic()
        configuration = phase.describe()
        file = path / "run.json"
        if file.exists():
            found = json.loads(file.read_text())["phase"]
            if found != json.loads(json.dumps(configuration)):
                different = sorted(key for key in configuration if found.get(key) != configuration[key])
                raise TrainingError(
                    f"{path} holds a run of {found.get('name')!r} with another {' and '.join(different) or 'setup'}; "
                    "choose another folder, or remove it to start anew."
                )
        elif writes:
            path.mkdir(parents=True, exist_ok=True)
            machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
            versions = {"tutti": __version__, "torch": torch.__version__, "python": platform.python_version()}
            _write(file, json.dumps({"phase": configuration, "versions": versions, "machine": machine}, indent=1))

    def log(self, figures: Mapping[str, float]) -> None:
        """Append a line to `metrics.jsonl`."""
        if self.writes:
            with (self.path / "metrics.jsonl").open("a") as file:
                seconds = round(time.monotonic() - self.began, 2)
                file.write(json.dumps({"seconds": seconds, **{k: _short(v) for k, v in figures.items()}}) + "\n")

    def resume(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
    ) -> int:
        """Load the state if there is one.

        Returns:
            The step to go on with.
        """
        state = self.path / "state.json"
        if not state.exists():
            return 0
        values = json.loads(state.read_text())
        tensors = load_file(self.path / values["tensors"])
        weights = {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")}
        model.load_state_dict(weights)
        for name, parameter in parameters.items():
            slots = {key: tensors[f"optimizer.{key}.{name}"] for key in _slots(optimizer)}
            if slots:
                optimizer.state[parameter] = {key: value.to(_slot_device(key, parameter)) for key, value in slots.items()}
        return int(values["step"])

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        parameters: Mapping[str, nn.Parameter],
        step: int,
        finished: bool = False,
    ) -> None:
        """Keep the state; the previous one is removed only when the new one is complete."""
        if not self.writes:
            return
        tensors: dict[str, Tensor] = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for name, parameter in parameters.items():
            for key in _slots(optimizer):
                value = optimizer.state[parameter].get(key) if parameter in optimizer.state else None
                empty = torch.zeros(()) if key == "step" else torch.zeros_like(parameter)
                tensors[f"optimizer.{key}.{name}"] = empty if value is None else value
        file = self.path / f"state-{step}.safetensors"
        partial = file.with_suffix(".partial")
        save_file({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}, partial)
        os.replace(partial, file)
        _write(self.path / "state.json", json.dumps({"step": step, "tensors": file.name, "finished": finished}))
        for old in self.path.glob("state-*.safetensors"):
            if old != file:
                old.unlink()
        if finished:
            self.draw()

    def draw(self) -> None:
        """Draw the losses over the steps as `curve.png`, where matplotlib is installed (the extra `train`)."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        lines = [json.loads(line) for line in (self.path / "metrics.jsonl").read_text().splitlines()]
        figure = Figure(figsize=(8, 4))
        axes = figure.add_subplot()
        for key in dict.fromkeys(key for line in lines for key in line if key.endswith("/loss")):
            points = [(line["step"], line[key]) for line in lines if key in line]
            axes.plot(*zip(*points, strict=True), label=key)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.legend()
        figure.savefig(self.path / "curve.png")


def _slots(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    return ("step", "exp_avg", "exp_avg_sq") if isinstance(optimizer, torch.optim.AdamW) else ()


def _slot_device(key: str, parameter: Tensor) -> torch.device:
    return torch.device("cpu") if key == "step" else parameter.device


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _write(file: Path, text: str) -> None:
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    os.replace(partial, file)
