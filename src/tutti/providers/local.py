"""Models on this machine: where content, media, processing, checkpoints and the engine meet.

Tensors live below this file; what leaves it is content and numpy.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from tutti import checkpoints
from tutti.abilities import Task
from tutti.checkpoints.devices import computing_device, computing_dtype, placed, within_memory
from tutti.content import (
    Answer,
    Conversation,
    Embeddings,
    Event,
    Finished,
    FinishReason,
    Media,
    Modality,
    Part,
    SamplingOptions,
    Text,
    TextSize,
    Tool,
    UnknownText,
    Usage,
)
from tutti.engine import DiskShelf, EmbeddingCache, Engine
from tutti.engine.embedding_cache import embedding_key
from tutti.engine.embedding_shelf import weights_digest
from tutti.engine.runner import Decoder
from tutti.engine.sampling import Constraint
from tutti.errors import UnsupportedTask
from tutti.media import MediaDecoder
from tutti.models.layers.adapted import NO_ADAPTER
from tutti.models.layers.linear import QuantizedLinear, attending_dtype
from tutti.models.layers.lora import LoRALinear
from tutti.processing.prompt import MediaInput, Prompt
from tutti.processing.text_meter import TextMeter, first_words
from tutti.providers.batches import batches, chunks, prepared
from tutti.providers.cutting import Notes
from tutti.providers.decoding import decode
from tutti.providers.documents import with_pages
from tutti.providers.shared_space import points_of, shared_space
from tutti.providers.tool_use import CallStream, needs_tools, refuse_tools, tool_constraint, use_of

if TYPE_CHECKING:
    from tutti.processing.constraints import JsonVocabulary
    from tutti.processing.tool_forms import CallForm


class Local:
    """A loaded checkpoint and the way from a medium's bytes to its inputs.

    Which media it accepts is for its processor to say (`tutti.processing.prompt.Processor`).

    Args:
        name: What reports call it.
        loaded: The checkpoint.
        decoder: Decodes the media.
        shelf: Where embeddings of media outlive the process, if anywhere.
    """

    def __init__(
        self, name: str, loaded: checkpoints.Loaded, decoder: MediaDecoder, shelf: DiskShelf | None = None
    ) -> None:
        self.name = name
        self.decoder = decoder
        self.processor = loaded.processor
        self.model = loaded.model
        self.device, self.dtype = computing_device(self.model), computing_dtype(self.model)
        self.modalities = tuple(self.processor.decodings)
        self.embedding_cache = EmbeddingCache(shelf=shelf)
        self._weights_digest = weights_digest(self.model) if shelf is not None else ""

    def stats(self) -> dict[str, float]:
        """How the model fares."""
        return {
            "embedding_cache_hits_total": self.embedding_cache.hits,
            "embedding_cache_misses_total": self.embedding_cache.misses,
            "embedding_cache_bytes": self.embedding_cache.held_bytes,
        }

    def _medium(self, part: Media, task: Task, at_least: int | None = None, notes: Notes = None) -> MediaInput:
        """Decode a medium and make it ready for its trunk, to do something with it; a JPEG as in `decode_image`.

        With `notes`, sound that is a little too long is cut, and a sentence on that is added to them.

        Raises:
            InputError: It cannot be read.
            CapacityError: It is over a budget.
            UnsupportedTask: The model does not take its modality.
        """
        decoding = self.processor.decodings.get(part.modality)
        if decoding is None:
            found = f"{self.name} takes {self.processor.accepts}, and was given {part.modality}"
            raise UnsupportedTask(found, task, part.modality)
        return self.processor.prepare(part.modality, decode(part, decoding, self.decoder, at_least, notes))

    def _tensors(self, arrays: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
        """Inputs where the model is, in its precision."""
        return {name: placed(torch.from_numpy(array), self.device, self.dtype) for name, array in arrays.items()}


class LocalEmbedder(Local):
    """A checkpoint with a shared space, ready to embed; arguments as for `Local`."""

    def sharpness(self, modality: Modality) -> float:
        """Inverse temperature at which cosines become probabilities: what the space was trained with."""
        return shared_space(self.model).sharpness(modality)

    @property
    def picture_side(self) -> int | None:
        """Pictures with at least this short side, in pixels, lose nothing; None where it depends on the picture."""
        pictures = self.processor.decodings.get("image")
        return pictures.side if pictures is not None else None

    @property
    def max_text_tokens(self) -> int:
        """Longest text that is embedded, in tokens as `text_size` counts them."""
        return self._text_meter().max_tokens

    def text_size(self, text: str) -> TextSize:
        """Tokens of a text, and how many of them the vocabulary lacks.

        Raises:
            InputError: The text is not Unicode.
        """
        return self._text_meter().size(text)

    def shortened(self, text: str) -> str:
        """The longest beginning of a text that one vector holds, up to the end of a word where that is possible."""
        return self._text_meter().shortened(text)

    def _text_meter(self) -> TextMeter:
        meter = self.processor.text_meter
        if meter is None:
            raise UnsupportedTask(f"{self.name} reads no text", "embed", "text")
        return meter

    def fingerprint(self) -> tuple[str, str]:
        """Digests of the weights, an adapter's and what quantizing made of them included, and of what makes inputs."""
        weights, inputs = checkpoints.digests(self.name)
        quantized = [layer.scheme for layer in self.model.modules() if isinstance(layer, QuantizedLinear)]
        if quantized:
            weights = hashlib.sha256(f"{weights}\0{quantized}".encode()).hexdigest()
        adapted = [layer for layer in self.model.modules() if isinstance(layer, LoRALinear)]
        if adapted:
            changes = torch.nn.ModuleList(part for layer in adapted for part in (layer.lora_A, layer.lora_B))
            scales = [layer.scale for layer in adapted]
            weights = hashlib.sha256(f"{weights}\0{weights_digest(changes)}\0{scales}".encode()).hexdigest()
        return weights, inputs

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        """One unit vector a part, in the order given. Parts of one shape are computed together.

        JPEGs are decoded no larger than `picture_side` asks, as where a collection is indexed.

        With a tenant, a medium that the tenant sent before is decoded and looked up, and no trunk runs; without one,
        nothing is kept: who goes through a collection meets each medium once.

        Raises:
            InputError: A medium cannot be read, a text is empty, or nothing of it is in the model's vocabulary.
            CapacityError: A medium is over a budget, or a text longer than `max_text_tokens`.
            UnsupportedTask: The shared space has no trunk for a modality.
        """
        texts = [index for index, part in enumerate(parts) if isinstance(part, Text)]
        given = {index: part for index, part in enumerate(parts) if isinstance(part, Media)}
        side = self.picture_side
        ready = prepared(lambda part: self._medium(part, "embed", side), given, torch.get_num_threads())
        kept = {} if tenant is None else {index: (f"space {one.modality}", one.digest) for index, one in ready.items()}
        keys = {index: embedding_key(tenant or "", *what, self._weights_digest) for index, what in kept.items()}
        known = {index: self.embedding_cache.get(key, tenant or "") for index, key in keys.items()}
        rows = {index: points_of(found[None])[0] for index, found in known.items() if found is not None}
        text_tokens, cached_tokens = 0, sum(ready[index].tokens for index in rows)
        with torch.inference_mode(), within_memory():
            for some in chunks(texts):
                arrays = self.processor.texts([part.text for i in some if isinstance(part := parts[i], Text)])
                text_tokens += int(arrays["attention_mask"].sum())
                points = shared_space(self.model).embed_text(**self._tensors(arrays))
                rows.update(zip(some, points_of(points), strict=True))
            for some in batches({index: medium for index, medium in ready.items() if index not in rows}):
                rows.update(zip(some, self._encoded(some, ready, keys, tenant or ""), strict=True))
        usage = _usage([*ready.values()], text_tokens, cached_tokens)
        vectors = np.stack([rows[i] for i in range(len(parts))])
        return Embeddings(vectors=vectors, model=self.name, usage=usage, notes=self._unknown(parts))

    def _unknown(self, parts: Sequence[Part]) -> tuple[UnknownText, ...]:
        """Notes on the texts of which the vocabulary lacks a part."""
        if self.processor.text_meter is None:  # a family without one does not tell what its vocabulary lacks
            return ()
        sizes = ((i, part.text, self.text_size(part.text)) for i, part in enumerate(parts) if isinstance(part, Text))
        return tuple(
            UnknownText(index=index, text=first_words(text), size=size) for index, text, size in sizes if size.unknown
        )

    def _encoded(
        self, some: Sequence[int], ready: dict[int, MediaInput], keys: dict[int, bytes], tenant: str
    ) -> NDArray[Any]:
        """Where some media of one shape stand in the space, kept under their keys if they have any. (N, D)."""
        begun = time.perf_counter()
        stacked = {key: np.stack([ready[i].arrays[key] for i in some]) for key in ready[some[0]].arrays}
        points = shared_space(self.model).embed_media(ready[some[0]].modality, self._tensors(stacked))
        seconds = (time.perf_counter() - begun) / len(some)
        for index, point in zip(some, points, strict=True):
            if index in keys:
                self.embedding_cache.put(keys[index], point, seconds, tenant)
        return points_of(points)


class LocalResponder(Local):
    """A checkpoint with a decoder, ready to answer; arguments as for `Local`."""

    adapter = NO_ADAPTER
    """Which of the adapters beside the model answers go through (`tutti.providers.adapted`)."""

    def __init__(
        self, name: str, loaded: checkpoints.Loaded, decoder: MediaDecoder, shelf: DiskShelf | None = None
    ) -> None:
        super().__init__(name, loaded, decoder, shelf)
        if not isinstance(loaded.model, Decoder):
            raise UnsupportedTask(f"{name} has no decoder that answers; use tutti-mini.")
        self.engine = Engine(
            loaded.model,
            eos_ids=self.processor.eos_ids,
            detokenize=self.processor.decode,
            embedding_cache=self.embedding_cache,
            weights_digest=self._weights_digest,
            device=self.device,
            kv_dtype=attending_dtype(self.model),
        )
        self.context_length = self.engine.context_length
        self._json: JsonVocabulary | None = None
        """Made when a request first asks for JSON."""

    def stream(self, conversation: Conversation, options: SamplingOptions) -> Iterator[Event]:
        """Yield pieces of the answer, then one `Finished`. Closing the iterator cancels the request.

        Raises:
            InputError: A medium cannot be read, or an option is out of range.
            CapacityError: A medium or the prompt is over a budget.
            UnsupportedTask: The model does not hear of a modality, or cannot use tools.
        """
        begun = time.perf_counter()
        form = self._call_form(conversation, options)
        conversation = self._with_pages(conversation)
        notes: list[str] = []
        prompt = self._prompt(conversation, options.offered, notes if options.cut_media else None)
        constraint = self._constraint(options, form)
        request = self.engine.submit(prompt, options, options.tenant, constraint, self.adapter)
        told = CallStream(form, options)
        try:
            for event in self.engine.stream(request):
                yield from told.push(event.text, event.logprobs)
        finally:
            self.engine.cancel(request)
        yield from told.finish()
        ended: FinishReason = request.finish_reason or "cancelled"
        yield Finished(
            Answer(
                text=told.text,
                model=self.name,
                finish_reason="tool_calls" if told.calls and ended == "stop" else ended,
                usage=request.usage,
                seconds=time.perf_counter() - begun,
                logprobs=tuple(told.logprobs),
                stopped_by=request.answer.stopped_by,
                notes=tuple(notes),
                tool_calls=told.calls,
            )
        )

    def stats(self) -> dict[str, float]:
        """How the model and its engine fare."""
        engine = self.engine
        return super().stats() | {
            "engine_running": len(engine.scheduler.running),
            "engine_waiting": len(engine.scheduler.waiting),
            "engine_steps_total": engine.steps,
            "engine_step_sequences_total": engine.step_sequences,
            "engine_preemptions_total": engine.scheduler.preemptions,
            "engine_drafted_tokens_total": engine.drafting.guessed,
            "engine_accepted_tokens_total": engine.drafting.right,
        }

    def _call_form(self, conversation: Conversation, options: SamplingOptions) -> CallForm | None:
        """How the model writes calls; None where the request needs no tools.

        Raises:
            UnsupportedTask: It does, and the model uses none.
        """
        if not needs_tools(conversation, options):
            return None
        if self.processor.call_form is None:
            refuse_tools(self.name, conversation, options)
        return self.processor.call_form

    def _prompt(self, conversation: Conversation, tools: Sequence[Tool], notes: Notes = None) -> Prompt:
        turns = [(message.role, [self._piece(part, notes) for part in message.parts]) for message in conversation]
        use = use_of(conversation, tools)
        return self.processor.tool_prompt(turns, use) if any(use) else self.processor.prompt(turns)

    def _constraint(self, options: SamplingOptions, form: CallForm | None) -> Constraint | None:
        if form is not None and options.offered:
            return tool_constraint(form, self._json_vocabulary(), options)
        return None if options.json_schema is None else self._json_vocabulary().constraint(options.json_schema)

    def _json_vocabulary(self) -> JsonVocabulary:
        tokenizer = self.processor.json_tokenizer()
        if tokenizer is None:
            raise UnsupportedTask(f"{self.name} has no tokenizer that JSON could be constrained by; tutti-mini has.")
        if self._json is None:
            from tutti.processing.constraints import JsonVocabulary

            self._json = JsonVocabulary(tokenizer, self.processor.eos_ids)
        return self._json

    def count_tokens(self, conversation: Conversation, tools: Sequence[Tool] = ()) -> int:
        """Tokens of the prompt that a conversation makes with the tools that are offered. Errors as for `stream`."""
        self._call_form(conversation, SamplingOptions(tools=tuple(tools)))
        return len(self._prompt(self._with_pages(conversation), tools).input_ids)

    def _with_pages(self, conversation: Conversation) -> Conversation:
        return with_pages(conversation, self.decoder, pictures="image" in self.processor.decodings)

    def _piece(self, part: Part, notes: Notes = None) -> str | MediaInput:
        return part.text if isinstance(part, Text) else self._medium(part, "ask", notes=notes)


def _usage(ready: Sequence[MediaInput], text_tokens: int, cached_tokens: int) -> Usage:
    """What embedding took; by modality, as far as there are names for them."""
    names = ("image", "audio", "video")
    by = {f"{name}_tokens": sum(one.tokens for one in ready if one.modality == name) for name in names}
    all_media = sum(one.tokens for one in ready)
    return Usage(prompt_tokens=text_tokens + all_media, media_tokens=all_media, cached_tokens=cached_tokens, **by)
