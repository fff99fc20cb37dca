"""The head of a reward model, in the folder of an adapter: `reward_head.safetensors` holds its one weight (1, D)."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from tutti.errors import CheckpointError

HEAD, HEAD_FILE = "reward_head", "reward_head.safetensors"


def new_head(width: int) -> nn.Linear:
    """A head after whose weight, which is zero, all answers are worth the same. Shapes: (…, D) → (…, 1)."""
    head = nn.Linear(width, 1, bias=False)
    nn.init.zeros_(head.weight)
    return head


def read_head(folder: Path, width: int) -> nn.Linear:
    """Read a head.

    Args:
        folder: Of the adapter.
        width: D of the model.

    Raises:
        CheckpointError: There is none, or it is of another model.
    """
    try:
        found = load_file(folder / HEAD_FILE)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} holds no reward model ({error}); make one: tutti tune MODEL --objective reward."
        ) from None
    weight = found.get("weight")
    if set(found) != {"weight"} or weight is None or weight.shape != (1, width) or not torch.isfinite(weight).all():
        shapes = {name: list(value.shape) for name, value in found.items()}
        raise CheckpointError(f"{HEAD_FILE} holds {str(shapes)[:200]}; expected a finite weight of {[1, width]}.")
    head = new_head(width)
    head.weight = nn.Parameter(weight.float(), requires_grad=False)
    return head
