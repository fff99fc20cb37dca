"""Configuration of LLaVA-1.5, as `config.json` of `model_type` "llava" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.clip.config import CLIPVisionConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields
from tutti.models.llama.config import LlamaConfig

TASKS = ("ask",)
ACTIVATIONS = ("gelu", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu")
"""Values of `projector_hidden_act` that are computed."""
STRATEGIES = ("default", "full")

_IGNORED_KEYS = ("ignore_index", "image_seq_length", "vocab_size")
"""Keys that older and newer files hold; the decoder's own `vocab_size` counts."""
_VISION: Mapping[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}
"""The tower where `vision_config` is left out as a whole: CLIP L/14 at 336 pixels."""


@dataclass(frozen=True, kw_only=True)
class LlavaConfig(ReadConfig):
    """A picture tower, what is taken from it, and the decoder."""

    vision: CLIPVisionConfig
    text: LlamaConfig
    image_token_index: int = 32000
    """Token that stands for a token of a picture."""
    vision_feature_layer: int | tuple[int, ...] = -2
    """States of the tower that are taken: 0 is what goes into its first block, -1 what comes out of its last.

    Those of several are laid side by side.
    """
    vision_feature_select_strategy: str = "default"
    """`default` leaves out the token that stands for the picture, `full` keeps it."""
    projector_hidden_act: str = "gelu"
    """Between the two layers of the projector."""
    multimodal_projector_bias: bool = True
    """Whether they have biases."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> LlavaConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is not computed here.
        """
        return cls(**read_fields(cls, values, "The llava configuration"))

    def __post_init__(self) -> None:
        if self.projector_hidden_act not in ACTIVATIONS:
            raise UnsupportedConfig(
                f"projector_hidden_act is {self.projector_hidden_act!r}; computed are {', '.join(ACTIVATIONS)}."
            )
        if self.vision_feature_select_strategy not in STRATEGIES:
            raise UnsupportedConfig(
                f"vision_feature_select_strategy is {self.vision_feature_select_strategy!r}; "
                f"expected {' or '.join(STRATEGIES)}."
            )
        states = self.vision.num_hidden_layers + 1
        if not self._layers or not all(type(layer) is int and -states <= layer < states for layer in self._layers):
            raise UnsupportedConfig(
                f"vision_feature_layer is {self.vision_feature_layer!r}; expected {-states} to {states - 1}."
            )
        if type(self.image_token_index) is not int or self.image_token_index < 0:
            raise UnsupportedConfig(f"image_token_index is {self.image_token_index!r}; expected a token id.")

    @property
    def _layers(self) -> tuple[int, ...]:
        layers = self.vision_feature_layer
        return layers if isinstance(layers, tuple) else (layers,)

    @property
    def feature_states(self) -> tuple[int, ...]:
        """Numbers of the states that are taken, counted from 0."""
        return tuple(layer % (self.vision.num_hidden_layers + 1) for layer in self._layers)

    @property
    def tower_tokens(self) -> int:
        """N of a square of S x S pixels, which in LLaVA-1.5 is a picture."""
        return self.vision.patches + (self.vision_feature_select_strategy == "full")

    def projector_parameters(self) -> int:
        """Parameters of the projector."""
        width, taken = self.text.hidden_size, self.vision.hidden_size * len(self._layers)
        return (taken + width) * width + self.multimodal_projector_bias * 2 * width

    def parameters(self) -> int:
        """Parameters of the whole model."""
        return self.vision.parameters() + self.projector_parameters() + self.text.parameters()

    def tower_flops(self) -> int:
        """Operations (two a multiply-add) to make tokens of a square of S x S pixels. Counted are matrix products.

        Blocks of the tower behind the last state that is taken are left out.
        """
        width, taken = self.text.hidden_size, self.vision.hidden_size * len(self._layers)
        tower = self.vision.flops() - self.vision.layer_flops(self.vision.tokens, self.vision.tokens**2) * (
            self.vision.num_hidden_layers - max(self.feature_states)
        )
        return tower + 2 * self.tower_tokens * (taken + width) * width


def read_fields(kind: type[LlavaConfig], values: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Arguments of a configuration of this kind, from `config.json`.

    Raises:
        UnsupportedConfig: A key is unknown, or one of the two models within is not computed here.
    """
    known = own_fields(kind) - {"vision", "text"}
    unread = check_keys(values, known | {"vision_config", "text_config", *_IGNORED_KEYS}, subject)
    own = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known}
    text = values.get("text_config") or {}
    if values.get("tie_word_embeddings") and isinstance(text, Mapping):
        text = {**text, "tie_word_embeddings": True}
    tower = values.get("vision_config")
    tower = _VISION if tower is None else tower
    if not isinstance(tower, Mapping) or tower.get("model_type", "clip_vision_model") != "clip_vision_model":
        raise UnsupportedConfig(f"vision_config is {tower!r}; this model sees through 'clip_vision_model' only.")
    vision = CLIPVisionConfig.from_hf({key: value for key, value in tower.items() if key != "vocab_size"})
    decoder = LlamaConfig.from_text_config(text)
    return {"vision": vision, "text": decoder, "unread": (*unread, *decoder.unread, *vision.unread), **own}
