"""What a model takes in memory, told before it is loaded and held against what it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tutti import checkpoints
from tutti.checkpoints.needs import needed_memory
from tutti.cli.main import main
from tutti.engine import Engine
from tutti.errors import InputError


@pytest.mark.parametrize("quantize", [None, "int8", "int4"])
def test_it_is_what_loading_takes(folder: Path, quantize: str | None) -> None:
    told = needed_memory(checkpoints.inspect(folder), quantize=quantize)
    loaded = checkpoints.load(folder, quantize=quantize)
    assert told["weights"] == loaded.report.memory_bytes
    engine = Engine(loaded.model, eos_ids=(), detokenize=lambda _: "")  # type: ignore[arg-type]
    kept = sum(one.nbytes for one in (*engine._runner._keys, *engine._runner._values))
    assert told["keys_and_values"] == kept
    assert told["total"] == told["weights"] + kept


def test_on_a_gpu_it_is_half(folder: Path) -> None:
    info = checkpoints.inspect(folder)
    here, there = needed_memory(info), needed_memory(info, on_gpu=True)
    assert there["weights"] == info.memory_bytes["float16"]
    assert there["keys_and_values"] * 2 == here["keys_and_values"]
    assert needed_memory(info, "float32", on_gpu=True) == here
    assert needed_memory(info, quantize="int4+trunks", on_gpu=True)["weights"] == info.memory_bytes["int4"]


def test_what_cannot_be_loaded_so(folder: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded as int2 and float32; it can be as float32, float16"):
        needed_memory(checkpoints.inspect(folder), quantize="int2")
    with pytest.raises(InputError, match="cannot be loaded as int8 and float16"):
        needed_memory(checkpoints.inspect(folder), "float16", "int8")


def test_the_command_tells(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(folder), "--device", "cuda", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["needed_bytes"] == needed_memory(checkpoints.inspect(folder), on_gpu=True)
    assert main(["inspect", str(folder), "--device", "gpu"]) == 2
    assert "expected auto, cpu, cuda or cuda:N" in capsys.readouterr().err
    assert main(["inspect", str(folder), "--json"]) == 0
    assert "needed_bytes" not in json.loads(capsys.readouterr().out)
