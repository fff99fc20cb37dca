"""Phase 3: questions on scenes. Several questions share one medium, and none sees another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from recipes.tutti_mini.build import SMALL
from recipes.tutti_mini.clips import make_clip_scene, make_pair_scene
from recipes.tutti_mini.pairs import log_mel, normalize, warped
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import ask
from recipes.tutti_mini.scenes import Scene, make_picture_scene
from recipes.tutti_mini.sound_scenes import make_sound_scene
from tutti.models.layers.attention import MaskedAttend
from tutti.models.omni.model import Omni
from tutti.training.objectives import IGNORE, next_token


@dataclass(frozen=True)
class Packed:
    """Token ids of many samples, each a prefix and then its questions."""

    input_ids: Tensor
    """(B, T) int64."""
    labels: Tensor
    """(B, T) int64: the next token where it is to be learned."""
    positions: Tensor
    """(B, T) int64: every question counts on from the prefix."""
    segments: Tensor
    """(B, T) int16: 0 the prefix, k the k-th question, -1 padding."""

    def mask(self) -> Tensor:
        """(B, 1, T, T) bool: a token looks back at the prefix and at its own question only."""
        tokens = self.input_ids.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool, device=self.input_ids.device).tril()
        query, key = self.segments[:, :, None], self.segments[:, None]
        eye = torch.eye(tokens, dtype=torch.bool, device=self.input_ids.device)
        return ((causal & ((key == 0) | (query == key))) | eye)[:, None]


def pack(
    tokenizer: Tokenizer, prefixes: Sequence[Sequence[int]], questions: Sequence[Sequence[tuple[str, str]]]
) -> dict[str, Tensor]:
    """Lay out samples.

    Args:
        tokenizer: For the words.
        prefixes: A sample's tokens before its questions.
        questions: A sample's (question, answer) pairs.

    Returns:
        The fields of `Packed`.
    """
    samples = [_lay_out(tokenizer, prefix, pairs) for prefix, pairs in zip(prefixes, questions, strict=True)]
    width = max(len(sample[0]) for sample in samples)
    fill = (0, IGNORE, 0, -1)
    columns = [
        torch.tensor([list(sample[field]) + [fill[field]] * (width - len(sample[field])) for sample in samples])
        for field in range(4)
    ]
    return {"input_ids": columns[0], "labels": columns[1], "positions": columns[2], "segments": columns[3].short()}


def _lay_out(
    tokenizer: Tokenizer, prefix: Sequence[int], pairs: Sequence[tuple[str, str]]
) -> tuple[list[int], list[int], list[int], list[int]]:
    ids, labels = list(prefix), [IGNORE] * len(prefix)
    positions, segments = list(range(len(prefix))), [0] * len(prefix)
    for number, (question, answer) in enumerate(pairs, 1):
        asked = [*tokenizer.encode(question).ids, SMALL.assistant_id]
        said = [*tokenizer.encode(answer).ids, SMALL.eos_id]
        ids += asked + said[:-1]
        labels += [IGNORE] * (len(asked) - 1) + said
        count = len(asked) + len(said) - 1
        positions += range(len(prefix), len(prefix) + count)
        segments += [number] * count
    return ids, labels, positions, segments


def prefix(*media: tuple[str, int]) -> list[int]:
    """A user's turn that begins with media: (modality, its tokens) each."""
    return [SMALL.user_id, *(SMALL.placeholder_ids[modality] for modality, count in media for _ in range(count))]


OTHER_WORDS = 2000
"""Words drawn each time that a batch's answers must be told from, beside one another."""


def among(omni: Omni, hidden: Tensor, words: Tensor) -> Tensor:
    """`Omni.logits` for some words. Shapes: hidden (n, D), words (W,) int64, sorted → (n, W)."""
    marks = int((words < omni.config.words.special_tokens).sum())
    special = hidden @ omni.special_out[words[:marks]].T
    plain = omni.embed_out(hidden) @ omni.words.direction(words[marks:]).T
    return torch.cat((special, plain), dim=-1) + omni.output_bias[words]


class PlainAttend(MaskedAttend):
    """Attention in plain products: at some hundred tokens quicker on a CPU than a fused kernel's way back."""

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, window: int | None = None) -> Tensor:
        """Attend, the heads of a group together. Shapes as in `Attend`."""
        batch, tokens, heads, width = query.shape
        groups = key.shape[2]
        shared = (batch, groups, heads // groups, tokens)
        query = (query * width**-0.5).unflatten(2, shared[1:3]).permute(0, 2, 3, 1, 4).flatten(2, 3)
        scores = (query @ key.permute(0, 2, 3, 1)).view(*shared, tokens) + self._bias
        out = scores.softmax(-1).to(value.dtype).flatten(2, 3) @ value.transpose(1, 2)
        return out.view(*shared, width).permute(0, 3, 1, 2, 4).flatten(2, 3)

    @cached_property
    def _bias(self) -> Tensor:
        """What keeps scores or rules them out. Shape (B, 1, 1, T, T)."""
        mask = cast("Tensor", self.mask)
        return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)[:, None]


@dataclass(frozen=True)
class Instruct:
    """Answer tokens given media and a question: phase 3, and phase 1 of the decoder where the media are words."""

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Cross entropy of the answers, over their words and others drawn anew (Jean et al. 2015, section 3.1)."""
        omni = cast("Omni", model)
        packed = Packed(*(batch[name] for name in ("input_ids", "labels", "positions", "segments")))
        media = {
            modality: {name: normalize(value) if name == "pixel_values" else value for name, value in arrays.items()}
            for modality, arrays in batch["media"].items()
        }
        x = omni.place(packed.input_ids, {name: omni.connect(name, arrays) for name, arrays in media.items()})
        hidden = omni.decode(x, packed.positions, PlainAttend(packed.mask()))
        wanted = packed.labels[packed.labels != IGNORE]
        drawn = torch.randint(omni.config.words.vocabulary, (OTHER_WORDS,), device=wanted.device)
        candidates = torch.cat((wanted, drawn)).unique()
        labels = packed.labels.clone()
        labels[packed.labels != IGNORE] = torch.searchsorted(candidates, wanted)
        return next_token(hidden, labels, lambda states: among(omni, states, candidates))


@dataclass(frozen=True, eq=False)
class SceneSource:
    """Scenes of one kind with their questions.

    Args:
        kind: picture, sound, clip or pair; text for captions in the place of media.
        tokenizer: For the words.
        pools: What scenes are composed of.
        count: Scenes a batch.
        questions: Questions a scene.
    """

    kind: str
    tokenizer: Tokenizer
    pools: Pools
    count: int
    questions: int = 6

    def __repr__(self) -> str:
        return f"{self.count} {self.kind} scenes with {self.questions} questions each"

    def batch(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw one batch."""
        if self.kind == "text":
            return self._captions(rng)
        scenes = [MAKERS[self.kind](rng, self.pools) for _ in range(self.count)]
        if self.kind == "clip" and rng.random() < SILENT_FILMS:
            scenes = [_silent(rng, self.pools) for _ in range(self.count)]
        media = present(scenes)
        for arrays in media.values():
            if "input_features" in arrays:
                throats = [warped(mel, rng) for mel in arrays["input_features"].numpy()]
                arrays["input_features"] = torch.from_numpy(np.stack(throats))
        tokens = [(modality, media_tokens(modality, arrays)) for modality, arrays in media.items()]
        packed = pack(self.tokenizer, [prefix(*tokens)] * self.count, [self._asked(scene, rng) for scene in scenes])
        return {**packed, "media": media}

    def _asked(self, scene: Scene, rng: np.random.Generator) -> list[tuple[str, str]]:
        return [(qa.question, qa.answer) for qa in ask(scene, rng, "train", self.questions)]

    def _captions(self, rng: np.random.Generator) -> dict[str, Any]:
        """The decoder on its own: what a scene holds, in words, and then the questions on it."""
        prefixes, questions = [], []
        for _ in range(self.count):
            scene = MAKERS[("picture", "sound", "clip", "pair")[int(rng.integers(4))]](rng, self.pools)
            prefixes.append([SMALL.user_id, *self.tokenizer.encode(in_words(scene)).ids])
            questions.append(self._asked(scene, rng))
        return {**pack(self.tokenizer, prefixes, questions), "media": {}}


MAKERS: dict[str, Callable[[np.random.Generator, Pools], Scene]] = {
    "picture": make_picture_scene,
    "sound": make_sound_scene,
    "clip": make_clip_scene,
    "pair": make_pair_scene,
}
SILENT_FILMS = 0.15
"""How often a batch of clips has no sound track at all."""


def _silent(rng: np.random.Generator, pools: Pools) -> Scene:
    for _ in range(200):
        scene = make_clip_scene(rng, pools)
        if not scene.facts.heard:
            return replace(scene, sound=None)
    raise RuntimeError("the generator made 200 clips in a row with sound")


def present(scenes: Sequence[Scene]) -> dict[str, dict[str, Tensor]]:
    """Scenes of one kind as media of the model: modality → arrays; shorter recordings are filled with silence."""
    pixels = {
        name: torch.from_numpy(np.moveaxis(np.stack([getattr(s, name) for s in scenes]), -1, -3).copy())
        for name in ("picture", "frames")
        if getattr(scenes[0], name) is not None
    }
    longest = max((len(scene.sound) for scene in scenes if scene.sound is not None), default=0)
    mels = [log_mel(scene.sound, longest) for scene in scenes] if longest else []
    heard = {"input_features": torch.from_numpy(np.stack(mels))} if mels else {}
    if "frames" in pixels:
        return {"video": {"pixel_values": pixels["frames"], **heard}}
    media = {"image": {"pixel_values": pixels["picture"]}} if "picture" in pixels else {}
    return {**media, **({"audio": heard} if heard else {})}


def media_tokens(modality: str, arrays: Mapping[str, Tensor]) -> int:
    """Decoder tokens that a batch's media take, each."""
    heard = arrays["input_features"].shape[-1] if "input_features" in arrays else 0
    if modality == "audio":
        return SMALL.sound_tokens(heard)
    if modality == "video":
        return SMALL.clip_tokens(arrays["pixel_values"].shape[1], heard)
    return SMALL.picture_tokens()


def in_words(scene: Scene) -> str:
    """What there is to see and to hear."""
    words = []
    for thing in scene.facts.things:
        x, y = thing.centre
        across = "on the left" if x < 0.4 else "on the right" if x > 0.6 else "in the middle"
        along = "at the top" if y < 0.4 else "at the bottom" if y > 0.6 else "in the middle"
        words.append(f"{thing.colour or ''} {thing.kind} {thing.name} {across} {along}.")
    words += [f"heard {item.kind}: {item.name}." for item in scene.facts.heard]
    motion = [f"motion: {scene.facts.motion}."] if scene.facts.motion else []
    return " ".join([f"a {scene.facts.medium}.", *words, *motion])
