"""Configuration of Idefics3 and SmolVLM, as `config.json` of `model_type` "idefics3" or "smolvlm" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.clip.config import TowerConfig, read_tower
from tutti.models.config_keys import ReadConfig, check_keys
from tutti.models.llama.config import LlamaConfig

TASKS = ("ask",)

_IGNORED_KEYS = ("hidden_size", "image_seq_len", "use_reentrant_checkpointing", "vocab_size")
"""Keys beside the parts that the reference does not read; the decoder's own `hidden_size` and `vocab_size` count."""
_TEXT_IGNORED = ("additional_vocab_size", "auto_map", "freeze_config", "perceiver_config", "pixel_shuffle_factor")
"""Keys of `text_config` that stem from training, or from a resampler that is not used.

`auto_map` names the code that Idefics3-8B was trained with; it is not in its repository, and the reference ignores it.
"""
_TEXT_FIXED = {"qk_layer_norms": False, "use_resampler": False}
"""Keys of `text_config` that may hold this value only."""
_VISION_IGNORED = ("max_image_size", "size", "use_base_siglip")
_VISION_TYPES = ("idefics3", "idefics3_vision", "siglip_vision_model", "smolvlm", "smolvlm_vision")
"""What `model_type` of the tower is called; the reference builds the same one whatever it says."""
_TEXT_LEFT_OUT = {"rms_norm_eps": 1e-5}
"""The decoder where `text_config` is left out as a whole: LLaMA's, but for this."""


@dataclass(frozen=True, kw_only=True)
class Idefics3VisionConfig(TowerConfig):
    """The picture tower. What `config.json` leaves out is as in the reference."""

    hidden_size: int = 1152
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 16
    hidden_act: str = "gelu_pytorch_tanh"
    layer_norm_eps: float = 1e-6
    image_size: int = 224
    """S, the side of a tile in pixels."""
    patch_size: int = 32
    """Side of a patch in pixels; what remains of S at the right and bottom is not seen."""

    @property
    def side(self) -> int:
        """Patches along a side of a tile."""
        return self.image_size // self.patch_size

    def parameters(self) -> int:
        """Parameters of the tower."""
        d = self.hidden_size
        stem = (3 * self.patch_size**2 + 1 + self.side**2) * d
        return stem + self.num_hidden_layers * self.layer_parameters() + 2 * d

    def flops(self) -> int:
        """Operations (two a multiply-add) for one tile, whose patches all see one another."""
        patches = self.side**2
        stem = 2 * patches * 3 * self.patch_size**2 * self.hidden_size
        return stem + self.num_hidden_layers * self.layer_flops(patches, patches**2)


@dataclass(frozen=True, kw_only=True)
class Idefics3Config(ReadConfig):
    """A picture tower, how its patches are merged, and the decoder."""

    vision: Idefics3VisionConfig
    text: LlamaConfig
    image_token_id: int = 128257
    """Token that stands for a token of a tile."""
    scale_factor: int = 2
    """So many patches along each side become one token."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> Idefics3Config:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is not computed here.
        """
        own = {"image_token_id", "scale_factor"}
        known = own | {"vision_config", "text_config", *_IGNORED_KEYS}
        unread = check_keys(values, known, f"The {values.get('model_type')} configuration")
        text = dict(_TEXT_LEFT_OUT if values.get("text_config") is None else _object(values, "text_config"))
        if values.get("tie_word_embeddings"):
            text["tie_word_embeddings"] = True
        for key, expected in _TEXT_FIXED.items():
            if (found := text.pop(key, expected)) != expected:
                raise UnsupportedConfig(f"text_config has {key} {found!r}; this decoder computes {expected!r} only.")
        tower = _object(values, "vision_config")
        if (kind := tower.get("model_type", _VISION_TYPES[0])) not in _VISION_TYPES:
            raise UnsupportedConfig(f"vision_config is of model_type {kind!r}; known are {', '.join(_VISION_TYPES)}.")
        vision = read_tower(Idefics3VisionConfig, _without(tower, _VISION_IGNORED), "vision_config")
        decoder = LlamaConfig.from_text_config(_without(text, _TEXT_IGNORED))
        return cls(
            vision=vision,
            text=decoder,
            unread=(*unread, *decoder.unread, *vision.unread),
            **{key: values[key] for key in own if key in values},
        )

    def __post_init__(self) -> None:
        for key in ("image_token_id", "scale_factor"):
            if type(value := getattr(self, key)) is not int or value < 1:
                raise UnsupportedConfig(f"{key} is {value!r}; expected a whole number above zero.")
        if self.vision.side % self.scale_factor:
            raise UnsupportedConfig(
                f"scale_factor is {self.scale_factor}, and a tile has {self.vision.side} patches along a side; "
                "expected the first to divide the second."
            )

    @property
    def tile_tokens(self) -> int:
        """N of a tile."""
        return (self.vision.side // self.scale_factor) ** 2

    def parameters(self) -> int:
        """Parameters of the whole model."""
        connector = self.vision.hidden_size * self.scale_factor**2 * self.text.hidden_size
        return self.vision.parameters() + connector + self.text.parameters()

    def tile_flops(self) -> int:
        """Operations (two a multiply-add) to make tokens of a tile. Counted are matrix products."""
        return self.vision.flops() + 2 * self.vision.side**2 * self.vision.hidden_size * self.text.hidden_size


def _object(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key) or {}
    if not isinstance(found, Mapping):
        raise UnsupportedConfig(f"{key} is {found!r}; expected an object.")
    return found


def _without(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}
