"""Configuration of Llama-3.2-Vision, as `config.json` of `model_type` "mllama" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.config_keys import ReadConfig, check_keys, own_fields
from tutti.models.llama.config import LlamaConfig

TASKS = ("ask",)
EXTRA_TOKENS = 8
"""Rows of the token table behind the vocabulary, the first of them for the mark of a picture; none can be drawn."""
_CROSS_ATTENTION_LAYERS = (3, 8, 13, 18, 23, 28, 33, 38)
_TEXT_LEFT_OUT: Mapping[str, Any] = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
}
"""What `text_config` may leave out, and what then counts; other than in LLaMA's own class."""
_FIXED: Mapping[str, Any] = {"num_channels": 3, "hidden_act": "gelu"}
"""Keys of the picture tower that may hold this value only."""


@dataclass(frozen=True, kw_only=True)
class MllamaVisionConfig(ReadConfig):
    """The picture tower. What `config.json` leaves out is as in the reference."""

    hidden_size: int = 1280
    """D of the tower."""
    intermediate_size: int = 5120
    """Width inside the MLP."""
    num_hidden_layers: int = 32
    """Blocks before the last norm."""
    num_global_layers: int = 8
    """Gated blocks behind it."""
    attention_heads: int = 16
    """H, a divisor of D."""
    image_size: int = 448
    """S, the side of a tile in pixels."""
    patch_size: int = 14
    """Side of a patch in pixels."""
    norm_eps: float = 1e-5
    """Added to the variance in the blocks' norms."""
    max_num_tiles: int = 4
    """Most tiles of a picture."""
    intermediate_layers_indices: tuple[int, ...] = (3, 7, 15, 23, 30)
    """Blocks whose outputs are seen beside the last."""
    vision_output_dim: int = 7680
    """D of what is seen: that of the tower for the last block and for each of those."""
    supported_aspect_ratios: tuple[tuple[int, int], ...] | None = field(default=None, compare=False)
    """Arrangements of tiles, in the order of their numbers from 1 on: all there are, which is also what None means."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> MllamaVisionConfig:
        """Read `vision_config`.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is one that the tower does not compute.
        """
        known = own_fields(cls)
        unread = check_keys(values, known | _FIXED.keys(), "vision_config", "vision_config")
        for key, expected in _FIXED.items():
            if (found := values.get(key)) is not None and found != expected:
                raise UnsupportedConfig(f"vision_config has {key} {found!r}; this tower computes {expected!r} only.")
        given = {key: value for key, value in values.items() if key in known and value is not None}
        for key in ("intermediate_layers_indices", "supported_aspect_ratios"):
            if key in given:
                given[key] = _tuples(key, given[key])
        return cls(**given, unread=unread)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.type == "int" and (type(value) is not int or value < 1):
                raise UnsupportedConfig(f"vision_config has {one.name} {value!r}; expected a whole number from 1 on.")
        if self.hidden_size % self.attention_heads:
            raise UnsupportedConfig(
                f"vision_config has hidden_size {self.hidden_size} and attention_heads {self.attention_heads}; "
                "expected the second to divide the first."
            )
        between = self.intermediate_layers_indices
        if not all(type(index) is int and 0 <= index < self.num_hidden_layers for index in between):
            raise UnsupportedConfig(
                f"intermediate_layers_indices is {between}; expected some of {self.num_hidden_layers} blocks."
            )
        if self.vision_output_dim != self.hidden_size * (1 + len(between)):
            raise UnsupportedConfig(
                f"vision_output_dim is {self.vision_output_dim}; expected {1 + len(between)} times the hidden_size of "
                f"{self.hidden_size}."
            )
        if self.supported_aspect_ratios not in (None, self.arrangements):
            raise UnsupportedConfig(
                f"supported_aspect_ratios is {self.supported_aspect_ratios}; expected every arrangement of up to "
                f"{self.max_num_tiles} tiles, in order: {self.arrangements}."
            )

    @property
    def arrangements(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of tiles, in the order of their numbers from 1 on."""
        sides = range(1, self.max_num_tiles + 1)
        return tuple((rows, columns) for rows in sides for columns in sides if rows * columns <= self.max_num_tiles)

    @property
    def tile_states(self) -> int:
        """P + 1: patches of a tile, and the one that stands for it."""
        return (self.image_size // self.patch_size) ** 2 + 1

    @property
    def states(self) -> int:
        """N of a picture: those of all its tiles, empty ones included."""
        return self.max_num_tiles * self.tile_states

    def parameters(self) -> int:
        """Parameters of the tower."""
        d, inner, tiles = self.hidden_size, self.intermediate_size, self.max_num_tiles
        block = 4 * d * d + 2 * d * inner + inner + d + 4 * d
        blocks = self.num_hidden_layers * block + self.num_global_layers * (block + 2)
        numbers = len(self.arrangements) + 1
        places = 1 + self.tile_states * d + numbers * tiles * self.tile_states * d + 2 * (1 + numbers * tiles * d)
        return 3 * self.patch_size**2 * d + d + places + 4 * d + blocks

    def flops(self) -> int:
        """Operations (two a multiply-add) for one picture, whose tiles all see one another. Counted are products."""
        d = self.hidden_size
        tokens = self.max_num_tiles * -(-self.tile_states // 8) * 8
        block = tokens * (4 * d * d + 2 * d * self.intermediate_size) + 2 * d * tokens**2
        stem = self.max_num_tiles * (self.tile_states - 1) * 3 * self.patch_size**2 * d
        return 2 * (stem + (self.num_hidden_layers + self.num_global_layers) * block)


@dataclass(frozen=True, kw_only=True)
class MllamaConfig(ReadConfig):
    """The decoder, which of its blocks look at pictures, and the tower they look at."""

    text: LlamaConfig
    """Sizes of the decoder; `num_hidden_layers` counts blocks that look, too."""
    vision: MllamaVisionConfig
    cross_attention_layers: tuple[int, ...] = _CROSS_ATTENTION_LAYERS
    """Blocks that look at pictures instead of reading the text before them."""
    image_token_index: int = 128256
    """Token that marks where a picture stands."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> MllamaConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is not computed here.
        """
        unread = check_keys(values, {"text_config", "vision_config", "image_token_index"}, "The mllama configuration")
        text = _part(values, "text_config")
        vision = MllamaVisionConfig.from_hf(_part(values, "vision_config"))
        known = own_fields(LlamaConfig) | {"hidden_act", "rope_parameters"}
        unread += check_keys(text, known | {"cross_attention_layers"}, "text_config", "text_config")
        looking = text.get("cross_attention_layers")
        looking = _CROSS_ATTENTION_LAYERS if looking is None else looking
        return cls(
            text=LlamaConfig.from_hf({key: value for key, value in text.items() if key in known}, _TEXT_LEFT_OUT),
            vision=vision,
            unread=(*unread, *vision.unread),
            cross_attention_layers=_tuples("cross_attention_layers", looking),
            image_token_index=values.get("image_token_index", 128256),
        )

    def __post_init__(self) -> None:
        looking = self.cross_attention_layers
        if list(looking) != [index for index in range(self.text.num_hidden_layers) if index in looking]:
            raise UnsupportedConfig(
                f"cross_attention_layers is {looking}; expected some of {self.text.num_hidden_layers} blocks, in order."
            )
        table = self.text.vocab_size + EXTRA_TOKENS
        if type(self.image_token_index) is not int or not 0 <= self.image_token_index < table:
            raise UnsupportedConfig(f"image_token_index is {self.image_token_index!r}; expected a token below {table}.")
        if self.text.tie_word_embeddings:
            raise UnsupportedConfig(
                "tie_word_embeddings is true; in this family the token table is longer than the output projection."
            )

    @property
    def reading_layers(self) -> int:
        """Blocks that read the text before them, and so keep keys and values of it."""
        return self.text.num_hidden_layers - len(self.cross_attention_layers)

    def parameters(self) -> int:
        """Parameters of the whole model."""
        text = self.text
        d, e = text.hidden_size, text.head_dim
        looking = len(self.cross_attention_layers) * (text.layer_parameters() + 2 * e + 2)
        reading = self.reading_layers * text.layer_parameters()
        words = (2 * text.vocab_size + EXTRA_TOKENS) * d
        projector = (self.vision.vision_output_dim + 1) * d
        return looking + reading + words + d + projector + self.vision.parameters()

    def kv_bytes_per_token(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that one token of context takes."""
        return 2 * self.reading_layers * self.text.num_key_value_heads * self.text.head_dim * bytes_per_value

    def kv_bytes_per_state(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that a state of a picture takes beside the context.

        A picture has `vision.states` of them, however many of its tiles are filled.
        """
        values = self.text.num_key_value_heads * self.text.head_dim
        return 2 * len(self.cross_attention_layers) * values * bytes_per_value


def _tuples(key: str, value: Any) -> Any:
    """Lists as tuples, those within lists, too."""
    if not isinstance(value, (list, tuple)):
        raise UnsupportedConfig(f"{key} is {value!r}; expected a list.")
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name)
    if part is not None and not isinstance(part, Mapping):
        raise UnsupportedConfig(f"{name} is {part!r}; expected an object.")
    return part or {}
