"""Quantized layers: what codes stand for, that kernels multiply by exactly that, and that joining changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutti.engine.passes import run_passes
from tutti.models.layers import kernels, linear
from tutti.models.layers.codes import Codes, quantize
from tutti.models.layers.dispatch import Int4Choice, Int4Rows, int4_choice, int8_sums
from tutti.models.layers.int4_layout import OURS
from tutti.models.layers.kernels import Int4Kernel, Int8Kernel, make_kernel
from tutti.models.layers.linear import QuantizedLinear, attending_dtype, join, separate, together
from tutti.models.schemes import CHOICES, Policy, Scheme, bytes_in_memory

SCHEMES: tuple[Scheme, ...] = ("int8", "int4")
ROWS, WIDTH = 128, 192
ROUNDED = 1.5 / int8_sums().levels
"""Largest relative error of products that rounding normal activations makes: their largest of some hundred is about
three deviations, so rounding to steps of a 63rd or 127th of it has a deviation of 0.9 / levels."""
INT4_ROWS = Int4Rows(16, 3)
"""As on processors where the int4 kernel is used."""


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
@pytest.mark.parametrize("count", [1, 3, 16, 17, 40])
def test_kernels_multiply_by_what_codes_stand_for(scheme: Scheme, count: int) -> None:
    codes = quantize(matrix(), scheme)
    x = inputs(count)
    found, wanted = make_kernel(codes)(x), x @ codes.dequantized().t()
    for row in range(count):  # each by itself: the first is a thousand times as large
        assert error(found[row], wanted[row]) < ROUNDED


def test_int8_products_are_what_whole_numbers_sum_to() -> None:
    """At the extremes, where sums of 16 bits saturate: 64 ones by 127 are 8,128 and nothing near it."""
    for sign in (1, -1):
        x, weight = torch.ones(5, 64), torch.full((32, 64), 127, dtype=torch.int8)
        kernel = Int8Kernel(Codes(weight * sign, torch.ones(32)))
        torch.testing.assert_close(kernel(x), torch.full((5, 32), 8128.0 * sign), rtol=1e-6, atol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("packed", [True, False])
def test_codes_come_back_from_kernels_as_they_were(scheme: Scheme, packed: bool) -> None:
    codes = quantize(matrix(), scheme)
    kernel = make_kernel(codes)
    kernel.pack()
    if not packed:
        kernel.unpack()
    for back in (kernel.codes(), Codes.from_tensors(kernel.codes().tensors())):
        for name in ("values", "scale", "step", "offset"):
            found, given = getattr(back, name), getattr(codes, name)
            assert found is given is None or torch.equal(found, given), name


@pytest.fixture(params=[True, False])
def int4_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Int4Choice:
    """Once as on this processor, if its int4 kernel is used, and once as where it is not."""
    choice = int4_choice() if request.param else Int4Choice(Int4Rows(0, 0), OURS, "the order is not known")
    monkeypatch.setattr(kernels, "int4_choice", lambda: choice)
    return choice


@pytest.mark.usefixtures("int4_kernel")
@pytest.mark.parametrize("count", [1, 40])
def test_int4_products_and_codes_do_not_need_the_int4_kernel(count: int) -> None:
    codes, x = quantize(matrix(), "int4"), inputs(count)
    kernel = Int4Kernel(codes)
    assert error(kernel(x), x @ codes.dequantized().t()) < ROUNDED
    assert torch.equal(kernel.codes().values, codes.values)


def test_int4_weights_kept_as_int8_beside_give_the_same_at_the_first_time_and_later(int4_kernel: Int4Choice) -> None:
    codes, few = quantize(matrix(), "int4"), int4_kernel.rows.beside_int8
    kernel, many = Int4Kernel(codes), inputs(few + 1)
    plain, alone = kernel(many[:few]), kernel.nbytes
    wanted = Int8Kernel(Codes(codes.int8(), codes.scale))(many)
    kernel.keep_int8(True)
    for _ in range(3):
        assert torch.equal(kernel(many), wanted)
    assert torch.equal(kernel(many[:few]), plain)
    assert kernel.nbytes == alone + bytes_in_memory("int8", (ROWS, WIDTH))
    kernel.keep_int8(False)
    assert kernel.nbytes == alone
    by_int4 = few < int4_kernel.rows.alone  # whose activations are bfloat16
    assert torch.equal(kernel(many), wanted) is not by_int4


def test_int8_beside_int4_is_kept_for_all_layers_or_for_none() -> None:
    layers = nn.Sequential(*(QuantizedLinear(quantize(matrix(), "int4")) for _ in range(2)))
    kernels_ = [layer.kernel for layer in layers if isinstance(layer, QuantizedLinear)]
    needed, int4, int8 = 2 * ROWS * WIDTH, *(bytes_in_memory(one, (ROWS, WIDTH)) for one in ("int4", "int8"))
    for most_bytes, wanted in ((needed, int4 + int8), (needed - 1, int4)):
        run_passes(layers, most_bytes)
        for _ in range(2):
            for kernel in kernels_:
                kernel(inputs(20))
        assert [kernel.nbytes for kernel in kernels_] == [wanted, wanted]


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


@pytest.mark.parametrize(("scheme", "bytes_a_value"), [("int8", 1 + 8 / WIDTH), ("int4", 0.5 + 4 / 64 + 4 / WIDTH)])
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
        "int4+trunks4": ["int4", "int8", "int8", "int8"],
    }


def test_what_quantized_weights_made_attends_in_bfloat16_where_that_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    quantized = nn.Sequential(nn.Linear(4, 4), QuantizedLinear(quantize(matrix(), "int8")))
    for faster in (False, True):
        monkeypatch.setattr(linear, "attends_in_bfloat16", lambda _, faster=faster: faster)
        assert attending_dtype(nn.Linear(4, 4)) is None
        assert attending_dtype(quantized) == (torch.bfloat16 if faster else None)
