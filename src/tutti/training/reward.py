"""A reward model: what an answer is worth, learned from compared answers, as one number of its last token's state.

Source: Ouyang et al. 2022 (InstructGPT), section 3.5, equation 1, which is Bradley and Terry's model (1952). Reference
implementation: TRL's `RewardTrainer`. We differ in: the head stands beside an adapter of a model that goes on answering
without both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from tutti.checkpoints.reward_head import HEAD, HEAD_FILE, new_head
from tutti.training.files import save_text
from tutti.training.generating import hidden_states
from tutti.training.lesson_batches import LessonBatch
from tutti.training.media_store import MediaStore

REWARD_WEIGHT = f"{HEAD}.weight"


@dataclass(frozen=True)
class RewardLoss:
    """-log sigmoid of by how much the better answer is worth more."""

    media: MediaStore

    def __call__(self, model: nn.Module, batch: LessonBatch) -> Mapping[str, Tensor]:
        """The loss of a batch, with the margin of rewards and how often the better answer has the higher one."""
        chosen, rejected = rewards(model, batch, self.media).chunk(2)
        margins = (chosen - rejected).detach()
        return {
            "loss": -F.logsigmoid(chosen - rejected).mean(),
            "margin": margins.mean(),
            "accuracy": (margins > 0).float().mean(),
        }

    def describe(self) -> dict[str, Any]:
        """What a run folder records."""
        return {"objective": "reward"}


def rewards(model: nn.Module, batch: LessonBatch, media: MediaStore) -> Tensor:
    """What each row is worth. Shapes: → (B,) float32."""
    ids = torch.as_tensor(batch.input_ids)
    last = torch.tensor([len(lesson.ids) - 1 for lesson in batch.lessons], device=ids.device)
    asked, which = last.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    ends = hidden_states(model, ids, batch.lessons, media, asked)[torch.arange(len(ids), device=ids.device), which]
    worth: Tensor = model.get_submodule(HEAD)(ends.float())
    return worth[:, 0]


def add_head(model: nn.Module, width: int) -> None:
    """Give a model the head, which says nothing yet: all answers are worth 0."""
    head = new_head(width).to(next(model.parameters()).device)
    head.weight.requires_grad_(True)
    model.add_module(HEAD, head)


def save_reward(model: nn.Module, folder: Path, base: str, quantize: str | None) -> None:
    """Write the head beside the adapter in a folder, and which model both belong to."""
    weight = model.get_parameter(REWARD_WEIGHT).detach().cpu().contiguous()
    save_file({"weight": weight}, folder / HEAD_FILE)
    said = {"format": "tutti reward 1", "model": base, "quantize": quantize, "answers": 4, "temperature": 0.8}
    save_text(json.dumps(said, indent=1) + "\n", folder / "reward.json")
