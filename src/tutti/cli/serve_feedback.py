"""Options of `tutti serve` for feedback on its answers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.options import check_output, positive
from tutti.cli.vault import opened
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.serve.feedback import FeedbackDesk


def add_feedback(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("feedback")
    group.add_argument(
        "--feedback", type=Path, metavar="DIR", help="keep what clients think of answers (POST /v1/feedback) below DIR"
    )
    group.add_argument(
        "--feedback-days", type=positive(float), default=365.0, metavar="N", help="erased after so many (default: 365)"
    )


def check_feedback(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be kept, before a model is loaded.

    Raises:
        InputError: The folder cannot be written, or replicas were asked for, which know nothing of others' answers.
    """
    if arguments.feedback is None:
        return
    if arguments.replicas:
        raise InputError("--feedback was given with --replicas, of which one does not know what another answered.")
    if arguments.feedback_days > 36_500:
        raise InputError(f"--feedback-days is {arguments.feedback_days:g}; expected at most 36,500.")
    check_output(arguments.feedback, folder=True)


def desk_of(arguments: argparse.Namespace) -> FeedbackDesk | None:
    """What keeps feedback, encrypted where `--vault` names a vault; None where none is kept."""
    if arguments.feedback is None:
        return None
    from tutti.serve.feedback import FeedbackDesk

    vault = opened(arguments)
    sealer_of = vault.sealers_for(str(arguments.feedback.expanduser().resolve())) if vault is not None else None
    return FeedbackDesk(arguments.feedback, sealer_of, keep_days=arguments.feedback_days)
