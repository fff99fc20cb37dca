"""Scaled dot-product attention behind one explicit object, so that a module needs to know no cache and no mask.

Source: Vaswani et al. 2017, section 3.2.1; grouped key-value heads: Ainslie et al. 2023 (GQA), section 2.2; windows:
Beltagy et al. 2020 (Longformer), section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class MediaMemory:
    """What the states of media are to text that looks at them by cross-attention: keys and values.

    Layers are counted among those that look.
    """

    keys: tuple[Tensor, ...]
    """One (N, K, E) a layer, or (B, N, K, E) for whole batches."""
    values: tuple[Tensor, ...]
    """The same."""


class CacheRows(NamedTuple):
    """Where the last token of each sequence, or the last few, find the cache: T tokens.

    Tokens of one sequence have one place, and contexts that grow by one.
    """

    keys: Sequence[Tensor]
    """One (K, slots, E) float32 a layer."""
    values: Sequence[Tensor]
    """The same."""
    slots: Tensor
    """(T,) int64: where the new keys and values go."""
    places: Sequence[int | Tensor]
    """The sequence's first slot, where they lie side by side, or all of its slots, new ones included."""
    contexts: Sequence[int]
    """Tokens of the sequence that each looks at, itself included."""


class Attend(Protocol):
    """How queries meet keys and values: the state of attention, passed to `forward` and never hidden.

    Implementations: `MaskedAttend` and `LookingAttend` (whole sequences, as in training) and
    `tutti.engine.paged_attention.PagedAttend` (keys and values of earlier steps kept in blocks).
    """

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        """Attend; `window` is how many tokens a token looks back at, itself included, None all.

        Shapes: query (B, T, H, E), key and value (B, T, K, E) → (B, T, H, E).
        """
        ...

    @property
    def asked(self) -> Tensor | None:
        """Tokens whose states are asked for: (R,) int64; None if all are. The last block may leave the others out."""
        ...

    @property
    def sees(self) -> Tensor | None:
        """Tokens with a medium of their own to look at: (B, T) bool; None if that is none of them."""
        ...

    @property
    def rows(self) -> CacheRows | None:
        """Where the tokens find the cache, if they are the last of sequences that are read; for compiled steps."""
        ...

    def look(self, layer: int, query: Tensor) -> Tensor:
        """Attend to media, whose keys and values were made before; zeros where a token looks at nothing.

        Shapes: query (B, T, H, E) → the same. Layers are counted among those that look.
        """
        ...


class MaskedAttend:
    """Attention within the sequences at hand.

    Args:
        mask: (B, 1, T, T) or (T, T) bool, True where a query (row) may look at a key (column). None means causal.
        asked: (R,) int64, tokens whose states are asked for; None asks for all.
    """

    def __init__(self, mask: Tensor | None = None, asked: Tensor | None = None) -> None:
        self.mask, self._asked = mask, asked

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        """Attend; every layer in the same way. Shapes as in `Attend`."""
        mask, tokens = self.mask, query.shape[1]
        if window is not None and window < tokens:
            near = window_mask(tokens, tokens, window, query.device)
            mask = near if mask is None else mask & near
        return attention(query, key, value, mask=mask, causal=mask is None)

    @property
    def asked(self) -> Tensor | None:
        """Tokens whose states are asked for. Shape (R,)."""
        return self._asked

    @property
    def rows(self) -> CacheRows | None:
        """There is no cache."""
        return None

    @property
    def sees(self) -> Tensor | None:
        """No token has a medium to look at."""
        return None

    def look(self, layer: int, query: Tensor) -> Tensor:
        """Nothing is there to look at. Shapes as in `Attend`."""
        return torch.zeros_like(query)


class LookingAttend(MaskedAttend):
    """Attention within the sequences at hand, and to media beside them.

    Args:
        mask: As for `MaskedAttend`.
        media: Keys and values of (B, N, K, E).
        looks: (B, T, N) bool, True where a token may look at a state.
        sees: (B, T) bool, tokens with a medium of their own; those that look at something if None.
        asked: As for `MaskedAttend`.
    """

    def __init__(
        self,
        mask: Tensor | None,
        media: MediaMemory,
        looks: Tensor,
        sees: Tensor | None = None,
        asked: Tensor | None = None,
    ) -> None:
        super().__init__(mask, asked)
        self._media = media
        self._any = looks.any(dim=-1)
        # A row that may look nowhere would be NaN; it is let look everywhere here, and made zero afterwards.
        self._looks = (looks | ~self._any[..., None])[:, None]
        self._sees = self._any if sees is None else sees

    @property
    def sees(self) -> Tensor | None:
        """Tokens with a medium of their own to look at. Shape (B, T)."""
        return self._sees

    def look(self, layer: int, query: Tensor) -> Tensor:
        """Attend to media. Shapes as in `Attend`."""
        out = attention(query, self._media.keys[layer], self._media.values[layer], mask=self._looks)
        return out * self._any[..., None, None]


def padded_mask(attention_mask: Tensor | None) -> Tensor | None:
    """Which tokens a token reads, where some are padding: those before it and itself.

    Shapes: (B, T) with 0 at padding → (B, 1, T, T) bool; None, which is causal, stays None.
    """
    if attention_mask is None:
        return None
    # Each token reads itself, so that padding on the left reads something: nothing at all would be NaN.
    itself = torch.eye(attention_mask.shape[1], dtype=torch.bool, device=attention_mask.device)
    return (torch.ones_like(itself).tril() & attention_mask[:, None, None].bool()) | itself


def window_mask(tokens: int, context: int, window: int, device: torch.device) -> Tensor:
    """Which keys the last `tokens` of `context` tokens look at: themselves and `window` - 1 before.

    Shape (tokens, context) bool.
    """
    columns = torch.arange(context, device=device)
    back = columns[context - tokens :, None] - columns
    return (back >= 0) & (back < window)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """softmax(query keyᵀ / √E) value.

    Args:
        query: (B, T, H, E).
        key: (B, Tk, K, E), K a divisor of H.
        value: (B, Tk, K, E).
        mask: Broadcast to (B, H, T, Tk) bool, True where a query may look at a key; None lets it look everywhere.
        causal: Without a mask: query i looks at keys 0 … i.
        dtype: Precision of the products; the query's if None.

    Returns:
        (B, T, H, E), of the query's type.
    """
    dtype = dtype or query.dtype
    out = F.scaled_dot_product_attention(
        query.transpose(1, 2).to(dtype),
        key.transpose(1, 2).to(dtype),
        value.transpose(1, 2).to(dtype),
        attn_mask=mask,
        is_causal=causal,
        enable_gqa=key.shape[2] != query.shape[2],
    )
    return out.transpose(1, 2).to(query.dtype)
