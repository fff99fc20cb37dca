"""Configuration of `tutti_omni`: which trunks there are, how they connect, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from tutti.errors import UnsupportedConfig
from tutti.models.llama.config import LlamaConfig

TASKS = ("ask", "embed", "classify")


@dataclass(frozen=True, kw_only=True)
class WordsConfig:
    """The table of word vectors and the trunk that reads sentences from it."""

    vocabulary: int
    """V: rows of the table, one a token of the tokenizer."""
    width: int
    """Width of a row."""
    special_tokens: int
    """The first so many tokens mark structure; the decoder learns vectors of its own for them."""
    layers: int
    """Blocks of the text trunk."""
    heads: int
    """H of those blocks."""
    inner: int
    """Width inside their MLPs."""
    max_tokens: int
    """Longest text that is embedded, in tokens."""


@dataclass(frozen=True, kw_only=True)
class TrunkConfig:
    """A trunk for one medium: convolutional stages, then attention over the tokens that remain."""

    kind: Literal["picture", "sound", "frames"]
    """`picture` reads (3, S, S), `sound` (M, frames), `frames` (F, 3, S, S) through the trunk named by `of`."""
    size: int = 0
    """S in pixels for pictures, M for sound."""
    channels: tuple[int, ...] = ()
    """Channels of each stage; every stage halves both sides."""
    blocks: tuple[int, ...] = ()
    """Residual blocks of each stage."""
    width: int = 0
    """D of the tokens."""
    layers: int = 0
    """Attention blocks."""
    heads: int = 0
    """H of those blocks."""
    inner: int = 0
    """Width inside their MLPs."""
    of: str = ""
    """For `frames`: the trunk that reads each frame."""
    sound: str = ""
    """For `frames`: the trunk that reads the sound track."""
    max_frames: int = 0
    """For `frames`: most frames of one clip."""

    @property
    def stride(self) -> int:
        """How many input steps a token spans along each side."""
        return int(2 ** len(self.channels))


@dataclass(frozen=True, kw_only=True)
class ConnectorConfig:
    """From a trunk's tokens to the decoder's."""

    kind: Literal["linear", "mlp", "resampler"]
    merge: int = 1
    """Neighbours that become one token: along each side of a picture, along time for sound."""
    tokens: int = 0
    """For a resampler: tokens that come out, however many go in."""


@dataclass(frozen=True, kw_only=True)
class OmniConfig:
    """All of a model. A modality is a line in `trunks` and, if the decoder is to hear of it, one in `connectors`."""

    model_type: str = "tutti_omni"
    shared_width: int
    """D of the shared space."""
    words: WordsConfig
    trunks: Mapping[str, TrunkConfig]
    """Modality → trunk."""
    connectors: Mapping[str, ConnectorConfig]
    """Modality → connector."""
    decoder: LlamaConfig
    placeholder_ids: Mapping[str, int]
    """Modality → token that is replaced by the medium's tokens."""
    user_id: int
    """Token that opens a user's turn."""
    assistant_id: int
    """Token that opens the model's turn."""
    eos_id: int
    """Token that ends the model's turn."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> OmniConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown or missing.
        """
        values = {key: value for key, value in values.items() if key not in ("architectures", "dtype", "tutti_version")}
        _check_keys(cls, values, "config.json")
        return cls(
            **{
                **values,
                "words": _read(WordsConfig, values["words"], "words"),
                "trunks": {name: _read(TrunkConfig, item, f"trunks.{name}") for name, item in values["trunks"].items()},
                "connectors": {
                    name: _read(ConnectorConfig, item, f"connectors.{name}")
                    for name, item in values["connectors"].items()
                },
                "decoder": LlamaConfig.from_hf(values["decoder"]),
            }
        )

    def picture_tokens(self, modality: str = "image") -> int:
        """N that one picture takes in the decoder."""
        connector, trunk = self.connectors[modality], self.trunks[modality]
        if connector.kind == "resampler":
            return connector.tokens
        picture = self.trunks[trunk.of] if trunk.kind == "frames" else trunk
        return int((picture.size // picture.stride // connector.merge) ** 2)

    def sound_tokens(self, frames: int, modality: str = "audio") -> int:
        """N that a log-mel of so many frames takes in the decoder."""
        connector = self.connectors[modality]
        return connector.tokens or -(-frames // (self.trunks[modality].stride * connector.merge))

    def clip_tokens(self, frames: int, sound_frames: int, modality: str = "video") -> int:
        """N that a clip of so many pictures and log-mel frames takes in the decoder."""
        sound = self.sound_tokens(sound_frames, self.trunks[modality].sound) if sound_frames else 0
        return frames * self.picture_tokens(modality) + sound

    @property
    def max_text_tokens(self) -> int:
        """Longest text that is embedded, in tokens."""
        return self.words.max_tokens

    def kv_bytes_per_token(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that one token of context takes."""
        return self.decoder.kv_bytes_per_token(bytes_per_value)


def _check_keys(kind: type, values: Mapping[str, Any], where: str) -> None:
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(values) - known):
        raise UnsupportedConfig(f"{where} has the unknown key {unknown[0]!r}; known are: {', '.join(sorted(known))}.")


def _read(kind: type, values: Mapping[str, Any], where: str) -> Any:
    _check_keys(kind, values, where)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise UnsupportedConfig(f"{where} is incomplete: {error}.") from None
