"""Run the training phases of a recipe."""

from __future__ import annotations

import argparse
import importlib
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from tutti.cli.options import add_json, check_output, note, positive, print_json
from tutti.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from tutti.training.phases import Phase

_EPILOG = """examples:
  tutti train all --recipe recipes/tutti_mini --data ../packs --out runs/mini
  tutti train align --recipe recipes/tutti_mini --data ../packs --out runs/mini --dry-run
  tutti train align --recipe recipes.tutti_mini.recipe --data ../packs --out runs/mini --restart

A recipe is Python code that this command runs: name one that you trust. It offers
  PHASES    the names of its phases, in order
  prepare(name, *, data: Path, out: Path, budget: float, seed: int)
            an object with `model` and `phase` (a tutti.training.phases.Phase), which start from what the phases
            before it left in `out`
A run that was cut goes on where it was, to the same numbers, when the command is given again.
"""


class Prepared(Protocol):
    """A phase that is ready to run."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def phase(self) -> Phase:
        """What is learned."""
        ...


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("phase", metavar="PHASE", help="a phase of the recipe, or `all` of them in order")
    parser.add_argument(
        "--recipe", required=True, metavar="MODULE", help="file, folder or dotted name of a Python module"
    )
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="where the training data are")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="run folders are made in it")
    parser.add_argument("--budget", type=positive(float), default=1.0, metavar="X", help="steps, as a factor (1)")
    parser.add_argument("--steps", type=positive(int), metavar="N", help="stop after N steps; may be continued")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of weights and data (0)")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (cpu)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that prepare batches (0)")
    parser.add_argument("--restart", action="store_true", help="forget an earlier run instead of continuing it")
    parser.add_argument("--dry-run", action="store_true", help="print steps, time and memory, and train nothing")
    add_json(parser, "one JSON object a phase")


def run(arguments: argparse.Namespace) -> None:
    """Train and print how each phase ended.

    Raises:
        InputError: The recipe or its data are not there, or it has no such phase.
        TrainingError: The run folder belongs to another run, or the loss is not finite.
    """
    if not arguments.data.is_dir():
        raise InputError(
            f"--data is {arguments.data}, which is not a folder; expected the folder of the training data."
        )
    check_output(arguments.out, folder=True)
    recipe = load_recipe(arguments.recipe)
    names = tuple(recipe.PHASES)
    if arguments.phase not in ("all", *names):
        raise InputError(f"The recipe has no phase {arguments.phase!r}; it has {', '.join(names)}, or all.")
    for name in names if arguments.phase == "all" else [arguments.phase]:
        prepared = recipe.prepare(
            name, data=arguments.data, out=arguments.out, budget=arguments.budget, seed=arguments.seed
        )
        if not _run_phase(name, prepared, arguments):
            return


def load_recipe(name: str) -> ModuleType:
    """Import a recipe: the one place where code that the user names is run.

    Args:
        name: A module's file, a folder with `recipe.py`, or a dotted name that is found from the current folder.

    Returns:
        The module, with `PHASES` and `prepare`.

    Raises:
        InputError: There is no such recipe, or it lacks one of the two.
    """
    path = Path(name)
    if (path / "recipe.py").is_file():
        path = path / "recipe.py"
    if path.is_file():
        root, dotted = _package_of(path.resolve())
    elif path.exists() or "/" in name or not _is_dotted(name):
        raise InputError(f"There is no recipe at {name}; expected a file, a folder with recipe.py or a dotted name.")
    else:
        root, dotted = Path.cwd(), name
    sys.path.insert(0, str(root))
    try:
        module = importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{dotted}.".startswith(f"{error.name}."):
            raise
        raise InputError(f"There is no recipe {name!r}; expected a file, a folder or a dotted name.") from None
    for wanted in ("PHASES", "prepare"):
        if not hasattr(module, wanted):
            raise InputError(f"The recipe {name} has no `{wanted}`; `tutti train --help` shows what a recipe offers.")
    return module


def _package_of(file: Path) -> tuple[Path, str]:
    """Where a module is imported from, and its dotted name there."""
    root = file.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    return root, ".".join(file.with_suffix("").relative_to(root).parts)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _run_phase(name: str, prepared: Prepared, arguments: argparse.Namespace) -> bool:
    """Run one phase, or only measure it; returns whether the next one may follow."""
    if arguments.dry_run:
        from tutti.training.dry_run import dry_run

        measured = dry_run(prepared.model, prepared.phase, device=arguments.device)
        if arguments.json:
            print_json({"phase": name, **asdict(measured)})
        else:
            print(f"{name}: {measured}")
        return True

    from tutti.training.loop import train

    result = train(
        prepared.model,
        prepared.phase,
        arguments.out / name,
        resume=not arguments.restart,
        device=arguments.device,
        workers=arguments.workers,
        stop_after=arguments.steps,
        say=note,
    )
    for text in result.notes:
        note(text)
    if arguments.json:
        print_json({"phase": name, **asdict(result)})
    else:
        ended = "finished" if result.finished else f"stopped by {result.stopped_by}, to be continued"
        figures = "".join(f", {key} {value:.4g}" for key, value in result.metrics.items())
        print(f"{name}: {ended} after step {result.step}, {result.seconds:.0f} s{figures}")
    return result.finished
