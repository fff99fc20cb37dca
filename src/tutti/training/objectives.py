"""Objectives: pure functions from what a model returns to a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = -100
"""Label of a position that is not learned."""


def classification(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> dict[str, Tensor]:
    """Cross entropy with label smoothing (Szegedy et al. 2016, section 7).

    Shapes: logits (B, classes), labels (B,) int64.
    """
    accuracy = (logits.argmax(-1) == labels).float().mean()
    return {"loss": F.cross_entropy(logits, labels, label_smoothing=smoothing), "accuracy": accuracy}


def contrastive(
    embeddings: Mapping[str, Tensor],
    keys: Mapping[str, Tensor],
    pairs: Sequence[tuple[str, str]],
    logit_scale: Tensor,
) -> dict[str, Tensor]:
    """Bind modalities to one another in a shared space, for the named pairs and no others.

    Rows of equal key are each other's positives, within and across pairs (UniCL: Yang et al. 2022, equations 3 to 5);
    with all keys different it is CLIP's loss (Radford et al. 2021, figure 3). A pair that is not named is never
    compared, so that what two modalities then share, they share by way of a third (ImageBind, section 3.2).

    Args:
        embeddings: Modality → (B, D) unit rows; B may differ between pairs, not within one.
        keys: Modality → (B,) int64, equal for equal meanings.
        pairs: The modalities to compare.
        logit_scale: Logarithm of the inverse temperature; clamped to 100 as in CLIP.
    """
    scale = logit_scale.clamp(max=4.6052).exp()
    out: dict[str, Tensor] = {}
    for left, right in pairs:
        logits = scale * embeddings[left] @ embeddings[right].T
        positives = (keys[left][:, None] == keys[right]).to(logits.dtype)
        forth = -(logits.log_softmax(1) * positives).sum(1) / positives.sum(1).clamp_min(1)
        back = -(logits.log_softmax(0) * positives).sum(0) / positives.sum(0).clamp_min(1)
        out[f"{left}-{right}"] = (forth.mean() + back.mean()) / 2
    return {"loss": torch.stack(list(out.values())).mean(), **{name: value.detach() for name, value in out.items()}}


def next_token(hidden: Tensor, labels: Tensor, logits: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Cross entropy of the labelled positions, the only ones that are projected to the vocabulary.

    Shapes: hidden (B, T, D), labels (B, T) int64: the token that each position should predict, or `IGNORE`.

    Args:
        hidden: The decoder's states.
        labels: Already shifted: labels[t] is the token after input t.
        logits: The projection (n, D) → (n, V).
    """
    where = labels != IGNORE
    predicted, wanted = logits(hidden[where]), labels[where]
    accuracy = (predicted.argmax(-1) == wanted).float().mean()
    return {"loss": F.cross_entropy(predicted, wanted), "token_accuracy": accuracy}
