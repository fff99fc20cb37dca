"""A first draft of a suite from a folder of media: a line a medium, to be filled in by a person."""

from __future__ import annotations

import json
from pathlib import Path

from tutti.errors import CapacityError, InputError
from tutti.media import wrap

_QUESTIONS = {
    "image": "What is in the picture?",
    "audio": "What do you hear?",
    "video": "What happens in the clip?",
}


def draft_suite(folder: Path, limit: int | None = None) -> tuple[str, list[str]]:
    """Draft a suite.

    A medium in a subfolder is expected to show what the subfolder is called, as in `dog/1.jpg`, and is measured by
    `contains`; any other by `hallucination`, against what a reader of text finds, until its line is filled in.

    Args:
        folder: Where the media are; subfolders are walked.
        limit: Most lines.

    Returns:
        The lines, and the files that were left out, each with the reason.

    Raises:
        InputError: It is no folder, or holds no medium.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; expected one with pictures, recordings or videos.")
    lines: list[str] = []
    left_out: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        if path.suffix == ".jsonl":
            continue
        if limit is not None and len(lines) == limit:
            break
        try:
            medium = wrap(path)
        except (InputError, CapacityError) as error:
            left_out.append(str(error))
            continue
        name = path.relative_to(folder)
        row: dict[str, object] = {"id": name.as_posix(), "media": [name.as_posix()]}
        row["question"] = _QUESTIONS.get(medium.modality, "What is this?")
        if len(name.parts) > 1:
            row |= {"expected": [name.parts[-2].replace("_", " ").replace("-", " ")], "metric": "contains"}
            row["tags"] = [name.parts[-2]]
        else:
            row |= {"metric": "hallucination", "tags": ["to fill in"]}
        lines.append(json.dumps(row, ensure_ascii=False))
    if not lines:
        raise InputError(f"{folder} holds no picture, recording or video that Tutti reads; name another folder.")
    return "\n".join(lines) + "\n", left_out
