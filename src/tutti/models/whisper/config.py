"""Configuration of Whisper, as `config.json` of `model_type` "whisper" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields

TASKS = ("transcribe",)

_TRAINING_KEYS = frozenset(
    {
        "activation_dropout",
        "apply_spec_augment",
        "classifier_proj_size",
        "decoder_layerdrop",
        "encoder_layerdrop",
        "forced_decoder_ids",
        "init_std",
        "mask_feature_length",
        "mask_feature_min_masks",
        "mask_feature_prob",
        "mask_time_length",
        "mask_time_min_masks",
        "mask_time_prob",
        "median_filter_width",
        "num_hidden_layers",
    }
)
"""Keys for training, for other heads, and for how text is drawn, which `tutti.processing.whisper` reads."""
_ONLY: Mapping[str, Any] = {
    "activation_function": "gelu",
    "scale_embedding": False,
    "use_weighted_layer_sum": False,
    "is_encoder_decoder": True,
}
"""Keys that would change what is computed, and the one value that is."""


@dataclass(frozen=True, kw_only=True)
class WhisperConfig(ReadConfig):
    """Sizes of encoder and decoder, named as in `config.json`. What it leaves out is as in the reference."""

    vocab_size: int = 51865
    """V."""
    num_mel_bins: int = 80
    """M: 80, from large-v3 on 128."""
    d_model: int = 384
    """D, of both."""
    encoder_layers: int = 4
    """Blocks of the encoder."""
    encoder_attention_heads: int = 6
    """H of the encoder, a divisor of D."""
    encoder_ffn_dim: int = 1536
    """Width inside the encoder's MLP."""
    decoder_layers: int = 4
    """Blocks of the decoder."""
    decoder_attention_heads: int = 6
    """H of the decoder, a divisor of D."""
    decoder_ffn_dim: int = 1536
    """Width inside the decoder's MLP."""
    max_source_positions: int = 1500
    """P: positions that the encoder makes of one window, which has twice as many frames."""
    max_target_positions: int = 448
    """Longest text of one window in tokens, its prompt included."""
    tie_word_embeddings: bool = True
    """Whether the output projection is the embedding table."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and (type(value) is not int or value < 1):
                raise UnsupportedConfig(f"{field.name} is {value!r}; expected a whole number from 1 on.")
        for name in ("encoder_attention_heads", "decoder_attention_heads"):
            if self.d_model % getattr(self, name):
                raise UnsupportedConfig(
                    f"d_model is {self.d_model} and {name} is {getattr(self, name)}; "
                    "expected the second to divide the first."
                )

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> WhisperConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or has a value that is not computed here.
        """
        known = own_fields(cls)
        unread = check_keys(values, known | _TRAINING_KEYS | _ONLY.keys(), "The whisper configuration")
        for key, value in _ONLY.items():
            if (found := values.get(key, value)) != value:
                raise UnsupportedConfig(f"{key} is {found!r}; this model computes {value!r} only.")
        return cls(**{key: values[key] for key in known if values.get(key) is not None}, unread=unread)

    @property
    def window_frames(self) -> int:
        """Frames of log-mel that the encoder takes: F of one window."""
        return 2 * self.max_source_positions

    def parameters(self) -> int:
        """Parameters of the whole model; positions are stored, so they count."""
        d = self.d_model
        attention, norm = 4 * d * d + 3 * d, 2 * d
        stem = 3 * d * (self.num_mel_bins + d) + 2 * d + self.max_source_positions * d
        encoder = self.encoder_layers * (attention + _mlp(d, self.encoder_ffn_dim) + 2 * norm)
        decoder = self.decoder_layers * (2 * attention + _mlp(d, self.decoder_ffn_dim) + 3 * norm)
        tables = 1 if self.tie_word_embeddings else 2
        words = (tables * self.vocab_size + self.max_target_positions) * d
        return stem + encoder + decoder + words + 2 * norm

    def encoder_flops(self) -> int:
        """Operations (two a multiply-add) to hear one window. Counted are matrix products."""
        d, p = self.d_model, self.max_source_positions
        stem = 3 * d * (2 * p * self.num_mel_bins + p * d)
        layer = p * (4 * d * d + 2 * d * self.encoder_ffn_dim) + 2 * p * p * d
        seen = 2 * p * d * d * self.decoder_layers
        return 2 * (stem + self.encoder_layers * layer + seen)

    def decoder_flops(self, tokens: int) -> int:
        """Operations for so many tokens of one window, prompt included, each after those before it."""
        d, p = self.d_model, self.max_source_positions
        layer = tokens * (6 * d * d + 2 * d * self.decoder_ffn_dim + 2 * p * d) + d * tokens * (tokens + 1)
        return 2 * (self.decoder_layers * layer + tokens * d * self.vocab_size)

    def kv_bytes_per_token(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that one token of text takes."""
        return 2 * self.decoder_layers * self.d_model * bytes_per_value

    def window_bytes(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values of one window of sound, computed once for all its tokens."""
        return self.max_source_positions * self.kv_bytes_per_token(bytes_per_value)


def _mlp(width: int, inner: int) -> int:
    return 2 * width * inner + inner + width
