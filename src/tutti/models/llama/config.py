"""Configuration of LLaMA-type decoders, as `config.json` of `model_type` "llama" or "mistral" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.config_keys import IGNORED_KEYS

TASKS = ("ask",)

_LEFT_OUT: Mapping[str, Mapping[str, Any]] = {
    "llama": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 2048,
    },
    "mistral": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
    },
}
"""`model_type` → what a `text_config` may leave out: the sizes of the first model of that name."""
_MISTRAL_WINDOW = 4096
_FIXED: Mapping[str, Any] = {"hidden_act": "silu", "rope_interleaved": False}
"""Keys that may hold this value only."""


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """Stretches rotary positions to longer contexts."""

    rope_type: str
    """`linear` (Chen et al. 2023, section 2.3), or `llama3`, which goes by wavelength."""
    factor: float
    """How many times longer the context becomes."""
    low_freq_factor: float = 1.0
    """llama3: wavelengths above original / this are stretched in full."""
    high_freq_factor: float = 4.0
    """llama3: wavelengths below original / this are left alone."""
    original_max_position_embeddings: int = 8192
    """llama3: context length in pre-training, in tokens."""


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """Sizes of a decoder, named as in `config.json`."""

    vocab_size: int
    """V."""
    hidden_size: int
    """D."""
    intermediate_size: int
    """Width inside the MLP."""
    num_hidden_layers: int
    """Number of blocks."""
    num_attention_heads: int
    """H."""
    num_key_value_heads: int
    """K, a divisor of H."""
    head_dim: int
    """E."""
    max_position_embeddings: int
    """Longest context in tokens."""
    rms_norm_eps: float = 1e-6
    """Added to the mean square in every norm."""
    rope_theta: float = 10000.0
    """Base of the rotary frequencies."""
    rope_scaling: RopeScaling | None = None
    """How rotary positions are stretched, if they are."""
    attention_bias: bool = False
    """Whether q, k, v and o have biases."""
    mlp_bias: bool = False
    """Whether gate, up and down have biases."""
    tie_word_embeddings: bool = False
    """Whether the output projection is the embedding table."""
    sliding_window: int | None = None
    """How many tokens a token looks back at, itself included; None is all."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> LlamaConfig:
        """Read `config.json` (both the older `rope_theta`/`rope_scaling` and the newer `rope_parameters` form).

        Raises:
            UnsupportedConfig: A key is unknown or missing, or a value is one that this decoder does not compute.
        """
        window = _window(values)
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in values.items() if key in known or key not in IGNORED_KEYS}
        values["sliding_window"] = window
        for key, expected in _FIXED.items():
            if (found := values.pop(key, expected)) != expected:
                raise UnsupportedConfig(f"{key} is {found!r}; this decoder computes {expected!r} only.")
        rope = dict(values.pop("rope_parameters", None) or {})
        values["rope_theta"] = rope.pop("rope_theta", values.get("rope_theta", 10000.0))
        values["rope_scaling"] = _rope_scaling(values.get("rope_scaling") or rope)
        if values.get("num_key_value_heads") is None:
            values["num_key_value_heads"] = values.get("num_attention_heads")
        width, heads = values.get("hidden_size"), values.get("num_attention_heads")
        if values.get("head_dim") is None and width is not None and heads is not None:
            _check_sizes({"hidden_size": width, "num_attention_heads": heads})
            values["head_dim"] = width // heads
        _check_keys(cls, values, "The llama configuration")
        return cls(**values)

    @classmethod
    def from_text_config(cls, values: object) -> LlamaConfig:
        """Read the `text_config` of a family that borrows the decoder: there, sizes may be left out.

        Raises:
            UnsupportedConfig: As for `from_hf`, or it is a decoder of another kind.
        """
        kind = values.get("model_type", "llama") if isinstance(values, Mapping) else None
        if not isinstance(values, Mapping) or not isinstance(kind, str) or kind not in _LEFT_OUT:
            raise UnsupportedConfig(f"text_config is of model_type {kind!r}; known are {' and '.join(_LEFT_OUT)}.")
        return cls.from_hf({**_LEFT_OUT[kind], **values})

    def __post_init__(self) -> None:
        _check_sizes({field.name: getattr(self, field.name) for field in fields(self) if field.type == "int"})
        if self.num_attention_heads % self.num_key_value_heads:
            raise UnsupportedConfig(
                f"num_attention_heads is {self.num_attention_heads} and num_key_value_heads is "
                f"{self.num_key_value_heads}; expected the second to divide the first."
            )
        if self.head_dim % 2:
            raise UnsupportedConfig(
                f"head_dim is {self.head_dim}; expected an even number, since rotary positions turn pairs."
            )
        if self.sliding_window is not None and (type(self.sliding_window) is not int or self.sliding_window < 1):
            raise UnsupportedConfig(f"sliding_window is {self.sliding_window!r}; expected a whole number or null.")

    def layer_parameters(self) -> int:
        """Parameters of one block."""
        d, e = self.hidden_size, self.head_dim
        heads, kv = self.num_attention_heads, self.num_key_value_heads
        attention = d * e * (2 * heads + 2 * kv) + self.attention_bias * (e * (heads + 2 * kv) + d)
        mlp = 3 * d * self.intermediate_size + self.mlp_bias * (2 * self.intermediate_size + d)
        return attention + mlp + 2 * d

    def parameters(self) -> int:
        """Parameters of the whole causal language model."""
        tables = 1 if self.tie_word_embeddings else 2
        words = tables * self.vocab_size * self.hidden_size
        return self.num_hidden_layers * self.layer_parameters() + words + self.hidden_size

    def flops(self, tokens: int, context: int = 0) -> int:
        """Operations (two a multiply-add) to run so many new tokens after so many in the cache.

        Counted are matrix products: projections, attention up to each token itself, and the logits of every token.
        """
        d, e = self.hidden_size, self.head_dim
        layer = 2 * d * e * (self.num_attention_heads + self.num_key_value_heads) + 3 * d * self.intermediate_size
        weights = self.num_hidden_layers * layer + self.vocab_size * d
        seen = tokens * context + tokens * (tokens + 1) // 2
        scores = 2 * self.num_hidden_layers * self.num_attention_heads * self.head_dim * seen
        return 2 * (tokens * weights + scores)

    def kv_bytes_per_token(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that one token of context takes."""
        return 2 * self.num_hidden_layers * self.num_key_value_heads * self.head_dim * bytes_per_value


def _check_sizes(sizes: Mapping[str, Any]) -> None:
    for name, value in sizes.items():
        if type(value) is not int or value < 1:
            raise UnsupportedConfig(f"{name} is {value!r}; expected a whole number from 1 on.")


def _window(values: Mapping[str, Any]) -> int | None:
    """Only Mistral's decoders have a window; one that names none has that of the first."""
    if values.get("model_type") == "mistral":
        window: int | None = values.get("sliding_window", _MISTRAL_WINDOW)
        return window
    if values.get("sliding_window") is not None:
        raise UnsupportedConfig("The llama configuration has the unknown key 'sliding_window'.")
    return None


def _rope_scaling(values: Mapping[str, Any]) -> RopeScaling | None:
    values = dict(values)
    kind = values.pop("rope_type", None) or values.pop("type", None) or "default"
    values.pop("type", None)
    if kind == "default":
        return None
    if kind not in ("linear", "llama3"):
        raise UnsupportedConfig(f"rope_scaling is of type {kind!r}; this decoder computes 'linear' and 'llama3'.")
    _check_keys(RopeScaling, {"rope_type": kind, **values}, f"rope_scaling of type {kind!r}")
    return RopeScaling(rope_type=kind, **values)


def _check_keys(target: type[LlamaConfig | RopeScaling], values: Mapping[str, Any], subject: str) -> None:
    known = {field.name: field.default is MISSING for field in fields(target)}
    if unknown := sorted(values.keys() - known.keys()):
        raise UnsupportedConfig(f"{subject} has the unknown key {unknown[0]!r}.")
    if lacking := [name for name, required in known.items() if required and values.get(name) is None]:
        raise UnsupportedConfig(f"{subject} lacks {lacking[0]!r}.")
