"""Configuration of CLIP, as `config.json` of `model_type` "clip" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from tutti.errors import UnsupportedConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields

TASKS = ("embed", "classify")
ACTIVATIONS = ("gelu", "gelu_pytorch_tanh", "quick_gelu")
"""Values of `hidden_act` that are computed."""

_FIXED: Mapping[str, Any] = {"num_channels": 3, "pruned_heads": {}}
"""Keys of a tower that may hold this value only."""
_TowerT = TypeVar("_TowerT", bound="TowerConfig")


@dataclass(frozen=True, kw_only=True)
class TowerConfig(ReadConfig):
    """Sizes of the blocks of a tower, named as in `config.json`."""

    hidden_size: int
    """D."""
    intermediate_size: int
    """Width inside the MLP."""
    num_hidden_layers: int
    """Number of blocks."""
    num_attention_heads: int
    """H, a divisor of D."""
    hidden_act: str = "quick_gelu"
    """One of `ACTIVATIONS`."""
    layer_norm_eps: float = 1e-5
    """Added to the variance in every norm."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        if self.hidden_act not in ACTIVATIONS:
            raise UnsupportedConfig(f"hidden_act is {self.hidden_act!r}; computed are {', '.join(ACTIVATIONS)}.")
        if self.hidden_size % self.num_attention_heads:
            raise UnsupportedConfig(
                f"hidden_size is {self.hidden_size} and num_attention_heads is {self.num_attention_heads}; "
                "expected the second to divide the first."
            )

    def layer_parameters(self) -> int:
        """Parameters of one block."""
        d, inner = self.hidden_size, self.intermediate_size
        return 4 * d * (d + 1) + 2 * d * inner + inner + d + 4 * d

    def layer_flops(self, tokens: int, seen: int) -> int:
        """Operations (two a multiply-add) of one block over so many tokens, which see so many in all."""
        d = self.hidden_size
        return 2 * (tokens * (4 * d * d + 2 * d * self.intermediate_size) + 2 * d * seen)


@dataclass(frozen=True, kw_only=True)
class CLIPTextConfig(TowerConfig):
    """The text tower. What `config.json` leaves out is as in ViT-B/32."""

    vocab_size: int = 49408
    """V."""
    hidden_size: int = 512
    intermediate_size: int = 2048
    num_hidden_layers: int = 12
    num_attention_heads: int = 8
    max_position_embeddings: int = 77
    """Longest text in tokens, its start and end included."""
    eos_token_id: int = 49407
    """Token whose state stands for the text, at its first place; 2 stands for the highest token of each text.

    Files from before mid-2023 say 2, whatever their tokenizer's end token, which is its highest.
    """

    @property
    def pools_at_highest(self) -> bool:
        """Whether the text's state is that of its highest token."""
        return self.eos_token_id == 2

    def parameters(self) -> int:
        """Parameters of the tower, its projection left out."""
        tables = (self.vocab_size + self.max_position_embeddings) * self.hidden_size
        return tables + self.num_hidden_layers * self.layer_parameters() + 2 * self.hidden_size

    def flops(self, tokens: int) -> int:
        """Operations for a text of so many tokens, each of which sees itself and those before it."""
        return self.num_hidden_layers * self.layer_flops(tokens, tokens * (tokens + 1) // 2)


@dataclass(frozen=True, kw_only=True)
class CLIPVisionConfig(TowerConfig):
    """The picture tower. What `config.json` leaves out is as in ViT-B/32."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 224
    """S, the side of a picture in pixels."""
    patch_size: int = 32
    """Side of a patch in pixels; what remains of S at the right and bottom is not seen."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> CLIPVisionConfig:
        """Read `vision_config` of a `config.json`, also of families that borrow the tower.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is one that the tower does not compute.
        """
        return read_tower(cls, values, "vision_config")

    @property
    def patches(self) -> int:
        """P."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def tokens(self) -> int:
        """P + 1, with the one that stands for the picture."""
        return self.patches + 1

    def parameters(self) -> int:
        """Parameters of the tower, its projection left out."""
        d = self.hidden_size
        stem = 3 * self.patch_size**2 * d + d + self.tokens * d
        return stem + self.num_hidden_layers * self.layer_parameters() + 4 * d

    def flops(self) -> int:
        """Operations for one picture, whose tokens all see one another."""
        stem = 2 * self.patches * 3 * self.patch_size**2 * self.hidden_size
        return stem + self.num_hidden_layers * self.layer_flops(self.tokens, self.tokens**2)

    def pooled_flops(self) -> int:
        """Operations for the state that stands for one picture, with which alone the last block goes on."""
        d, left_out = self.hidden_size, self.tokens - 1
        return self.flops() - 2 * left_out * (d * d + 2 * d * self.intermediate_size + 2 * d * self.tokens)


@dataclass(frozen=True, kw_only=True)
class CLIPConfig(ReadConfig):
    """Both towers and the space they share."""

    text: CLIPTextConfig
    vision: CLIPVisionConfig
    projection_dim: int = 512
    """D of the shared space."""
    logit_scale_init_value: float = 2.6592
    """Logarithm of the factor of similarities, before training."""

    def __post_init__(self) -> None:
        _check_numbers(self)

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> CLIPConfig:
        """Read `config.json`.

        Older files hold `text_config_dict` and `vision_config_dict` besides; these then count, with what they leave out
        as in ViT-B/32, as in the reference.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is not computed here.
        """
        known = {f"{tower}_{form}" for tower in ("text", "vision") for form in ("config", "config_dict")}
        own = {"projection_dim", "logit_scale_init_value"}
        unread = check_keys(values, known | own, "The clip configuration")
        text = read_tower(CLIPTextConfig, _tower_values(values, "text_config"), "text_config")
        vision = CLIPVisionConfig.from_hf(_tower_values(values, "vision_config"))
        return cls(
            text=text,
            vision=vision,
            unread=(*unread, *text.unread, *vision.unread),
            **{key: values[key] for key in own if values.get(key) is not None},
        )

    def parameters(self) -> int:
        """Parameters of both towers, their projections and the factor of similarities."""
        projections = (self.text.hidden_size + self.vision.hidden_size) * self.projection_dim
        return self.text.parameters() + self.vision.parameters() + projections + 1

    def text_flops(self, tokens: int) -> int:
        """Operations (two a multiply-add) to embed a text of so many tokens. Counted are matrix products."""
        return self.text.flops(tokens) + 2 * self.text.hidden_size * self.projection_dim

    def image_flops(self) -> int:
        """Operations (two a multiply-add) to embed a picture. Counted are matrix products."""
        return self.vision.pooled_flops() + 2 * self.vision.hidden_size * self.projection_dim


def _tower_values(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(f"{name}_dict")
    if found is None:
        found = values.get(name)
    if found is not None and not isinstance(found, Mapping):
        raise UnsupportedConfig(f"{name} is {found!r}; expected an object.")
    return found or {}


def read_tower(kind: type[_TowerT], values: Mapping[str, Any], where: str) -> _TowerT:
    """Read the configuration of a tower, also of families with blocks like these.

    Raises:
        UnsupportedConfig: A key is unknown, or a value is one that the tower does not compute.
    """
    known = own_fields(kind)
    # The model's own projection_dim counts; a tower's is for towers that are used alone.
    unread = check_keys(values, known | {"projection_dim"} | _FIXED.keys(), where, where)
    for key, expected in _FIXED.items():
        if (found := values.get(key)) is not None and found != expected:
            raise UnsupportedConfig(f"{where} has {key} {found!r}; this tower computes {expected!r} only.")
    return kind(**{key: value for key, value in values.items() if key in known and value is not None}, unread=unread)


def _check_numbers(config: TowerConfig | CLIPConfig) -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if field.type == "int" and (type(value) is not int or value < 1):
            raise UnsupportedConfig(f"{field.name} is {value!r}; expected one whole number from 1 on.")
        if field.type == "float" and type(value) not in (int, float):
            raise UnsupportedConfig(f"{field.name} is {value!r}; expected a number.")
