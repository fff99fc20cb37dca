"""Several tunings with other settings, chosen among by validation."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
from collections.abc import Sequence
from typing import Any

from tutti.cli.options import note, print_json
from tutti.errors import InputError

_SWEPT = {"rank": int, "rate": float, "alpha": float, "dropout": float, "epochs": float}


def sweep(arguments: argparse.Namespace) -> int | None:
    """Tune with all combinations, each in a folder of its own, and hand out the best by its figure of validation.

    Raises:
        InputError: A setting is not known or no number, or nothing is held out to choose by.
    """
    from tutti.cli.tune_run import Tuned, tune

    if not arguments.held_out and not arguments.validation:
        raise InputError("A sweep chooses by held-out rows, and --held-out is 0; hold some out.")
    tries = _tries(arguments.sweep)
    results: list[tuple[str, dict[str, Any], Tuned]] = []
    for number, settings in enumerate(tries, 1):
        name = ",".join(f"{key}={value:g}" for key, value in settings.items())
        note(f"try {number} of {len(tries)}: {name}")
        out = arguments.out / name
        result = tune(argparse.Namespace(**{**vars(arguments), **settings, "out": out}))
        if not result.finished:
            note(result.reason)
            return None
        results.append((name, settings, result))
    best = max((one for one in results if one[2].promoted), key=lambda one: _values(one[2]), default=None)
    rows = [{"try": name, **settings, **dict(result.figures)} for name, settings, result in results]
    text = json.dumps({"tries": rows, "best": best[0] if best else None}, indent=1)
    (arguments.out / "sweep.json").write_text(text + "\n", encoding="utf-8")
    if best is None:
        note("The guard refuses every try; nothing is handed out.")
        return 1
    made = "model" if (arguments.out / best[0] / "model").is_dir() else "adapter"
    shutil.rmtree(arguments.out / made, ignore_errors=True)
    shutil.copytree(arguments.out / best[0] / made, arguments.out / made)
    _print(arguments, rows, best[0], made)
    return None


def _values(result: Any) -> tuple[float, float]:
    """The score, and of equal ones the smaller loss."""
    figures = result.figures
    return float(figures.get("validation/score", 0.0)), -float(figures["validation/loss"])


def _print(arguments: argparse.Namespace, rows: Sequence[dict[str, Any]], best: str, made: str) -> None:
    if arguments.json:
        print_json({"tries": list(rows), "best": best, "folder": str(arguments.out / made)})
    else:
        for row in rows:
            print(", ".join(f"{name} {value}" for name, value in row.items()))
        print(f"{arguments.out / made}: {best}")
    note(
        f"The best of {len(rows)} tries on the same rows: its figure is better than what new rows will show. "
        "Measure it on rows that no try has seen: tutti evaluate."
    )


def _tries(settings: Sequence[str]) -> list[dict[str, Any]]:
    """All combinations of what was given as rank=8,32."""
    axes: dict[str, list[Any]] = {}
    for setting in settings:
        name, _, values = setting.partition("=")
        if name not in _SWEPT or not values:
            raise InputError(f"--sweep has {setting!r}; expected {', '.join(_SWEPT)}, as in rank=8,32.")
        try:
            axes[name] = [_SWEPT[name](value) for value in values.split(",")]
        except ValueError:
            raise InputError(f"--sweep has {setting!r}; expected numbers, as in rank=8,32.") from None
        if min(axes[name]) <= 0 and name != "dropout":
            raise InputError(f"--sweep has {setting!r}; expected numbers above zero.")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
