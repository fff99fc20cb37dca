"""CLIP B/32 of random weights on JPEG files, in batches of 32, from file to vector: Tutti beside `transformers`.

python benchmarks/embedding.py --threads 2
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from machine import commit, processor, versions
from PIL import Image

BATCH = 32
VISION = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
          "image_size": 224, "patch_size": 32}  # fmt: skip
TEXT = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8,
        "vocab_size": 49408, "max_position_embeddings": 77}  # fmt: skip


def write(folder: Path) -> None:
    """A checkpoint of random weights, saved by the reference."""
    import transformers
    from tokenizers import Tokenizer, models, processors
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=512)
    transformers.CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    words = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 49406, "</s>": 49407}, unk_token="<unk>"))
    marks = [("<s>", 49406), ("</s>", 49407)]
    words.add_special_tokens([mark for mark, _ in marks])
    words.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=marks)
    words.save(str(folder / "tokenizer.json"))


def pictures(folder: Path, count: int) -> list[Path]:
    """JPEG files of 640 x 480 with something to decode in them."""
    random = np.random.default_rng(0)
    files = []
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3)).astype(np.uint8))
        files.append(folder / f"{number}.jpg")
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files


def tutti_embedder(folder: Path, quantize: str | None) -> Callable[[list[Path]], np.ndarray]:
    import tutti

    model = tutti.load(folder, quantize=quantize)
    return lambda files: model.embed([tutti.Image(file) for file in files])


def transformers_embedder(folder: Path) -> Callable[[list[Path]], np.ndarray]:
    import transformers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    prepare = CLIPImageProcessorPil.from_pretrained(folder)

    def embed(files: list[Path]) -> np.ndarray:
        inputs = prepare([Image.open(file).convert("RGB") for file in files], return_tensors="pt")
        with torch.inference_mode():
            out = model.get_image_features(**inputs)
        points = getattr(out, "pooler_output", out)
        return torch.nn.functional.normalize(points, dim=-1).numpy()

    return embed


def main() -> None:
    """Measure in turns and print pictures a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "clip"
        write(folder)
        files = pictures(Path(scratch), BATCH * arguments.batches)
        players = {
            "transformers float32": transformers_embedder(folder),
            "tutti float32": tutti_embedder(folder, None),
            "tutti int8+trunks": tutti_embedder(folder, "int8+trunks"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in players}
        points: dict[str, np.ndarray] = {}
        for start in range(0, len(files), BATCH):
            for name, embed in players.items():
                begun = time.perf_counter()
                points[name] = embed(files[start : start + BATCH])
                seconds[name].append(time.perf_counter() - begun)
    reference = points["transformers float32"]
    result = {
        name: {
            "pictures a second": round(BATCH / statistics.median(times[1:]), 1),
            "least cosine with transformers": round(float((points[name] * reference).sum(1).min()), 4),
        }
        for name, times in seconds.items()
    }
    print(processor(), f"{arguments.threads} threads", versions("torch", "transformers"), commit(), sep=", ")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
