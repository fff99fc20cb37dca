"""`tutti_omni`: a trunk for every modality, one shared space, one decoder.

One grammar for all modalities: preprocess → trunk → head → unit vector (the shared space), and trunk → connector →
tokens of the decoder.
Papers: Girdhar et al. 2023 (ImageBind), section 3, for the space; Liu et al. 2023 (LLaVA), section 4.1, for the tokens.
Reference implementation: this file.
We differ in: the decoder's token table is the text trunk's frozen table of word vectors, read through a learned
projection, so that a word never seen in training lies near its neighbours in questions, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutti.errors import InputError, UnsupportedTask
from tutti.models.connectors.projections import MLP, Linear, mean_grid, merge_grid, merge_time
from tutti.models.connectors.resampler import Resampler
from tutti.models.layers.attention import Attend, MaskedAttend
from tutti.models.layers.placing import place
from tutti.models.layers.stems import AttentionPool
from tutti.models.llama.model import LlamaLayers
from tutti.models.omni import cost
from tutti.models.omni.config import OmniConfig
from tutti.models.omni.parts import TrunkConfig
from tutti.models.omni.published import NameBank, PublishedHead
from tutti.models.omni.trunks import PictureTrunk, SoundTrunk, TextTrunk, WordTable

_CLOSER = "closer_pixel_values"


class OmniOutput(NamedTuple):
    """What `Omni.forward` returns."""

    logits: Tensor
    """(B, T, V)."""
    hidden: Tensor
    """(B, T, D), the decoder's states after the final norm."""


class Head(nn.Module):
    """Trunk tokens to a point of the shared space."""

    def __init__(self, width: int, shared_width: int) -> None:
        super().__init__()
        self.pool = AttentionPool(width)
        self.project = nn.Linear(width, shared_width)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (B, P, D) → (B, shared D), not yet of unit length."""
        out: Tensor = self.project(self.pool(x))
        return out


class Omni(nn.Module):
    """The model. Modalities are those of `config.trunks`, and text."""

    def __init__(self, config: OmniConfig) -> None:
        super().__init__()
        self.config = config
        width = config.decoder.hidden_size
        own = {name: trunk for name, trunk in config.trunks.items() if trunk.kind != "frames"}
        self.words = WordTable(config.words)
        self.text = TextTrunk(config.words, config.shared_width)
        self.trunks = nn.ModuleDict({name: _trunk(trunk) for name, trunk in own.items()})
        self.heads = nn.ModuleDict({name: _head(trunk, config.shared_width) for name, trunk in own.items()})
        self.connectors = nn.ModuleDict({name: _connector(config, name) for name in config.connectors})
        self.seen = nn.ModuleDict(
            {
                name: MLP(published.width, width)
                for name in config.connectors
                if (published := config.source(name).published)
            }
        )
        self.names = NameBank(config.names, config.shared_width, width) if config.names else None
        self.frame_positions = nn.ParameterDict(
            {
                name: nn.Parameter(torch.randn(trunk.max_frames, width) * 0.02)
                for name, trunk in config.trunks.items()
                if trunk.kind == "frames"
            }
        )
        # Logarithm of the inverse temperature of the contrastive objective, log(1 / 0.07) (CLIP, section 2.5).
        self.logit_scale = nn.Parameter(torch.tensor(2.66))
        self.embed_in = nn.Linear(config.words.width, width, bias=False)
        self.special = nn.Parameter(torch.randn(config.words.special_tokens, width) * 0.5)
        self.decoder = LlamaLayers(config.decoder)
        self.embed_out = nn.Linear(width, config.words.width, bias=False)
        self.special_out = nn.Parameter(torch.zeros(config.words.special_tokens, width))
        self.output_bias = nn.Parameter(torch.zeros(config.words.vocabulary))

    # The shared space.

    def sharpness(self, modality: str) -> float:
        """Inverse temperature at which cosines become probabilities, at most 100; the same for all media."""
        return float(self.logit_scale.detach().exp().clamp(max=100))

    def embed_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Shapes: both (B, T) → (B, shared D), unit rows."""
        return F.normalize(self.text(self.words(input_ids), attention_mask), dim=-1)

    def embed_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Points of the shared space for a batch of media.

        A clip is the mean direction of its frames, and of its sound where it has one. A picture with wide margins is
        what lies within them.

        Shapes: arrays as `connect` takes them → (B, shared D), unit rows.

        Raises:
            UnsupportedTask: There is no trunk for the modality.
            InputError: The arrays are not those that the trunk takes.
        """
        trunk = self._trunk_config(modality)
        if trunk.kind != "frames":
            return self.point(modality, self.encode(modality, _closer(arrays)))
        frames = self._frames(modality, arrays)
        points = self.embed_media(trunk.of, {"pixel_values": frames.flatten(0, 1)})
        point = F.normalize(points.view(*frames.shape[:2], -1).mean(1), dim=-1)
        if "input_features" in arrays:
            sound = self.embed_media(trunk.sound, {"input_features": arrays["input_features"]})
            point = F.normalize(point + sound, dim=-1)
        return point

    def point(self, modality: str, tokens: Tensor) -> Tensor:
        """A trunk's tokens to points of the shared space. Shapes: (B, P, D) → (B, shared D), unit rows."""
        head, trunk = self.heads[modality], self.trunks[modality]
        return F.normalize(head(tokens, trunk.published) if isinstance(head, PublishedHead) else head(tokens), dim=-1)

    def encode(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Run a trunk.

        Shapes: arrays {"pixel_values": (B, 3, S, S)} for pictures, {"input_features": (B, M, frames)} for sounds
        → (B, P, D).

        Raises:
            UnsupportedTask: There is no trunk for the modality.
            InputError: The array is not the one that the trunk takes.
        """
        trunk = self._trunk_config(modality)
        if trunk.kind == "frames":
            raise UnsupportedTask(f"{modality} has no trunk of its own; encode its {trunk.of} and {trunk.sound}.")
        name = "pixel_values" if trunk.kind == "picture" else "input_features"
        if set(arrays) != {name}:
            raise InputError(f"The trunk for {modality} takes {name}, and was given {_names(arrays)}.")
        out: Tensor = self.trunks[modality](arrays[name])
        return out

    # The decoder.

    def connect(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Decoder tokens for a batch of media.

        Shapes: arrays as in `encode`, for pictures "closer_pixel_values" of the same shape beside, of what lies within
        wide margins, from which names are read; for clips {"pixel_values": (B, F, 3, S, S), "input_features":
        (B, M, frames)}, the sound optional → (B, N, D).

        Raises:
            UnsupportedTask: There is no trunk for the modality, or the decoder does not hear of it.
            InputError: The arrays are not those that the trunk takes, or a clip has too many frames.
        """
        trunk = self._trunk_config(modality)
        self._check_connected(modality)
        if trunk.kind != "frames":
            x = closer = self.encode(modality, _whole(arrays))
            if _CLOSER in arrays and self.names is not None:
                closer = self.encode(modality, _closer(arrays))
            named = self._named(trunk.kind, modality, closer[:, None])
            return torch.cat((self._connect(modality, trunk, x), *named), dim=1)
        frames = self._frames(modality, arrays)
        batch, count = frames.shape[:2]
        if count > trunk.max_frames:
            raise InputError(f"The clip has {count} frames; this model takes at most {trunk.max_frames}: choose fewer.")
        picture = self.config.trunks[trunk.of]
        encoded = self.encode(trunk.of, {"pixel_values": frames.flatten(0, 1)})
        x = self._connect(modality, picture, encoded)
        positions: Tensor = self.frame_positions[modality][:count, None]
        x = (x.view(batch, count, *x.shape[1:]) + positions).flatten(1, 2)
        named = self._named(picture.kind, trunk.of, encoded.view(batch, count, *encoded.shape[1:]))
        x = torch.cat((x, *named), dim=1)
        if "input_features" not in arrays:
            return x
        return torch.cat((x, self.connect(trunk.sound, {"input_features": arrays["input_features"]})), dim=1)

    def _connect(self, modality: str, trunk: TrunkConfig, x: Tensor) -> Tensor:
        connector = self.config.connectors[modality]
        own = x[..., : trunk.width]
        if connector.merge > 1 and trunk.kind == "picture":
            own = merge_grid(own, trunk.side, connector.merge)
        elif connector.merge > 1:
            own = merge_time(own, connector.merge)
        out: Tensor = self.connectors[modality](own)
        if modality not in self.seen:
            return out
        places = cost.seen_places(self.config.trunks[modality].kind)
        return torch.cat((out, self.see(modality, mean_grid(x[..., trunk.width :], trunk.side, places))), dim=1)

    def see(self, modality: str, places: Tensor) -> Tensor:
        """Decoder tokens of a published network's grid, in as many places. Shapes: (B, N, D) → (B, N, D')."""
        out: Tensor = self.seen[modality](places)
        return out

    def _named(self, kind: str, modality: str, x: Tensor) -> list[Tensor]:
        """Decoder tokens of the names nearest to pictures or clips. Shapes: (B, F, P, D) → [(B, N, D)], or none."""
        if self.names is None or kind != "picture" or self.trunks[modality].published is None:
            return []
        points = self.point(modality, x.flatten(0, 1)).view(*x.shape[:2], -1).mean(1)
        return [self.name_tokens(F.normalize(points, dim=-1))]

    def name_tokens(self, points: Tensor) -> Tensor:
        """Decoder tokens of the names nearest to unit points. Shapes: (B, shared D) → (B, N, D)."""
        assert self.names is not None  # noqa: S101 - whoever calls it asked
        named = self.names.nearest(points, self.logit_scale.exp().clamp(max=100))
        return self.names.tokens(self.embed_tokens(named.ids), named.share)

    def _trunk_config(self, modality: str) -> TrunkConfig:
        if modality not in self.config.trunks:
            known = ", ".join(["text", *self.config.trunks])
            raise UnsupportedTask(f"This model has no trunk for {modality}; it has trunks for {known}.")
        return self.config.trunks[modality]

    def _check_connected(self, modality: str) -> None:
        if modality not in self.connectors:
            known = ", ".join(["text", *self.connectors])
            raise UnsupportedTask(f"The decoder of this model does not hear of {modality}; it hears of {known}.")

    @staticmethod
    def _frames(modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """The pictures of a batch of clips: (B, F, 3, S, S)."""
        if not {"pixel_values"} <= set(arrays) <= {"pixel_values", "input_features"}:
            raise InputError(
                f"The trunk for {modality} takes pixel_values and, with sound, input_features, "
                f"and was given {_names(arrays)}."
            )
        return arrays["pixel_values"]

    def place(self, input_ids: Tensor, media: Mapping[str, Tensor]) -> Tensor:
        """Embed tokens and put the media's in the place of their placeholders, in order: row by row, left to right.

        Shapes: input_ids (B, T), media: modality → (…, D) with as many rows as there are placeholders → (B, T, D).

        Raises:
            UnsupportedTask: The decoder does not hear of a modality.
            InputError: There are more or fewer rows than placeholders.
        """
        x = self.embed_tokens(input_ids)
        for modality, tokens in media.items():
            self._check_connected(modality)
            here = input_ids == self.config.placeholder_ids[modality]
            x = place(x, here, tokens, modality)
        return x

    def forward(
        self,
        input_ids: Tensor,
        media: Mapping[str, Mapping[str, Tensor]] | None = None,
        position_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> OmniOutput:
        """Logits of every position.

        Shapes: input_ids (B, T) with placeholders; media: modality → arrays as in `connect`; position_ids (B, T);
        attention_mask (B, 1, T, T) bool, True where a query may look, or None for causal → logits (B, T, V).
        """
        hidden = self.hidden(input_ids, media, position_ids, attention_mask)
        return OmniOutput(self.logits(hidden), hidden)

    def hidden(
        self,
        input_ids: Tensor,
        media: Mapping[str, Mapping[str, Tensor]] | None = None,
        position_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        """`forward` without the projection to the vocabulary, which training needs at few positions only."""
        x = self.place(input_ids, {name: self.connect(name, arrays) for name, arrays in (media or {}).items()})
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
        return self.decode(x, position_ids, MaskedAttend(attention_mask))

    # What the engine needs of a generating model: `tutti.engine.runner.Decoder`.

    @property
    def layers(self) -> int:
        """Blocks that keep keys and values."""
        return self.config.decoder.num_hidden_layers

    @property
    def kv_heads(self) -> int:
        """K."""
        return self.config.decoder.num_key_value_heads

    @property
    def head_width(self) -> int:
        """E."""
        return self.config.decoder.head_dim

    @property
    def context_length(self) -> int:
        """Longest context in tokens."""
        return self.config.decoder.max_position_embeddings

    def embed_tokens(self, input_ids: Tensor) -> Tensor:
        """Shapes: (…) int64 → (…, D)."""
        special = input_ids < self.config.words.special_tokens
        own = self.special[input_ids.clamp_max(self.config.words.special_tokens - 1)]
        return torch.where(special[..., None], own, self.embed_in(self.words.direction(input_ids)))

    def encode_media(self, modality: str, arrays: Mapping[str, Tensor]) -> Tensor:
        """Decoder tokens of one medium. Shapes: as in `connect`, without B → (N, D)."""
        return self.connect(modality, {name: values[None] for name, values in arrays.items()})[0]

    def decode(self, inputs_embeds: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Shapes: (B, T, D) and (B, T) → (B, T, D)."""
        out: Tensor = self.decoder(inputs_embeds, positions, attend)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Shapes: (…, D) → (…, V)."""
        words = self.embed_out(hidden) @ self.words.directions().T
        special = hidden @ self.special_out.T
        words = torch.cat((special, words[..., self.config.words.special_tokens :]), dim=-1)
        return words + self.output_bias


def _whole(arrays: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {name: values for name, values in arrays.items() if name != _CLOSER}


def _closer(arrays: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """What a picture shows within its margins, in place of the whole."""
    return {"pixel_values": arrays[_CLOSER]} if _CLOSER in arrays else arrays


def _trunk(config: TrunkConfig) -> nn.Module:
    return PictureTrunk(config) if config.kind == "picture" else SoundTrunk(config)


def _head(config: TrunkConfig, shared_width: int) -> nn.Module:
    return PublishedHead(config, shared_width) if config.published else Head(config.width, shared_width)


def _connector(config: OmniConfig, modality: str) -> nn.Module:
    connector, width_in = config.connectors[modality], config.connector_width(modality)
    width = config.decoder.hidden_size
    if connector.kind == "resampler":
        return Resampler(width_in, width, connector.tokens, cost.RESAMPLER_LAYERS, cost.RESAMPLER_HEADS)
    return Linear(width_in, width) if connector.kind == "linear" else MLP(width_in, width)


def _names(arrays: Mapping[str, Tensor]) -> str:
    return " and ".join(arrays) or "nothing"
