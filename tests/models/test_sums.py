"""Kernels for whole numbers: that the probe finds wrong ones, and that those with equal levels give equal results."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tutti.models.layers import dispatch
from tutti.models.layers.int4_layout import _KNOWN, Int4Layout, aten_layout, packed_by_aten
from tutti.models.layers.sums import FloatSums, PackedSums, PlainSums, Sums, UnpackedSums, fault


@dataclass(frozen=True)
class SaturatingSums(PlainSums):
    """As AVX2 computes it: pairs of products of unsigned activations and signed weights saturate at 16 bits."""

    zero_point: int

    def __call__(self, codes: Tensor, prepared: Tensor, factor: Tensor) -> Tensor:
        products = (codes.double() + self.zero_point)[:, None] * prepared.double()
        products = torch.nn.functional.pad(products, (0, products.shape[-1] % 2)).unflatten(-1, (-1, 2))
        sums = products.sum(-1).clamp(-(2**15), 2**15 - 1).sum(-1) - self.zero_point * prepared.double().sum(1)
        return sums.float() * factor


def test_a_kernel_that_saturates_is_found_out() -> None:
    assert fault(SaturatingSums(127, 128)) == "gives 0 for -1040384"
    assert "gives" in (fault(SaturatingSums(63, 128)) or ""), "the bytes reach 191, and 191 * 127 * 2 is too much"
    assert fault(SaturatingSums(63, 64)) is None, "the bytes stay below 128"


def test_a_kernel_that_is_not_there_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Missing(PlainSums):
        def prepare(self, values: Tensor) -> Tensor:
            raise RuntimeError("No such operator")

    missing, wrong = Missing(127), SaturatingSums(127, 128)
    assert fault(missing) == "is not there: No such operator"
    monkeypatch.setattr(dispatch, "_FULL", missing)
    monkeypatch.setattr(dispatch, "_HALVED", wrong)
    chosen = dispatch.int8_sums.__wrapped__()
    assert isinstance(chosen, (PlainSums, FloatSums))
    assert chosen not in (missing, wrong)


def test_what_is_chosen_is_right_and_the_clock_does_not_change_levels() -> None:
    once = dispatch.single_use_sums()
    assert fault(dispatch.int8_sums()) is None
    assert fault(once) is None
    assert once.levels == dispatch.int8_sums().levels


@pytest.mark.parametrize("width", [64, 2051, 5000])
def test_kernels_of_equal_levels_give_equal_results(width: int) -> None:
    """To the last bit, also where K is more than float32 sums exactly."""
    generator = torch.Generator().manual_seed(0)
    levels = dispatch.int8_sums().levels
    codes = torch.randint(-levels, levels + 1, (19, width), generator=generator).to(torch.int8)
    codes[0], weights = levels, torch.randint(-128, 128, (70, width), generator=generator).to(torch.int8)
    weights[0], factor = 127, torch.rand(70, generator=generator)
    wanted = (codes.double() @ weights.double().t()).float() * factor
    kinds: list[Sums] = [dispatch.int8_sums(), dispatch.single_use_sums(), FloatSums(levels)]
    kinds += [UnpackedSums(63, 64, few_rows=few) for few in (18, 19)] if levels == 63 else []
    for sums in kinds:
        for weights_ in (weights, weights.t().contiguous().t()):
            assert torch.equal(sums(codes.clone(), sums.prepare(weights_), factor), wanted), sums.name


def test_what_packed_products_keep_is_read_back() -> None:
    weights = torch.randint(-128, 128, (70, 515), generator=torch.Generator().manual_seed(0)).to(torch.int8)
    sums = dispatch.int8_sums()
    assert torch.equal(sums.values(sums.prepare(weights)), weights)
    if type(sums) is PackedSums:
        assert sums.prepare(weights).layout != torch.strided


@pytest.mark.parametrize("layout", _KNOWN, ids=str)
def test_int4_layouts(layout: Int4Layout) -> None:
    values = torch.randint(0, 16, (192, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    packed, half = layout.pack(values), layout.block // 2
    assert torch.equal(layout.unpack(packed), values)
    columns = torch.randn(3, 192)
    assert torch.equal(layout.in_order(layout.in_halves(columns)), columns)
    for row in (0, 1, half, 191):
        place = row % layout.block
        byte, high = (place // 2, place % 2) if layout.neighbours else (place % half, place // half)
        bytes_ = packed.flatten()[row // layout.block * half * 32 :].view(-1, half)[:32, byte]
        assert torch.equal(bytes_ >> 4 if high else bytes_ & 15, values[row])


def test_int4_codes_are_packed_as_aten_packs_them() -> None:
    values = torch.randint(0, 16, (192, 96), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    layout = aten_layout()
    assert layout is not None
    assert torch.equal(layout.pack(values), packed_by_aten(values))
