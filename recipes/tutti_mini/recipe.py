"""The phases of tutti-mini, in order. `tutti train PHASE --recipe recipes.tutti_mini.recipe --data DIR --out DIR`.

1. `pretrain-image`, `pretrain-audio`, `pretrain-text`: each trunk, and the decoder, on its own.
2. `align`: pictures with words and sounds with words in one space, and never sounds with pictures.
3. `instruct`: questions on scenes, with the second phase's tasks beside them so that nothing is forgotten.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from recipes.tutti_mini.build import Pretraining, new_model
from recipes.tutti_mini.instruct import Instruct, SceneSource
from recipes.tutti_mini.packs import EMOJI, PHOTOS, SOUNDS, load_pictures, load_sounds
from recipes.tutti_mini.pairs import Keys, PicturePairs, SoundPairs
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.tasks import Align, Classify, PairSource
from recipes.tutti_mini.words import tokenizer_json
from tutti.errors import InputError
from tutti.models.omni.model import Omni
from tutti.training.phases import Phase, Schedule, Task

PICTURE_SHARES = (*(0.42, 0.12, 0.02, 0.10, 0.02, 0.01), *(0.10, 0.10, 0.11))
"""Of `PHOTOS`, then of `EMOJI`."""
SOUND_SHARES = (0.08, 0.32, 0.15, 0.08, 0.22, 0.08, 0.07, 0.0)
"""Of `SOUNDS`; coffee orders wait for a model that transcribes."""

STEPS = {"pretrain-image": 1300, "pretrain-audio": 900, "pretrain-text": 50, "align": 300, "instruct": 540}
"""Optimizer steps at `--budget 1`, which takes about 90 minutes on two cores."""
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
    before = {
        "pretrain-text": (),
        "align": ("pretrain-image", "pretrain-audio", "pretrain-text"),
        "instruct": ("align",),
    }[name]
    model = new_model(out / "cache", seed)
    for previous in before:
        take_over(model, out / previous / "model.safetensors")
    return Prepared(model, kitchen.phase(name, steps))


def take_over(model: Omni, file: Path) -> None:
    """Load what an earlier phase trained; from pre-training only the trunk, its head, or the decoder.

    Raises:
        InputError: The phase is not finished.
    """
    if not file.exists():
        raise InputError(f"{file.parent} holds no finished phase; run `tutti train {file.parent.name}` first.")
    tensors = load_file(file)
    if any(key.startswith("classifiers.") for key in tensors):
        modality = next(key.split(".")[1] for key in tensors if key.startswith("classifiers."))
        wanted = (f"model.trunks.{modality}.", f"model.heads.{modality}.")
        tensors = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith(wanted)}
    elif file.parent.name == "pretrain-text":
        tensors = {key: value for key, value in tensors.items() if key.startswith(DECODER)}
    unexpected = model.load_state_dict(tensors, strict=False).unexpected_keys
    if unexpected:
        raise InputError(f"{file} holds {unexpected[0]}, which the model lacks; run its phase again.")


DECODER = ("decoder.", "embed_in.", "embed_out.", "special", "output_bias")


class _Kitchen:
    """Makes the tasks."""

    def __init__(self, data: Path, cache: Path, seed: int) -> None:
        self.data, self.cache, self.seed = data, cache, seed
        self.tokenizer = Tokenizer.from_str(tokenizer_json())

    def pairs(self, modality: str, strength: float = 1.0) -> PicturePairs | SoundPairs:
        """Media with captions."""
        if modality == "image":
            packs = [load_pictures(self.data, self.cache, name).part(held_out=False) for name in PHOTOS + EMOJI]
            return PicturePairs(packs, PICTURE_SHARES, strength)
        sounds = [load_sounds(self.data, self.cache, name).part(held_out=False) for name in SOUNDS]
        return SoundPairs(sounds, SOUND_SHARES)

    def pretrain(self, modality: str, steps: int) -> Prepared:
        """Phase 1 of a trunk."""
        pairs = self.pairs(modality)
        keys = Keys([key for names in pairs.keys.values() for key in names])
        source = PairSource(modality, pairs, keys, 128 if modality == "image" else 48)
        phase = Phase(
            name=f"pretrain-{modality}",
            tasks=(Task(name=modality, objective=Classify(modality), source=source),),
            trainable=(f"model.trunks.{modality}.*", f"model.heads.{modality}.*", "classifiers.*"),
            schedule=Schedule(steps=steps, learning_rate=2e-3, warmup_steps=min(50, steps // 4)),
            seed=self.seed,
        )
        return Prepared(Pretraining(new_model(self.cache, self.seed), {modality: len(keys.names)}), phase)

    def phase(self, name: str, steps: int) -> Phase:
        """A later phase."""
        schedule = Schedule(steps=steps, learning_rate=1e-3, warmup_steps=min(40, steps // 4))
        if name == "pretrain-text":
            source = SceneSource("text", self.tokenizer, self.pools(), 24)
            return Phase(
                name=name,
                tasks=(Task(name="text", objective=Instruct(), source=source),),
                trainable=tuple(f"{prefix}*" for prefix in DECODER),
                schedule=schedule,
                seed=self.seed,
            )
        shared = ("heads.*", "text.*", "logit_scale")
        if name == "align":
            return Phase(
                name=name,
                tasks=self.align(128, 40),
                trainable=("trunks.*", *shared),
                schedule=schedule,
                seed=self.seed,
            )
        # Scenes look unlike single photos, so batch statistics would waver between the tasks: they stay as aligned.
        weights = (
            "trunks.*.project.*",
            "trunks.*.layers.*",
            "trunks.image.norm.*",
            "trunks.audio.norm.*",
            "trunks.*.conv.weight",
            "trunks.image.positions",
        )
        return Phase(
            name=name,
            tasks=self.instruct(),
            trainable=(*weights, *shared, "connectors.*", "frame_positions.*", *(f"{prefix}*" for prefix in DECODER)),
            schedule=replace(schedule, ema_decay=0.995),
            seed=self.seed,
        )

    def align(self, pictures: int, sounds: int) -> tuple[Task, ...]:
        """Phase 2's tasks with batches of these sizes."""
        tasks = []
        for modality, count in (("image", pictures), ("audio", sounds)):
            pairs = self.pairs(modality, strength=0.4)
            keys = Keys([key for names in pairs.keys.values() for key in names])
            source = PairSource(modality, pairs, keys, count, self.tokenizer)
            tasks.append(Task(name=f"{modality}-text", objective=Align(modality), source=source))
        return tuple(tasks)

    def instruct(self) -> tuple[Task, ...]:
        """Phase 3's tasks."""
        pools = self.pools()
        sizes = {"picture": 24, "sound": 10, "clip": 6, "pair": 8}
        weights = {"picture": 1.0, "sound": 0.6, "clip": 0.6, "pair": 0.6}
        scenes = [
            Task(
                name=kind,
                objective=Instruct(),
                source=SceneSource(kind, self.tokenizer, pools, size),
                weight=weights[kind],
            )
            for kind, size in sizes.items()
        ]
        return (*scenes, *self.align(48, 16))

    def pools(self) -> Pools:
        """What scenes are composed of."""
        return Pools.load(self.data, self.cache, held_out=False)


def load_trained(out: Path, phase: str = "instruct") -> Omni:
    """The model after a phase, for measuring and exporting; of a run that was stopped early, as it stood then."""
    model = new_model(out / "cache")
    folder = out / phase
    if (folder / "model.safetensors").exists() or not (folder / "state.json").exists():
        take_over(model, folder / "model.safetensors")
        return model.eval()
    tensors = load_file(folder / json.loads((folder / "state.json").read_text())["tensors"])
    # What a finished run hands out: the weights, those that are averaged by their average.
    for part in ("model.", "average."):
        found = {name.removeprefix(part): value for name, value in tensors.items() if name.startswith(part)}
        model.load_state_dict(found, strict=part == "model.")
    return model.eval()
