"""Configuration of `tutti_omni`: which trunks there are, how they connect, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.efficientnet.config import EfficientNetConfig
from tutti.models.llama.config import LlamaConfig
from tutti.models.omni import cost
from tutti.models.omni.parts import (
    ConnectorConfig,
    FamiliarConfig,
    NamesConfig,
    TrunkConfig,
    WordsConfig,
    check_heads,
)

TASKS = ("ask", "embed", "classify")


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
    names: NamesConfig | None = None
    """Names that are given with pictures; None: none are."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> OmniConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown or missing.
        """
        values = {key: value for key, value in values.items() if key not in ("architectures", "dtype", "tutti_version")}
        _check_keys(cls, values, "config.json")
        for name in ("trunks", "connectors", "placeholder_ids", "decoder"):
            if not isinstance(values[name], Mapping):
                raise UnsupportedConfig(f"{name} of config.json is {values[name]!r}; expected an object.")
        return cls(
            **{
                **values,
                "words": _read(WordsConfig, values["words"], "words"),
                "trunks": {name: _read_trunk(item, f"trunks.{name}") for name, item in values["trunks"].items()},
                "names": _read(NamesConfig, values["names"], "names") if values.get("names") else None,
                "connectors": {
                    name: _read(ConnectorConfig, item, f"connectors.{name}")
                    for name, item in values["connectors"].items()
                },
                "decoder": LlamaConfig.from_hf(values["decoder"], left_out={}),
            }
        )

    def __post_init__(self) -> None:
        for name, trunk in self.trunks.items():
            if trunk.kind == "frames":
                self._check_frames(name, trunk)
        for name, connector in self.connectors.items():
            if name not in self.trunks:
                raise UnsupportedConfig(f"connectors.{name} has no trunk; there are {', '.join(self.trunks)}.")
            source = self.source(name)
            if source.kind == "picture" and source.side % connector.merge:
                raise UnsupportedConfig(
                    f"connectors.{name} merges {connector.merge} x {connector.merge} neighbours of a grid of "
                    f"{source.side} x {source.side}; expected a divisor."
                )
            if connector.kind == "resampler":
                check_heads(f"connectors.{name}", self.decoder.hidden_size, cost.RESAMPLER_HEADS)
        if set(self.placeholder_ids) != set(self.connectors):
            raise UnsupportedConfig(
                f"placeholder_ids are for {', '.join(self.placeholder_ids) or 'nothing'} and connectors for "
                f"{', '.join(self.connectors) or 'nothing'}; expected the same modalities in both."
            )
        if self.names and not any(trunk.published for trunk in self.trunks.values()):
            raise UnsupportedConfig("names are given, but no trunk has a published network; expected one.")
        if self.decoder.vocab_size != self.words.vocabulary:
            raise UnsupportedConfig(
                f"decoder.vocab_size is {self.decoder.vocab_size} and words.vocabulary {self.words.vocabulary}; "
                "expected one number, since the decoder answers in words of the table."
            )

    def _check_frames(self, name: str, trunk: TrunkConfig) -> None:
        """Clips are read through other trunks, which must be there."""
        for key, other, kind in (("of", trunk.of, "picture"), ("sound", trunk.sound, "sound")):
            if other not in self.trunks or self.trunks[other].kind != kind:
                raise UnsupportedConfig(
                    f"trunks.{name}.{key} is {other!r}; expected the name of a trunk of kind {kind}."
                )
        if trunk.max_frames < 1:
            raise UnsupportedConfig(f"trunks.{name}.max_frames is {trunk.max_frames}; expected 1 or more.")
        if name in self.connectors and trunk.sound not in self.connectors:
            raise UnsupportedConfig(f"connectors.{name} needs connectors.{trunk.sound} for the sound of its clips.")

    def source(self, modality: str) -> TrunkConfig:
        """The trunk whose tokens a modality's connector reads: its own, or that of its frames."""
        trunk = self.trunks[modality]
        return self.trunks[trunk.of] if trunk.kind == "frames" else trunk

    def connector_width(self, modality: str) -> int:
        """Width of what a connector reads: the trunk's, times the neighbours merged."""
        source, merge = self.source(modality), self.connectors[modality].merge
        return source.width * (merge**2 if source.kind == "picture" else merge)

    def picture_tokens(self, modality: str = "image") -> int:
        """N that one picture, or one frame of a clip, takes in the decoder; 0 if that does not hear of the modality."""
        if modality not in self.connectors:
            return 0
        frames = self.trunks[modality].kind == "frames"
        return (
            self._own_tokens(modality) + self._seen_tokens(modality) + (0 if frames else self._named_tokens(modality))
        )

    def _own_tokens(self, modality: str) -> int:
        connector = self.connectors[modality]
        return connector.tokens or int((self.source(modality).side // connector.merge) ** 2)

    def _seen_tokens(self, modality: str) -> int:
        """Of the published network's grid: means of its quarters, or of a frame as a whole."""
        return cost.seen_places(self.trunks[modality].kind) if self.source(modality).published else 0

    def _named_tokens(self, modality: str) -> int:
        return self.names.placeholders if self.names and self.source(modality).published else 0

    def sound_tokens(self, frames: int, modality: str = "audio") -> int:
        """N that a log-mel of so many frames takes in the decoder; 0 if that does not hear of the modality."""
        if modality not in self.connectors:
            return 0
        connector = self.connectors[modality]
        return connector.tokens or -(-frames // (self.trunks[modality].stride * connector.merge))

    def clip_tokens(self, frames: int, sound_frames: int, modality: str = "video") -> int:
        """N that a clip of so many pictures and log-mel frames takes; 0 if the decoder does not hear of clips."""
        if modality not in self.connectors:
            return 0
        sound = self.sound_tokens(sound_frames, self.trunks[modality].sound) if sound_frames else 0
        return frames * self.picture_tokens(modality) + self._named_tokens(modality) + sound

    @property
    def max_text_tokens(self) -> int:
        """Longest text that is embedded, in tokens."""
        return self.words.max_tokens

    def parameters(self) -> int:
        """Parameters of the whole model. The word table is frozen and none of them."""
        width, words, trunks = self.decoder.hidden_size, self.words, self.trunks.values()
        own = [trunk for trunk in trunks if trunk.kind != "frames"]
        heads = sum(cost.head_parameters(trunk, self.shared_width) for trunk in own)
        positions = sum(trunk.max_frames for trunk in trunks if trunk.kind == "frames") * width
        connectors = sum(
            cost.connector_parameters(item, self.connector_width(name), width) for name, item in self.connectors.items()
        )
        decoder = self.decoder.num_hidden_layers * self.decoder.layer_parameters() + width
        # Into the decoder and out of it: a projection and the vectors of the special tokens; and a bias a token.
        ends = 2 * (words.width + words.special_tokens) * width + words.vocabulary
        temperature = 1
        read = cost.text_parameters(words, self.shared_width) + sum(map(cost.trunk_parameters, own))
        networks = [network for name in self.connectors if (network := self.source(name).published)]
        beside = sum(cost.connector_parameters(cost.SEEN, network.width, width) for network in networks)
        named = 2 * width if self.names else 0
        return read + heads + positions + connectors + beside + named + decoder + ends + temperature

    def flops(self, tokens: int, context: int = 0) -> int:
        """Operations (two a multiply-add) of the decoder for so many new tokens after so many in the cache.

        Counted are matrix products: both projections of words, the blocks, and the logits of every token.
        """
        width, words = self.decoder.hidden_size, self.words
        ends = 2 * width * words.width + words.width * words.vocabulary + width * words.special_tokens
        logits = self.decoder.vocab_size * width
        return self.decoder.flops(tokens, context) + 2 * tokens * (ends - logits)

    def media_flops(self, modality: str, frames: int = 1, sound_frames: int = 0) -> int:
        """Operations (two a multiply-add) to turn one medium into tokens of the decoder, before the decoder reads them.

        Args:
            modality: One of `connectors`.
            frames: F of a clip; 1 for a picture.
            sound_frames: Log-mel frames of a sound, or of a clip's.
        """
        trunk, connector, width = self.trunks[modality], self.connectors[modality], self.decoder.hidden_size
        width_in = self.connector_width(modality)
        if trunk.kind == "sound":
            merged = -(-sound_frames // (trunk.stride * connector.merge))
            return cost.trunk_flops(trunk, sound_frames) + cost.connector_flops(connector, merged, width_in, width)
        source = self.source(modality)
        merged = (source.side // connector.merge) ** 2
        one = cost.trunk_flops(source) + cost.connector_flops(connector, merged, width_in, width)
        if source.published:
            one += cost.connector_flops(cost.SEEN, self._seen_tokens(modality), source.published.width, width)
        named = (1 if trunk.kind == "picture" else frames) * cost.head_flops(source, self.shared_width)
        if self.names:
            named += 2 * self.names.placeholders * self.words.width * width
            named += 2 * self.names.count * self.shared_width
        pictures = frames * one + (named if self._named_tokens(modality) else 0)
        return pictures + (self.media_flops(trunk.sound, sound_frames=sound_frames) if sound_frames else 0)

    def kv_bytes_per_token(self, bytes_per_value: int = 4) -> int:
        """Bytes of keys and values that one token of context takes."""
        return self.decoder.kv_bytes_per_token(bytes_per_value)


def _check_keys(kind: type, values: Any, where: str) -> None:
    if not isinstance(values, Mapping):
        raise UnsupportedConfig(f"{where} is {values!r}; expected an object.")
    known = {field.name: field for field in fields(kind)}
    if unknown := sorted(set(values) - set(known)):
        raise UnsupportedConfig(f"{where} has the unknown key {unknown[0]!r}; known are: {', '.join(sorted(known))}.")
    for name, field in known.items():
        if name not in values:
            if field.default is MISSING:
                raise UnsupportedConfig(f"{where} lacks {name!r}.")
        elif field.type == "int" and type(values[name]) is not int:
            raise UnsupportedConfig(f"{where} has {name} {values[name]!r}; expected a whole number.")


def _read_trunk(values: Any, where: str) -> Any:
    if isinstance(values, Mapping):
        for key, kind in (("published", EfficientNetConfig), ("familiar", FamiliarConfig)):
            if values.get(key) is not None:
                values = {**values, key: _read(kind, values[key], f"{where}.{key}")}
    return _read(TrunkConfig, values, where)


def _read(kind: type, values: Any, where: str) -> Any:
    _check_keys(kind, values, where)
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
