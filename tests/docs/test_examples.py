"""Every example runs, says something, and is short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}


def test_there_are_examples() -> None:
    assert [file.name[:2] for file in EXAMPLES] == [f"{number:02d}" for number in range(1, len(EXAMPLES) + 1)]
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_example_is_short(example: Path) -> None:
    assert len(example.read_text().splitlines()) < 60


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing behind"


def test_every_medium_has_its_licence() -> None:
    table = (ROOT / "examples/LICENSES.md").read_text()
    for file in (file for place in ("media", "documents") for file in (ROOT / "examples" / place).iterdir()):
        assert f"`{file.name}`" in table
        assert file.stat().st_size < 150_000
