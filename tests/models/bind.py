"""A tiny ImageBind checkpoint, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
from tokenizers import models, pre_tokenizers, processors

from tutti import checkpoints
from tutti.models.imagebind.config import ImageBindConfig
from tutti.models.imagebind.model import ImageBindModel

BLOCKS = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
CONFIG: dict[str, Any] = {
    "model_type": "imagebind",
    "projection_dim": 12,
    "vision_config": {**BLOCKS, "image_size": 28},
    "text_config": {**BLOCKS, "vocab_size": 6, "max_position_embeddings": 8},
    "audio_config": {**BLOCKS, "num_mel_bins": 26, "max_frames": 36},
    "depth_config": {**BLOCKS, "image_size": 32},
    "thermal_config": {**BLOCKS, "image_size": 32},
    "imu_config": {**BLOCKS, "num_steps": 40},
}
PREPROCESSOR: dict[str, Any] = {
    "image": {
        "size": {"shortest_edge": 28},
        "do_center_crop": False,
        "image_mean": [0.48, 0.46, 0.41],
        "image_std": [0.27, 0.26, 0.28],
    },
    "video": {"clips": 2, "clip_s": 0.5},
    "audio": {"clips": 2, "clip_s": 0.4},
    "depth": {},
    "thermal": {},
    "motion": {"sampling_rate": 10.0},
}


def words() -> tokenizers.Tokenizer:
    """A tokenizer of six words that puts a start and an end around a text."""
    table = {word: index for index, word in enumerate(("a", "dog", "car", "photo", "<start>", "<end>"))}
    made = tokenizers.Tokenizer(models.WordLevel(table, unk_token="<start>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens(["<start>", "<end>"])
    made.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 4), ("<end>", 5)]
    )
    return made


def build() -> ImageBindModel:
    """A model whose weights all matter."""
    torch.manual_seed(0)
    model = ImageBindModel(ImageBindConfig.from_hf(CONFIG)).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def save(path: Path, model: ImageBindModel | None = None, **files: str) -> Path:
    """Write the checkpoint."""
    everything = {"tokenizer.json": words().to_str(), "preprocessor_config.json": json.dumps(PREPROCESSOR)}
    checkpoints.save(model or build(), path, CONFIG, everything | files)
    return path
