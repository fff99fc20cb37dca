"""The only noun that touches tensors: embeds tokens, places media, runs the decoder over all sequences of a step."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from tutti.engine.embedding_cache import EmbeddingCache, embedding_key
from tutti.engine.scheduler import Work
from tutti.engine.sequence import Sequence
from tutti.errors import InputError
from tutti.models.layers.attention import Attend, attention


class Decoder(Protocol):
    """What the engine needs of a generating model. Implementations: `models.llama`, `models.omni`."""

    @property
    def layers(self) -> int:
        """Blocks that keep keys and values."""
        ...

    @property
    def kv_heads(self) -> int:
        """K."""
        ...

    @property
    def head_width(self) -> int:
        """E."""
        ...

    @property
    def context_length(self) -> int:
        """Longest context in tokens."""
        ...

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (T,) int64 → (T, D)."""
        ...

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """One medium through trunk and connector. Shapes: → (N, D)."""
        ...

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) int64 → (B, T, D)."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        ...


class _Read(NamedTuple):
    """What one sequence's queries look at in a step."""

    start: int
    stop: int
    """Its rows among the step's tokens."""
    context: int
    """Tokens of its keys and values."""
    place: int | Tensor
    """First slot of the cache where they lie side by side, or else their blocks."""
    mask: Tensor | None
    """(T, context) bool for a chunk that continues a prompt."""


class PagedAttend:
    """Attention over keys and values kept in blocks; an `Attend` for one step.

    The step's tokens of all sequences come in one row, (1, T, …), so that projections run over all of them at once;
    only the attention itself is done sequence by sequence.

    Args:
        keys: One (blocks, block tokens, K, E) a layer.
        values: The same.
        slots: (T,) int64, where in the cache each new token's key and value go.
        reads: What each sequence looks at.
    """

    def __init__(self, keys: list[Tensor], values: list[Tensor], slots: Tensor, reads: list[_Read]) -> None:
        self._keys = keys
        self._values = values
        self._slots = slots
        self._reads = reads

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Keep the new keys and values, then attend. Shapes as in `Attend`, with B = 1."""
        keys, values = self._keys[layer], self._values[layer]
        flat_keys, flat_values = keys.flatten(0, 1), values.flatten(0, 1)
        flat_keys.index_copy_(0, self._slots, key[0])
        flat_values.index_copy_(0, self._slots, value[0])
        out = []
        for read in self._reads:
            if isinstance(read.place, int):
                seen_keys = flat_keys[read.place : read.place + read.context]
                seen_values = flat_values[read.place : read.place + read.context]
            else:
                seen_keys = keys.index_select(0, read.place).flatten(0, 1)[: read.context]
                seen_values = values.index_select(0, read.place).flatten(0, 1)[: read.context]
            rows = query[:, read.start : read.stop]
            out.append(_attend(rows, seen_keys[None], seen_values[None], read.mask))
        return out[0] if len(out) == 1 else torch.cat(out, dim=1)


def _attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Shapes: query (1, T, H, E), keys and values (1, context, K, E) → (1, T, H, E)."""
    tokens, heads, width = query.shape[1:]
    if tokens > 1:
        return attention(query, keys, values, mask=mask, causal=mask is None)
    # One query sees everything: the heads of a group stand as so many queries before their shared keys, unmasked.
    grouped = query.reshape(1, keys.shape[2], -1, width)
    out = F.scaled_dot_product_attention(grouped, keys.transpose(1, 2), values.transpose(1, 2))
    return out.reshape(1, 1, heads, width)


class Runner:
    """Owns the key-value cache and runs steps.

    Args:
        model: In evaluation mode.
        blocks: Blocks of the cache.
        block_tokens: Tokens a block holds.
        embeddings: Where media encoded before are found.
        weights_digest: Of the model, as part of the embeddings' keys.
        device: Where the model is.
    """

    def __init__(
        self,
        model: Decoder,
        blocks: int,
        block_tokens: int,
        embeddings: EmbeddingCache,
        weights_digest: str,
        device: torch.device,
    ) -> None:
        self.model = model
        self.embeddings = embeddings
        self._weights_digest = weights_digest
        self._device = device
        self._block_tokens = block_tokens
        with torch.inference_mode():
            dtype = model.embed_tokens(torch.zeros(1, dtype=torch.int64, device=device)).dtype
            shape = (blocks, block_tokens, model.kv_heads, model.head_width)
            self._keys = [torch.empty(shape, dtype=dtype, device=device) for _ in range(model.layers)]
            self._values = [torch.empty(shape, dtype=dtype, device=device) for _ in range(model.layers)]

    @torch.inference_mode()
    def prepare(self, work: Work) -> None:
        """Encode the media that this work's tokens stand for, unless they were encoded before.

        Raises:
            InputError: A medium became another number of tokens than the prompt keeps places for.
        """
        sequence = work.sequence
        for number, _, _ in _places(work):
            if number not in sequence.embeddings:
                sequence.embeddings[number] = self._embedding(sequence, number)

    @torch.inference_mode()
    def run(self, work: Items[Work]) -> Tensor:
        """Compute a step, whose media are prepared.

        Shapes: → logits (W, V), a row for each work that is `last`, in order.
        """
        block_tokens = self._block_tokens
        ids: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        reads: list[_Read] = []
        ends: list[int] = []
        for one in work:
            sequence, first, stop, start = one.sequence, one.sequence.computed, one.stop, len(ids)
            ids += sequence.tokens[first:stop]
            positions += range(first, stop)
            blocks = sequence.blocks
            if sequence.contiguous:
                place: int | Tensor = blocks[0] * block_tokens
                slots += range(place + first, place + stop)
            else:
                slots += [blocks[i // block_tokens] * block_tokens + i % block_tokens for i in range(first, stop)]
                place = torch.tensor(blocks[: -(-stop // block_tokens)], device=self._device)
            reads.append(_Read(start, len(ids), stop, place, self._mask(first, stop)))
            if one.last:
                ends.append(len(ids) - 1)
        hidden = self._decode(work, ids, positions, slots, reads)
        if len(ends) != len(ids):
            hidden = hidden[ends]
        return self.model.logits(hidden)

    def _decode(
        self, work: Items[Work], ids: list[int], positions: list[int], slots: list[int], reads: list[_Read]
    ) -> Tensor:
        """Hidden states (T, D) of the step's tokens."""
        pieces = self._pieces(work, ids)
        numbers = torch.tensor([ids, positions, slots], device=self._device)
        inputs = self.model.embed_tokens(numbers[0])
        for row, piece in pieces:
            inputs[row : row + piece.shape[0]] = piece
        attend = PagedAttend(self._keys, self._values, numbers[2], reads)
        return self.model.decode(inputs[None], numbers[1:2], attend)[0]

    def _pieces(self, work: Items[Work], ids: list[int]) -> list[tuple[int, Tensor]]:
        """Embeddings of media and the row at which each goes; placeholders need not be known to the token table."""
        pieces = []
        row = 0
        for one in work:
            sequence, first = one.sequence, one.sequence.computed
            for number, start, stop in _places(one):
                place = sequence.starts[number]
                piece = sequence.embeddings[number][start - place : stop - place]
                pieces.append((row + start - first, piece))
                ids[row + start - first : row + stop - first] = [0] * (stop - start)
                if stop == place + sequence.media[number].tokens:
                    del sequence.embeddings[number]
            row += one.tokens
        return pieces

    def _mask(self, first: int, stop: int) -> Tensor | None:
        """Causal attention of a chunk that begins after `first` computed tokens; None where none is needed."""
        if first == 0 or stop - first == 1:
            return None
        columns = torch.arange(stop, device=self._device)
        return columns <= columns[first:, None]

    def _embedding(self, sequence: Sequence, number: int) -> Tensor:
        medium = sequence.media[number]
        key = embedding_key(sequence.tenant, medium.modality, medium.digest, self._weights_digest)
        found = self.embeddings.get(key)
        if found is not None:
            return found
        arrays = {name: torch.tensor(array, device=self._device) for name, array in medium.arrays.items()}
        embedding = self.model.encode_media(medium.modality, arrays)
        if embedding.shape[0] != medium.tokens:
            raise InputError(
                f"Medium {number} ({medium.modality}) became {embedding.shape[0]} tokens, but the prompt keeps "
                f"{medium.tokens} places for it; use the processor that belongs to the model."
            )
        self.embeddings.put(key, embedding)
        return embedding


def _places(work: Work) -> list[tuple[int, int, int]]:
    """Media among a work's tokens: number, and where the part to compute now begins and stops."""
    sequence = work.sequence
    if not sequence.media or sequence.computed >= sequence.media_stop:
        return []
    first, stop = sequence.computed, work.stop
    spans = (
        (number, max(first, place), min(stop, place + medium.tokens))
        for number, (medium, place) in enumerate(zip(sequence.media, sequence.starts, strict=True))
    )
    return [(number, start, end) for number, start, end in spans if start < end]
