"""The compiled part's packed products: equal to torch's whole numbers, to the last bit, for any number of rows."""

from __future__ import annotations

import pytest
import torch

from tutti.models.layers import native, packed
from tutti.models.layers.codes import Codes, quantize
from tutti.models.layers.dispatch import int8_sums
from tutti.models.layers.kernels import Int4Kernel, Int8Kernel, make_kernel
from tutti.models.layers.packed import PackedKernel, instructions, packed_fault, packs
from tutti.models.schemes import Scheme


def here() -> bool:
    """Where it was built and the processor has what it wants."""
    found = native.library()
    return found is not None and found.tutti_instructions() >= instructions(int8_sums().levels)


needs_it = pytest.mark.skipif(not here(), reason="the compiled part is not there, or not for this processor")
SIZES: list[tuple[Scheme, int, int]] = [
    ("int8", 1, 1), ("int8", 33, 31), ("int8", 130, 2816), ("int8", 192, 515), ("int4", 64, 32), ("int4", 192, 320),
    ("int4", 128, 1152),
]  # fmt: skip


def codes_of(scheme: Scheme, rows: int, width: int) -> Codes:
    weight = torch.randn(rows, width, generator=torch.Generator().manual_seed(width)) * 0.02
    weight[-1], weight[0, 0] = 0, 1
    return quantize(weight, scheme)


def inputs(rows: int, width: int) -> torch.Tensor:
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(rows))
    x[0] *= 1000
    return x


def test_it_is_right_where_it_is() -> None:
    for scheme in ("int8", "int4"):
        assert (packed_fault(scheme) is None) is here()


@needs_it
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("scheme", "rows", "width"), SIZES)
def test_products_equal_those_of_int8_for_any_number_of_rows(
    scheme: Scheme, rows: int, width: int, threads: int
) -> None:
    codes = codes_of(scheme, rows, width)
    kernel, plain, before = PackedKernel(codes), Int8Kernel(Codes(codes.int8(), codes.scale)), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for count in (1, 2, 3, 4, 5, 7, 12, 13, 25, 520):
            x = inputs(count, width)
            assert torch.equal(kernel(x), plain(x)), count
    finally:
        torch.set_num_threads(before)


@needs_it
@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_a_row_depends_on_no_other_not_even_one_that_is_not_finite(scheme: Scheme) -> None:
    kernel, x = PackedKernel(codes_of(scheme, 128, 192)), inputs(40, 192)
    wanted = kernel(x)
    assert torch.equal(torch.cat([kernel(row[None]) for row in x]), wanted)
    x[3, 5] = float("inf")
    found = kernel(x)
    assert found[3].isnan().all()
    assert torch.equal(found[4:], wanted[4:])


@needs_it
@pytest.mark.parametrize(("scheme", "rows", "width"), SIZES)
def test_codes_come_back_as_they_were_from_whatever_kernel_they_came(scheme: Scheme, rows: int, width: int) -> None:
    codes = codes_of(scheme, rows, width)
    for kernel in (PackedKernel(codes), PackedKernel.of(make_kernel(codes))):
        back = kernel.codes()
        assert kernel.scheme == back.scheme == scheme
        for name in ("values", "scale", "step", "offset"):
            found, given = getattr(back, name), getattr(codes, name)
            assert found is given is None or torch.equal(found, given), name


@needs_it
def test_joined_is_one_below_the_other_and_refused_where_blocks_do_not_fit() -> None:
    first, second = codes_of("int4", 64, 192), codes_of("int4", 128, 192)
    kernels = [PackedKernel(one) for one in (first, second)]
    whole, x = PackedKernel.joined(kernels), inputs(5, 192)
    assert whole is not None
    assert torch.equal(whole(x), torch.cat([kernel(x) for kernel in kernels], dim=1))
    uneven = PackedKernel(codes_of("int8", 65, 192))
    assert PackedKernel.joined([uneven, uneven]) is None
    assert PackedKernel.joined([kernels[0], uneven]) is None


@needs_it
def test_it_takes_less_memory_than_int4_and_int8_side_by_side() -> None:
    codes = codes_of("int4", 128, 1152)
    plain = Int4Kernel(codes)
    assert PackedKernel(codes).nbytes <= plain.nbytes


@needs_it
def test_what_does_not_fit_is_refused() -> None:
    kernel = PackedKernel(codes_of("int8", 64, 64))
    for wrong in (torch.zeros(1, 65), torch.zeros(1, 64, dtype=torch.float64)):
        with pytest.raises(RuntimeError, match="cannot multiply"):
            kernel(wrong)
    assert not packs("int8", native.MOST_WIDTH + 1)


def test_nothing_is_packed_where_units_for_tiles_are_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "attends_in_bfloat16", lambda: True)
    assert not packs("int8", 64)


@needs_it
def test_a_compiled_part_that_is_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = PackedKernel.__call__
    monkeypatch.setattr(PackedKernel, "__call__", lambda self, x: right(self, x) + (len(x) == 7))
    assert packed_fault.__wrapped__("int4") == "gives wrong sums"
