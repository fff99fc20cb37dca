"""The only noun that touches tensors: embeds tokens, places media, runs the decoder over all sequences of a step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Sequence as Items
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Protocol, runtime_checkable
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from tutti.checkpoints.devices import computing_dtype, placed
from tutti.engine.embedding_cache import EmbeddingCache, embedding_key
from tutti.engine.paged_attention import Look, PagedAttend, Read
from tutti.engine.passes import stepped
from tutti.engine.scheduler import Work
from tutti.engine.sequence import Sequence
from tutti.errors import InputError
from tutti.models.layers.adapted import adapter_rows
from tutti.models.layers.attention import Attend, CacheRows, MediaMemory
from tutti.models.layers.decode_step import MOST_CODED_ROWS


@runtime_checkable
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
        """Shapes: (B, T, D) and (B, T) int64 → (B, T, D), or (B, R, D) of those that are asked for."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        ...


@runtime_checkable
class EachAlone(Protocol):
    """A model that may say that logits of a token depend on no other of the step. Implementation: `models.llama`."""

    @property
    def each_alone(self) -> bool:
        """Whether they are the same, to the last bit, whatever other tokens they are computed with."""
        ...


@runtime_checkable
class Looker(Protocol):
    """What it needs besides of a model whose text looks at media instead of reading them as tokens.

    Implementations: `models.mllama`, `models.idefics`.
    """

    @property
    def state_bytes(self) -> int:
        """Bytes of keys and values of one state, for all layers that look, in float32."""
        ...

    @property
    def most_states(self) -> int:
        """N of the medium that has most."""
        ...

    def remember(self, states: Tensor) -> MediaMemory:
        """Keys and values of what `encode_media` gave, for every layer that looks. Shapes: (N, D) → (N, K, E) each."""
        ...


class Runner:
    """Owns the key-value cache and runs steps.

    Args:
        model: In evaluation mode.
        blocks: Blocks of the cache.
        block_tokens: Tokens a block holds.
        embeddings: Where media encoded before are found.
        weights_digest: Of the model, as part of the embeddings' keys.
        device: Where the model is.
        kv_dtype: Precision of keys and values; the model's own if None.
    """

    def __init__(
        self,
        model: Decoder,
        blocks: int,
        block_tokens: int,
        embeddings: EmbeddingCache,
        weights_digest: str,
        device: torch.device,
        kv_dtype: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.embeddings = embeddings
        self._weights_digest = weights_digest
        self._device = device
        self._dtype = computing_dtype(model) if isinstance(model, nn.Module) else torch.float32
        self._block_tokens = block_tokens
        self._stepped = stepped(model)
        self._adapters = adapter_rows(model)
        self._looker = model if isinstance(model, Looker) else None
        self._alone = model if isinstance(model, EachAlone) else None
        self._memories: WeakValueDictionary[tuple[bytes, int, int], MediaMemory] = WeakValueDictionary()
        """What running sequences look at, so that those who look at the same medium hold it once."""
        with torch.inference_mode():
            dtype = kv_dtype or model.embed_tokens(torch.zeros(1, dtype=torch.int64, device=device)).dtype
            shape = (model.kv_heads, blocks * block_tokens, model.head_width)
            self._keys = [torch.empty(shape, dtype=dtype, device=device) for _ in range(model.layers)]
            self._values = [torch.empty(shape, dtype=dtype, device=device) for _ in range(model.layers)]

    @property
    def checks_drafts(self) -> bool:
        """Whether several tokens of a sequence can be computed in one step, each to the last bit as by itself."""
        alone = self._alone is not None and self._alone.each_alone
        compiled = bool(self._stepped) and all(decoder.step is not None for decoder in self._stepped)
        return alone and compiled and self._keys[0].dtype == torch.float32

    @torch.inference_mode()
    def prepare(self, work: Work) -> None:
        """Encode the media that this work's tokens stand for or that its sequence looks at, unless they are there.

        Raises:
            InputError: A medium became another number of tokens than the prompt keeps places for, or fewer states than
                are to be looked at.
        """
        sequence = work.sequence
        for number, states in sequence.looked_at.items():
            if number not in sequence.memories:
                sequence.memories[number] = self._memory(sequence, number, states)
        if self._looker:
            return
        for number, _, _ in _places(work):
            if number not in sequence.embeddings:
                sequence.embeddings[number] = self._embedding(sequence, number)

    @torch.inference_mode()
    def run(self, work: Items[Work]) -> Tensor:
        """Compute a step, whose media are prepared.

        Shapes: → logits (W, V), as many rows for each work, in order, as it asks for.
        """
        parts = self._parts(work)
        if parts == [work]:
            return self._run(work)
        ordered = [one for part in parts for one in part]
        split = torch.split(torch.cat([self._run(part) for part in parts]), [one.asked for one in ordered])
        rows = {id(one): row for one, row in zip(ordered, split, strict=True)}
        return torch.cat([rows[id(one)] for one in work])

    def _parts(self, work: Items[Work]) -> list[Items[Work]]:
        """The work as it is computed: what is of one adapter side by side, single tokens apart from chunks of prompts.

        So a token comes to be in one way, whoever else there is.
        """
        if self._adapters is not None:
            work = sorted(work, key=lambda one: one.sequence.adapter)
        single = [one.tokens == 1 for one in work]
        if all(single) or not any(single) or not any(decoder.step for decoder in self._stepped) or self._reads(work):
            return [work]
        return [[one for one, its in zip(work, single, strict=True) if its is kind] for kind in (True, False)]

    def _reads(self, work: Items[Work]) -> bool:
        """Whether compiled steps take prompts, too, so that all tokens come to be in one way anyhow."""
        steps = [decoder.step for decoder in self._stepped]
        rows = sum(one.rows for one in work)
        return bool(steps) and all(one is not None and one.reads for one in steps) and rows <= MOST_CODED_ROWS

    def _run(self, work: Items[Work]) -> Tensor:
        block_tokens = self._block_tokens
        ids: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        reads: list[Read] = []
        ends: list[int] = []
        for one in work:
            sequence, first, stop, start = one.sequence, one.sequence.computed, one.stop, len(ids)
            ids += sequence.tokens[first:stop]
            ids += one.draft
            stop += len(one.draft)
            positions += range(first, stop)
            blocks = sequence.blocks
            if sequence.contiguous:
                place: int | Tensor = blocks[0] * block_tokens
                slots += range(place + first, place + stop)
            else:
                slots += [blocks[i // block_tokens] * block_tokens + i % block_tokens for i in range(first, stop)]
                starts = torch.tensor(blocks, device=self._device)[:, None] * block_tokens
                place = (starts + torch.arange(block_tokens, device=self._device)).flatten()[:stop]
            reads.append(Read(start, len(ids), stop, place, self._mask(first, stop)))
            ends += range(len(ids) - one.asked, len(ids))
        asked = None if len(ends) == len(ids) else torch.tensor(ends, dtype=torch.int64, device=self._device)
        hidden = self._decode(work, ids, positions, slots, reads, asked)
        if hidden.shape[0] != len(ends):  # a model may give the states of all tokens
            hidden = hidden[asked]
        return self.model.logits(hidden)

    def _decode(
        self,
        work: Items[Work],
        ids: list[int],
        positions: list[int],
        slots: list[int],
        reads: list[Read],
        asked: Tensor | None,
    ) -> Tensor:
        """Hidden states of the step's tokens (T, D), or of those that are asked for (R, D)."""
        pieces = [] if self._looker else self._pieces(work, ids)
        numbers = torch.tensor([ids, positions, slots], device=self._device)
        inputs = self.model.embed_tokens(numbers[0])
        for row, piece in pieces:
            inputs[row : row + piece.shape[0]] = piece
        rows = None
        if self._reads(work) or all(one.tokens == 1 for one in work):
            contexts = [position + 1 for position in positions]
            where = [read.place for read in reads for _ in range(read.start, read.stop)]
            rows = CacheRows(self._keys, self._values, numbers[2], where, contexts)
        together = len(work) == 1 and work[0].sequence.contiguous
        places: Tensor | slice = slice(slots[0], slots[-1] + 1) if together else numbers[2]
        attend = PagedAttend(self._keys, self._values, places, reads, _looks(work), self._sees(work), asked, rows)
        with self._through(work):
            return self.model.decode(inputs[None], numbers[1:2], attend)[0]

    def _through(self, work: Items[Work]) -> AbstractContextManager[None]:
        """Lets the step's tokens go through their adapters."""
        if self._adapters is None:
            return nullcontext()
        each = [one.sequence.adapter for one in work for _ in range(one.rows)]
        return self._adapters.through(each, [one.sequence.adapter for one in work for _ in range(one.asked)])

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
            row += one.rows
        return pieces

    def _mask(self, first: int, stop: int) -> Tensor | None:
        """Causal attention of a chunk that begins after `first` computed tokens; None where none is needed."""
        if first == 0 or stop - first == 1:
            return None
        columns = torch.arange(stop, device=self._device)
        return columns <= columns[first:, None]

    def _sees(self, work: Items[Work]) -> Tensor | None:
        """Which of the step's tokens have a medium before them to look at. Shape (1, T)."""
        if not any(one.sequence.views for one in work):
            return None
        rows: list[bool] = []
        for one in work:
            views, starts = one.sequence.views, one.sequence.starts
            rows += [bool(views) and place >= starts[0] for place in range(one.sequence.computed, one.stop)]
        return torch.tensor([rows], device=self._device)

    def _memory(self, sequence: Sequence, number: int, states: int) -> MediaMemory:
        if self._looker is None:
            raise InputError(
                "The prompt's tokens are to look at media, which this model reads in their places; use the processor "
                "that belongs to the model."
            )
        key = (self._key(sequence, number), states, sequence.adapter)
        memory = self._memories.get(key)
        if memory is None:
            encoded = self._encoded(sequence, number)
            if len(encoded) < states:
                raise InputError(
                    f"Medium {number} became {len(encoded)} states, but {states} are to be looked at; "
                    "use the processor that belongs to the model."
                )
            with nullcontext() if self._adapters is None else self._adapters.all_through(sequence.adapter):
                self._memories[key] = memory = self._looker.remember(encoded[:states])
        return memory

    def _embedding(self, sequence: Sequence, number: int) -> Tensor:
        medium = sequence.media[number]
        embedding = self._encoded(sequence, number)
        if embedding.shape[0] != medium.tokens:
            raise InputError(
                f"Medium {number} ({medium.modality}) became {embedding.shape[0]} tokens, but the prompt keeps "
                f"{medium.tokens} places for it; use the processor that belongs to the model."
            )
        return embedding

    def _encoded(self, sequence: Sequence, number: int) -> Tensor:
        """What the trunk makes of a medium, found or made. Shape (N, D)."""
        medium = sequence.media[number]
        key = self._key(sequence, number)
        found = self.embeddings.get(key, sequence.tenant)
        if found is not None:
            return found.to(self._device)
        begun = time.perf_counter()
        arrays = {
            name: placed(torch.tensor(array, device="cpu"), self._device, self._dtype)
            for name, array in medium.arrays.items()
        }
        encoded = self.model.encode_media(medium.modality, arrays)
        self.embeddings.put(key, encoded, time.perf_counter() - begun, sequence.tenant)
        return encoded

    def _key(self, sequence: Sequence, number: int) -> bytes:
        medium = sequence.media[number]
        return embedding_key(sequence.tenant, medium.modality, medium.digest, self._weights_digest)


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


def _looks(work: Items[Work]) -> list[Look]:
    """The step's tokens in stretches, each of which looks at the same media from its first token to its last."""
    looks = []
    row = 0
    for one in work:
        sequence, first = one.sequence, one.sequence.computed
        spans = [(view.first, min(sequence.view_stop(view), one.stop), view) for view in sequence.views]
        cuts = sorted({first, one.stop, *(cut for start, stop, _ in spans for cut in (start, stop))})
        cuts = [cut for cut in cuts if first <= cut <= one.stop]
        for start, stop in pairwise(cuts):
            seen = [(sequence.memories[view.medium], view.states) for begin, end, view in spans if begin <= start < end]
            if seen:
                looks.append(Look(row + start - first, row + stop - first, seen))
        row += one.rows
    return looks
