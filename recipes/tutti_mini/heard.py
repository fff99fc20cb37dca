"""Sounds into the space: what projects them is learned anew, on what the standing trunk hears in them.

Sounds are bound to words only; that pictures lie near them is the space's doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.tutti_mini.packs import SOUNDS, load_sounds
from recipes.tutti_mini.pairs import SoundPairs
from recipes.tutti_mini.shares import TUNE_SHARES
from recipes.tutti_mini.texts import Reader
from tutti.models.omni.model import Head, Omni

LENGTHS_S = {1.28: 0.55, 2.56: 0.25, 5.12: 0.2}
AT_ONCE = 48
SOUND_TEMPLATES = ("the sound of {}", "a recording of {}", "you can hear {}", "{}")
WORD_TEMPLATES = ("the word {}", "someone says {}", "{}")
NEARNESS = 1.2
"""Weight of the angle between a sound and what is said of it."""


@dataclass(frozen=True, eq=False)
class Heard:
    """Sounds as the trunk and its pool hear them."""

    pooled: Tensor
    keys: list[str]
    captions: list[str]


@torch.inference_mode()
def hear(model: Omni, data: Path, cache: Path, batches: int, seed: int = 0) -> Heard:
    """Run the trunk over so many batches of augmented sounds."""
    packs = [load_sounds(data, cache, name).part(held_out=False) for name in SOUNDS]
    pairs, rng = SoundPairs(packs, TUNE_SHARES["audio"], LENGTHS_S), np.random.default_rng(seed)
    head = cast("Head", model.heads["audio"])
    pooled: list[Tensor] = []
    keys: list[str] = []
    captions: list[str] = []
    for _ in range(batches):
        drawn = pairs.draw(rng, AT_ONCE)
        pooled.append(head.pool(model.encode("audio", {"input_features": drawn.features})))
        keys += drawn.keys
        captions += drawn.captions
    return Heard(torch.cat(pooled).clone(), keys, captions)


def name_points(reader: Reader, names: Sequence[str]) -> Tensor:
    """Points of what is heard: words as what someone says, the rest as sounds."""
    points = torch.zeros(len(names), 256)
    for words, templates in ((True, WORD_TEMPLATES), (False, SOUND_TEMPLATES)):
        some = [index for index, name in enumerate(names) if name.startswith("spoken ") == words]
        if some:
            said = [names[index].removeprefix("spoken ") for index in some]
            texts = [reader([template.format(name) for name in said]) for template in templates]
            points[some] = F.normalize(torch.stack(texts).sum(0), dim=-1)
    return points


def bind(project: nn.Linear, heard: Heard, reader: Reader, scale: float, steps: int, seed: int = 0) -> None:
    """Teach a projection, at the inverse temperature of the space."""
    torch.manual_seed(seed)
    nn.init.kaiming_uniform_(project.weight, a=5**0.5)
    nn.init.zeros_(project.bias)
    names = sorted(set(heard.keys))
    points, said = name_points(reader, names), reader(heard.captions)
    wanted = torch.tensor([names.index(key) for key in heard.keys])
    optimizer = torch.optim.AdamW(project.parameters(), 2e-3, weight_decay=0.02)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        drawn = torch.randint(len(wanted), (512,))
        found = F.normalize(project(heard.pooled[drawn]), dim=-1)
        told = F.cross_entropy(scale * found @ points.T, wanted[drawn], label_smoothing=0.05)
        loss = told + NEARNESS * (1 - (found * said[drawn]).sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
