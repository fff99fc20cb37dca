"""`benchmarks/gpu.sh` at tiny sizes on the CPU: every part of it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_part_runs(tmp_path: Path) -> None:
    words = ["sh", "benchmarks/gpu.sh", "--tiny", "--device", "cpu", "--json", "--write", str(tmp_path / "table")]
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    assert {family: set(row.values()) for family, row in found["equality"].items()} == {
        "llava": {"equal"}, "whisper": {"equal"}, "tutti_omni": {"equal"},
    }  # fmt: skip
    assert found["whisper"]["real-time factor"] > 0
    for player in ("transformers", "bfloat16", "int8", "int4"):
        row = found[f"tiny:{player}"]
        assert "failed" not in row, row
        assert row["tokens/s, at once"] > 0
    table = (tmp_path / "table").read_text()
    assert "Tiny sizes" in table
    assert [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| tiny")] == [
        f"tiny, {player}" for player in ("transformers", "bfloat16", "int8", "int4")
    ]
