"""A tiny random checkpoint of every family, and what a model says of fixed media: for comparing devices.

Written by `transformers` as in the parity tests, but for the two families that are not in there. Also used by
`benchmarks/gpu.py`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tutti
from tutti import checkpoints

PARITY: dict[str, dict[str, Any]] = {
    "clip": {},
    "idefics": {},
    "idefics3": {"type": "idefics3", "scale_factor": 4},
    "llava": {},
    "llava_next": {},
    "mllama": {},
    "wav2vec2": {},
}
"""Family → the case of its parity test that is saved."""
FAMILIES = (*PARITY, "whisper", "imagebind", "tutti_omni")


def save(family: str, folder: Path) -> str:
    """Write the checkpoint, unless it is in the package; what to load."""
    if family == "tutti_omni":
        return "tutti-mini"
    if family == "imagebind":
        importlib.import_module("tests.models.bind").save(folder)
    elif family == "whisper":
        importlib.import_module("tests.parity.tiny_whisper").save_theirs(folder, {})
    else:
        importlib.import_module(f"tests.parity.test_{family}_parity").save_theirs(folder, PARITY[family])
    return str(folder)


def said(name: str, **options: Any) -> dict[str, Any]:
    """What a checkpoint answers, where it places things, and what it hears; options as for `tutti.load`."""
    model = tutti.load(name, reader=False, **options)
    tasks = set(checkpoints.inspect(name).tasks)
    found: dict[str, Any] = {}
    if "ask" in tasks:
        for temperature in (0.0, 0.7):
            answer = model.ask(
                "What is this?", picture(), max_tokens=6, logprobs=2, temperature=temperature, seed=1,
                repetition_penalty=1.1,
            )  # fmt: skip
            found[f"answer at {temperature}"] = answer.text
            found[f"logprobs at {temperature}"] = np.array([one.logprob for one in answer.logprobs or ()])
    if "embed" in tasks:
        found["vectors"] = model.embed([tutti.Text("a dog"), picture()])
    if "transcribe" in tasks and "embed" not in tasks:
        heard = model.transcribe(tutti.Audio(waves(), sample_rate_hz=16_000), temperatures=(0.0,))
        found["heard"] = [(one.text, round(one.start_s, 2), round(one.end_s, 2)) for one in heard.segments]
    return found


def picture() -> tutti.Image:
    """Colours that change from place to place."""
    rows, columns = np.mgrid[:45, :60]
    return tutti.Image(np.stack((rows * 5, columns * 4, rows * columns % 256), axis=-1).astype(np.uint8))


def waves() -> NDArray[np.float32]:
    """Two seconds of a tone that rises, mono at 16 kHz."""
    times = np.arange(32_000) / 16_000
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * times) * times)).astype(np.float32)


def differences(ours: dict[str, Any], theirs: dict[str, Any], most: float) -> list[str]:
    """What differs: texts at all, numbers by more than `most`."""
    out = []
    for key, value in theirs.items():
        if isinstance(value, np.ndarray):
            same_shape = ours[key].shape == value.shape
            apart = float(np.abs(ours[key] - value).max(initial=0.0)) if same_shape else float("inf")
            if not apart <= most:
                out.append(f"{key}: {apart:.2g} apart")
        elif ours[key] != value:
            out.append(f"{key}: {ours[key]!r} instead of {value!r}")
    return out
