"""Quantized products beside a GPU, run on the CPU: exact sums, whatever the sizes, and the weights unchanged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tutti.models.layers import device_kernels
from tutti.models.layers.codes import Codes, quantize
from tutti.models.layers.device_kernels import DeviceKernel, kernel_for, kernel_of_all
from tutti.models.layers.dispatch import device_sums
from tutti.models.layers.kernels import Int8Kernel, quantize_rows
from tutti.models.layers.linear import QuantizedLinear
from tutti.models.layers.sums import DeviceSums, FloatSums, fault
from tutti.models.schemes import Scheme

SIZES = [(64, 128), (72, 96), (40, 64), (192, 352)]


def matrix(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def exact(x: torch.Tensor, codes: Codes, levels: int) -> torch.Tensor:
    """By whole numbers in float64, rounded once."""
    rows, top = quantize_rows(x, levels)
    sums = rows.double() @ codes.int8().double().t()
    return sums.float() * (codes.scale / levels) * top


@pytest.mark.parametrize("rows", [1, 7, 16, 33])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_products_are_exact(scheme: Scheme, size: tuple[int, int], rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_kernels, "_SPREAD_VALUES", 2048)  # so that int4 is spread out in several blocks
    codes, x = quantize(matrix(*size), scheme), matrix(rows, size[1], seed=1)
    kernel = DeviceKernel(codes)
    found = kernel(x)
    assert torch.equal(found, exact(x, codes, 127))
    # A row by itself is what it is among others.
    assert torch.equal(kernel(x[:1]), found[:1])


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_weights_are_kept_as_they_were_given(scheme: Scheme) -> None:
    codes = quantize(matrix(64, 128), scheme)
    kernel = DeviceKernel(codes)
    kernel.pack()
    back = kernel.codes()
    assert back.scheme == scheme
    assert torch.equal(back.int8(), codes.int8())
    assert torch.equal(back.scale, codes.scale)
    assert kernel.nbytes < 64 * 128 * (1.2 if scheme == "int8" else 0.75)


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_one_below_the_other_is_one_product(scheme: Scheme) -> None:
    parts = [DeviceKernel(quantize(matrix(rows, 64, seed=rows), scheme)) for rows in (64, 128)]
    whole, x = kernel_of_all(parts), matrix(3, 64)
    assert whole is not None
    assert torch.equal(whole(x), torch.cat([part(x) for part in parts], dim=1))
    other = DeviceKernel(quantize(matrix(64, 64), "int4" if scheme == "int8" else "int8"))
    assert kernel_of_all([parts[0], other]) is None
    assert kernel_of_all([parts[0], Int8Kernel(quantize(matrix(64, 64), "int8"))]) is None


def test_on_the_cpu_the_cpu_kernels_are_taken() -> None:
    assert isinstance(kernel_for(quantize(matrix(64, 64), "int8")), Int8Kernel)


def test_sums_that_are_wrong_on_the_device_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = DeviceSums(127)
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: a.int() @ b.int())  # the processor's own may be wrong, too
    fault.cache_clear()
    assert fault(sums, "cpu") is None
    monkeypatch.setattr(torch, "_int_mm", lambda a, b: (a.int() @ b.int()).clamp(-30_000, 30_000))
    fault.cache_clear()
    device_sums.cache_clear()
    try:
        assert device_sums("cpu") == FloatSums(127)
    finally:
        fault.cache_clear()
        device_sums.cache_clear()


def test_a_layer_takes_its_weights_along(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = QuantizedLinear(quantize(matrix(64, 64), "int8"), torch.zeros(64))
    layer.kernel.pack()
    nn.ModuleList([layer]).to("meta")
    assert not layer.kernel.scale.is_meta  # there are no numbers to multiply by
    layer = QuantizedLinear(quantize(matrix(64, 64), "int8"))
    x = matrix(3, 64)
    before = layer(x)
    layer.double()
    assert torch.equal(layer(x), before)
