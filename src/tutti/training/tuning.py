"""A model that answers, tuned on rows of data: what `tutti tune` runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tutti.checkpoints.adapter_base import fingerprint_of
from tutti.checkpoints.adapter_config import AdapterConfig
from tutti.checkpoints.adapters import new_adapter, save_adapter
from tutti.checkpoints.families import FAMILIES
from tutti.checkpoints.family import read_config
from tutti.checkpoints.folders import other_files
from tutti.checkpoints.loading import Loaded
from tutti.checkpoints.saving import save
from tutti.content import Message, Text
from tutti.engine.embedding_cache import EmbeddingCache
from tutti.engine.embedding_shelf import DiskShelf
from tutti.engine.runner import Decoder
from tutti.engine.speech_window import SpeechDecoder
from tutti.errors import InputError, TuttiError, UnsupportedTask
from tutti.models.layers.linear import QuantizedLinear
from tutti.training.batches import move
from tutti.training.data import BadRow, Dialogue, Preference
from tutti.training.generating import checkpoint_blocks
from tutti.training.lesson_batches import LessonGroup, LessonSource
from tutti.training.lessons import LessonReader, ReadMedium
from tutti.training.media_store import MediaStore
from tutti.training.phases import Phase, Schedule, TrainingTask, select
from tutti.training.reward import REWARD_WEIGHT, RewardLoss, add_head, save_reward
from tutti.training.tuning_files import TuningFile, TuningRow
from tutti.training.tuning_objectives import AnswerLoss, PreferenceLoss
from tutti.training.tuning_options import TuningOptions
from tutti.training.tuning_parts import blocks_of, target_layers, trained_patterns

_SHELF_BYTES = 2**33
_LORA = ("*.lora_A.weight", "*.lora_B.weight")
_ROWS_BETWEEN_NOTES = 200


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning:
    """A model, ready to be tuned: for `tutti.training.loop.train` and `dry_run`."""

    model: nn.Module
    phase: Phase
    source: LessonSource
    validation: LessonSource | None
    """Items that are held out; None if there are none."""
    objective: AnswerLoss | PreferenceLoss | RewardLoss
    media: MediaStore
    bad: tuple[BadRow, ...]
    """Rows that were left out."""
    adapter: AdapterConfig | None
    """Of the adapter that is trained, if one is."""
    base: Mapping[str, str]
    """Fingerprint of the model that is tuned."""
    held_out: tuple[TuningRow, ...]
    """The rows of `validation`."""

    @property
    def trained_parameters(self) -> int:
        """How many numbers are trained."""
        named = dict(self.model.named_parameters())
        return sum(named[name].numel() for name in select(named, self.phase.trainable))

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Loss on what is held out, and what the objective reports beside it."""
        if self.validation is None:
            return {}
        sums: dict[str, float] = {}
        total = 0.0
        device = next(model.parameters()).device
        for step in range(self.validation.steps_an_epoch):
            batch = self.validation.batch_at(step, 0)
            weight = batch.share if isinstance(self.objective, AnswerLoss) else float(len(batch.good))
            total += weight
            for name, value in self.objective(model, move(batch, str(device))).items():
                sums[name] = sums.get(name, 0.0) + float(value) * weight
        return {f"validation/{name}": value / total for name, value in sums.items()}


def prepare_tuning(
    loaded: Loaded,
    train: TuningFile,
    options: TuningOptions,
    read: ReadMedium,
    *,
    validation: TuningFile | None = None,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Tuning:
    """Put an adapter beside a model, or choose what is trained of it, and make all rows ready.

    Every row is read, its media decoded and its length counted, before anything is learned. Where the trunks stand
    still, they run here, once a medium.

    Args:
        loaded: The model; changed in place.
        train: What is learned.
        options: How.
        read: Decodes a medium and makes it ready for the model.
        validation: What is held out; None holds out a share of `train`, by media, so that none is on both sides.
        cache: Folder in which encoded media outlive the process; None keeps them in memory only.
        say: Receives one line of progress at a time.

    Raises:
        InputError: No row can be learned from, or the data are not those that the objective takes.
        UnsupportedTask: The model does not generate.
    """
    model, name = loaded.model, loaded.info.family
    if not isinstance(model, Decoder | SpeechDecoder):
        raise UnsupportedTask(f"{loaded.info.path} generates no answers; tune a model with a decoder.")
    family = FAMILIES[name]
    base = fingerprint_of(Path(loaded.info.path), Path(loaded.info.path).name, family, getattr(model, "computed", ()))
    adapter, trainable = _chosen(loaded, options)
    longest = min(options.longest or model.context_length, model.context_length)
    reader = LessonReader(loaded.processor, read, longest)
    bad: list[BadRow] = [*train.bad, *(validation.bad if validation else ())]
    rows = _items(reader, train.rows, options, bad, say)
    held = _items(reader, validation.rows, options, bad, say) if validation else []
    if not rows:
        raise InputError(f"{train.name} holds no row to learn from: {_first(bad)}")
    if validation is None:
        rows, held = _split(rows, options)
    media = _media_store(model, reader, rows, f"{base['base_digest']} {_precision(model)}", cache)
    if not media.moves:
        _encode_all(model, media, [item for _, item in [*rows, *held]], say)
    if options.checkpointing:
        checkpoint_blocks(model, blocks_of(name, family))
    data = {"file": train.name, "kind": train.kind, "digest": train.digest, "base": base["base_digest"]}
    source = LessonSource(
        [item for _, item in rows],
        batch=options.batch,
        micro_batches=options.micro_batches,
        seed=options.seed,
        data=data,
    )
    objective = _objective(media, options)
    if isinstance(objective, RewardLoss):
        trainable = (*trainable, REWARD_WEIGHT)
        add_head(model, _width(model))
    return Tuning(
        model=model,
        phase=_phase(source, objective, trainable, options),
        source=source,
        validation=LessonSource([item for _, item in held], batch=options.batch, shuffle=False) if held else None,
        objective=objective,
        media=media,
        bad=tuple(bad),
        adapter=adapter,
        base=base,
        held_out=tuple(row for row, _ in held),
    )


def save_tuned(tuning: Tuning, loaded: Loaded, folder: Path, model: str = "", quantize: str | None = None) -> Path:
    """Write what was learned: `adapter` in the PEFT layout, `reward`, one with a head, or `model`, a whole checkpoint.

    Args:
        tuning: What was tuned.
        loaded: The model.
        folder: The run's.
        model: What the model is called, to be found again beside a reward model.
        quantize: Bits of its weights, if they were asked for.

    Returns:
        The folder written.
    """
    if tuning.adapter is not None:
        family = FAMILIES[loaded.info.family]
        if isinstance(tuning.objective, RewardLoss):
            save_adapter(tuning.model, folder / "reward", _in_peft(tuning.adapter, loaded), family, tuning.base)
            save_reward(tuning.model, folder / "reward", model, quantize)
            return folder / "reward"
        save_adapter(tuning.model, folder / "adapter", _in_peft(tuning.adapter, loaded), family, tuning.base)
        return folder / "adapter"
    path = Path(loaded.info.path)
    save(tuning.model, folder / "model", read_config(path), other_files(path))
    return folder / "model"


def _objective(media: MediaStore, options: TuningOptions) -> AnswerLoss | PreferenceLoss | RewardLoss:
    if options.objective == "answers":
        return AnswerLoss(media)
    if options.objective == "reward":
        return RewardLoss(media)
    return PreferenceLoss(media, options.objective, options.beta)


@torch.no_grad()
def _width(model: nn.Module) -> int:
    """D of a model that answers.

    Raises:
        UnsupportedTask: It writes down speech.
    """
    if not isinstance(model, Decoder):
        raise UnsupportedTask("Models that write down speech have no answers to compare; tune one that answers.")
    device = next(model.parameters()).device
    return model.embed_tokens(torch.zeros(1, dtype=torch.int64, device=device)).shape[-1]


def _chosen(loaded: Loaded, options: TuningOptions) -> tuple[AdapterConfig | None, tuple[str, ...]]:
    """The adapter, if one is trained, and the patterns of what is."""
    model, name = loaded.model, loaded.info.family
    if options.how == "lora":
        config = AdapterConfig(
            r=options.rank,
            lora_alpha=options.strength,
            lora_dropout=options.dropout,
            target_modules=target_layers(model, name, FAMILIES[name], options.targets),
            base_model=loaded.info.path.rstrip("/").rpartition("/")[2],
        )
        torch.manual_seed(options.seed)
        new_adapter(model, config)
        return config, _LORA
    if any(isinstance(module, QuantizedLinear) for module in model.modules()):
        raise InputError("Weights of int8 or int4 codes learn nothing themselves; use --lora, or the plain model.")
    patterns = ("*",) if options.how == "full" else trained_patterns(name, options.parts)
    names = [parameter for parameter, _ in model.named_parameters()]
    present = tuple(pattern for pattern in patterns if _matches(names, pattern))
    if not present:
        raise InputError(f"The model has no parameters in {', '.join(options.parts)}; choose other parts.")
    chosen = select(names, present)
    for parameter, value in model.named_parameters():
        value.requires_grad_(parameter in chosen)
    return None, present


def _matches(names: Sequence[str], pattern: str) -> bool:
    try:
        return bool(select(names, (pattern,)))
    except InputError:
        return False


def _items(
    reader: LessonReader,
    rows: Sequence[TuningRow],
    options: TuningOptions,
    bad: list[BadRow],
    say: Callable[[str], None],
) -> list[tuple[TuningRow, LessonGroup]]:
    """Rows as items; what cannot be learned from goes to `bad`."""
    found: list[tuple[TuningRow, LessonGroup]] = []
    for number, row in enumerate(rows):
        try:
            found.append((row, _item(reader, row, rows[number - 1], options)))
        except TuttiError as error:
            bad.append(BadRow(row.where or row.key, str(error)))
        if (number + 1) % _ROWS_BETWEEN_NOTES == 0:
            say(f"read {number + 1} of {len(rows)} rows")
    return found


def _item(reader: LessonReader, row: TuningRow, before: TuningRow, options: TuningOptions) -> LessonGroup:
    wanted = {"answers": "conversations", "kto": "verdicts"}.get(options.objective, "preferences")

    def answered(prompt: Sequence[Message], answer: str) -> list[Message]:
        return [*prompt, Message("assistant", (Text(answer),))]

    if wanted == "conversations" and isinstance(row, Dialogue):
        return LessonGroup((reader.lesson(row.messages, row.where),))
    if isinstance(row, Dialogue):
        raise InputError(f"It is a conversation, and {options.objective} learns from {wanted}.")
    if wanted == "preferences" and isinstance(row, Preference):
        both = (answered(row.prompt, row.chosen), answered(row.prompt, row.rejected))
        return LessonGroup(tuple(reader.lesson(one, row.where, only_last=True) for one in both))
    if wanted == "verdicts" and not isinstance(row, Preference):
        if before is row or isinstance(before, (Dialogue, Preference)):
            raise InputError("It is the only verdict; expected two at least, of different answers.")
        both = (answered(row.prompt, row.answer), answered(row.prompt, before.answer))
        return LessonGroup(tuple(reader.lesson(one, row.where, only_last=True) for one in both), row.good)
    raise InputError(f"It is no row of {wanted}, which {options.objective} learns from.")


def _split(
    rows: list[tuple[TuningRow, LessonGroup]], options: TuningOptions
) -> tuple[list[tuple[TuningRow, LessonGroup]], list[tuple[TuningRow, LessonGroup]]]:
    """Rows to learn and rows that are held out; those on one medium stay together."""
    groups = sorted({item.lessons[0].group for _, item in rows})
    count = round(options.held_out * len(groups))
    if options.held_out and len(groups) > 1:
        count = max(1, count)
    rng = np.random.default_rng((options.seed, 0))
    held = {groups[index] for index in rng.permutation(len(groups))[:count]}
    return (
        [row for row in rows if row[1].lessons[0].group not in held],
        [row for row in rows if row[1].lessons[0].group in held],
    )


def _media_store(
    model: nn.Module, reader: LessonReader, rows: Sequence[tuple[TuningRow, LessonGroup]], key: str, cache: Path | None
) -> MediaStore:
    shelf = DiskShelf(cache, _SHELF_BYTES) if cache is not None else None
    media = MediaStore(reader.arrays, EmbeddingCache(2**30, shelf), key, moves=True)
    first = next((place for _, item in rows for lesson in item.lessons for place in lesson.places), None)
    if first is not None and isinstance(model, Decoder | SpeechDecoder):
        # What is trained may lie in trunk or connector: the graph itself says whether it does.
        made = media.encoded(model, [first], next(model.parameters()).device)
        media.moves, media.encodings = made[first.digest].requires_grad, 0
    return media


@torch.no_grad()
def _encode_all(model: nn.Module, media: MediaStore, items: Sequence[LessonGroup], say: Callable[[str], None]) -> None:
    assert isinstance(model, Decoder | SpeechDecoder)  # noqa: S101 - looked at by the caller
    places = {place.digest: place for item in items for lesson in item.lessons for place in lesson.places}
    device = next(model.parameters()).device
    for number, place in enumerate(places.values(), 1):
        media.encoded(model, [place], device)
        if number % _ROWS_BETWEEN_NOTES == 0:
            say(f"encoded {number} of {len(places)} media, once for all epochs")


def _precision(model: nn.Module) -> str:
    """Which precisions the weights have: encoded media of one are not those of another."""
    codes = {module.scheme for module in model.modules() if isinstance(module, QuantizedLinear)}
    return " ".join(sorted({*codes, *(str(parameter.dtype) for parameter in model.parameters())}))


def _phase(
    source: LessonSource,
    objective: AnswerLoss | PreferenceLoss | RewardLoss,
    trainable: tuple[str, ...],
    options: TuningOptions,
) -> Phase:
    steps = options.steps or max(1, math.ceil(options.epochs * source.steps_an_epoch))
    schedule = Schedule(
        steps=steps,
        learning_rate=options.peak_rate,
        warmup_steps=min(steps, math.ceil(options.warmup * steps)),
        weight_decay=options.weight_decay,
        betas=(0.9, 0.999),
        clip_norm=options.clip_norm,
        micro_batches=options.micro_batches,
        precision=options.precision,
    )
    return Phase(
        name="tune",
        tasks=(TrainingTask(name=options.objective, objective=objective, source=source),),
        trainable=trainable,
        schedule=schedule,
        seed=options.seed,
        keeps="trained",
    )


def _in_peft(config: AdapterConfig, loaded: Loaded) -> AdapterConfig:
    """The same with the names that the layers have in the reference."""
    family = FAMILIES[loaded.info.family]
    assert not isinstance(config.target_modules, str)  # noqa: S101 - made by `_chosen`
    names = (family.name_elsewhere(f"{layer}.weight").removesuffix(".weight") for layer in config.target_modules)
    return replace(config, target_modules=tuple(names))


def _first(bad: Sequence[BadRow]) -> str:
    return f"{bad[0].where}: {bad[0].reason}" if bad else "it is empty."
