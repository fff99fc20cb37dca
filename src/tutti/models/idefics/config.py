"""Configuration of Flamingo-type models, as `config.json` of `model_type` "idefics" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.clip.config import CLIPVisionConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields
from tutti.models.llama.config import LlamaConfig

TASKS = ("ask",)
_TRAINING_KEYS = frozenset(
    {
        "alpha_initializer",
        "alphas_initializer_range",
        "freeze_lm_head",
        "freeze_text_layers",
        "freeze_text_module_exceptions",
        "freeze_vision_layers",
        "freeze_vision_module_exceptions",
    }
)
"""What was frozen in training, and where it began."""
_UNREAD_KEYS = frozenset(
    {"cross_layer_activation_function", "ffn_dim", "max_new_tokens", "max_sequence_length", "word_embed_proj_dim"}
)
"""Keys of published files that the reference does not read."""
_LEFT_OUT: Mapping[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}
_VISION_LEFT_OUT: Mapping[str, Any] = {
    "embed_dim": 768,
    "image_size": 224,
    "intermediate_size": 5120,
    "patch_size": 14,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
}


@dataclass(frozen=True, kw_only=True)
class ResamplerConfig(ReadConfig):
    """The perceiver resampler, named as in `perceiver_config`."""

    resampler_n_latents: int = 64
    """N that come out."""
    resampler_depth: int = 6
    """Number of blocks."""
    resampler_n_heads: int = 16
    """H."""
    resampler_head_dim: int = 96
    """E."""
    qk_layer_norms_perceiver: bool = False
    """Whether queries and keys are normed."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.type == "int":
                _check_number(field.name, getattr(self, field.name), 1)


@dataclass(frozen=True, kw_only=True)
class IdeficsConfig(ReadConfig):
    """The decoder, the picture tower, and how the one looks at the other."""

    text: LlamaConfig
    """Sizes of the decoder's own blocks."""
    vision: CLIPVisionConfig
    resampler: ResamplerConfig | None = None
    """None lets words look at all that comes out of the tower."""
    additional_vocab_size: int = 0
    """Tokens behind the vocabulary, in a table of their own: those that mark pictures."""
    cross_layer_interval: int = 1
    """Before every so many blocks there is one that looks."""
    qk_layer_norms: bool = False
    """Whether queries and keys of the blocks that look are normed."""
    alpha_type: str = "float"
    """Gates: one number ("float"), or one a channel ("vector")."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> IdeficsConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is one that the model does not compute.
        """
        own = {"additional_vocab_size", "cross_layer_interval", "qk_layer_norms", "alpha_type"}
        parts = {"vision_config", "perceiver_config", "use_resampler"}
        text = {*_LEFT_OUT, "hidden_act", "rope_parameters", "rope_scaling"}
        unread = check_keys(values, own | parts | text | _TRAINING_KEYS | _UNREAD_KEYS, "The idefics configuration")
        resampler = _resampler(_part(values, "perceiver_config"))
        vision = _tower(_part(values, "vision_config"))
        given = {key: value for key, value in values.items() if key in text and value is not None}
        return cls(
            text=LlamaConfig.from_hf(given, _LEFT_OUT),
            vision=vision,
            resampler=resampler if values.get("use_resampler") else None,
            unread=(*unread, *resampler.unread, *vision.unread),
            **{key: values[key] for key in own if values.get(key) is not None},
        )

    def __post_init__(self) -> None:
        if self.alpha_type not in ("float", "vector"):
            raise UnsupportedConfig(f"alpha_type is {self.alpha_type!r}; expected 'float' or 'vector'.")
        for name, least in (("additional_vocab_size", 0), ("cross_layer_interval", 1)):
            _check_number(name, getattr(self, name), least)
        if self.text.num_hidden_layers % self.cross_layer_interval:
            raise UnsupportedConfig(
                f"num_hidden_layers is {self.text.num_hidden_layers} and cross_layer_interval is "
                f"{self.cross_layer_interval}; expected the second to divide the first."
            )

    @property
    def looking_layers(self) -> int:
        """Blocks that look at pictures."""
        return self.text.num_hidden_layers // self.cross_layer_interval

    @property
    def states(self) -> int:
        """N of a picture: what words look at."""
        return self.resampler.resampler_n_latents if self.resampler else self.vision.tokens

    def parameters(self) -> int:
        """Parameters of the whole model."""
        text, d, seen = self.text, self.text.hidden_size, self.vision.hidden_size
        looking = 2 * d * d + 2 * seen * d + 3 * d * text.intermediate_size + 2 * d
        looking += 2 * text.head_dim * self.qk_layer_norms + 2 * (d if self.alpha_type == "vector" else 1)
        tables = 1 if text.tie_word_embeddings else 2
        extra = tables * self.additional_vocab_size * d
        total = text.parameters() + extra + self.looking_layers * looking + self.vision.parameters()
        return total + (self._resampler_parameters() if self.resampler else 0)

    def kv_bytes_per_state(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that a state of a picture takes beside the context."""
        return 2 * self.looking_layers * self.text.hidden_size * bytes_per_value

    def _resampler_parameters(self) -> int:
        one = self.resampler or ResamplerConfig()
        d, inner = self.vision.hidden_size, one.resampler_n_heads * one.resampler_head_dim
        norms = 4 * one.resampler_head_dim * one.qk_layer_norms_perceiver
        block = 4 * d * inner + 4 * d + norms + 2 * d + 8 * d * d
        return one.resampler_n_latents * d + one.resampler_depth * block + 2 * d


def _resampler(values: Mapping[str, Any]) -> ResamplerConfig:
    own = own_fields(ResamplerConfig)
    unread = check_keys(values, own | {"use_resampler"}, "perceiver_config", "perceiver_config")
    return ResamplerConfig(
        **{key: value for key, value in values.items() if key in own and value is not None}, unread=unread
    )


def _tower(values: Mapping[str, Any]) -> CLIPVisionConfig:
    """The picture tower is CLIP's, but for the name of its width."""
    known = _VISION_LEFT_OUT.keys() | {"vision_model_name", "num_channels"}
    unread = check_keys(values, known, "vision_config", "vision_config")
    if values.get("num_channels", 3) != 3:
        raise UnsupportedConfig(f"vision_config has num_channels {values['num_channels']!r}; the tower sees 3.")
    given = {key: value for key, value in values.items() if key in _VISION_LEFT_OUT and value is not None}
    tower = {**_VISION_LEFT_OUT, **given}
    return CLIPVisionConfig(hidden_size=tower.pop("embed_dim"), **tower, unread=unread)


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name)
    if part is not None and not isinstance(part, Mapping):
        raise UnsupportedConfig(f"{name} is {part!r}; expected an object.")
    return part or {}


def _check_number(name: str, value: Any, least: int) -> None:
    if type(value) is not int or value < least:
        raise UnsupportedConfig(f"{name} is {value!r}; expected a whole number from {least} on.")
