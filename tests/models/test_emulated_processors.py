"""The quantized tests as other processors would run them: oneDNN and ATen are told to use fewer instructions.

What this cannot show: how fast those processors are, and what depends on the processor itself and not on these two
variables: MKL's float32 products, and `torch._int_mm`, which takes oneDNN where the processor has VNNI, whatever oneDNN
was told, and a loop without vectors where it has not. A processor is not lent what it lacks, either.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tutti.models.layers.dispatch import choices, int8_sums
from tutti.models.layers.sums import PackedSums

ROOT = Path(__file__).parents[2]
LAYERS = "tests/models/test_quantized_layers.py"
DEVICES = "tests/models/test_device_kernels.py"
CHECKPOINTS = "tests/checkpoints/test_quantized_checkpoint.py"
FAMILIES = "tests/checkpoints/test_quantized_families.py"
CHOICES = "import json; from tutti.models.layers.dispatch import choices; print(json.dumps(choices()))"


def environment(onednn: str, aten: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    told = {"ONEDNN_MAX_CPU_ISA": onednn, "PYTHONPATH": f"{ROOT / 'src'}"} | (
        {"ATEN_CPU_CAPABILITY": aten} if aten else {}
    )
    return kept | told


def run(*command: str, env: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize(
    ("onednn", "aten", "tests"),
    [
        pytest.param("AVX2", "avx2", [LAYERS, DEVICES, CHECKPOINTS, FAMILIES], id="AVX2"),
        pytest.param("AVX512_CORE", None, [LAYERS, FAMILIES, "-k", "layers or logits"], id="AVX-512 without VNNI"),
        pytest.param(
            "AVX512_CORE_VNNI", "default", [LAYERS, FAMILIES, "-k", "layers or logits"], id="VNNI, no vectors"
        ),
    ],
)
def test_quantized_models_are_right_on_other_processors(onednn: str, aten: str | None, tests: list[str]) -> None:
    env = environment(onednn, aten)
    found, here = json.loads(run("-c", CHOICES, env=env)), choices()
    if isinstance(int8_sums(), PackedSums):
        assert found["activation_levels"] == (here["activation_levels"] if "VNNI" in onednn else 63)
    if aten == "default" and here["aten_capability"] != "ARM":
        assert found["int4_rows"] == {"alone": 0, "beside_int8": 0}
    run("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests, env=env)
