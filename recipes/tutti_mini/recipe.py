"""The phases of tutti-mini, in order. `tutti train PHASE --recipe recipes.tutti_mini.recipe --data DIR --out DIR`.

1. `pretrain-image`, `pretrain-audio`, `pretrain-text`: each trunk, and the decoder, on its own.
2. `align`: pictures with words and sounds with words in one space, and never sounds with pictures.
   `align-heads`: the same in larger batches, the trunks standing still.
3. `instruct`: questions on scenes; what was aligned stays as it is. `rephrase`: the same with a fresh schedule.
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

from recipes.tutti_mini.build import Pretraining, new_model
from recipes.tutti_mini.instruct import Instruct, SceneSource
from recipes.tutti_mini.packs import EMOJI, PHOTOS, SOUNDS, load_pictures, load_sounds
from recipes.tutti_mini.pairs import Keys, PicturePairs, SoundPairs
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.spots import COLOUR_NAMES, MOMENTS, MomentSource, PlaceSource, place_names
from recipes.tutti_mini.tasks import Align, AlignHeads, Classify, PairSource
from recipes.tutti_mini.words import tokenizer_json
from tutti.errors import InputError
from tutti.models.omni.model import Omni
from tutti.training.phases import Phase, Schedule, Task

PICTURE_SHARES = (*(0.36, 0.11, 0.01, 0.10, 0.03, 0.01), *(0.12, 0.13, 0.13))
"""Of `PHOTOS`, then of `EMOJI`."""
SOUND_SHARES = (0.08, 0.28, 0.13, 0.07, 0.28, 0.09, 0.07, 0.0)
"""Of `SOUNDS`; coffee orders wait for a model that transcribes."""

HEAD_SHARES = {
    "image": (*(0.24, 0.11, 0.02, 0.16, 0.04, 0.01), *(0.14, 0.14, 0.14)),
    "audio": (0.10, 0.24, 0.16, 0.10, 0.25, 0.07, 0.08, 0.0),
}
"""The same for the heads alone."""
LONGEST_CAPTION = 16
"""Tokens, for the heads alone: with few long captions among many, the text trunk would take most of the step."""

STEPS = {
    "pretrain-image": 1400,
    "pretrain-audio": 900,
    "pretrain-text": 600,
    "align": 320,
    "align-heads": 450,
    "instruct": 1100,
    "rephrase": 600,
}
"""Optimizer steps at `--budget 1`."""
PHASES = tuple(STEPS)


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
    kitchen = _Kitchen(data, out / "cache", seed)
    steps = max(20, round(STEPS[name] * budget))
    if name in ("pretrain-image", "pretrain-audio"):
        return kitchen.pretrain(name.removeprefix("pretrain-"), steps)
    if name == "align":
        prepared = kitchen.align(steps)
        for trunk in ("image", "audio"):
            take_over(prepared.model, out / f"pretrain-{trunk}" / "model.safetensors", (f".{trunk}.", *SPOTS))
        return prepared
    model = new_model(out / "cache", seed)
    if name == "align-heads":
        take_over(model, out / "align" / "model.safetensors", ALIGNED)
        return Prepared(model, kitchen.align_heads(steps))
    if name == "pretrain-text":
        return Prepared(model, kitchen.text(steps))
    if name == "rephrase":
        take_over(model, out / "instruct" / "model.safetensors")
        return Prepared(model, kitchen.instruct(steps, "rephrase", 1e-3))
    take_over(model, out / "pretrain-text" / "model.safetensors", DECODER)
    take_over(model, out / "align-heads" / "model.safetensors", ALIGNED)
    return Prepared(model, kitchen.instruct(steps))


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
        name if name in own else name.removeprefix("model."): value
        for name, value in load_file(file).items()
        if any(part in name for part in wanted)
    }
    tensors = {name: value for name, value in tensors.items() if not name.startswith("classifiers.") or name in own}
    unexpected = model.load_state_dict(tensors, strict=False).unexpected_keys
    if unexpected:
        raise InputError(f"{file} holds {unexpected[0]}, which the model lacks; run its phase again.")


SPOTS = ("classifiers.places.", "classifiers.colours.", "classifiers.moments.")
HEADS = ("heads.", "text.", "logit_scale")
ALIGNED = ("trunks.", *HEADS)
DECODER = ("decoder.", "embed_in.", "embed_out.", "special", "output_bias")


class _Kitchen:
    """Makes the tasks."""

    def __init__(self, data: Path, cache: Path, seed: int) -> None:
        self.data, self.cache, self.seed = data, cache, seed
        self.tokenizer = Tokenizer.from_str(tokenizer_json())

    def pairs(
        self, modality: str, strength: float = 1.0, shares: tuple[float, ...] | None = None
    ) -> PicturePairs | SoundPairs:
        """Media with captions, in the usual shares or in others."""
        if modality == "image":
            packs = [load_pictures(self.data, self.cache, name).part(held_out=False) for name in PHOTOS + EMOJI]
            return PicturePairs(packs, shares or PICTURE_SHARES, strength)
        sounds = [load_sounds(self.data, self.cache, name).part(held_out=False) for name in SOUNDS]
        return SoundPairs(sounds, shares or SOUND_SHARES)

    def pretrain(self, modality: str, steps: int) -> Prepared:
        """Phase 1 of a trunk."""
        source = self.source(modality, *((128, 64) if modality == "image" else (48, 16)))
        phase = Phase(
            name=f"pretrain-{modality}",
            tasks=(Task(name=modality, objective=Classify(modality), source=source),),
            trainable=(f"model.trunks.{modality}.*", f"model.heads.{modality}.*", "classifiers.*"),
            schedule=self.schedule(steps, 2e-3),
            seed=self.seed,
        )
        return Prepared(self.pretraining({modality: len(source.keys.names)}, (modality,)), phase)

    def schedule(self, steps: int, learning_rate: float) -> Schedule:
        """Warm-up and cosine, in the narrowest numbers that this machine computes fast in."""
        fast = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 - told nowhere else
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
        keys = Keys([key for names in drawn.keys.values() for key in names])
        if modality == "image":
            spots: PlaceSource | MomentSource = PlaceSource(self.pools, place_names(self.pools), scenes)
        else:
            spots = MomentSource(self.pools, scenes)
        others = 256 if modality == "image" and tokenizer else 0
        return PairSource(modality, drawn, keys, pairs, spots, tokenizer, others)

    def align(self, steps: int) -> Prepared:
        """Phase 2."""
        tasks = tuple(
            Task(
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
            keys = Keys([key for names in drawn.keys.values() for key in names])
            source = PairSource(
                modality, drawn, keys, count, tokenizer=self.tokenizer, others=others, longest=LONGEST_CAPTION
            )
            tasks.append(Task(name=f"{modality}-text", objective=AlignHeads(modality), source=source))
        return Phase(
            name="align-heads",
            tasks=tuple(tasks),
            trainable=tuple(f"{prefix}*" for prefix in HEADS),
            schedule=replace(self.schedule(steps, 1e-3), ema_decay=0.98),
            seed=self.seed,
        )

    def text(self, steps: int) -> Phase:
        """Phase 1 of the decoder."""
        source = SceneSource("text", self.tokenizer, self.pools, 24)
        return Phase(
            name="pretrain-text",
            tasks=(Task(name="text", objective=Instruct(), source=source),),
            trainable=tuple(f"{prefix}*" for prefix in DECODER),
            schedule=self.schedule(steps, 1e-3),
            seed=self.seed,
        )

    def instruct(self, steps: int, name: str = "instruct", learning_rate: float = 1.5e-3) -> Phase:
        """Phase 3, and once more with a fresh schedule: trunks, heads and the shared space stay as they were."""
        sizes = {"picture": 32, "sound": 12, "clip": 8, "pair": 12}
        tasks = tuple(
            Task(name=kind, objective=Instruct(), source=SceneSource(kind, self.tokenizer, self.pools, size))
            for kind, size in sizes.items()
        )
        return Phase(
            name=name,
            tasks=tasks,
            trainable=("connectors.*", "frame_positions.*", *(f"{prefix}*" for prefix in DECODER)),
            schedule=replace(self.schedule(steps, learning_rate), ema_decay=0.995),
            seed=self.seed,
        )

    @cached_property
    def pools(self) -> Pools:
        """What scenes are composed of."""
        return Pools.load(self.data, self.cache, held_out=False)


def load_trained(out: Path, phase: str = "rephrase") -> Omni:
    """The model after a phase, for measuring and exporting; of a run that was stopped early, as it stood then.

    Phase 3 leaves the heads alone, so those of `align-heads` may be newer than the ones that it began with.
    """
    model = _after(out, phase)
    if phase in ("instruct", "rephrase"):
        take_over(model, out / "align-heads" / "model.safetensors", HEADS)
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
