"""Objectives: pure functions from what a model returns to a loss. Each returns "loss" and figures worth logging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tutti.errors import InputError

IGNORE = -100
"""Label of a position that is not learned."""


def classification(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> dict[str, Tensor]:
    """Cross entropy with label smoothing (Szegedy et al. 2016, section 7).

    Shapes: logits (B, classes), labels (B,) int64.

    Args:
        logits: What the model says.
        labels: What it should say.
        smoothing: Probability that is spread evenly over all classes.

    Returns:
        "loss" and "accuracy".
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
    compared, so that what two modalities then share, they share by way of a third (ImageBind, section 3.2). A row
    whose key the other side lacks is a negative for others and adds nothing of its own.

    Args:
        embeddings: Modality → (B, D) unit rows; B may differ between modalities.
        keys: Modality → (B,) int64, equal for equal meanings.
        pairs: The modalities to compare.
        logit_scale: Logarithm of the inverse temperature; clamped to 100 as in CLIP.

    Returns:
        "loss", the mean over the pairs, and each pair's own as "<left>-<right>".

    Raises:
        InputError: No pair is named, or one whose modality is not there.
    """
    absent = sorted({name for pair in pairs for name in pair} - set(embeddings))
    if absent or not pairs:
        raise InputError(f"The pairs {list(pairs)} were named; expected pairs of {sorted(embeddings)}.")
    scale = logit_scale.clamp(max=4.6052).exp()
    out: dict[str, Tensor] = {}
    for left, right in pairs:
        # Cosines times a hundred need more digits than bfloat16 has.
        with torch.autocast(scale.device.type, enabled=False):
            logits = scale * embeddings[left].float() @ embeddings[right].float().T
        positives = (keys[left][:, None] == keys[right]).to(logits.dtype)
        forth = -(logits.log_softmax(1) * positives).sum(1) / positives.sum(1).clamp_min(1)
        back = -(logits.log_softmax(0) * positives).sum(0) / positives.sum(0).clamp_min(1)
        out[f"{left}-{right}"] = (_mean(forth, positives.sum(1)) + _mean(back, positives.sum(0))) / 2
    return {"loss": torch.stack(list(out.values())).mean(), **{name: value.detach() for name, value in out.items()}}


def _mean(losses: Tensor, positives: Tensor) -> Tensor:
    """Mean over the rows that have positives."""
    return losses.sum() / (positives > 0).sum().clamp_min(1)


def next_token(hidden: Tensor, labels: Tensor, logits: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Cross entropy of the labelled positions, the only ones that are projected to the vocabulary.

    A vocabulary is a hundred times wider than a small decoder, so (B, T, V) logits would be most of the memory of a
    step, and most positions (prompt, media, padding) carry no label. Where no position of a batch does, the loss is 0.

    Shapes: hidden (B, T, D), labels (B, T) int64: the token that each position should predict, or `IGNORE`.

    Args:
        hidden: The decoder's states.
        labels: Already shifted: labels[t] is the token after input t.
        logits: The projection (n, D) → (n, V).

    Returns:
        "loss" and "token_accuracy".
    """
    where = labels != IGNORE
    predicted, wanted = logits(hidden[where]), labels[where]
    count = max(1, wanted.numel())
    accuracy = (predicted.argmax(-1) == wanted).float().sum() / count
    return {"loss": F.cross_entropy(predicted, wanted, reduction="sum") / count, "token_accuracy": accuracy}
