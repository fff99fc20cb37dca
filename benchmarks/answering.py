"""A LLaVA-shaped random checkpoint, asked about pictures: Tutti in float32, int8 and int4 beside what else there is.

    python benchmarks/answering.py                                  # all of this environment, each in its own process
    python benchmarks/answering.py --players tutti-int4+trunks --threads 2
    python benchmarks/answering.py --peers peers/bin/python         # with those of `peers.py`, see there

ViT-B/16-224 and a decoder 1024 wide of 12 layers (vocabulary 32,064). All answer the same questions greedily, 16 tokens
each. The floors are what the weights of a token take at the bandwidth that a float32 product of one row reaches here.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from machine import commit, processor, versions
from peers import PEERS, Ask, Heard, peer, told

PLAYERS = ("tutti-float32", "tutti-int8+trunks", "tutti-int4+trunks", "transformers-float32")
TOKENS = 16


def tutti_player(folder: str) -> Ask:
    """Ours, through the public surface."""
    import torch

    import tutti

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = tutti.load(folder)
    model.provider.engine.drafting.most = 0  # random weights go round in circles, which guesses would make the most of

    def ask(picture: np.ndarray, question: str) -> Iterator[None]:
        for _ in model.stream(question, tutti.Image(picture), max_tokens=TOKENS):
            yield None

    return ask


def transformers_player(folder: str) -> Ask:
    """Eager `generate` in float32."""
    import torch
    import transformers
    from PIL import Image

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    processor_ = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()

    def ask(picture: np.ndarray, question: str) -> Iterator[None]:
        turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        text = processor_.apply_chat_template(turns, add_generation_prompt=True)
        inputs = processor_(images=Image.fromarray(picture), text=text, return_tensors="pt")
        streamer = EachToken()
        options = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False, "streamer": streamer}
        yield from told(lambda: model.generate(**inputs, **options), streamer.heard, TOKENS)

    class EachToken(transformers.generation.streamers.BaseStreamer):
        """Every token at once: the text streamer waits for whole words."""

        def __init__(self) -> None:
            self.heard: Heard = queue.SimpleQueue()
            self._prompt = True

        def put(self, value: torch.Tensor) -> None:
            if not self._prompt:
                self.heard.put(None)
            self._prompt = False

        def end(self) -> None:
            pass

    return ask


@contextmanager
def clock(figures: dict[str, float], name: str, scale: float = 1.0) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    figures[name] = (time.perf_counter() - begun) * scale


def times(ask: Ask, picture: np.ndarray, question: str) -> tuple[float, float]:
    """Milliseconds to the first token, and for each one behind it."""
    begun = time.perf_counter()
    events = ask(picture, question)
    next(events)
    first = time.perf_counter()
    count = sum(1 for _ in events)
    return (first - begun) * 1000, (time.perf_counter() - first) * 1000 / max(1, count)


def measure(player: str, folder: str, brief: bool = False) -> dict[str, float]:
    """All figures of one player, in this process; brief ends with those of single questions."""
    random = np.random.default_rng(0)

    def picture() -> np.ndarray:
        return random.integers(0, 256, (480, 640, 3)).astype(np.uint8)

    kind = player.partition("-")[0]
    figures: dict[str, float] = {}
    with clock(figures, "load, s"):
        if player in PEERS:
            ask = peer(player, Path(folder), TOKENS)
        else:
            ask = (tutti_player if kind == "tutti" else transformers_player)(folder)
    figures["load and a first token, s"] = figures["load, s"] + times(ask, picture(), "warm up")[0] / 1000
    times(ask, picture(), "warm up")
    fresh = [times(ask, picture(), "What is this?") for _ in range(5)]
    known = picture()
    times(ask, known, "What is this?")
    again = [times(ask, known, "What is this?")[0] for _ in range(5)]
    figures["first token, new picture, ms"] = statistics.median(first for first, _ in fresh)
    figures["first token, known picture and question, ms"] = statistics.median(again)
    figures["a token, ms"] = statistics.median(token for _, token in fresh)
    if brief:
        return {name: round(value, 2) for name, value in figures.items()}
    with clock(figures, "8 pictures in turn, s"):
        for _ in range(8):
            times(ask, picture(), "What is this?")
    with clock(figures, "8 questions on a picture in turn, s"):
        for number in range(8):
            times(ask, known, f"What is number {number}?")
    if kind in ("tutti", "llamacpp"):  # what takes several at once
        pictures = [picture() for _ in range(16)]
        with clock(figures, "8 questions on a picture at once, s"):
            at_once(ask, [(known, f"How many are {number}?") for number in range(8)])
        with clock(figures, "16 requests in turn, s"):
            for one in pictures:
                times(ask, one, "What is this?")
        pictures = [picture() for _ in range(16)]
        with clock(figures, "16 requests at once, s"):
            at_once(ask, [(one, "What is this?") for one in pictures])
    figures["peak memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {name: round(value, 2) for name, value in figures.items()}


def at_once(ask: Ask, requests: list[tuple[np.ndarray, str]]) -> None:
    with ThreadPoolExecutor(len(requests)) as pool:
        for _ in pool.map(lambda one: list(ask(*one)), requests):  # raises what an answer has raised
            pass


def bandwidth_gb_s() -> float:
    """Bytes of weights a second in a float32 product of one row, on matrices that no cache holds."""
    import torch

    weights = [torch.randn(8192, 2048) for _ in range(6)]
    x = torch.randn(1, 2048)
    seconds = []
    for turn in range(24):
        begun = time.perf_counter()
        torch.nn.functional.linear(x, weights[turn % 6])
        seconds.append(time.perf_counter() - begun)
    return weights[0].nbytes / statistics.median(seconds[6:]) / 1e9


def written(player: str, folder: Path, python: str) -> Path:
    """The checkpoint as a player reads it: quantized once, and not each time that it is loaded."""
    precision, form = player.partition("-")[2], folder / player
    if precision == "float32":
        return folder
    if not form.is_dir():
        part = form.with_name(f"{player}.part")
        ours = ["-m", "tutti", "convert", str(folder), "--quantize", precision, "--into", str(part)]
        theirs = [str(Path(__file__).with_name("peers.py")), player, str(folder), str(part)]
        subprocess.run([python, *(theirs if player in PEERS else ours)], check=True, capture_output=True)
        part.rename(form)
    return form


def report(player: str, folder: Path, python: str, limit_s: float, environment: dict[str, str], brief: bool) -> str:
    """The figures of a player, in a fresh process, or what went wrong: others are to have their turn."""
    begun = time.perf_counter()
    try:
        form = written(player, folder, python)
        command = [python, __file__, "--child", player, "--folder", str(form), *(["--brief"] if brief else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return f"no figures: ended after {limit_s:.0f} s without an answer"
    except subprocess.CalledProcessError as error:
        said = error.stderr if isinstance(error.stderr, str) else error.stderr.decode(errors="replace")
        return f"no figures: ended with code {error.returncode}: {' '.join(said.split()[-40:])}"
    return f"{json.dumps(json.loads(done.stdout), indent=1)}\nwhole process: {time.perf_counter() - begun:.1f} s"


def main() -> None:
    """Write the checkpoint, run every player in a fresh process, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", nargs="+", choices=[*PLAYERS, *PEERS], help="all that can run")
    parser.add_argument("--peers", help="the python of an environment that has the peers")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", help="where the checkpoint is, or is written to")
    parser.add_argument("--brief", action="store_true", help="single questions only: loading, first tokens, a token")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds after which a player that hangs is ended")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child, arguments.folder, arguments.brief)))
        return
    print(processor(), f"{arguments.threads} threads", versions("torch", "transformers"), commit(), sep=", ")
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.folder or scratch)
        if not (folder / "config.json").is_file():
            from llava_shape import write

            write(folder, "small")
        for player in arguments.players or [*PLAYERS, *(PEERS if arguments.peers else ())]:
            python = arguments.peers if player in PEERS else sys.executable
            print(player, report(player, folder, python, arguments.limit, environment, arguments.brief), flush=True)
    import torch

    torch.set_num_threads(arguments.threads)
    reached = bandwidth_gb_s()
    floors = {"float32": 187e6 * 4, "int8": 187e6, "int4": 154e6 * 4.25 / 8 + 33e6}
    print(f"bandwidth {reached:.1f} GB/s; floors of a token, ms:",
          {name: round(size / reached / 1e6, 1) for name, size in floors.items()})  # fmt: skip


if __name__ == "__main__":
    main()
