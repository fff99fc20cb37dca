"""The steps of `tutti tune`: data, model, training, measuring before and after, the card."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import note, print_json, told_of_loading
from tutti.cli.tune_measure import GuardedSuite, HeldOut, writes_speech
from tutti.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tutti.checkpoints import Loaded
    from tutti.training.data import BadRow
    from tutti.training.loop import RunResult
    from tutti.training.tuning import Tuning
    from tutti.training.tuning_files import TuningFile
    from tutti.training.tuning_options import TuningOptions

_MOST_BAD = 100


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What came of a run."""

    folder: str
    """Of what may be used; the run's own where nothing may."""
    finished: bool
    promoted: bool
    """False if the guard refuses it, or the run is not at its end."""
    reason: str
    """Why it is not handed out; empty otherwise."""
    figures: Mapping[str, float]
    """Of validation, at the best step."""
    step: int
    seconds: float
    use: str
    """The line to use it."""
    skipped_rows: int


def tune(arguments: argparse.Namespace) -> Tuned:
    """Run, or go on with, a run.

    Raises:
        InputError: The data, the model or an option are not what is expected.
        TrainingError: The run folder belongs to another run, or the loss is not finite.
    """
    from tutti.training.best import Best
    from tutti.training.loop import train

    loaded, tuning = prepared(arguments)
    held = HeldOut.of(arguments, loaded, tuning)
    guard = GuardedSuite.of(arguments, loaded)
    before = held.answers("before")
    guard.before()
    figure, higher = held.figure
    every = arguments.validate_every or tuning.source.steps_an_epoch
    result = train(
        tuning.model,
        tuning.phase,
        arguments.out,
        resume=not arguments.restart,
        device=arguments.device,
        validate=held.validate if tuning.validation else None,
        validate_every=every if tuning.validation else 0,
        save_every_s=arguments.save_every,
        log_every=max(1, min(20, tuning.phase.schedule.steps // 20)),
        best=Best(figure=figure, higher=higher, tie="validation/loss", patience=arguments.patience)
        if tuning.validation
        else None,
        say=note,
    )
    for text in result.notes:
        note(text)
    if not result.finished:
        return _unfinished(arguments, result, tuning)
    return _finished(arguments, loaded, tuning, (held, before, guard), result)


def prepared(arguments: argparse.Namespace) -> tuple[Loaded, Tuning]:
    """The model and all rows, ready; every bad row is reported.

    Raises:
        InputError: Rows cannot be learned from, and `--skip-bad` was not given.
    """
    from tutti import checkpoints
    from tutti.media import InProcess, Limits
    from tutti.providers.decoding import decode
    from tutti.settings import read_settings
    from tutti.training.tuning import prepare_tuning

    options = options_of(arguments)
    train, validation = _files(arguments)
    settings = read_settings()
    loaded = checkpoints.load(arguments.model, quantize=arguments.quantize, told=told_of_loading())
    if loaded.report.adapter is not None:
        raise InputError(f"{arguments.model} holds an adapter already; merge it first: tutti merge --help.")
    if writes_speech(loaded):
        loaded = _speaking(loaded, arguments)
    elif arguments.language is not None:
        raise InputError(f"--language is of speech, and {arguments.model} writes down none; leave it out.")
    if arguments.rehearse is not None:
        from tutti.cli.tune_rehearsal import rehearsed

        train = rehearsed(arguments.rehearse, loaded, train, arguments.out)
    decoder, decodings = InProcess(Limits.from_settings(settings)), loaded.processor.decodings

    def read(part: Any) -> Any:
        if part.modality not in decodings:
            raise InputError(f"The model takes {loaded.processor.accepts}, and the row has {part.modality}.")
        return loaded.processor.prepare(part.modality, decode(part, decodings[part.modality], decoder))

    cache = Path(settings.cache_folder).expanduser() / "tuning"
    tuning = prepare_tuning(loaded, train, options, read, validation=validation, cache=cache, say=note)
    _check_rows(tuning.bad, arguments)
    return loaded, tuning


def _speaking(loaded: Loaded, arguments: argparse.Namespace) -> Loaded:
    """A model that writes down speech, set to the language of the transcripts.

    Raises:
        InputError: It learns nothing but transcripts, or the language is not known.
        UnsupportedTask: Models of its family are not tuned.
    """
    from tutti.training.tuning_parts import parts_of

    parts_of(loaded.info.family)
    if arguments.objective != "answers" or arguments.rehearse is not None:
        raise InputError("Models that write down speech learn transcripts only; leave out --objective and --rehearse.")
    processor: Any = loaded.processor
    return replace(loaded, processor=processor.speaking(arguments.language))


def options_of(arguments: argparse.Namespace) -> TuningOptions:
    """What the command line chose.

    Raises:
        InputError: Options that do not go together, or are out of range.
    """
    from tutti.training.tuning_options import TuningOptions

    how = "full" if arguments.full else "parts" if arguments.parts else "lora"
    return TuningOptions(
        objective=arguments.objective,
        beta=arguments.beta,
        how=how,  # type: ignore[arg-type]  # one of the three
        rank=arguments.rank,
        alpha=arguments.alpha,
        dropout=arguments.dropout,
        targets=_names(arguments.targets),
        parts=_names(arguments.parts),
        epochs=arguments.epochs,
        steps=arguments.steps,
        batch=arguments.batch,
        micro_batches=arguments.micro_batches,
        rate=arguments.rate,
        warmup=arguments.warmup,
        weight_decay=arguments.weight_decay,
        checkpointing=arguments.gradient_checkpointing,
        precision=arguments.precision,
        longest=arguments.max_tokens,
        held_out=arguments.held_out,
        seed=arguments.seed,
    )


def dry_run_of(arguments: argparse.Namespace) -> None:
    """Take a few steps, put everything back, and print what the run would take."""
    from tutti.pricing.prices import read_prices
    from tutti.training.dry_run import dry_run

    _, tuning = prepared(arguments)
    found = dry_run(tuning.model, tuning.phase, device=arguments.device)
    book = read_prices()
    hours = found.total_seconds / 3600
    fits = {
        name: round(hours * machine.usd_per_hour, 4)
        for name, machine in book.machines.items()
        if machine.memory_gb * 1e9 >= found.peak_bytes
    }
    if arguments.json:
        print_json({**asdict(found), "hours": hours, "usd": fits, "skipped_rows": len(tuning.bad)})
        return
    print(found)
    held = len(tuning.held_out)
    print(f"{len(tuning.source.items)} rows, {held} held out, {hours:.3g} h at the speed of this machine")
    for name, usd in fits.items():
        machine = book.machines[name]
        print(f"{name} ({machine.memory_gb:.0f} GB) has the memory; as many hours there: {usd:.2f} USD")


def print_result(result: Tuned, as_json: bool) -> None:
    """Print how a run ended, and how to use what came of it."""
    if as_json:
        print_json(asdict(result))
        return
    figures = "".join(f", {name} {value:.4g}" for name, value in result.figures.items())
    print(f"{result.folder}: step {result.step}, {result.seconds:.0f} s{figures}")
    note(result.use if result.promoted else result.reason)


def _files(arguments: argparse.Namespace) -> tuple[TuningFile, TuningFile | None]:
    from tutti.training.tuning_files import read_tuning_file

    options = {"media_folder": arguments.media_root, "question": arguments.question}
    train = read_tuning_file(arguments.data, **options)
    return train, read_tuning_file(arguments.validation, **options) if arguments.validation else None


def _check_rows(bad: tuple[BadRow, ...], arguments: argparse.Namespace) -> None:
    for row in bad[:_MOST_BAD]:
        note(f"{row.where}: {row.reason}")
    if len(bad) > _MOST_BAD:
        note(f"and {len(bad) - _MOST_BAD} more")
    if bad and not arguments.skip_bad:
        raise InputError(
            f"{len(bad)} rows of {arguments.data} cannot be learned from; correct them, or leave them out with "
            "--skip-bad."
        )
    if bad:
        note(f"{len(bad)} rows are left out.")


def _unfinished(arguments: argparse.Namespace, result: RunResult, tuning: Tuning) -> Tuned:
    return Tuned(
        folder=str(arguments.out),
        finished=False,
        promoted=False,
        reason=f"Stopped by {result.stopped_by}; give the same command again to go on.",
        figures=result.metrics,
        step=result.step,
        seconds=result.seconds,
        use="",
        skipped_rows=len(tuning.bad),
    )


def _finished(
    arguments: argparse.Namespace, loaded: Loaded, tuning: Tuning, measured: tuple[Any, Any, Any], result: RunResult
) -> Tuned:
    """Measure what was learned, hand it out if the guard lets it, and write the card."""
    from tutti.training.tuning import save_tuned

    held, before, guard = measured
    after = held.answers("after")
    refused = guard.refusal()
    arguments.out.mkdir(parents=True, exist_ok=True)
    place = arguments.out / "refused" if refused else arguments.out
    made = save_tuned(tuning, loaded, place, arguments.model, arguments.quantize)
    if refused:
        _remove(arguments.out / made.name)
    use = _use(arguments, made, writes_speech(loaded))
    figures = {**result.metrics, **({"best_step": float(result.best_step)} if result.best_step is not None else {})}
    _card(arguments, loaded, tuning, use).with_figures(held.compared(before, after), guard).write(arguments.out)
    held.track(before, after, arguments)
    return Tuned(
        folder=str(made),
        finished=True,
        promoted=not refused,
        reason=refused,
        figures=figures,
        step=result.step,
        seconds=result.seconds,
        use=use,
        skipped_rows=len(tuning.bad),
    )


def _remove(folder: Path) -> None:
    """What an earlier run handed out goes: the guard refuses what replaces it."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _use(arguments: argparse.Namespace, made: Path, speech: bool) -> str:
    if made.name == "reward":
        return f'tutti ask "..." photo.jpg --model best:{arguments.out}'
    verb = "transcribe recording.wav" if speech else 'ask "..." photo.jpg'
    if made.name == "model":
        return f"tutti {verb} --model {made}"
    if speech:
        return f"tutti {verb} --model {arguments.model} --adapter {arguments.out}"
    model = "" if arguments.model == "tutti-mini" else f" --model {arguments.model}"
    quantize = f" --quantize {arguments.quantize}" if arguments.quantize else ""
    return f'tutti ask "..." photo.jpg{model}{quantize} --adapter {arguments.out}'


@dataclass(frozen=True)
class _Card:
    """A card to which figures are added."""

    card: Any

    def with_figures(self, figures: Any, guard: GuardedSuite) -> Any:
        rows, worse = figures
        return replace(self.card, figures=(*rows, *guard.figures()), worse=(*worse, *guard.worse()))


def _card(arguments: argparse.Namespace, loaded: Loaded, tuning: Tuning, use: str) -> _Card:
    from tutti.training.tuning_card import TuningCard

    data = tuning.source.data
    options = {name: value for name, value in asdict(options_of(arguments)).items() if value not in (None, ())}
    rows = f"{len(tuning.source.items)} learned, {len(tuning.held_out)} held out, {len(tuning.bad)} left out"
    return _Card(
        TuningCard(
            title=arguments.out.name,
            base=arguments.model,
            base_licence=loaded.info.licence,
            made="an adapter" if tuning.adapter else "a whole model",
            use=use,
            data={
                "file": f"{data['file']} ({data['kind']})",
                "SHA-256": data["digest"],
                "rows": rows,
            },
            licence=arguments.data_licence,
            options={**options, "parameters trained": f"{tuning.trained_parameters:,}"},
        )
    )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
