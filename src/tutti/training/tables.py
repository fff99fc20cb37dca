"""Questions with answers to learn from: tables (CSV, TSV), evaluation suites, and captioned shards."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tutti.content import Media, Message, Part, Text
from tutti.errors import InputError
from tutti.media import Limits, wrap
from tutti.media.text_files import read_text
from tutti.training.conversations import MediaFiles
from tutti.training.data import MOST_SHOWN, BadRow, Dialogue, collect, read_json_lines, text_field
from tutti.training.shards import read_shards

MEDIA_COLUMNS = ("media", "file_name", "file", "path", "image", "audio", "video")
QUESTION_COLUMNS = ("question", "prompt")
ANSWER_COLUMNS = ("answer", "text", "caption", "label")
QUESTION = "What is this?"
"""Asked where a file holds answers only."""


def read_table(
    file: Path, media_folder: Path | None = None, bad: list[BadRow] | None = None, question: str = QUESTION
) -> list[Dialogue]:
    """Read a table with a row an answer: a column of media (several paths are cut at ";"), perhaps one of questions.

    Args:
        file: CSV, or TSV if its name ends so, with a line of column names.
        media_folder: Where paths start, and which they may not leave; the file's folder when not given.
        bad: Receives malformed rows, which are then no error.
        question: Asked where there is no column of questions.

    Raises:
        InputError: The file cannot be read, has no column of answers, or rows are malformed.
    """
    files = MediaFiles(media_folder or file.parent)
    reader = csv.DictReader(io.StringIO(read_text(file), newline=""), delimiter="\t" if file.suffix == ".tsv" else ",")
    columns = [name.strip() for name in reader.fieldnames or ()]
    answers = next((name for name in ANSWER_COLUMNS if name in columns), None)
    if answers is None:
        raise InputError(
            f"{file} has the columns {', '.join(columns) or 'none'}; expected one of answers, called "
            f"{' or '.join(ANSWER_COLUMNS)}, beside those of media ({', '.join(MEDIA_COLUMNS)}) and questions."
        )

    def parse(where: str, row: Mapping[str, Any]) -> Dialogue:
        cells = {str(key).strip(): value.strip() for key, value in row.items() if isinstance(value, str)}
        asked = next((cells[name] for name in QUESTION_COLUMNS if cells.get(name)), question)
        paths = [path.strip() for name in MEDIA_COLUMNS for path in cells.get(name, "").split(";") if path.strip()]
        media = [_medium(path, files) for path in paths]
        return _dialogue(where, cells.get("id") or where, media, asked, text_field(cells, answers))

    def rows() -> Iterator[tuple[str, Mapping[str, Any]]]:
        for row in reader:
            yield f"line {reader.line_num}", row

    try:
        return collect(file.name, rows(), parse, bad)
    except csv.Error as error:
        raise InputError(f"{file} is not a table ({error}, at line {reader.line_num}); expected CSV.") from None


def read_cases(file: Path, media_folder: Path | None = None, bad: list[BadRow] | None = None) -> list[Dialogue]:
    """Read an evaluation suite: of each case the question, with its choices behind it, and the first right answer.

    Args:
        file: JSONL of {"media", "question", "expected", "options"}.
        media_folder: Where paths start, and which they may not leave; the file's folder when not given.
        bad: Receives malformed lines and cases without one right answer, which are then no error.

    Raises:
        InputError: The file cannot be read, or lines are malformed.
    """
    files = MediaFiles(media_folder or file.parent)

    def parse(where: str, row: Mapping[str, Any]) -> Dialogue:
        media, expected, options = row.get("media", []), row.get("expected"), row.get("options", [])
        answers = expected if isinstance(expected, list) else [expected]
        if not answers or isinstance(answers[0], bool) or not isinstance(answers[0], (str, int, float)):
            raise InputError(f"'expected' is {expected!r}; expected a right answer to learn.")
        paths = [media] if isinstance(media, str) else media
        if not isinstance(paths, list) or not isinstance(options, list):
            raise InputError("'media' or 'options' is neither text nor a list; expected paths, and choices.")
        asked = "\n".join([text_field(row, "question"), *map(str, options)])
        given = [_medium(str(path), files) for path in paths]
        return _dialogue(where, str(row.get("id", where)), given, asked, str(answers[0]))

    return read_json_lines(file, parse, bad)


def read_captions(
    shards: Sequence[Path], bad: list[BadRow] | None = None, question: str = QUESTION, limits: Limits | None = None
) -> list[Dialogue]:
    """Read WebDataset shards whose examples have media and a text or a label, which becomes the answer.

    An attribute "question" of an example is asked in the place of the common one. Media stay in memory.

    Args:
        shards: Tar archives.
        bad: Receives examples without an answer, which are then no error.
        question: What is asked of each.
        limits: Budgets of a member.

    Raises:
        InputError: A shard cannot be read, or examples have no answer.
        CapacityError: A member has more bytes than allowed.
    """
    found: list[Dialogue] = []
    failed: list[BadRow] = []
    for example in read_shards(shards, limits):
        answer = example.texts[0] if example.texts else example.label
        if not answer:
            failed.append(BadRow(example.key, "it has neither a text nor a label; expected an answer to learn."))
            continue
        own = example.attributes.get("question")
        asked = own if isinstance(own, str) and own else question
        found.append(_dialogue(example.key, example.key, example.media, asked, answer))
    if bad is not None:
        bad += failed
    elif failed:
        shown = ", ".join(row.where for row in failed[:MOST_SHOWN])
        raise InputError(f"{len(failed)} examples have neither a text nor a label to learn ({shown}); leave them out.")
    return found


def _medium(path: str, files: MediaFiles) -> Media:
    part = wrap(files.source(path))
    if not isinstance(part, Media):
        raise InputError(f"{path!r} is text; expected a picture, a recording or a video.")
    return part


def _dialogue(where: str, key: str, media: Sequence[Part], question: str, answer: str) -> Dialogue:
    messages = (Message("user", (*media, Text(question))), Message("assistant", (Text(answer),)))
    return Dialogue(key=key, messages=messages, where=where)
