"""From trained phases to a checkpoint folder in the layout of any other.

python -m recipes.tutti_mini.export --out RUNS --into FOLDER
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recipes.tutti_mini.build import SMALL
from recipes.tutti_mini.clips import FRAMES
from recipes.tutti_mini.pairs import LOG_MEL, MEAN, STD
from recipes.tutti_mini.recipe import load_trained
from recipes.tutti_mini.words import tokenizer_json
from tutti import checkpoints

LONGEST_SOUND_S = 30


def config() -> dict[str, Any]:
    """`config.json`."""
    return {"architectures": ["Omni"], **asdict(SMALL)}


def preprocessor_config() -> dict[str, Any]:
    """`preprocessor_config.json`."""
    image = SMALL.trunks["image"]
    return {
        "image": {
            "size": {"longest_edge": image.size},
            "resample": 3,
            "do_pad": True,
            "pad_color": "border_mean",
            "image_mean": [MEAN] * 3,
            "image_std": [STD] * 3,
        },
        "audio": {
            "feature_size": LOG_MEL.feature_size,
            "sampling_rate": LOG_MEL.sampling_rate,
            "hop_length": LOG_MEL.hop_length,
            "n_fft": LOG_MEL.n_fft,
            "chunk_length": LONGEST_SOUND_S,
            "pad_multiple_frames": LOG_MEL.pad_multiple_frames,
        },
        "video": {"frames": FRAMES},
        "margins": "cut",
    }


def main() -> None:
    """Write the folder. A model card that is there already stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--phase", default="instruct", help="phase to export")
    parser.add_argument("--into", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    files = {
        "preprocessor_config.json": json.dumps(preprocessor_config(), indent=1) + "\n",
        "tokenizer.json": tokenizer_json(),
    }
    card = arguments.into / "README.md"
    if card.exists():
        files["README.md"] = card.read_text()
    model = load_trained(arguments.out, arguments.phase)
    checkpoints.save(model, arguments.into, config(), files, dtype="float16")


if __name__ == "__main__":
    main()
