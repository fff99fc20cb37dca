"""Configuration of LLaMA-type decoders, as `config.json` of `model_type` "llama", "mistral" or "qwen2" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields

TASKS = ("ask",)

LEFT_OUT: Mapping[str, Mapping[str, Any]] = {
    "llama": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
    },
    "mistral": {
        "vocab_size": 32000,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
    },
    "qwen2": {
        "vocab_size": 151936,
        "hidden_size": 4096,
        "intermediate_size": 22016,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
    },
}
"""`model_type` → what the reference's class of that name fills in where a file leaves it out."""
_FIXED: Mapping[str, Any] = {"hidden_act": "silu", "rope_interleaved": False, "use_mrope": False}
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
class LlamaConfig(ReadConfig):
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
    """Whether q, k and v have biases."""
    output_bias: bool | None = None
    """Whether o has a bias; None is as q, k and v. No key of a file: Qwen2's o has none, whatever the others have."""
    mlp_bias: bool = False
    """Whether gate, up and down have biases."""
    tie_word_embeddings: bool = False
    """Whether the output projection is the embedding table."""
    sliding_window: int | None = None
    """How many tokens a token looks back at, itself included; None is all."""
    full_layers: int | None = None
    """Number of first blocks to which `sliding_window` does not apply; None is none. No key of a file: Qwen2 says it
    in `max_window_layers` or `layer_types`."""

    @classmethod
    def from_hf(
        cls, values: Mapping[str, Any], left_out: Mapping[str, Any] | None = None, part: str = ""
    ) -> LlamaConfig:
        """Read `config.json` (both the older `rope_theta`/`rope_scaling` and the newer `rope_parameters` form).

        Args:
            values: The file, or the part of a file that describes the decoder.
            left_out: What a file may leave out, and what then counts; None is as the reference's class for the
                `model_type` fills in.
            part: The name of the part of the file, if it is one.

        Raises:
            UnsupportedConfig: A key is unknown or missing, or a value is one that this decoder does not compute.
        """
        kind = values.get("model_type", "llama")
        if left_out is None:
            left_out = LEFT_OUT.get(kind, LEFT_OUT["llama"])
        own = own_fields(cls) - {"output_bias", "full_layers"}
        if kind == "qwen2":
            own -= {"attention_bias", "mlp_bias"}
            values, left_out = _without_windows(values, left_out)
        elif kind != "mistral" and values.get("sliding_window") is not None:
            own -= {"sliding_window"}
        unread = check_keys(values, own | _FIXED.keys() | {"rope_parameters"}, "The llama configuration", part)
        for key, expected in _FIXED.items():
            if (found := values.get(key, expected)) != expected:
                raise UnsupportedConfig(f"{key} is {found!r}; this decoder computes {expected!r} only.")
        rope = dict(values.get("rope_parameters") or {})
        given = {**left_out, **{key: value for key, value in values.items() if key in own}}
        given["rope_theta"] = rope.pop("rope_theta", given.get("rope_theta", 10000.0))
        given["rope_scaling"] = _rope_scaling(given.get("rope_scaling") or rope)
        if given.get("num_key_value_heads") is None:
            given["num_key_value_heads"] = given.get("num_attention_heads")
        width, heads = given.get("hidden_size"), given.get("num_attention_heads")
        if given.get("head_dim") is None and width is not None and heads is not None:
            _check_sizes({"hidden_size": width, "num_attention_heads": heads})
            given["head_dim"] = width // heads
        _check_complete(cls, given, "The llama configuration")
        return cls(**given, unread=unread)

    def window(self, layer: int) -> int | None:
        """How many tokens a token looks back at in a block; None is all."""
        return None if layer < (self.full_layers or 0) else self.sliding_window

    @classmethod
    def from_text_config(cls, values: object) -> LlamaConfig:
        """Read the `text_config` of a family that borrows the decoder.

        Raises:
            UnsupportedConfig: As for `from_hf`, or it is a decoder of another kind.
        """
        kind = values.get("model_type", "llama") if isinstance(values, Mapping) else None
        if not isinstance(values, Mapping) or not isinstance(kind, str) or kind not in LEFT_OUT:
            raise UnsupportedConfig(f"text_config is of model_type {kind!r}; known are {', '.join(LEFT_OUT)}.")
        return cls.from_hf(values, part="text_config")

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
        output_bias = self.attention_bias if self.output_bias is None else self.output_bias
        biases = self.attention_bias * e * (heads + 2 * kv) + output_bias * d
        attention = d * e * (2 * heads + 2 * kv) + biases
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


def _without_windows(values: Mapping[str, Any], left_out: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Qwen2's file without what it says of windows and biases in keys of its own, and that as what it leaves out.

    Windows are for the blocks behind the first `max_window_layers`, where `use_sliding_window` is set; `layer_types` of
    newer files names them one by one and counts before it.
    """
    values = dict(values)
    windows, first = values.pop("use_sliding_window", False), values.pop("max_window_layers", 28)
    size, kinds = values.pop("sliding_window", 4096), values.pop("layer_types", None)
    layers = values.get("num_hidden_layers", left_out["num_hidden_layers"])
    if kinds is not None:
        first = kinds.index("sliding_attention") if "sliding_attention" in kinds else layers
        windows = windows and first < layers
        expected = ["full_attention"] * first + ["sliding_attention"] * (layers - first)
        if kinds != expected:
            raise UnsupportedConfig(f"layer_types is {str(kinds)[:80]}; expected full attention first, then windows.")
    own = {"attention_bias": True, "output_bias": False}
    if windows and size is not None:
        own |= {"sliding_window": size, "full_layers": first}
    return values, {**left_out, **own}


def _rope_scaling(values: Mapping[str, Any]) -> RopeScaling | None:
    values = dict(values)
    kind = values.pop("rope_type", None) or values.pop("type", None) or "default"
    values.pop("type", None)
    if kind not in ("default", "linear", "llama3"):
        raise UnsupportedConfig(f"rope_scaling is of type {kind!r}; this decoder computes 'linear' and 'llama3'.")
    known = {field.name for field in fields(RopeScaling)}
    check_keys(values, known, f"rope_scaling of type {kind!r}")
    if kind == "default":
        return None
    given = {"rope_type": kind, **{key: value for key, value in values.items() if key in known}}
    _check_complete(RopeScaling, given, f"rope_scaling of type {kind!r}")
    return RopeScaling(**given)


def _check_complete(target: type[LlamaConfig | RopeScaling], values: Mapping[str, Any], subject: str) -> None:
    required = [field.name for field in fields(target) if field.default is MISSING]
    if lacking := [name for name in required if values.get(name) is None]:
        raise UnsupportedConfig(f"{subject} lacks {lacking[0]!r}.")
