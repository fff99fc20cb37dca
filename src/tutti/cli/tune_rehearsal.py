"""Questions that a model goes on answering as it does: what is learned beside the new, so that the old stays."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.tune_measure import answered
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.checkpoints import Loaded
    from tutti.training.tuning_files import TuningFile

_OF_A_MEDIUM = 3
"""Questions that are asked about each medium, in turn."""


def rehearsed(file: Path, loaded: Loaded, train: TuningFile, folder: Path) -> TuningFile:
    """The data with rows beside them that hold what the model answers to other questions on the same media.

    The model's own answers are the targets (Li and Hoiem 2016, "Learning without forgetting"). They are kept in the
    run's folder, so that a run that goes on learns the same.

    Args:
        file: Questions, one a line.
        loaded: The model as it is.
        train: What is learned.
        folder: The run's.

    Raises:
        InputError: The file holds no question, or the data name no media by path.
    """
    from tutti.content import Media, Message, Text
    from tutti.evaluate.suite import Case, Suite
    from tutti.media.text_files import read_lines
    from tutti.training.data import Dialogue

    questions = [line.strip() for _, line in read_lines(file) if line.strip()]
    media: dict[tuple[str, ...], tuple[Media, ...]] = {}
    for row in train.rows:
        messages = row.messages if isinstance(row, Dialogue) else ()
        parts = tuple(part for message in messages for part in message.parts if isinstance(part, Media))
        paths = tuple(part.source for part in parts if isinstance(part.source, str))
        if paths and len(paths) == len(parts):
            media.setdefault(paths, parts)
    if not questions or not media:
        raise InputError(f"{file} holds {len(questions)} questions, and the data {len(media)} media; expected both.")
    asked = [
        (paths, questions[(number + turn) % len(questions)])
        for number, paths in enumerate(media)
        for turn in range(min(_OF_A_MEDIUM, len(questions)))
    ]
    cases = tuple(
        Case(id=f"{number}", media=paths, question=question, expected=("-",))
        for number, (paths, question) in enumerate(asked)
    )
    outcomes = answered(loaded, Suite(name="rehearsal", cases=cases), folder / "rehearsal.jsonl", "before")
    rows = [
        Dialogue(
            key=f"rehearsal {one.case.id}",
            messages=(
                Message("user", (*media[one.case.media], Text(one.case.question))),
                Message("assistant", (Text(one.reply.text),)),
            ),
            where=f"rehearsal {one.case.id}",
        )
        for one in outcomes
        if one.reply is not None and one.reply.text.strip()
    ]
    digest = hashlib.sha256(f"{train.digest}{questions}".encode()).hexdigest()
    return replace(train, rows=(*train.rows, *rows), digest=digest)
