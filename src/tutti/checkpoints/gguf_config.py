"""What a GGUF file says of a model's sizes, as `config.json` of the Hugging Face layout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tutti.checkpoints.gguf_header import GGUFHeader
from tutti.errors import CheckpointError, UnsupportedConfig

_KINDS: Mapping[str, str] = {"llama": "llama", "mistral": "mistral", "qwen2": "qwen2"}
"""`general.architecture` → `model_type`."""
_HEADS: Mapping[str, str] = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
}
_SIZES: Mapping[str, str] = {
    "num_hidden_layers": "block_count",
    "max_position_embeddings": "context_length",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
}
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""How all published Llama 3 stretch their positions; a file has the result alone."""
_TOLERANCE = 1e-3


def config_of_gguf(header: GGUFHeader, name: str, frequencies: Sequence[float] | None = None) -> dict[str, Any]:
    """`config.json` for a GGUF file.

    Args:
        header: Of the file.
        name: What errors call it.
        frequencies: By what the rotary frequencies are divided, one a pair, if the file says so.

    Raises:
        UnsupportedConfig: It is of an architecture, or has a setting, that is not computed here.
        CheckpointError: Something is missing, or is no number.
    """
    said = header.metadata
    architecture = said.get("general.architecture")
    kind = _KINDS.get(architecture) if isinstance(architecture, str) else None
    if kind is None:
        raise UnsupportedConfig(f"{name} is of the architecture {architecture!r}; known are {', '.join(_KINDS)}.")
    if said.get("split.count", 0) not in (0, 1):
        raise UnsupportedConfig(f"{name} is one of {said['split.count']} files; join them (llama-gguf-split --merge).")
    read = _Said(said, str(architecture), name)
    config: dict[str, Any] = {"model_type": kind, "architectures": [_HEADS[kind]]}
    config |= {ours: read.size(key) for ours, key in _SIZES.items()}
    config["num_key_value_heads"] = read.size("attention.head_count_kv", config["num_attention_heads"])
    width = config["hidden_size"] // config["num_attention_heads"]
    config["head_dim"] = read.size("attention.key_length", width)
    for key in ("attention.value_length", "rope.dimension_count"):
        if (found := read.size(key, config["head_dim"])) != config["head_dim"]:
            raise UnsupportedConfig(f"{name} has {key} {found}; this decoder computes {config['head_dim']} only.")
    if said.get(f"{architecture}.expert_count", 0):
        raise UnsupportedConfig(f"{name} is a mixture of experts, which this decoder does not compute.")
    config["rms_norm_eps"] = float(f"{read.number('attention.layer_norm_rms_epsilon', 1e-6):.6g}")
    config["rope_theta"] = read.number("rope.freq_base", 10000.0)
    config["vocab_size"] = _vocabulary(header, name)
    config["tie_word_embeddings"] = "output.weight" not in header.tensors
    if kind == "llama":
        config |= {
            "attention_bias": "blk.0.attn_q.bias" in header.tensors,
            "mlp_bias": "blk.0.ffn_up.bias" in header.tensors,
        }
    if (scaling := read.scaling(config["head_dim"], config["rope_theta"], frequencies)) is not None:
        config["rope_scaling"] = scaling
    if kind == "mistral":
        config["sliding_window"] = said.get("mistral.attention.sliding_window")
    return config


class _Said:
    """Entries of one architecture, checked."""

    def __init__(self, said: Mapping[str, Any], architecture: str, name: str) -> None:
        self.said, self.architecture, self.name = said, architecture, name

    def size(self, key: str, default: int | None = None) -> int:
        found = self.said.get(f"{self.architecture}.{key}", default)
        if isinstance(found, list) and len(set(found)) == 1:  # one a block, all alike
            found = found[0]
        if type(found) is not int or not 0 < found < 2**31:
            raise CheckpointError(
                f"{self.name} has {self.architecture}.{key} {str(found)[:40]}; expected a whole number from 1 on."
            )
        return found

    def number(self, key: str, default: float) -> float:
        found = self.said.get(f"{self.architecture}.{key}", default)
        if type(found) not in (int, float) or not math.isfinite(found) or found <= 0:
            raise CheckpointError(f"{self.name} has {self.architecture}.{key} {found!r}; expected a number above 0.")
        return float(found)

    def scaling(self, head_dim: int, theta: float, frequencies: Sequence[float] | None) -> dict[str, Any] | None:
        """How rotary positions are stretched."""
        kind = self.said.get(f"{self.architecture}.rope.scaling.type", "none")
        if frequencies is not None:
            return self._llama3(head_dim, theta, frequencies)
        if kind == "none":
            return None
        if kind != "linear":
            raise UnsupportedConfig(f"{self.name} stretches positions by {kind!r}; this decoder computes 'linear'.")
        return {"rope_type": "linear", "factor": self.number("rope.scaling.factor", 1.0)}

    def _llama3(self, head_dim: int, theta: float, frequencies: Sequence[float]) -> dict[str, Any]:
        """The four numbers that lead to these divisors.

        Raises:
            UnsupportedConfig: Those of Llama 3 do not.
        """
        given = {"rope_type": "llama3", "factor": round(max(frequencies, default=1.0), 6), **_LLAMA3}
        expected = [_divisor(theta ** (2 * place / head_dim), given) for place in range(head_dim // 2)]
        if len(frequencies) != len(expected) or any(
            abs(found - wanted) > _TOLERANCE * wanted for found, wanted in zip(frequencies, expected, strict=True)
        ):
            raise UnsupportedConfig(f"{self.name} stretches positions in another way than Llama 3 does.")
        return given


def _divisor(radians: float, scaling: Mapping[str, Any]) -> float:
    """By what a frequency of one turn in 2π × `radians` tokens is divided: `tutti.models.llama.model._llama3`."""
    low, high, factor = (float(scaling[name]) for name in ("low_freq_factor", "high_freq_factor", "factor"))
    turns: float = scaling["original_max_position_embeddings"] / (2 * math.pi * radians)
    blend = min(1.0, max(0.0, (turns - low) / (high - low)))
    return 1 / ((1 - blend) / factor + blend)


def _vocabulary(header: GGUFHeader, name: str) -> int:
    table = header.tensors.get("token_embd.weight")
    if table is None or len(table.shape) != 2:
        raise CheckpointError(f"{name} has no table of words (token_embd.weight); it holds no language model.")
    return table.shape[0]
