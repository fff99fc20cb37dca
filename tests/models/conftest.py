"""A tiny `tutti_omni`: 16-pixel pictures, 8 mel bins, words of 40."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tutti.models.omni.config import OmniConfig
from tutti.models.omni.model import Omni

_TRUNK = {"channels": [4, 6], "blocks": [0, 1], "width": 8, "layers": 1, "heads": 2, "inner": 12}
TINY: dict[str, Any] = {
    "model_type": "tutti_omni",
    "shared_width": 10,
    "words": {
        "vocabulary": 40, "width": 8, "special_tokens": 8, "layers": 1, "heads": 2, "inner": 12, "max_tokens": 6
    },
    "trunks": {
        "image": {"kind": "picture", "size": 16, **_TRUNK},
        "audio": {"kind": "sound", "size": 8, **_TRUNK},
        "video": {"kind": "frames", "of": "image", "sound": "audio", "max_frames": 3},
    },
    "connectors": {
        "image": {"kind": "mlp", "merge": 2},
        "audio": {"kind": "linear", "merge": 2},
        "video": {"kind": "mlp", "merge": 4},
    },
    "decoder": {
        "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 64,
    },
    "placeholder_ids": {"image": 4, "audio": 5, "video": 6},
    "user_id": 2,
    "assistant_id": 3,
    "eos_id": 1,
}  # fmt: skip
"""`config.json`. A picture is 4 x 4 patches and 4 tokens, 8 frames of sound are a token, a frame of a clip is one."""


def tiny_values(**changes: Any) -> dict[str, Any]:
    """`config.json` with changes; a dictionary is merged into the one it names."""
    merged = {
        key: {**TINY[key], **value} if isinstance(value, dict) and key in TINY else value
        for key, value in changes.items()
    }
    return {**TINY, **merged}


def tiny_config(**changes: Any) -> OmniConfig:
    return OmniConfig.from_hf(tiny_values(**changes))


def tiny_model(**changes: Any) -> Omni:
    """With weights of its own everywhere, those that start at zero included."""
    torch.manual_seed(0)
    model = Omni(tiny_config(**changes)).eval()
    model.words.table.random_(-100, 100)
    model.words.scale.uniform_(0.005, 0.015)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if (parameter.ndim and not parameter.any()) or "positions" in name:
                parameter.normal_(std=0.5)
        for name, statistics in model.named_buffers():
            if name.endswith("running_var"):
                statistics.uniform_(0.1, 0.2)
    return model


def media_batch(modality: str, batch: int = 2, frames: int = 2, sound: bool = True) -> dict[str, Tensor]:
    """What the trunks of `tiny_config` take."""
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randn(batch, frames, 3, 16, 16, generator=generator)
    features = torch.randn(batch, 8, 24, generator=generator)
    if modality == "audio":
        return {"input_features": features}
    if modality == "video":
        return {"pixel_values": pixels, **({"input_features": features} if sound else {})}
    return {"pixel_values": pixels[:, 0]}
