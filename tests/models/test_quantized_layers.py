"""Quantized layers: what codes stand for, that kernels multiply by exactly that, and that joining changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutti.engine.passes import run_passes
from tutti.models.layers import kernels, linear
from tutti.models.layers.codes import Codes, quantize
from tutti.models.layers.kernels import FEW_ROWS, FEW_ROWS_BESIDE_INT8, Int4Kernel, Int8Kernel, make_kernel
from tutti.models.layers.linear import QuantizedLinear, attending_dtype, join, separate, together
from tutti.models.schemes import CHOICES, Policy, Scheme, bytes_in_memory

SCHEMES: tuple[Scheme, ...] = ("int8", "int4")
ROWS, WIDTH = 128, 192


def matrix(rows: int = ROWS, width: int = WIDTH, seed: int = 0) -> Tensor:
    weight = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * 0.02
    weight[3] = 0
    weight[5, 7] = 1
    return weight


def inputs(count: int) -> Tensor:
    x = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(1))
    x[0] *= 1000
    return x


def error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def test_codes_by_hand() -> None:
    codes = quantize(torch.tensor([[1.27, -0.5, 0.004]]), "int8")
    assert codes.values.tolist() == [[127, -50, 0]]
    assert codes.scale.tolist() == pytest.approx([0.01])
    ladder = (8 * torch.arange(16.0) + 7).repeat(2)[None]  # a group of just sixteen values, up to 127
    codes = quantize(ladder, "int4")
    assert codes.step is not None
    assert codes.offset is not None
    assert (codes.step.tolist(), codes.offset.tolist()) == ([[8]], [[7]])
    assert codes.values.tolist() == [[*range(16), *range(16)]]


@pytest.mark.parametrize(("scheme", "bound"), [("int8", 0.01), ("int4", 0.11)])
def test_normal_weights_keep_so_much(scheme: Scheme, bound: float) -> None:
    weight = torch.randn(256, 512, generator=torch.Generator().manual_seed(0))
    assert error(quantize(weight, scheme).dequantized(), weight) < bound


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("count", [1, 3, FEW_ROWS, FEW_ROWS + 1, 40])
def test_kernels_multiply_by_what_codes_stand_for(scheme: Scheme, count: int) -> None:
    codes = quantize(matrix(), scheme)
    x = inputs(count)
    found, wanted = make_kernel(codes)(x), x @ codes.dequantized().t()
    for row in range(count):  # each by itself: the first is a thousand times as large
        assert error(found[row], wanted[row]) < 0.02


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("packed", [True, False])
def test_codes_come_back_from_kernels_as_they_were(
    scheme: Scheme, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = quantize(matrix(), scheme)
    kernel = make_kernel(codes)
    kernel.pack()
    if not packed:  # a processor whose layout of int4 is not known: read by multiplying
        kernel.unpack()
        monkeypatch.setattr(kernels, "_packed_block", lambda: 0)
    for back in (kernel.codes(), Codes.from_tensors(kernel.codes().tensors())):
        for name in ("values", "scale", "step", "offset"):
            found, given = getattr(back, name), getattr(codes, name)
            assert found is given is None or torch.equal(found, given), name


def test_without_the_packed_int8_kernel_products_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, x = quantize(matrix(), "int8"), inputs(9)
    packed = Int8Kernel(codes)(x)
    monkeypatch.setattr(kernels, "_has_packed_int8", lambda: False)
    torch.testing.assert_close(Int8Kernel(codes)(x), packed, rtol=1e-6, atol=0)


def test_int4_codes_are_packed_as_aten_packs_them() -> None:
    values = torch.cat([quantize(matrix(), "int4").values, quantize(-matrix(), "int4").values])
    assert kernels._packed_block()  # else both would be ATen's
    assert torch.equal(kernels._pack(values), kernels._packed_by_aten(values))


def test_without_a_known_int4_layout_products_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, x = quantize(matrix(), "int4"), inputs(40)
    spread = Int4Kernel(codes)(x)
    monkeypatch.setattr(kernels, "_packed_block", lambda: 0)
    assert error(Int4Kernel(codes)(x), spread) < 0.02


@pytest.mark.parametrize("known_layout", [True, False])
def test_int4_weights_kept_as_int8_beside_give_the_same_at_the_first_time_and_later(
    known_layout: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = quantize(matrix(), "int4")
    kernel, few, many = Int4Kernel(codes), inputs(FEW_ROWS_BESIDE_INT8), inputs(FEW_ROWS_BESIDE_INT8 + 1)
    plain, alone = kernel(few), kernel.nbytes
    wanted = Int8Kernel(Codes(codes.int8(), codes.scale))(many)
    if not known_layout:
        monkeypatch.setattr(kernels, "_packed_block", lambda: 0)
    kernel.keep_int8(True)
    for _ in range(3):
        assert torch.equal(kernel(many), wanted)
    assert torch.equal(kernel(few), plain)
    assert kernel.nbytes == alone + bytes_in_memory("int8", (ROWS, WIDTH))
    kernel.keep_int8(False)
    assert kernel.nbytes == alone
    assert not torch.equal(kernel(many), wanted)  # by the int4 kernel again, whose activations are bfloat16


def test_int8_beside_int4_is_kept_for_all_layers_or_for_none() -> None:
    layers = nn.Sequential(*(QuantizedLinear(quantize(matrix(), "int4")) for _ in range(2)))
    x, needed = inputs(8), 2 * ROWS * WIDTH
    before = layers[0](x)
    for most_bytes in (needed, needed - 1):
        run_passes(layers, most_bytes)
        assert torch.equal(layers[0](x), before) is (most_bytes < needed)


def test_a_row_of_int8_products_depends_on_no_other() -> None:
    kernel, x = make_kernel(quantize(matrix(), "int8")), inputs(40)
    together_, alone = kernel(x), torch.cat([kernel(row[None]) for row in x])
    assert torch.equal(together_, alone)


@pytest.mark.parametrize("scheme", [None, *SCHEMES])
@pytest.mark.parametrize("bias", [True, False])
def test_joined_equals_separate(scheme: Scheme | None, bias: bool) -> None:
    torch.manual_seed(2)
    plain = [nn.Linear(WIDTH, rows, bias=bias) for rows in (128, 64, 64)]
    layers: list[nn.Module] = list(plain)
    if scheme:
        layers = [QuantizedLinear(quantize(one.weight.detach(), scheme), one.bias) for one in plain]
    group = nn.ModuleList(layers).requires_grad_(False)
    x = inputs(5)[:, None]
    before, states = together(x, *layers), group.state_dict()
    states = {name: tensor.clone() for name, tensor in states.items()}
    for change in (join, separate):
        change(*layers)
        for found, wanted, layer in zip(together(x, *layers), before, layers, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-3)
            torch.testing.assert_close(layer(x), wanted, rtol=1e-5, atol=1e-3)
        after = group.state_dict()
        assert after.keys() == states.keys()
        assert all(torch.equal(after[name], states[name]) for name in states)


def test_layers_of_different_kinds_are_not_joined() -> None:
    first, second = nn.Linear(WIDTH, 64), QuantizedLinear(quantize(matrix(64), "int8"))
    join(first, second)
    assert second.joined is None


@pytest.mark.parametrize(("scheme", "bytes_a_value"), [("int8", 1 + 16 / WIDTH), ("int4", 0.5 + 4 / 64 + 4 / WIDTH)])
def test_memory_is_as_foretold(scheme: Scheme, bytes_a_value: float) -> None:
    kernel = make_kernel(quantize(matrix(), scheme))
    assert kernel.nbytes == bytes_in_memory(scheme, (ROWS, WIDTH)) == ROWS * WIDTH * bytes_a_value


def test_the_policy() -> None:
    names = {"decoder.layers.0.up": (64, 64), "decoder.layers.0.odd": (60, 64), "head": (32, 64), "tower.0.up": (8, 8)}
    found = {
        choice: [
            Policy.parse(choice).scheme(name, shape, ("decoder.layers",), ("head",)) for name, shape in names.items()
        ]
        for choice in CHOICES
    }
    assert found == {
        "int8": ["int8", "int8", "int8", None],
        "int4": ["int4", "int8", "int8", None],
        "int8+trunks": ["int8", "int8", "int8", "int8"],
        "int4+trunks": ["int4", "int8", "int8", "int8"],
    }


def test_what_quantized_weights_made_attends_in_bfloat16_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    quantized = nn.Sequential(nn.Linear(4, 4), QuantizedLinear(quantize(matrix(), "int8")))
    for faster in (False, True):
        monkeypatch.setattr(linear, "attends_in_bfloat16", lambda faster=faster: faster)
        assert attending_dtype(nn.Linear(4, 4)) is None
        assert attending_dtype(quantized) == (torch.bfloat16 if faster else None)
