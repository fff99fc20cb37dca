"""Files of other tools as rows of a suite: POPE lines, LLaVA JSON, VLMEvalKit TSV, promptfoo YAML.

Each reader yields `(line, row)` and appends what it cannot read to `problems`, so that all errors are told at once.
Formats: POPE (Li et al. 2023, github.com/AoiDragon/POPE, output/*.json), LLaVA (Liu et al. 2023, conversation JSON),
VLMEvalKit (github.com/open-compass/VLMEvalKit, custom TSV), promptfoo (promptfoo.dev, test cases and assertions).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutti.errors import InputError, MissingExtra
from tutti.media.text_files import MOST_BYTES, json_object, lines_of, read_text

CaseRows = Iterator[tuple[int, dict[str, Any]]]


def rows_of(path: Path, problems: list[str]) -> CaseRows:
    """CaseRows of a suite, whichever tool's form the file has: by its ending, and by the fields of a line.

    Raises:
        InputError: The file cannot be read, or is in no form that is known.
    """
    text = read_text(path)
    ending = path.suffix.lower()
    if ending in (".yaml", ".yml"):
        return _promptfoo(text, path, problems)
    if ending == ".tsv":
        return _vlmevalkit(text, problems)
    if ending == ".json" and text.lstrip().startswith("["):
        return _llava(text, path, problems)
    if ending in (".jsonl", ".json", ""):
        return _lines(text, problems)
    raise InputError(f"{path} ends in {ending!r}; expected .jsonl, or .json, .tsv or .yaml of another tool.")


def _lines(text: str, problems: list[str]) -> CaseRows:
    for number, line in lines_of(text):
        try:
            row = json_object(line)
        except InputError as error:
            problems.append(f"line {number}: {str(error).removesuffix('.')}")
            continue
        yield number, _pope(row) if {"question_id", "image", "text", "label"} <= set(row) else row


def _pope(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["question_id"]),
        "media": row["image"],
        "question": row["text"],
        "expected": row["label"],
        "metric": "pope",
    }


def _llava(text: str, path: Path, problems: list[str]) -> CaseRows:
    """Every pair of turns is a case; the answer given is what is expected, as a caption is: in other words, too."""
    try:
        records = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}.") from None
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict) or not isinstance(record.get("conversations"), list):
            problems.append(f"record {number}: expected an object with conversations")
            continue
        media = [record[key] for key in ("image", "audio", "video") if isinstance(record.get(key), str)]
        turns = [turn for turn in record["conversations"] if isinstance(turn, dict)]
        for index, (asked, answered) in enumerate(zip(turns[::2], turns[1::2], strict=False)):
            question = str(asked.get("value", ""))
            for mark in ("<image>", "<audio>", "<video>"):
                question = question.replace(mark, "")
            yield (
                number,
                {
                    "id": f"{record.get('id', number)}-{index + 1}",
                    "media": media,
                    "question": question.strip(),
                    "expected": str(answered.get("value", "")),
                    "metric": "caption",
                    "group": str(record.get("id", number)),
                },
            )


def _vlmevalkit(text: str, problems: list[str]) -> CaseRows:
    """Multiple choice where there are columns A, B, …; else VQA. `image` holds base64, `image_path` a path."""
    csv.field_size_limit(MOST_BYTES)
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t")
    if not {"index", "question", "answer"} <= set(table.fieldnames or ()):
        problems.append(f"line 1: columns are {table.fieldnames}; expected index, question and answer among them")
        return
    pictures: dict[str, str] = {}
    for row in table:
        picture = row.get("image_path") or row.get("image") or ""
        if row.get("image_path") is None and picture:
            # A short value is the index of the row whose picture this row shares.
            picture = pictures.get(picture, "") if len(picture) <= 64 else f"data:image/*;base64,{picture}"
            pictures[row["index"]] = picture
        options = [row[letter] for letter in "ABCDEFGH" if row.get(letter)]
        answer = row["answer"] or ""
        if options and len(answer) == 1 and answer in "ABCDEFGH"[: len(options)]:
            answer = options["ABCDEFGH".index(answer)]
        case = {"id": row["index"], "question": "\n".join(filter(None, (row.get("hint"), row["question"])))}
        case |= {"media": [picture] if picture else [], "expected": answer, "metric": "choice" if options else "vqa"}
        case |= {"options": options, "tags": [row[key] for key in ("category", "split") if row.get(key)]}
        yield table.line_num, case


_ASSERTIONS = {"equals": "exact", "contains": "contains", "icontains": "contains", "contains-any": "contains"}


def _promptfoo(text: str, path: Path, problems: list[str]) -> CaseRows:
    try:
        import yaml
    except ImportError:
        raise MissingExtra("Reading promptfoo's YAML", "evaluate") from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    tests = document.get("tests") if isinstance(document, dict) else document
    if not isinstance(tests, list):
        raise InputError(f"{path} has no list of tests; expected promptfoo's `tests:`.")
    prompts = document.get("prompts") if isinstance(document, dict) else None
    prompt = str(prompts[0]) if isinstance(prompts, list) and prompts else "{{question}}"
    for number, test in enumerate(tests, 1):
        try:
            yield number, _promptfoo_case(test, number, prompt)
        except InputError as error:
            problems.append(f"test {number}: {error}")


def _promptfoo_case(test: Any, number: int, prompt: str) -> dict[str, Any]:
    variables = test.get("vars") if isinstance(test, dict) else None
    if not isinstance(variables, dict):
        raise InputError("expected an object with vars")
    wanted = [one for one in test.get("assert", []) if isinstance(one, dict) and one.get("type") in _ASSERTIONS]
    if not wanted:
        known = ", ".join(_ASSERTIONS)
        raise InputError(f"no assertion that can be taken over; expected one of type {known}")
    media = [str(value).removeprefix("file://") for value in variables.values() if str(value).startswith("file://")]
    question = prompt
    for name, value in variables.items():
        words = "" if str(value).startswith("file://") else str(value)
        question = question.replace("{{" + name + "}}", words).replace("{{ " + name + " }}", words)
    return {
        "id": str(test.get("description") or number),
        "media": media,
        "question": question.strip(),
        "expected": wanted[0].get("value"),
        "metric": _ASSERTIONS[wanted[0]["type"]],
    }
