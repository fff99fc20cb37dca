"""How the tokens of a step attend: to their own sequence, kept in blocks, and to media beside it."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tutti.models.layers.attention import CacheRows, MediaMemory, attention, window_mask


class Read(NamedTuple):
    """What one sequence's queries look at in a step."""

    start: int
    stop: int
    """Its rows among the step's tokens."""
    context: int
    """Tokens of its keys and values."""
    place: int | Tensor
    """First slot of the cache where they lie side by side, or else their slots."""
    mask: Tensor | None
    """(T, context) bool for a chunk that continues a prompt."""


class Look(NamedTuple):
    """What some neighbouring tokens of one sequence look at: all of them at the same."""

    start: int
    stop: int
    """Their rows among the step's tokens."""
    media: list[tuple[MediaMemory, int]]
    """Media, and how many states are seen of each."""


class PagedAttend:
    """Attention over keys and values kept in blocks; an `Attend` for one step.

    The step's tokens of all sequences come in one row, (1, T, …), so that projections run over all of them at once;
    only the attention itself is done sequence by sequence.

    Args:
        keys: One (K, slots, E) a layer, so that what a head reads lies side by side.
        values: The same.
        slots: Where in the cache each new token's key and value go: (T,) int64, or a slice if side by side.
        reads: What each sequence reads of its own.
        looks: Which media are looked at.
        sees: As in `Attend`.
        asked: The same.
        rows: The same.
    """

    def __init__(
        self,
        keys: list[Tensor],
        values: list[Tensor],
        slots: Tensor | slice,
        reads: list[Read],
        looks: list[Look],
        sees: Tensor | None,
        asked: Tensor | None = None,
        rows: CacheRows | None = None,
    ) -> None:
        self._keys = keys
        self._values = values
        self._slots = slots
        self._reads = reads
        self._looks = looks
        self._sees = sees
        self._asked = asked
        self._rows = rows

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        """Keep the new keys and values, then attend. Shapes as in `Attend`, with B = 1."""
        keys, values = self._keys[layer], self._values[layer]
        dtype, query = query.dtype, query.to(keys.dtype)
        _keep(keys, self._slots, key[0].transpose(0, 1))
        _keep(values, self._slots, value[0].transpose(0, 1))
        out = []
        for read in self._reads:
            if isinstance(read.place, int):
                seen_keys = keys.narrow(1, read.place, read.context)
                seen_values = values.narrow(1, read.place, read.context)
            else:
                seen_keys, seen_values = keys.index_select(1, read.place), values.index_select(1, read.place)
            rows = query.narrow(1, read.start, read.stop - read.start)
            out.append(_attend(rows, seen_keys[None], seen_values[None], read.mask, window))
        return (out[0] if len(out) == 1 else torch.cat(out, dim=1)).to(dtype)

    @property
    def asked(self) -> Tensor | None:
        """Tokens whose states are asked for. Shape (R,)."""
        return self._asked

    @property
    def rows(self) -> CacheRows | None:
        """As in `Attend`."""
        return self._rows

    @property
    def sees(self) -> Tensor | None:
        """Tokens with a medium of their own to look at. Shape (1, T)."""
        return self._sees

    def look(self, layer: int, query: Tensor) -> Tensor:
        """Attend to media, a stretch of tokens at a time, so that no mask is needed. Shapes as in `Attend`."""
        out = torch.zeros_like(query)
        for one in self._looks:
            keys = _join([memory.keys[layer][:states] for memory, states in one.media]).transpose(0, 1)
            values = _join([memory.values[layer][:states] for memory, states in one.media]).transpose(0, 1)
            out[:, one.start : one.stop] = _attend_all(query[:, one.start : one.stop], keys[None], values[None])
        return out


def _keep(cache: Tensor, slots: Tensor | slice, new: Tensor) -> None:
    """Shapes: cache (K, slots, E), new (K, T, E)."""
    if isinstance(slots, slice):
        cache.narrow(1, slots.start, new.shape[1]).copy_(new)
    else:
        cache.index_copy_(1, slots, new.to(cache.dtype))


def _join(pieces: list[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def _attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, window: int | None) -> Tensor:
    """Shapes: query (1, T, H, E), keys and values (1, K, context, E) → (1, T, H, E)."""
    tokens, context = query.shape[1], keys.shape[2]
    if window is not None and window < context:
        if tokens == 1:
            keys, values = keys[:, :, -window:], values[:, :, -window:]
        else:
            mask = window_mask(tokens, context, window, query.device)
    if tokens > 1:
        return attention(query, keys.transpose(1, 2), values.transpose(1, 2), mask=mask, causal=mask is None)
    return _attend_all(query, keys, values)


def _attend_all(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Every query sees every key, so the heads of a group stand as further queries before their shared keys.

    Shapes: query (1, T, H, E), keys and values (1, K, N, E) → (1, T, H, E).
    """
    _, tokens, heads, width = query.shape
    shared = keys.shape[1]
    if tokens == 1:  # the heads of a group lie side by side as they are: a step of many sequences comes here often
        out = F.scaled_dot_product_attention(query.reshape(1, shared, -1, width), keys, values)
        return out.reshape(1, 1, heads, width)
    grouped = query.reshape(1, tokens, shared, -1, width).transpose(1, 2).flatten(2, 3)
    out = F.scaled_dot_product_attention(grouped, keys, values)
    return out.reshape(1, shared, tokens, -1, width).transpose(1, 2).reshape(1, tokens, heads, width)
