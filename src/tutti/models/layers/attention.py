"""Scaled dot-product attention behind one explicit object, so that a module needs to know no cache and no mask.

Source: Vaswani et al. 2017, section 3.2.1; grouped key-value heads: Ainslie et al. 2023 (GQA), section 2.2.
"""

from __future__ import annotations

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor


class Attend(Protocol):
    """How queries meet keys and values: the state of attention, passed to `forward` and never hidden.

    Implementations: `MaskedAttend` (whole sequences, as in training) and `tutti.engine.runner.PagedAttend`
    (keys and values of earlier steps kept in blocks).
    """

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend.

        Shapes: query (B, T, H, E), key and value (B, T, K, E) → (B, T, H, E).
        """
        ...


class MaskedAttend:
    """Attention within the sequences at hand.

    Args:
        mask: (B, 1, T, T) or (T, T) bool, True where a query (row) may look at a key (column). None means causal.
    """

    def __init__(self, mask: Tensor | None = None) -> None:
        self.mask = mask

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend; every layer in the same way. Shapes as in `Attend`."""
        return attention(query, key, value, mask=self.mask, causal=self.mask is None)


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
    """softmax(query keyᵀ / √E) value.

    Args:
        query: (B, T, H, E).
        key: (B, Tk, K, E), K a divisor of H.
        value: (B, Tk, K, E).
        mask: Broadcast to (B, H, T, Tk) bool, True where a query may look at a key; None lets it look everywhere.
        causal: Without a mask: query i looks at keys 0 … i.

    Returns:
        (B, T, H, E).
    """
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=mask,
        is_causal=causal,
        enable_gqa=key.shape[2] != query.shape[2],
    )
    return out.transpose(1, 2)
