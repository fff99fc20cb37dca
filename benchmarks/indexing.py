"""Indexing JPEG files: `tutti.Index` beside a plain loop with transformers' CLIP of the same random weights.

    python benchmarks/indexing.py --files 200 --width 1600 --tower 32      # 32: sizes of ViT-B/32; 16: a small tower
    python benchmarks/indexing.py --files 50000 --width 96 --memory        # tutti-mini only: is memory flat?

Ours also writes thumbnails, colours and the database; the loop only embeds.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import commit, processor, versions
from PIL import Image

import tutti

SIZES = {
    32: {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "patch_size": 32,
    },
    16: {
        "hidden_size": 192,
        "intermediate_size": 768,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "patch_size": 32,
    },
}
NORMS = {"image_mean": [0.481, 0.458, 0.408], "image_std": [0.269, 0.261, 0.276]}


def photos(folder: Path, count: int, width: int) -> None:
    """JPEG files with the grain of photographs."""
    rng = np.random.default_rng(0)
    for number in range(count):
        rough = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(rough.resize((width, width * 3 // 4), Image.Resampling.BICUBIC), np.int16)
        grain = rng.integers(-12, 12, (width * 3 // 4, width, 1), dtype=np.int16)
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(folder / f"{number:06}.jpg", quality=88)


def checkpoint(folder: Path, tower: int) -> Any:
    """Random weights, saved for both; the reference model."""
    import tokenizers
    import transformers

    torch.manual_seed(0)
    text = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 6,
    }
    config = transformers.CLIPConfig(
        text_config={**text, "max_position_embeddings": 8, "eos_token_id": 5, "bos_token_id": 4},
        vision_config={**SIZES[tower], "image_size": 224},
        projection_dim=256,
    )
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(folder)
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {w: i for i, w in enumerate(("a", "b", "c", "d", "<start>", "<end>"))}, unk_token="a"
        )
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.add_special_tokens(["<start>", "<end>"])
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 4), ("<end>", 5)]
    )
    words.save(str(folder / "tokenizer.json"))
    sizes = {"size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
    (folder / "preprocessor_config.json").write_text(json.dumps({**sizes, **NORMS}))
    return model


def plain_loop(model: Any, files: list[Path]) -> tuple[float, np.ndarray]:
    """What one writes first: open, process, embed, one file after the other."""
    import transformers

    sizes = {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
    prepare = transformers.CLIPImageProcessor(**sizes, **NORMS)
    rows = []
    begun = time.perf_counter()
    with torch.inference_mode():
        for file in files:
            inputs = prepare(images=Image.open(file).convert("RGB"), return_tensors="pt")
            found = model.get_image_features(**inputs)
            found = found if isinstance(found, torch.Tensor) else found.pooler_output
            rows.append(torch.nn.functional.normalize(found, dim=-1)[0].numpy())
    return time.perf_counter() - begun, np.stack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--tower", type=int, choices=sorted(SIZES), default=32)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--quantize", help="of ours, as for tutti index")
    arguments = parser.parse_args()
    result: dict[str, Any] = {**vars(arguments), "hardware": processor(), "commit": commit()}
    result["versions"] = versions("torch", "transformers", "lancedb")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        photos(folder / "photos", arguments.files, arguments.width)
        files = sorted((folder / "photos").iterdir())
        peaks: list[int] = []

        def told(*_: Any) -> None:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

        if arguments.memory:
            model = tutti.load()
        else:
            (folder / "clip").mkdir()
            theirs = checkpoint(folder / "clip", arguments.tower)
            model = tutti.load(folder / "clip", quantize=arguments.quantize)
            plain_loop(theirs, files[:3])
        index = tutti.Index(folder / "db", model)
        report = index.add(folder / "photos", told=told)
        result["ours files/s"] = round(report.added / report.seconds, 2)
        result["peak memory MB after each tenth of the commits"] = peaks[:: max(1, len(peaks) // 10)]
        size = sum(file.stat().st_size for file in (folder / "db").rglob("*") if file.is_file())
        result["bytes of database a file"] = round(size / report.added)
        if not arguments.memory:
            seconds, rows = plain_loop(theirs, files)
            stored = index.store.table.search().select(["path", "vector"]).limit(len(files)).to_list()
            ours = {Path(row["path"]).name: np.array(row["vector"]) for row in stored}
            cosines = [float(ours[file.name] @ row) for file, row in zip(files, rows, strict=True)]
            result["loop files/s"] = round(len(files) / seconds, 2)
            result["ratio"] = round(seconds / report.seconds, 2)
            result["least cosine between the two"] = round(min(cosines), 4)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
