"""How large a model fits: a random LLaVA-1.5 of 7B or 13B opened in int4 or int8, and asked about a picture.

    python benchmarks/size.py 7b                    # writes 14 GB to a temporary folder, and takes them away again
    python benchmarks/size.py 13b --quantize int4
    python benchmarks/size.py 7b --folder PATH      # keeps what it writes there, and takes it if it is there
    python benchmarks/size.py 7b --convert          # first writes a quantized folder, and then opens that

The model runs in a process of its own, whose peak memory is what the system says of it: pages of mapped files count.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import commit, processor, versions

PICTURE = Path(__file__).parent.parent / "examples" / "media" / "picture.png"


def ask(folder: str, quantize: str, tokens: int) -> dict[str, object]:
    """Load, ask, and say what it took."""
    import torch

    import tutti

    begun = time.perf_counter()
    model = tutti.load(folder, quantize=quantize or None)
    loaded = time.perf_counter()
    at_rest = _current_mb()
    events = model.stream("What is this?", PICTURE, max_tokens=tokens)
    next(events)
    first = time.perf_counter()
    for event in events:
        last = event
    end = time.perf_counter()
    usage = last.answer.usage
    return {
        "load_s": round(loaded - begun, 1),
        "first_token_s": round(first - loaded, 2),
        "prompt_tokens": usage.prompt_tokens,
        "tokens_per_s": round((usage.completion_tokens - 1) / (end - first), 2),
        "answer_tokens": usage.completion_tokens,
        "memory_loaded_mb": round(at_rest),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "threads": torch.get_num_threads(),
    }


def convert(folder: Path, into: Path, quantize: str) -> dict[str, object]:
    """Write a quantized folder, and say what it took."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "tutti", "convert", str(folder), "--quantize", quantize, "--into", str(into)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {
        "convert_s": round(time.perf_counter() - begun, 1),
        "convert_peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "converted_gb": round(_on_disk(into), 2),
    }


def _on_disk(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9


def _current_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    """Write, measure in a fresh process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=("7b", "13b", "small"))
    parser.add_argument("--quantize", default="int4")
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--folder", help="where the checkpoint is, or is written to")
    parser.add_argument("--convert", action="store_true", help="write a quantized folder and open that")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(ask(arguments.folder, arguments.quantize, arguments.tokens)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.folder or scratch) / ("" if arguments.folder else arguments.shape)
        if not (folder / "config.json").is_file():
            from llava_shape import write

            write(folder, arguments.shape)
        figures = {
            "shape": arguments.shape, "on_disk_gb": round(_on_disk(folder), 2), "quantize": arguments.quantize,
        }  # fmt: skip
        quantize = arguments.quantize
        if arguments.convert:
            into = Path(scratch) / "quantized"
            figures |= convert(folder, into, quantize)
            folder, quantize = into, ""
        command = [sys.executable, __file__, arguments.shape, "--child", "--folder", str(folder)]
        command += ["--quantize", quantize, "--tokens", str(arguments.tokens)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures |= json.loads(done.stdout)
    figures |= {"hardware": processor(), "versions": versions("torch"), "commit": commit()}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
