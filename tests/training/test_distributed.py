"""Two processes of torchrun equal one that accumulates the same micro-batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.training.tiny import make_linear, make_phase
from tutti.errors import TrainingError
from tutti.training.batches import batches
from tutti.training.distributed import Group
from tutti.training.loop import train

ROOT = Path(__file__).parents[2]


def test_two_processes_equal_one(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    arguments = ["-m", "tests.training.two_processes", str(tmp_path / "two")]
    with subprocess.Popen(
        [*command, *arguments], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            complaints = process.communicate(timeout=120)[1]
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun then ends its processes, which a kill would leave behind
            raise
    assert process.returncode == 0, complaints[-2000:]
    assert "UserWarning" not in complaints
    model = make_linear()
    train(model, make_phase(micro_batches=4, ema_decay=0.9, steps=6), tmp_path / "one", log_every=2)
    two = load_file(tmp_path / "two/model.safetensors")
    for name, value in model.state_dict().items():
        assert torch.allclose(two[name], value, atol=1e-6, rtol=0), name
    assert [start["processes"] for start in json.loads((tmp_path / "two/run.json").read_text())["starts"]] == [2, 2]
    curves = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    assert [row["step"] for row in curves[1]] == [2, 4, 6, 6], "each line once, and the validation's"
    for one, both in zip(curves[0], curves[1], strict=False):
        assert both["sums/loss"] == pytest.approx(one["sums/loss"], rel=1e-4)
        assert both["gradient_norm"] == pytest.approx(one["gradient_norm"], rel=1e-4)


def test_micro_batches_must_be_shared_out_evenly():
    with pytest.raises(TrainingError, match="3 micro-batches cannot be shared out over 2 processes"):
        next(batches(make_phase(micro_batches=3), range(1), Group(0, 2), 0))


def test_alone_a_group_changes_nothing():
    weight = nn.Parameter(torch.ones(2))
    group = Group()
    group.sum_gradients([weight])
    assert weight.grad is None
    assert group.sum_figures({"a": 0.1}) == {"a": 0.1}
    assert (group.any(True), group.any(False)) == (True, False)
