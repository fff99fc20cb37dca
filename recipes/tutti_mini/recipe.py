"""The phases of tutti-mini, in order. `tutti train PHASE --recipe recipes.tutti_mini.recipe --data DIR --out DIR`.

1. `glance` (small pictures), `pretrain-image`, `look` (more of what is hard); `pretrain-audio`, `listen` (short
   recordings); `pretrain-text`: each trunk, and the decoder, on its own.
2. `align`: pictures with words and sounds with words in one space, and never sounds with pictures.
   `align-heads`: the same in larger batches, the trunks standing still.
   `tune-image`, `tune-audio`: a trunk and its head against all names at once.
   `bind`: what projects into the space, and the text trunk, on media that the trunks saw once.
3. `instruct`: questions on scenes; what was aligned stays as it is. It waits for `tune-image` and `tune-audio` only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from recipes.tutti_mini.alignment import Align, AlignHeads, Classify, Glance, PairSource
from recipes.tutti_mini.build import Pretraining, new_model
from recipes.tutti_mini.instruct import Instruct, SceneSource
from recipes.tutti_mini.name_tuning import Bind, CaptionSource, Names, NameSource, Tune
from recipes.tutti_mini.packs import EMOJI, PHOTOS, SOUNDS, load_pictures, load_sounds
from recipes.tutti_mini.pairs import LENGTHS_S, Keys, PicturePairs, SoundPairs
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.shares import (
    COLOUR,
    HEAD_SHARES,
    LISTEN_S,
    LISTEN_SHARES,
    LONGEST_CAPTION,
    LOOK_SHARES,
    PICTURE_SHARES,
    SOUND_SHARES,
    TUNE_LENGTHS_S,
    TUNE_SHARES,
)
from recipes.tutti_mini.token_labelling import COLOUR_NAMES, MOMENTS, MomentSource, PlaceSource, place_names
from recipes.tutti_mini.words import tokenizer_json
from tutti.errors import InputError
from tutti.models.omni.model import Omni
from tutti.training.phases import Phase, Schedule, TrainingTask

STEPS = {
    "glance": 4800,
    "pretrain-image": 1900,
    "look": 1300,
    "pretrain-audio": 900,
    "listen": 2200,
    "pretrain-text": 600,
    "align": 320,
    "align-heads": 450,
    "tune-image": 2600,
    "tune-audio": 2500,
    "bind": 450,
    "instruct": 5900,
}
"""Optimizer steps at `--budget 1`."""
PHASES = tuple(STEPS)

SPOTS = ("classifiers.places.", "classifiers.colours.", "classifiers.moments.")
TEXT = ("text.", "logit_scale")
HEADS = ("heads.", *TEXT)
ALIGNED = ("trunks.", *HEADS)
DECODER = ("decoder.", "embed_in.", "embed_out.", "special", "output_bias")
MEDIA = {name: (f".trunks.{name}.", f".heads.{name}.") for name in ("image", "audio")}
TAKES_OVER: dict[str, dict[str, tuple[str, ...]]] = {
    "pretrain-image": {"glance": ("image.",)},
    "look": {"pretrain-image": (".image.", *SPOTS)},
    "listen": {"pretrain-audio": (".audio.", *SPOTS)},
    "align": {"look": (".image.", *SPOTS), "listen": (".audio.", *SPOTS)},
    "align-heads": {"align": ALIGNED},
    "tune-image": {"align": (".trunks.", *SPOTS), "align-heads": HEADS},
    "tune-audio": {"align": (".trunks.", *SPOTS), "align-heads": HEADS},
    "bind": {"align-heads": TEXT, "tune-image": MEDIA["image"], "tune-audio": MEDIA["audio"]},
    "instruct": {"pretrain-text": DECODER, "tune-image": MEDIA["image"], "tune-audio": MEDIA["audio"]},
}
"""Phase → the phases before it, and parts of the names of what it takes over from them."""


@dataclass(frozen=True)
class Prepared:
    """A phase that is ready to run."""

    model: nn.Module
    phase: Phase


def prepare(name: str, *, data: Path, out: Path, budget: float = 1.0, seed: int = 0) -> Prepared:
    """Build a phase's model from the phases before it, and its tasks from the packs.

    Args:
        name: One of `PHASES`.
        data: The folder that holds the packs.
        out: The folder that holds the runs; caches of decoded packs go to its `cache`.
        budget: Factor of the steps.
        seed: Of everything.

    Raises:
        InputError: There is no such phase, or one before it is not finished.
    """
    if name not in STEPS:
        raise InputError(f"There is no phase {name!r}; this recipe has {', '.join(PHASES)}.")
    prepared = _Kitchen(data, out / "cache", seed).prepare(name, max(20, round(STEPS[name] * budget)))
    for before, wanted in TAKES_OVER.get(name, {}).items():
        take_over(prepared.model, out / before / "model.safetensors", wanted)
    return prepared


def take_over(model: nn.Module, file: Path, wanted: tuple[str, ...] = ("",)) -> None:
    """Load what an earlier phase trained.

    Args:
        model: The model, with or without classifiers.
        file: The phase's weights, with or without classifiers.
        wanted: Parts of the names of what is taken.

    Raises:
        InputError: The phase is not finished.
    """
    if not file.exists():
        raise InputError(f"{file.parent} holds no finished phase; run `tutti train {file.parent.name}` first.")
    own = set(model.state_dict())
    tensors = {
        next((known for known in (name, f"model.{name}") if known in own), name.removeprefix("model.")): value
        for name, value in load_file(file).items()
        if any(part in name for part in wanted)
    }
    tensors = {name: value for name, value in tensors.items() if not name.startswith("classifiers.") or name in own}
    unexpected = model.load_state_dict(tensors, strict=False).unexpected_keys
    if unexpected:
        raise InputError(f"{file} holds {unexpected[0]}, which the model lacks; run its phase again.")


def keys_of(drawn: PicturePairs | SoundPairs, broad: bool = False) -> Keys:
    """All that may be drawn, as numbers; `broad`: kinds of things, too."""
    names = [name for names in drawn.keys.values() for name in names]
    if broad and isinstance(drawn, PicturePairs):
        names += [name for names in drawn.broad.values() for name in names]
    return Keys(names)


class _Kitchen:
    """Makes the tasks."""

    def __init__(self, data: Path, cache: Path, seed: int) -> None:
        self.data, self.cache, self.seed = data, cache, seed
        self.tokenizer = Tokenizer.from_str(tokenizer_json())

    def prepare(self, name: str, steps: int) -> Prepared:
        """A phase and its model, which has random weights."""
        alone = {"glance": self.glance, "look": self.look, "listen": self.listen, "align": self.align}
        if name in alone:
            return alone[name](steps)
        if name in ("pretrain-image", "pretrain-audio"):
            return self.pretrain(name.removeprefix("pretrain-"), steps)
        if name in ("tune-image", "tune-audio"):
            return self.tune(name.removeprefix("tune-"), steps)
        phases = {
            "pretrain-text": self.text,
            "align-heads": self.align_heads,
            "bind": self.bind,
            "instruct": self.instruct,
        }
        return Prepared(new_model(self.cache, self.seed), phases[name](steps))

    def pairs(
        self,
        modality: str,
        strength: float = 1.0,
        shares: tuple[float, ...] | None = None,
        colour: float = COLOUR,
        lengths_s: Mapping[float, float] = LENGTHS_S,
    ) -> PicturePairs | SoundPairs:
        """Media with captions, in the usual shares or in others."""
        if modality == "image":
            packs = [load_pictures(self.data, self.cache, name).part(held_out=False) for name in PHOTOS + EMOJI]
            return PicturePairs(packs, shares or PICTURE_SHARES, strength, colour)
        sounds = [load_sounds(self.data, self.cache, name).part(held_out=False) for name in SOUNDS]
        return SoundPairs(sounds, shares or SOUND_SHARES, lengths_s)

    def glance(self, steps: int) -> Prepared:
        """Phase 1 of the picture trunk, on small pictures."""
        drawn = self.pairs("image", strength=0.6, colour=1.0)
        source = PairSource("image", drawn, keys_of(drawn), 128)
        return self.classify("glance", Glance(), source, self.schedule(steps, 2e-3), "classifiers.image.*")

    def look(self, steps: int) -> Prepared:
        """Phase 1 of the picture trunk, continued on what has many names: emoji, groceries, words."""
        drawn = self.pairs("image", strength=0.5, shares=LOOK_SHARES)
        spots = PlaceSource(self.pools, place_names(self.pools), 64, words=16)
        source = PairSource("image", drawn, keys_of(drawn), 128, spots)
        return self.classify("look", Classify("image"), source, self.schedule(steps, 1.5e-3), "classifiers.*")

    def listen(self, steps: int) -> Prepared:
        """Phase 1 of the sound trunk, continued on short recordings: mostly words, by many voices and microphones."""
        drawn = self.pairs("audio", shares=LISTEN_SHARES, lengths_s={LISTEN_S: 1.0})
        source = PairSource("audio", drawn, keys_of(drawn), 64)
        schedule = self.schedule(steps, 1.5e-3)
        return self.classify("listen", Classify("audio"), source, schedule, "classifiers.audio.*")

    def pretrain(self, modality: str, steps: int) -> Prepared:
        """Phase 1 of a trunk."""
        source = self.source(modality, *((128, 64) if modality == "image" else (48, 16)))
        schedule = self.schedule(steps, 2e-3)
        return self.classify(f"pretrain-{modality}", Classify(modality), source, schedule, "classifiers.*")

    def classify(
        self, name: str, objective: Classify | Glance, source: PairSource, schedule: Schedule, classifiers: str
    ) -> Prepared:
        """A trunk and its head learn what their classifiers are asked; `classifiers` are those that learn with them."""
        modality = source.modality
        phase = Phase(
            name=name,
            tasks=(TrainingTask(name=modality, objective=objective, source=source),),
            trainable=(f"model.trunks.{modality}.*", f"model.heads.{modality}.*", classifiers),
            schedule=schedule,
            seed=self.seed,
        )
        return Prepared(self.pretraining({modality: len(source.keys.names)}, (modality,)), phase)

    def schedule(self, steps: int, learning_rate: float) -> Schedule:
        """Warm-up and cosine, in the narrowest numbers that this machine computes fast in."""
        fast = torch.cuda.is_available() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - told nowhere else
        precision: Literal["float32", "bfloat16"] = "bfloat16" if fast else "float32"
        return Schedule(steps=steps, learning_rate=learning_rate, warmup_steps=min(50, steps // 4), precision=precision)

    def pretraining(self, keys: Mapping[str, int], modalities: tuple[str, ...]) -> Pretraining:
        """The model with the classifiers of phases 1 and 2: of labels (as many as `keys` says), places and moments."""
        model = new_model(self.cache, self.seed)
        width = model.config.trunks["image"].width
        places = {"places": (width, len(place_names(self.pools))), "colours": (width, len(COLOUR_NAMES))}
        spots = {"image": places, "audio": {"moments": (width, len(MOMENTS))}}
        classes = {name: (model.config.shared_width, count) for name, count in keys.items()}
        return Pretraining(model, classes | {name: sizes for one in modalities for name, sizes in spots[one].items()})

    def source(
        self, modality: str, pairs: int, scenes: int, tokenizer: Tokenizer | None = None, strength: float = 0.6
    ) -> PairSource:
        """Pairs of one kind, with scenes beside them."""
        drawn = self.pairs(modality, strength)
        keys = keys_of(drawn, broad=tokenizer is not None)
        if modality == "image":
            spots: PlaceSource | MomentSource = PlaceSource(self.pools, place_names(self.pools), scenes)
        else:
            spots = MomentSource(self.pools, scenes)
        others = 256 if modality == "image" and tokenizer else 0
        return PairSource(modality, drawn, keys, pairs, spots, tokenizer, others)

    def align(self, steps: int) -> Prepared:
        """Phase 2."""
        tasks = tuple(
            TrainingTask(
                name=f"{modality}-text",
                objective=Align(modality),
                source=self.source(modality, pairs, scenes, self.tokenizer, strength=0.4),
            )
            for modality, pairs, scenes in (("image", 128, 48), ("audio", 40, 12))
        )
        phase = Phase(
            name="align",
            tasks=tasks,
            trainable=("model.trunks.*", "model.heads.*", "model.text.*", "model.logit_scale", "classifiers.*"),
            schedule=self.schedule(steps, 1e-3),
            seed=self.seed,
        )
        return Prepared(self.pretraining({}, ("image", "audio")), phase)

    def align_heads(self, steps: int) -> Phase:
        """Phase 2, second part: heads and text trunk only."""
        tasks = []
        for modality, count, others in (("image", 384, 256), ("audio", 96, 0)):
            drawn = self.pairs(modality, strength=0.4, shares=HEAD_SHARES[modality])
            keys = keys_of(drawn, broad=True)
            source = PairSource(
                modality, drawn, keys, count, tokenizer=self.tokenizer, others=others, longest=LONGEST_CAPTION
            )
            tasks.append(TrainingTask(name=f"{modality}-text", objective=AlignHeads(modality), source=source))
        return Phase(
            name="align-heads",
            tasks=tuple(tasks),
            trainable=tuple(f"{prefix}*" for prefix in HEADS),
            schedule=replace(self.schedule(steps, 1e-3), ema_decay=0.98),
            seed=self.seed,
        )

    def tune(self, modality: str, steps: int) -> Prepared:
        """Phase 2, third part: a trunk and its head, the text trunk standing still."""
        spots: PlaceSource | MomentSource
        drawn = self.pairs(modality, 0.5, TUNE_SHARES[modality], lengths_s=TUNE_LENGTHS_S)
        if modality == "image":
            count, spots = 144, PlaceSource(self.pools, place_names(self.pools), 48, words=16)
        else:
            count, spots = 64, MomentSource(self.pools, 6)
        names = Names(drawn)
        objective = Tune(modality, names.ways(self.seed), self.tokenizer)
        source = NameSource(names, count, spots)
        phase = Phase(
            name=f"tune-{modality}",
            tasks=(TrainingTask(name=modality, objective=objective, source=source),),
            trainable=(f"model.trunks.{modality}.*", f"model.heads.{modality}.*", "classifiers.*"),
            schedule=self.schedule(steps, 1.5e-3),
            seed=self.seed,
        )
        return Prepared(self.pretraining({}, (modality,)), phase)

    def bind(self, steps: int) -> Phase:
        """Phase 2, fourth and last part: what projects into the shared space, and the text trunk; the rest stays."""
        tasks = []
        for modality, count, views in (("image", 448, 60_000), ("audio", 96, 16_000)):
            names = Names(self.pairs(modality, 0.4, TUNE_SHARES[modality], lengths_s=TUNE_LENGTHS_S))
            objective = Bind(modality, names, views, self.seed)
            tasks.append(
                TrainingTask(name=modality, objective=objective, source=CaptionSource(names, self.tokenizer, count))
            )
        return Phase(
            name="bind",
            tasks=tuple(tasks),
            trainable=("heads.*.project.*", "text.*"),
            schedule=replace(self.schedule(steps, 1e-3), ema_decay=0.98),
            seed=self.seed,
        )

    def text(self, steps: int) -> Phase:
        """Phase 1 of the decoder."""
        source = SceneSource("text", self.tokenizer, self.pools, 24)
        return Phase(
            name="pretrain-text",
            tasks=(TrainingTask(name="text", objective=Instruct(), source=source),),
            trainable=tuple(f"{prefix}*" for prefix in DECODER),
            schedule=self.schedule(steps, 1e-3),
            seed=self.seed,
        )

    def instruct(self, steps: int) -> Phase:
        """Phase 3: trunks, heads and the shared space stay as they were."""
        sizes = {"picture": 32, "sound": 12, "clip": 8, "pair": 12}
        tasks = tuple(
            TrainingTask(name=kind, objective=Instruct(), source=SceneSource(kind, self.tokenizer, self.pools, size))
            for kind, size in sizes.items()
        )
        return Phase(
            name="instruct",
            tasks=tasks,
            trainable=("connectors.*", "frame_positions.*", *(f"{prefix}*" for prefix in DECODER)),
            schedule=replace(self.schedule(steps, 1.5e-3), ema_decay=0.995),
            seed=self.seed,
        )

    @cached_property
    def pools(self) -> Pools:
        """What scenes are composed of."""
        return Pools.load(self.data, self.cache, held_out=False)


def load_trained(out: Path, phase: str = "instruct") -> Omni:
    """The model after a phase, for measuring and exporting; of a run that was stopped early, as it stood then.

    Phase 3 uses neither heads nor text trunk and may begin before `bind` is finished, so these are from there.
    """
    model = _after(out, phase)
    if phase == "instruct":
        take_over(model, out / "bind" / "model.safetensors", HEADS)
    return model.eval()


def _after(out: Path, phase: str) -> Omni:
    model = new_model(out / "cache")
    folder = out / phase
    if (folder / "model.safetensors").exists() or not (folder / "state.json").exists():
        take_over(model, folder / "model.safetensors")
        return model
    tensors = load_file(folder / json.loads((folder / "state.json").read_text())["tensors"])
    # What a finished run hands out: the weights, those that are averaged by their average.
    for part in ("model.", "average."):
        found = {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
        model.load_state_dict(found, strict=part == "model.")
    return model
