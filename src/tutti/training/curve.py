"""The learning curve as a picture, where matplotlib is installed (the extra `train`)."""

from __future__ import annotations

from pathlib import Path

from tutti.media.text_files import json_object, read_lines


def draw(metrics: Path, picture: Path) -> str:
    """Draw each task's loss, and whatever validation measured, over the steps.

    Args:
        metrics: A run's `metrics.jsonl`.
        picture: The PNG to write.

    Returns:
        A note to the user if nothing could be drawn, or an empty string.
    """
    if not metrics.exists():
        return "No learning curve: nothing was logged."
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "No learning curve was drawn; for one: pip install 'tutti[train]'"
    lines = [json_object(line) for _, line in read_lines(metrics)]
    known = {"step", "seconds", "learning_rate", "gradient_norm", "examples_per_s", "steps_per_s", "skipped_steps"}
    losses = [key for key in dict.fromkeys(key for line in lines for key in line) if key.endswith("/loss")]
    validated = [line for line in lines if "learning_rate" not in line]
    measured = list(dict.fromkeys(key for line in validated for key in line if key not in known))
    figure = Figure(figsize=(8, 4 if not measured else 7), layout="constrained")
    for row, (title, keys) in enumerate([("training loss", losses), ("validation", measured)][: 2 if measured else 1]):
        axes = figure.add_subplot(2 if measured else 1, 1, row + 1)
        for key in keys:
            points = [(line["step"], line[key]) for line in lines if key in line]
            axes.plot(*zip(*points, strict=True), label=key)
        axes.set(xlabel="step", ylabel=title)
        if keys:
            axes.legend(fontsize="small")
    figure.savefig(picture)
    return ""
