"""Suites: the examples that models are asked, one JSON object a line. Every error of a file is told at once."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tutti.errors import InputError
from tutti.evaluate.language import numbers_in

METRICS = (
    "exact",
    "contains",
    "number",
    "choice",
    "vqa",
    "anls",
    "wer",
    "recall",
    "caption",
    "pope",
    "facts",
    "hallucination",
    "judge",
)
"""What a case can be measured by; `tutti.evaluate.metrics` says how each does."""

_SHOWN_PROBLEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What is true of a case's media, for answers in free text."""

    facts: tuple[str, ...] = ()
    """Phrases that hold: objects, counts ("two dogs"), properties."""
    forbidden: tuple[str, ...] = ()
    """Phrases that an answer must not assert."""
    texts: tuple[str, ...] = ()
    """Texts that can be read in the media."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One example: media, a question, and what a right answer is."""

    id: str
    media: tuple[str, ...]
    """Paths, as they are opened."""
    question: str
    expected: tuple[str, ...] = ()
    """Right answers; any of them will do (for `vqa` and `caption`, all of them count)."""
    annotation: Annotation | None = None
    """A checklist in the place of answers."""
    metric: str = "exact"
    group: str = ""
    """Cases of one group share what made them (a medium, a scene, a speaker) and are resampled together."""
    tags: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    """Choices to pick from."""
    tolerance: float = 0.0
    """For `number`: relative difference that still counts as right."""
    line: int = 0
    """Where it stands in its file."""

    @property
    def cluster(self) -> str:
        """What the case shares its luck with: its group, else its media, else itself.

        The one place that decides this; intervals and tests resample clusters, since questions on one medium are
        right and wrong together (Miller 2024, "Adding Error Bars to Evals", section 2.2).
        """
        return self.group or "\0".join(self.media) or self.id

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the score, paths and not contents of media included."""
        values = asdict(self) | {"line": 0, "media": [Path(path).name for path in self.media]}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Cases in order, under a name."""

    name: str
    cases: tuple[Case, ...] = field(default=())

    def first(self, count: int | None) -> Suite:
        """The suite with its first cases only; None keeps all."""
        return self if count is None else Suite(name=self.name, cases=self.cases[:count])


def read_suite(path: Path, *, media_root: Path | None = None) -> Suite:
    """Read a suite, or a file of another tool that holds one.

    Args:
        path: Lines of JSON in this project's form or POPE's; LLaVA's JSON; VLMEvalKit's TSV; promptfoo's YAML.
        media_root: Folder that media paths start from; the file's own folder when not given.

    Raises:
        InputError: The file cannot be read, or lines of it are wrong; the message names every one of them.
    """
    from tutti.evaluate.importing import rows_of

    root = media_root if media_root is not None else path.parent
    problems: list[str] = []
    cases: list[Case] = []
    named: dict[str, list[int]] = defaultdict(list)  # also of lines with another fault
    for line, row in rows_of(path, problems):
        try:
            named[_text("id", row.get("id"), f"line-{line}")].append(line)
            cases.append(_case(row, line, root))
        except InputError as error:
            problems.append(f"line {line}: {error}")
    for name in [name for name, lines in named.items() if len(lines) > 1]:
        lines = ", ".join(map(str, named[name]))
        problems.append(f"lines {lines}: the id {name!r} comes more than once; expected every id once")
    if problems:
        shown = problems[:_SHOWN_PROBLEMS]
        more = f"\n  and {len(problems) - len(shown)} more" if len(problems) > len(shown) else ""
        listed = "".join(f"\n  {problem.rstrip('.')}" for problem in shown)
        raise InputError(f"{path} has {len(problems)} problem{'s' * (len(problems) > 1)}; correct them:{listed}{more}")
    if not cases:
        raise InputError(f"{path} holds no case; expected at least one, or draft some: tutti evaluate --init FOLDER.")
    return Suite(name=path.stem, cases=tuple(cases))


_FIELDS = {"id", "media", "question", "expected", "metric", "group", "tags", "options", "tolerance"}


def _case(row: Mapping[str, Any], line: int, root: Path) -> Case:
    unknown = sorted(set(row) - _FIELDS)
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}")
    question = row.get("question")
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"question is {question!r}; expected words")
    expected, annotation = _expected(row.get("expected"))
    options = _strings("options", row.get("options", []))
    metric = _metric(row.get("metric"), expected, annotation, options)
    tolerance = row.get("tolerance", 0.0)
    if not isinstance(tolerance, (int, float)) or isinstance(tolerance, bool) or not 0 <= tolerance < float("inf"):
        raise InputError(f"tolerance is {tolerance!r}; expected a number of 0 or more")
    if metric == "choice" and len(options) < 2:
        raise InputError("metric 'choice' has no options to choose from; expected two or more")
    return Case(
        id=_text("id", row.get("id"), f"line-{line}"),
        media=tuple(_path(medium, root) for medium in _strings("media", row.get("media", []))),
        question=question,
        expected=expected,
        annotation=annotation,
        metric=metric,
        group=_text("group", row.get("group"), ""),
        tags=_strings("tags", row.get("tags", [])),
        options=options,
        tolerance=float(tolerance),
        line=line,
    )


def _metric(given: Any, expected: Sequence[str], annotation: Annotation | None, options: Sequence[str]) -> str:
    metric = given if given is not None else "facts" if annotation else "choice" if options else "exact"
    if metric not in METRICS:
        raise InputError(f"metric is {metric!r}; known are {', '.join(METRICS)}")
    if metric == "facts" and annotation is None:
        raise InputError('metric "facts" needs expected to be a checklist: {"facts": […], "forbidden": […]}')
    if annotation is not None and metric not in ("facts", "hallucination", "judge"):
        raise InputError(f"expected is a checklist, which metric {metric!r} cannot use; facts and hallucination can")
    if not expected and annotation is None and metric not in ("hallucination", "judge"):
        raise InputError(f"expected is missing, and metric {metric!r} needs it")
    if metric == "number" and not all(_is_number(answer) for answer in expected):
        raise InputError(f"expected is {list(expected)!r}; metric 'number' expects numbers")
    if metric == "pope" and not {answer.lower() for answer in expected} <= {"yes", "no"}:
        raise InputError(f"expected is {list(expected)!r}; metric 'pope' expects yes or no")
    return str(metric)


def _expected(value: Any) -> tuple[tuple[str, ...], Annotation | None]:
    if value is None:
        return (), None
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - {"facts", "forbidden", "texts"})
        if unknown:
            raise InputError(f"unknown part {unknown[0]!r} of expected; known are facts, forbidden, texts")
        return (), Annotation(**{name: _strings(f"expected.{name}", part) for name, part in value.items()})
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return (str(value),), None
    return tuple(_strings("expected", value)), None


def _strings(name: str, value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list):
        listed = [
            str(item) if isinstance(item, (int, float)) and not isinstance(item, bool) else item for item in listed
        ]
    if not isinstance(listed, list) or not all(isinstance(item, str) and item.strip() for item in listed):
        raise InputError(f"{name} is {value!r}; expected a string or a list of strings that are not empty")
    return tuple(listed)


def _text(name: str, value: Any, default: str) -> str:
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} is {value!r}; expected a string that is not empty")
    return value


def _path(medium: str, root: Path) -> str:
    if medium.startswith("data:"):
        return medium
    path = root / medium
    try:
        found = path.is_file()
    except (OSError, ValueError):  # too long for a path, or with a null character
        found = False
    if not found:
        raise InputError(f"the medium {medium[:200]!r} is not there ({str(path)[:300]} was looked for)")
    return str(path)


def _is_number(text: str) -> bool:
    return len(numbers_in(text)) == 1
