"""The sizes of tutti-mini, and how it is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from recipes.tutti_mini.words import NAMES, SPECIAL_TOKENS, WIDTH, word_vectors
from tutti.models.efficientnet.config import EfficientNetConfig
from tutti.models.llama.config import LlamaConfig
from tutti.models.omni.config import OmniConfig
from tutti.models.omni.model import Omni
from tutti.models.omni.parts import ConnectorConfig, NamesConfig, TrunkConfig, WordsConfig

SMALL = OmniConfig(
    shared_width=256,
    words=WordsConfig(
        vocabulary=30522,
        width=WIDTH,
        special_tokens=SPECIAL_TOKENS,
        layers=2,
        heads=8,
        inner=512,
        max_tokens=48,
    ),
    trunks={
        "image": TrunkConfig(
            kind="picture",
            size=64,
            channels=(48, 96, 192),
            blocks=(0, 1, 3),
            width=192,
            heads=6,
            inner=512,
        ),
        "audio": TrunkConfig(
            kind="sound", size=64, channels=(32, 64, 128), blocks=(0, 1, 2), width=192, layers=1, heads=6, inner=512
        ),
        "video": TrunkConfig(kind="frames", of="image", sound="audio", max_frames=16),
    },
    connectors={
        "image": ConnectorConfig(kind="mlp", merge=2),
        "audio": ConnectorConfig(kind="mlp", merge=4),
        "video": ConnectorConfig(kind="mlp", merge=4),
    },
    decoder=LlamaConfig(
        vocab_size=30522,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=5,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=1024,
    ),
    placeholder_ids={"image": NAMES["<|image|>"], "audio": NAMES["<|audio|>"], "video": NAMES["<|video|>"]},
    user_id=NAMES["<|user|>"],
    assistant_id=NAMES["<|assistant|>"],
    eos_id=NAMES["<|eos|>"],
)
"""The model of the phases that start from random weights: its trunks read pictures of 64 x 64 and sounds."""

CONFIG = replace(
    SMALL,
    words=replace(SMALL.words, layers=3),
    trunks={
        **SMALL.trunks,
        "image": replace(SMALL.trunks["image"], published=EfficientNetConfig(), residual=768),
    },
    names=NamesConfig(count=1543, tokens=4, shown=5),
)
"""The model that ships: a published network reads pictures of 256 x 256 beside the small trunk."""


def new_model(cache: Path, seed: int = 0) -> Omni:
    """A small model with random weights and the word table."""
    torch.manual_seed(seed)
    model = Omni(SMALL)
    table, scale = word_vectors(cache)
    model.words.table.copy_(torch.from_numpy(table))
    model.words.scale.copy_(torch.from_numpy(scale))
    for module in model.decoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.03)
    # The rows of the word table have length 16: larger weights would begin with all but one token ruled out.
    nn.init.normal_(model.embed_out.weight, std=0.004)
    return model


class Pretraining(nn.Module):
    """The model with classifiers, which are thrown away afterwards.

    Args:
        model: What is trained.
        classes: Classifier → width of what it reads and number of its classes.
    """

    def __init__(self, model: Omni, classes: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.model = model
        self.classifiers = nn.ModuleDict({name: nn.Linear(*sizes) for name, sizes in classes.items()})
