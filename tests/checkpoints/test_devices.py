"""Names of devices and precisions: what they mean here, and what is said of those that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tutti.checkpoints.devices import find_device, find_dtype
from tutti.checkpoints.loading import load
from tutti.errors import InputError


def gpus(monkeypatch: pytest.MonkeyPatch, count: int, bfloat16: bool = True) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bfloat16)


def test_auto_is_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    assert find_device("auto") == find_device("cpu") == torch.device("cpu")
    gpus(monkeypatch, 2)
    assert find_device("auto") == find_device("cuda") == torch.device("cuda", 0)
    assert find_device("cuda:1") == torch.device("cuda", 1)
    assert find_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "", "cpu:0", "auto:1", "cuda:", "cuda:-1", "cuda:x", "meta", "cuda:0 "])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(InputError, match="expected auto, cpu, cuda or cuda:N"):
        find_device(name)


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    with pytest.raises(InputError, match=r"device is 'cuda', but torch .* use cpu"):
        find_device("cuda")
    gpus(monkeypatch, 1)
    with pytest.raises(InputError, match="device is 'cuda:1', but of CUDA devices there is one, cuda:0"):
        find_device("cuda:1")
    gpus(monkeypatch, 3)
    with pytest.raises(InputError, match="there is 3, cuda:0 to cuda:2"):
        find_device("cuda:9")


def test_auto_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 1)
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    assert find_dtype("auto", cpu, quantized=False) == "float32"
    assert find_dtype("auto", gpu, quantized=False) == "bfloat16"
    assert find_dtype("auto", gpu, quantized=True) == "float32"
    assert find_dtype("float16", gpu, quantized=False) == "float16"
    gpus(monkeypatch, 1, bfloat16=False)
    assert find_dtype("auto", gpu, quantized=False) == "float32"


def test_loading_says_so_before_it_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    with pytest.raises(InputError, match="device is 'cuda'"):
        load(folder, device="cuda")
    with pytest.raises(InputError, match="expected one of auto, float32"):
        load(folder, dtype="int8")
    assert next(load(folder, device="auto", dtype="auto").model.parameters()).dtype == torch.float32
