"""Weights and inputs by formula: what the reference and ours are filled with, so that neither has to be stored."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import torch
from torch import nn

TINY: dict[str, Any] = {
    "model_type": "imagebind",
    "projection_dim": 24,
    "vision_config": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "text_config": {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 3},
    "audio_config": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    "depth_config": {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2},
    "thermal_config": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    "imu_config": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4},
}
"""`config.json` of an ImageBind of the official structure, narrow."""
SAMPLE_RATE_HZ = 16_000
FRAMES_PER_S = 12.5
MERGES = ("d o", "c a", "do g</w>", "ca t</w>", "t h", "th e</w>", "o f</w>", "a</w> b", "1 2", "! !</w>")
TEXTS = (
    "a photo of the dog",
    "A  Photo\n of the CAT!!",
    "it's 12 o'clock — we'll see",
    "naïve Straße 東京 🦊",
    "cat &amp; dog &amp;lt;3",
    "",
)


def noise(name: str, shape: tuple[int, ...], low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Numbers between two others that look drawn and are computed, float32."""
    count = math.prod(shape)
    turns = np.sin(np.arange(count) * 12.9898 + zlib.crc32(name.encode()) % 10_000) * 43758.5453
    return (low + (high - low) * (turns - np.floor(turns))).astype(np.float32).reshape(shape)


def weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A weight: around one for norms, small for biases, by its inputs' number for matrices."""
    if "norm" in name or name.endswith((".0.weight", "pre_transformer_layer.0.bias")):
        values = noise(name, shape, -0.2, 0.2) + name.endswith("weight")
    elif len(shape) > 1 and 1 not in shape[:2]:
        values = noise(name, shape) * 3.0 / math.sqrt(math.prod(shape[1:]))
    else:
        values = noise(name, shape, -0.4, 0.4)
    return torch.from_numpy(np.asarray(values, np.float32))


def fill(model: nn.Module) -> None:
    """Give every weight its value; temperatures keep theirs, and so does a mask."""
    state = model.state_dict()
    for name, tensor in state.items():
        if not name.endswith(("log_logit_scale", "mask")):
            tensor.copy_(weight(name, tuple(tensor.shape)))


def inputs(sizes: dict[str, int]) -> dict[str, torch.Tensor]:
    """Two inputs a trunk, by the names of the official trunks."""
    side, vocabulary = 224, sizes["vocabulary"]
    ids = (noise("ids", (2, 77), 1, vocabulary - 1)).astype(np.int64)
    ids[0, 9:], ids[1, 76:] = 0, 0
    ids[0, 8], ids[1, 75] = vocabulary - 1, vocabulary - 1
    shapes = {
        "vision": (2, 3, side, side),
        "video": (2, 4, 3, 2, side, side),
        "audio": (2, 3, 1, 128, 204),
        "depth": (2, 1, side, side),
        "thermal": (2, 1, side, side),
        "imu": (2, 6, 2000),
    }
    media = {name: torch.from_numpy(noise(name, shape) + _waves(shape)) for name, shape in shapes.items()}
    return {"text": torch.from_numpy(ids), **media}


def _waves(shape: tuple[int, ...]) -> np.ndarray:
    """A slow wave for the first input and a faster one for the second, which noise alone would make too alike."""
    turns = np.linspace(0, 40, math.prod(shape[1:]))
    return np.stack([2 * np.sin(turns), 1.5 - np.cos(2.7 * turns)]).astype(np.float32).reshape(shape)


def waveform(seconds: float, name: str = "waveform") -> np.ndarray:
    """A chirp with noise that stands off zero, (S,) float32 at 16 kHz."""
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    chirp = 0.4 * np.sin(2 * np.pi * (80 + 600 * times) * times) + 0.05
    return (chirp + noise(name, times.shape, -0.05, 0.05)).astype(np.float32)


def film(frames: int, height: int, width: int) -> np.ndarray:
    """Frames of a slope with noise that moves on, (F, H, W, 3) uint8."""
    slope = np.linspace(0, 120, width)[None, None, :, None] + 5 * np.arange(frames)[:, None, None, None]
    return np.clip(slope + noise("film", (frames, height, width, 3), 0, 120), 0, 255).astype(np.uint8)


def probe(array: np.ndarray) -> dict[str, Any]:
    """Little that tells an array from others: shape, mean, spread and some values."""
    flat = np.asarray(array, np.float64).ravel()
    places = np.linspace(0, flat.size - 1, 101).astype(int)
    return {
        "shape": list(array.shape),
        "mean": flat.mean(),
        "std": flat.std(),
        "values": flat[places].tolist(),
    }
