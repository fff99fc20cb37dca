"""Models and prompts small enough to see through."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutti.content import SamplingOptions
from tutti.engine import Capacity, Engine
from tutti.engine.request import Request, TokenEvent
from tutti.models.layers.attention import Attend
from tutti.models.llama.config import LlamaConfig
from tutti.models.llama.model import LlamaForCausalLM
from tutti.processing.prompt import View

TINY = LlamaConfig(
    vocab_size=256,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=128,
)
BLOCK = 4
BLOCK_BYTES = 2 * 4 * 2 * 2 * 8 * BLOCK
"""Keys and values, four bytes, two layers, two heads, eight wide."""


class Reader(LlamaForCausalLM):
    """A tiny random decoder whose media arrive as embeddings; it counts what it does."""

    def __init__(self, config: LlamaConfig = TINY) -> None:
        torch.manual_seed(0)
        super().__init__(config)
        # As initialized, the last token alone would decide; the tests need a model that looks back and does not loop.
        self.model.embed_tokens.weight.data *= 0.3
        for layer in self.model.layers:
            layer.self_attn.q_proj.weight.data *= 3
            layer.mlp.down_proj.weight.data *= 6
        self.eval()
        self.encoded = 0
        self.computed = 0
        self.scores: list[Tensor] = []

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        self.encoded += 1
        if modality == "broken":
            raise RuntimeError("the trunk is broken")
        return torch.tanh(arrays["values"] * (2 if modality == "sound" else 1))

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        self.computed += positions.numel()
        return super().decode(inputs_embeds, positions, attend)

    def logits(self, hidden: Tensor) -> Tensor:
        out = super().logits(hidden)
        self.scores.append(out)
        return out


class Script:
    """A model that says what it was told to, byte by byte: after position p comes `script[p + 1]`."""

    layers, kv_heads, head_width = 1, 1, 1

    def __init__(self, script: bytes, context_length: int = 4096) -> None:
        self.script = script
        self.context_length = context_length
        self.fail_at: int | None = None

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        return input_ids[:, None].float()

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        raise AssertionError("no media here")

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        if self.fail_at is not None and int(positions.max()) >= self.fail_at:
            raise RuntimeError("the machine is out of order")
        return positions[..., None].float()

    def logits(self, hidden: Tensor) -> Tensor:
        after = [self.script[min(int(position) + 1, len(self.script) - 1)] for position in hidden[:, 0]]
        return torch.nn.functional.one_hot(torch.tensor(after), 256).float()


@dataclass(frozen=True)
class Medium:
    modality: str
    arrays: Mapping[str, NDArray[np.generic]]
    tokens: int
    digest: str


@dataclass(frozen=True)
class Prompt:
    input_ids: NDArray[np.int64]
    media: Sequence[Medium] = ()
    starts: Sequence[int] = ()
    views: Sequence[View] = ()


def picture(seed: int, tokens: int = 5, modality: str = "image") -> Medium:
    values = np.random.default_rng(seed).normal(size=(tokens, TINY.hidden_size)).astype(np.float32)
    return Medium(modality, {"values": values}, tokens, hashlib.sha256(values.tobytes()).hexdigest())


def words(seed: int, length: int) -> Prompt:
    return Prompt(np.random.default_rng(seed).integers(0, TINY.vocab_size, length))


def with_picture(seed: int, medium: Medium, before: int = 6, after: int = 9) -> Prompt:
    """A prompt whose placeholders are outside the token table, as in some families."""
    ids = words(seed, before + medium.tokens + after).input_ids
    ids[before : before + medium.tokens] = 100_000
    return Prompt(ids, (medium,), (before,))


def spelled(ids: list[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def tiny_engine(model: Reader | None = None, blocks: int = 400, **capacity: int) -> Engine:
    sizes = {"block_tokens": BLOCK, "cache_bytes": blocks * BLOCK_BYTES, **capacity}
    return Engine(model or Reader(), eos_ids=(), detokenize=spelled, capacity=Capacity(**sizes))


def script_engine(script: str, **capacity: int) -> Engine:
    return Engine(Script(script.encode() + b"\0"), eos_ids=(0,), detokenize=spelled, capacity=Capacity(**capacity))


@dataclass
class Heard:
    """All events of one stream."""

    events: list[TokenEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events)

    @property
    def tokens(self) -> list[int]:
        return [token for event in self.events for token in event.token_ids]


def hear(engine: Engine, request: Request) -> Heard:
    return Heard(list(engine.stream(request)))


def finish_all(
    engine: Engine, requests: Sequence[Request], each_step: Callable[[], None] = lambda: None
) -> list[list[int]]:
    while engine.step():
        each_step()
    assert all(request.finish_reason for request in requests)
    return [request.token_ids for request in requests]


def alone(prompt: Prompt, options: SamplingOptions, **capacity: int) -> list[int]:
    engine = tiny_engine(**capacity)
    return finish_all(engine, [engine.submit(prompt, options)])[0]
