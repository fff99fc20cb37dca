"""One GPU in at most ten minutes: equality with the CPU, Whisper, random LLaVA-7B and 13B shapes beside transformers.

    sh benchmarks/gpu.sh                          # see there
    sh benchmarks/gpu.sh --tiny --device cpu      # the same at a size that a CPU takes, to prove the script

Each part runs in a process of its own, so that memory is its own; one that is not done when the time is up is left out,
and the table says so. A part that fails is a line of the table, too. Questions are answered greedily, a fixed number of
tokens each; pictures are random, so that no cache knows them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from machine import commit, processor, versions

ROOT = Path(__file__).parents[1]
PLAYERS = ("transformers", "bfloat16", "int8", "int4")
"""transformers in bfloat16, and Tutti in each."""
COLUMNS = ("load, s", "first token, ms", "a token, ms", "tokens/s, alone", "tokens/s, at once", "pictures/s, at once",
           "memory, MB", "against float16, %")  # fmt: skip


def equality(options: argparse.Namespace) -> dict[str, Any]:
    """Every family on tiny random checkpoints: what differs between the CPU and the device, in float32 and in codes."""
    from tests.providers.every_family import FAMILIES, differences, said, save

    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as room:
        for family in ("llava", "whisper", "tutti_omni") if options.tiny else FAMILIES:
            name = save(family, Path(room) / family)
            here = said(name, device="cpu", dtype="float32")
            rows[family] = {
                "float32": differences(said(name, device=options.device, dtype="float32"), here, 2e-3) or "equal"
            }
            if "answer at 0.0" in here:  # the CPU's int4 kernel rounds otherwise, so that texts may part
                for scheme in ("int8",):
                    on_cpu, there = (said(name, device=one, quantize=scheme) for one in ("cpu", options.device))
                    rows[family][scheme] = differences(there, on_cpu, 2e-2) or "equal"
    return rows


def whisper(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of speech written down a second, by the Whisper base of the package."""
    import numpy as np

    import tutti

    model = tutti.load("whisper-base", device=options.device)
    seconds = 5 if options.tiny else 300
    times = np.arange(seconds * 16_000) / 16_000
    hum = np.sin(2 * np.pi * (150 + 40 * np.sin(3 * times)) * times) * (0.3 + 0.2 * np.sin(9 * times))
    sound = tutti.Audio(hum.astype(np.float32), sample_rate_hz=16_000)
    model.transcribe(tutti.Audio(sound.source[: 2 * 16_000], sample_rate_hz=16_000), temperatures=(0.0,))
    begun = time.perf_counter()
    model.transcribe(sound, temperatures=(0.0,))
    return {"real-time factor": round((time.perf_counter() - begun) / seconds, 5), "recording, s": seconds}


def shape(options: argparse.Namespace) -> dict[str, Any]:
    """First token, tokens and pictures a second, and memory, of one shape and player."""
    import numpy as np
    import torch

    (_, size, player), folder = options.part.split(":"), options.folder
    on_gpu = options.device != "cpu"
    tokens, many = (4, 2) if options.tiny else (64, 16)
    random = np.random.default_rng(0)

    def picture() -> np.ndarray:
        return random.integers(0, 256, (336, 336, 3)).astype(np.uint8)

    begun = time.perf_counter()
    ask = (theirs if player == "transformers" else ours)(folder, player, options.device)
    figures = {"load, s": time.perf_counter() - begun}
    ask([picture()], tokens)
    first = [_clocked(lambda: ask([picture()], 1)) for _ in range(3)]
    whole = [_clocked(lambda: ask([picture()], tokens)) for _ in range(3)]
    figures["first token, ms"] = min(first) * 1000
    later = max(1e-6, min(whole) - min(first)) / (tokens - 1)
    figures["a token, ms"], figures["tokens/s, alone"] = later * 1000, 1 / later
    ask([picture() for _ in range(many)], tokens)
    together = _clocked(lambda: ask([picture() for _ in range(many)], tokens))
    figures["tokens/s, at once"] = many * tokens / together
    figures["pictures/s, at once"] = many / _clocked(lambda: ask([picture() for _ in range(many)], 1))
    if on_gpu:
        figures["memory, MB"] = torch.cuda.max_memory_allocated() / 1e6
    else:
        import resource

        figures["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {key: float(f"{value:.4g}") for key, value in figures.items()} | {"shape": size}


def _clocked(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()  # its answer comes to the CPU, so the device is done
    return time.perf_counter() - begun


def ours(folder: str, player: str, device: str) -> Callable[[list[Any], int], None]:
    """Tutti, all requests at once from as many threads."""
    import tutti

    quantize = None if player == "bfloat16" else player
    model = tutti.load(folder, device=device, quantize=quantize, dtype=None if quantize else "bfloat16")

    def ask(pictures: list[Any], tokens: int) -> None:
        with ThreadPoolExecutor(len(pictures)) as pool:
            list(pool.map(lambda one: model.ask("What is this?", tutti.Image(one), max_tokens=tokens), pictures))

    return ask


def theirs(folder: str, _player: str, device: str) -> Callable[[list[Any], int], None]:
    """`generate` of transformers in bfloat16, all pictures as one batch."""
    import torch
    import transformers
    from PIL import Image

    reader = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.bfloat16).eval().to(device)
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]}]
    text = reader.apply_chat_template(turns, add_generation_prompt=True)

    def ask(pictures: list[Any], tokens: int) -> None:
        images = [Image.fromarray(one) for one in pictures]
        inputs = reader(images=images, text=[text] * len(images), return_tensors="pt", padding=True)
        inputs = {
            key: one.to(device, torch.bfloat16 if one.is_floating_point() else None) for key, one in inputs.items()
        }
        with torch.inference_mode():
            model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False).tolist()

    return ask


def part(name: str, options: argparse.Namespace, folder: str = "") -> dict[str, Any]:
    """Run a part in a process of its own."""
    words = [sys.executable, __file__, "--part", name, "--device", options.device, "--folder", folder]
    words += ["--tiny"] if options.tiny else []
    print(f"{time.strftime('%X')} {name}", file=sys.stderr, flush=True)
    left = max(1.0, options.until - time.monotonic())
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=left, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": "the time was up"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def everything(options: argparse.Namespace) -> dict[str, Any]:
    """All parts, in the order of their worth."""
    import llava_shape
    import torch

    found: dict[str, Any] = {"equality": part("equality", options), "whisper": part("whisper", options)}
    if options.tiny:
        tiny = llava_shape.text(64, 128, 2, 4), llava_shape.tower(32, 64, 2, 2, 56, 14)
        llava_shape.SHAPES["tiny"] = tiny
    with tempfile.TemporaryDirectory(dir=options.room) as room:
        for size in ["tiny"] if options.tiny else options.shapes:
            folder = Path(room) / size
            print(f"{time.strftime('%X')} writing random {size} weights", file=sys.stderr, flush=True)
            llava_shape.write(folder, size, torch.bfloat16, constant=not options.tiny)
            for player in PLAYERS:
                found[f"{size}:{player}"] = part(f"shape:{size}:{player}", options, str(folder))
            weights = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
            for player in PLAYERS:
                row = found[f"{size}:{player}"]
                if "memory, MB" in row and options.device != "cpu":
                    row["against float16, %"] = round(100 * (row["memory, MB"] / weights - 1))
            for file in folder.iterdir():
                file.unlink()
    return found


def table(found: dict[str, Any], options: argparse.Namespace) -> str:
    """What was found, in Markdown."""
    lines = [f"{place(options.device)}; {versions('torch', 'transformers')}; commit {commit()}.", ""]
    if options.tiny:
        lines += ["**Tiny sizes, which prove the script only.**", ""]
    lines += [
        f"Equality with the CPU: {json.dumps(found['equality'])}",
        "",
        f"Whisper base: {json.dumps(found['whisper'])}",
        "",
    ]
    lines += [f"| shape, player | {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * len(COLUMNS)]
    for name, row in found.items():
        if name in ("equality", "whisper"):
            continue
        cells = [row["failed"]] if "failed" in row else [str(row.get(column, "–")) for column in COLUMNS]
        lines.append(f"| {name.replace(':', ', ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def place(device: str) -> str:
    """What it ran on."""
    import torch

    if device == "cpu":
        return f"No GPU: {processor()}"
    return f"{torch.cuda.get_device_name(device)}, {torch.cuda.mem_get_info(device)[1] / 1e9:.0f} GB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shapes", nargs="+", default=["7b", "13b"], choices=["7b", "13b", "small"])
    parser.add_argument("--tiny", action="store_true", help="sizes that prove the script, on any device")
    parser.add_argument("--minutes", type=float, default=10.0, help="no part begins or goes on after so many (10)")
    parser.add_argument("--room", help="folder for random weights (14 and 27 GB)")
    parser.add_argument("--write", help="file for the table, too")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the figures as JSON in the place of the table, which --write still writes",
    )
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        work = {"equality": equality, "whisper": whisper}.get(options.part, shape)
        print(json.dumps(work(options)))
        return
    options.until = time.monotonic() + options.minutes * 60
    found = everything(options)
    text = table(found, options)
    print(json.dumps(found) if options.json else text)
    if options.write:
        Path(options.write).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
