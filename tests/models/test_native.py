"""The compiled part: that it gives what torch gives, to the last bit, refuses what does not fit, and is not needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tutti.models.layers import kernels, native
from tutti.models.layers.kernels import compiled_codes_are_right, quantize_rows
from tutti.models.layers.sums import CompiledSums, FloatSums, few_rows_sums

ROOT = Path(__file__).parents[2]
PRINTED = """
import json, sys, torch
from pathlib import Path
from tutti.models.layers import native
if sys.argv[1] == "off":
    native.LIBRARY = Path("none")
from tutti.models.layers.codes import quantize
from tutti.models.layers.kernels import make_kernel
torch.manual_seed(0)
weight, x = torch.randn(192, 320), torch.randn(40, 320)
kernels = [make_kernel(quantize(weight, scheme)) for scheme in ("int8", "int4")]
with torch.inference_mode():
    products = [kernel(x[:rows]).tolist() for kernel in kernels for rows in (1, 5, 40)]
print(json.dumps([native.library() is not None, products]))
"""


def there() -> bool:
    """Where it was built and the processor has what it wants; elsewhere its callers are tested without it."""
    return native.library() is not None


def activations(rows: int, width: int, levels: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(-levels, levels + 1, (rows, width), generator=generator).to(torch.int8)
    codes[0], codes[-1, ::2], codes[-1, 1::2] = levels, -levels, levels
    return codes


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("outputs", "width"), [(1, 1), (33, 31), (70, 515), (512, 256), (130, 2816)])
def test_products_are_exact_for_any_number_of_rows(outputs: int, width: int, threads: int) -> None:
    sums = CompiledSums(127) if there() else few_rows_sums(127)
    weights = torch.randint(-128, 128, (outputs, width), generator=torch.Generator().manual_seed(1)).to(torch.int8)
    weights[0], weights[-1] = -128, 127
    factor, before = torch.rand(outputs), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for rows in (1, 2, 3, 4, 5, 32):
            codes = activations(rows, width, 127)
            wanted = (codes.double() @ weights.double().t()).float() * factor
            assert torch.equal(sums(codes, weights, factor), wanted), rows
    finally:
        torch.set_num_threads(before)


def test_codes_are_those_of_torch() -> None:
    assert compiled_codes_are_right() is there()
    for seed in range(20):
        x = torch.randn(33, 261, generator=torch.Generator().manual_seed(seed)) * 10 ** (seed - 10)
        x[5], x[6, 3] = 0, -1e30
        for levels in (63, 127):
            found, wanted = quantize_rows(x, levels), kernels._quantize_by_torch(x, levels)
            assert all(map(torch.equal, found, wanted))


def test_what_is_not_finite_spoils_its_own_row_only() -> None:
    x = torch.randn(3, 64)
    x[1, 5] = float("nan")
    codes, top = quantize_rows(x, 127)
    assert top.isnan().flatten().tolist() == [False, True, False]
    assert torch.equal(codes[2], quantize_rows(x[2:], 127)[0][0])


def test_codes_that_are_not_torchs_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "quantized_rows", lambda x, _: (torch.zeros_like(x, dtype=torch.int8), x[:, :1]))
    assert compiled_codes_are_right.__wrapped__() is False


def test_what_does_not_fit_never_reaches_the_compiled_part() -> None:
    codes, weight, factor = torch.zeros(2, 64, dtype=torch.int8), torch.zeros(8, 64, dtype=torch.int8), torch.ones(8)
    wide = torch.zeros(1, native.MOST_WIDTH + 1, dtype=torch.int8)
    for wrong in (
        (codes[:, :32], weight, factor), (codes, weight, factor[:4]), (codes.float(), weight, factor),
        (codes, weight, factor.double()), (wide, wide, factor[:1]),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="fit" if there() else "not there"):
            native.product(*wrong)


def test_weights_of_any_strides_are_read_rightly() -> None:
    weight, codes = activations(64, 96, 127), activations(3, 64, 127)
    sums = few_rows_sums(127)
    wanted = FloatSums(127)(codes, weight.t(), torch.ones(96))
    assert torch.equal(sums(codes, sums.prepare(weight.t()), torch.ones(96)), wanted)


@pytest.mark.parametrize("told", [{}, {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}])
def test_products_are_the_same_without_it(told: dict[str, str]) -> None:
    found = {}
    for switch in ("on", "off"):
        env = {**os.environ, **told, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            [sys.executable, "-c", PRINTED, switch], env=env, capture_output=True, text=True, check=True
        )
        found[switch] = json.loads(done.stdout)
    assert found["off"][0] is False
    assert found["on"][0] is there()
    assert found["on"][1] == found["off"][1]


def test_an_installation_without_a_compiler_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "src/tutti/models/layers/native"
    folder.mkdir(parents=True)
    for name in ("hatch_build.py", "src/tutti/models/layers/native/products.c"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    told = {**os.environ, "CC": "no-such-compiler"}
    done = subprocess.run([sys.executable, "hatch_build.py"], cwd=tmp_path, env=told, capture_output=True, text=True)
    assert not list(folder.glob("*.so*"))
    assert done.returncode == 1
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        assert "without its compiled part" in done.stderr
