"""Steps a second of `tutti tune` beside peft and transformers, on the same weights, rows and threads, in turns.

    OMP_NUM_THREADS=1 python -m benchmarks.tuning_speed [--steps N] [--width D]

A LLaVA of random weights: a tower of CLIP's shape and a LLaMA, an adapter of rank 16 beside all linear layers of the
decoder, batches of four rows with a picture each, of a set of sixteen. The reference runs its tower in every step, as
its users do; ours runs it once a picture, before the first step, and that time is counted. At the end each of both runs
once more in a process of its own, whose memory at its peak is told; both have torch, transformers and peft loaded.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import peft
import torch
from PIL import Image as pillow
from transformers import LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmarks.machine import commit, processor, versions
from tests.parity import test_llava_parity, written
from tutti import checkpoints
from tutti.content import Image, Message, Text
from tutti.media import Limits, decode_image
from tutti.training.data import Dialogue
from tutti.training.loop import train
from tutti.training.tuning import prepare_tuning, save_tuned
from tutti.training.tuning_files import TuningFile
from tutti.training.tuning_options import TuningOptions

ROWS, BATCH = 16, 4
SIDE, PATCH = 112, 14


def save(folder: Path, width: int) -> Any:
    """The checkpoint and its processor, as transformers saves them."""
    sizes = {"hidden_size": width, "intermediate_size": 3 * width, "num_attention_heads": 8}
    vision = {**sizes, "num_hidden_layers": 8, "image_size": SIDE, "patch_size": PATCH}
    saved = test_llava_parity.save_theirs(folder, {"text": {**sizes, "num_hidden_layers": 6}, "vision": vision})
    made = their_processor()
    made.save_pretrained(folder)
    return saved._replace(processor=made)


def their_processor() -> LlavaProcessor:
    """What makes transformers' inputs."""
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    return LlavaProcessor(
        images, test_llava_parity.WORDS, patch_size=PATCH, num_additional_image_tokens=1,
        chat_template=test_llava_parity.TEMPLATE, vision_feature_select_strategy="default",
    )  # fmt: skip


def rows() -> list[Dialogue]:
    """Questions about pictures, and answers."""
    found = []
    for number in range(ROWS):
        user = Message(
            "user", (Image(written.noise(SIDE, SIDE, number)), Text(f"What animal is this, number {number}?"))
        )
        answer = Message("assistant", (Text("a fox that sits in the grass"),))
        found.append(Dialogue(key=f"{number}", messages=(user, answer), where=f"{number}"))
    return found


def ours(folder: Path, place: Path, steps: int) -> tuple[float, Any, Any]:
    """Seconds of all steps, with what comes before them; the model and what was tuned."""
    loaded = checkpoints.load(folder)
    file = TuningFile(name="rows", kind="messages", digest="0", rows=tuple(rows()), bad=())
    options = TuningOptions(rank=16, steps=steps, batch=BATCH, held_out=0.0)
    begun = time.perf_counter()
    made = prepare_tuning(
        loaded, file, options, lambda part: loaded.processor.prepare("image", decode_image(part, Limits()))
    )
    save_tuned(made, loaded, place)
    train(made.model, made.phase, place / f"run-{time.time_ns()}", log_every=steps, save_every_s=1e9)
    return time.perf_counter() - begun, loaded, made


def theirs(saved: Any, place: Path, steps: int) -> float:
    """Seconds of all steps of peft around transformers, rows made ready before."""
    model = peft.PeftModel.from_pretrained(saved.model, place / "adapter", is_trainable=True)
    texts, pictures = [], []
    for row in rows():
        turns = [(m.role, [p.text if isinstance(p, Text) else p.source for p in m.parts]) for m in row.messages]
        texts.append(saved.processor.apply_chat_template(written.messages(turns)) + "</s>")
        pictures += [pillow.fromarray(np.asarray(p.source)) for p in row.messages[0].parts if isinstance(p, Image)]
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=2e-4)
    saved.processor.tokenizer.padding_side = "right"
    begun = time.perf_counter()
    for step in range(steps):
        chosen = [(step * BATCH + index) % ROWS for index in range(BATCH)]
        inputs = saved.processor(
            text=[texts[index] for index in chosen], images=[pictures[index] for index in chosen],
            return_tensors="pt", padding=True,
        )  # fmt: skip
        optimizer.zero_grad()
        model(**inputs, labels=inputs["input_ids"]).loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
    seconds = time.perf_counter() - begun
    model.unload()
    return seconds


def alone(side: str, place: Path, arguments: argparse.Namespace) -> None:
    """One run in this process, which was started for it, and its memory at its peak, in MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if side == "ours":
        ours(place / "base", place, arguments.steps)
    else:
        theirs(read(place / "base"), place, arguments.steps)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{side}: {most / 1024:.0f} MB, of them {before / 1024:.0f} before the model is read")


def read(folder: Path) -> Any:
    """The checkpoint as transformers reads it."""
    return SimpleNamespace(model=LlavaForConditionalGeneration.from_pretrained(folder), processor=their_processor())


def main() -> None:
    """Take turns, and print the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", nargs=2, metavar=("SIDE", "DIR"), help="what a process of its own is started with")
    arguments = parser.parse_args()
    if arguments.only:
        alone(arguments.only[0], Path(arguments.only[1]), arguments)
        return
    print(f"{processor()}, {torch.get_num_threads()} threads, {versions('torch', 'transformers', 'peft')}, {commit()}")
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        saved = save(place / "base", arguments.width)
        ratios = []
        for _ in range(arguments.turns):
            mine, _, _ = ours(place / "base", place, arguments.steps)
            other = theirs(saved, place, arguments.steps)
            ratios.append(other / mine)
            print(f"ours {arguments.steps / mine:.2f}, peft and transformers {arguments.steps / other:.2f} steps/s")
        for side in ("ours", "theirs"):
            words = [sys.executable, "-m", "benchmarks.tuning_speed", "--only", side, scratch, "--steps", "8"]
            subprocess.run(words, check=True)
    print(f"ratio {np.median(ratios):.2f} (of {arguments.turns} turns: {', '.join(f'{one:.2f}' for one in ratios)})")


if __name__ == "__main__":
    main()
