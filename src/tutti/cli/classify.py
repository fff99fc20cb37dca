"""Say which of your labels fits a medium, and how well each does."""

from __future__ import annotations

import argparse

from tutti.cli.options import SENSORS_HELP, add_json, add_model, load_model, note, print_json, sensor
from tutti.cli.piped import given
from tutti.errors import InputError

_EPILOG = """examples:
  tutti classify photo.jpg --labels "a dog,a cat,a car"
  tutti classify recording.ogg --labels "a dog barking,rain,a rooster crowing" --json
"""


_RATHER_NONE = 0.5
"""Probability that no label fits, from which on it is said."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "medium",
        metavar="MEDIA",
        help=f"path or data: URL of a picture, recording or video, - (standard input), or {SENSORS_HELP}",
    )
    parser.add_argument("--labels", required=True, metavar="A,B,C", help="two labels or more, separated by commas")
    add_model(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Classify and print the labels, the best first.

    Raises:
        InputError: There are fewer than two labels, one comes twice, or the medium cannot be read.
    """
    labels = [label.strip() for label in arguments.labels.split(",") if label.strip()]
    if len(labels) < 2:
        raise InputError(f'--labels is {arguments.labels!r}; expected two labels or more, as in "a dog,a car".')
    if len(set(labels)) < len(labels):
        raise InputError(f"--labels is {arguments.labels!r}; expected every label once.")
    from tutti.providers.given import as_medium

    medium = sensor(arguments.medium) or as_medium(given(arguments.medium))

    model = load_model(arguments)
    found = model.classify(medium, labels)
    none = getattr(found, "none_of_these", None)
    scores = dict(sorted(found.items(), key=lambda item: -item[1]))
    if arguments.json:
        shown = {"input": arguments.medium, "model": model.name, "label": next(iter(scores)), "scores": scores}
        print_json({**shown, "none_of_these": none})
        return
    for label, score in scores.items():
        print(f"{score:6.1%}  {label}")
    if none is not None and none >= _RATHER_NONE:
        note(f"Rather none of these: {none:.0%}.")
