"""A policy as data: categories, which signals count in each and how much, thresholds and actions; checked when read."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from tutti.errors import InputError

ModerationAction: TypeAlias = Literal["allow", "review", "block"]
ACTIONS: tuple[ModerationAction, ...] = ("allow", "review", "block")
SIGNALS: Mapping[str, str] = {
    "caption": "terms in what was written beside the medium, or in a text",
    "words": "terms in words that are read in a picture or film",
    "speech": "terms in what is said",
    "likeness": "a picture or sound nearer to the examples than to the contrast",
    "joint": "picture and words together, by the head that calibrate fits",
    "hash": "a picture or sound that is on a list of known ones",
    "copied": "a region of a picture that was copied to another place in it",
    "pasted": "a region of a picture that was in another JPEG",
    "resampled": "a region of a picture that was scaled or turned",
    "background": "a stretch of sound with the background of another place or microphone",
    "cut": "a break in the waveform, where something was cut out or put in",
    "recoded": "sound whose frames of an earlier AAC coding fall out of step",
    "sync": "sound that does not go with what moves in the film",
}
"""What can count in a category, each with what it is."""
_WEAK = ("resampled", "background", "cut")
"""Signals that find little, or that unedited media reach (`benchmarks/RESULTS.md`): evidence for a person only."""
_TOP = {"name", "languages", "unreadable", "category", "retention", "film"}
_CATEGORY = {
    "name", "definition", "action", "threshold", "review", "terms", "examples", "contrast", "hashes", "signals",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PolicyCategory:
    """One kind of what is not wanted."""

    name: str
    definition: str
    action: ModerationAction
    """From the threshold on."""
    threshold: float
    review: float | None = None
    """Score from which on a person looks; None: nobody below the threshold."""
    terms: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    """What belongs to it, in words, as "a photo of a gun"."""
    contrast: tuple[str, ...] = ()
    """What does not, and might be taken for it."""
    hashes: tuple[Path, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    """Name → weight, from 0 to 1; a category's score is the largest of weight times signal."""


@dataclass(frozen=True, kw_only=True)
class ModerationPolicy:
    """All of it."""

    name: str
    version: str
    """Digest of the file and of the lists it names: 16 hexadecimal digits."""
    categories: tuple[PolicyCategory, ...]
    languages: tuple[str, ...] = ("en",)
    """Of speech; the first one is passed to a transcriber, unless there are several."""
    unreadable: ModerationAction = "review"
    """What happens with a medium that cannot be read."""
    retention_days: int | None = None
    """After how many days a decision is removed; None keeps it."""
    keeps_words: bool = True
    """Whether reasons quote the words that were found."""
    stop_at: ModerationAction | None = None
    """A film is not looked at any further once this action is reached."""

    def needs(self, signal: str) -> bool:
        """Whether a signal counts anywhere."""
        return any(category.signals.get(signal, 0) > 0 for category in self.categories)


def read_policy(path: str | Path) -> ModerationPolicy:
    """Read and check a policy.

    Raises:
        InputError: It cannot be read, names something unknown, or lacks what a signal needs.
    """
    file = Path(path).expanduser()
    try:
        content = file.read_bytes()
        values = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise InputError(f"The policy {file} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The policy {file} is no TOML: {error}.") from None
    _known(values, _TOP, str(file))
    rows = values.get("category")
    if not isinstance(rows, list) or not rows:
        raise InputError(f"The policy {file} has no [[category]]; expected at least one.")
    categories = tuple(_category(row, file) for row in rows)
    names = [category.name for category in categories]
    if len(set(names)) < len(names):
        raise InputError(f"The policy {file} has two categories of one name; each needs its own.")
    retention, film = _table(values, "retention", file), _table(values, "film", file)
    _known(retention, {"days", "words"}, f"{file}, [retention]")
    _known(film, {"stop"}, f"{file}, [film]")
    return ModerationPolicy(
        name=_text(values.get("name", file.stem), "name", file),
        version=_digest(content, categories),
        categories=categories,
        languages=_texts(values.get("languages", ["en"]), "languages", file),
        unreadable=_action(values.get("unreadable", "review"), "unreadable", file),
        retention_days=_days(retention.get("days"), file),
        keeps_words=bool(retention.get("words", True)),
        stop_at=_action(film["stop"], "film.stop", file) if "stop" in film else None,
    )


def _category(row: Any, file: Path) -> PolicyCategory:
    if not isinstance(row, dict) or "name" not in row:
        raise InputError(f'A category of {file} has no name; expected name = "…".')
    where = f"{file}, category {row['name']!r}"
    _known(row, _CATEGORY, where)
    made = PolicyCategory(
        name=_text(row["name"], "name", where),
        definition=_text(row.get("definition", ""), "definition", where),
        action=_action(row.get("action", "review"), "action", where),
        threshold=_share(row.get("threshold", 0.5), "threshold", where),
        review=_share(row["review"], "review", where) if "review" in row else None,
        terms=_texts(row.get("terms", []), "terms", where),
        examples=_texts(row.get("examples", []), "examples", where),
        contrast=_texts(row.get("contrast", []), "contrast", where),
        hashes=tuple(file.parent / name for name in _texts(row.get("hashes", []), "hashes", where)),
        signals=_signals(row.get("signals"), where),
    )
    _complete(made, where)
    return made


def _signals(given: Any, where: str) -> dict[str, float]:
    if not isinstance(given, dict) or not given:
        raise InputError(f"{where} has no signals; expected [category.signals] with some of {', '.join(SIGNALS)}.")
    for name in given:
        if name not in SIGNALS:
            near = difflib.get_close_matches(name, SIGNALS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(SIGNALS)}."
            raise InputError(f"{where} names the signal {name!r}, which there is not; {hint}")
    return {name: _share(weight, f"signals.{name}", where) for name, weight in given.items()}


def _complete(category: PolicyCategory, where: str) -> None:
    """Refuse a signal that has nothing to compare with."""
    wanted = {"caption": "terms", "words": "terms", "speech": "terms", "likeness": "examples", "hash": "hashes"}
    for signal, what in wanted.items():
        if signal in category.signals and not getattr(category, what):
            raise InputError(f"{where} counts the signal {signal!r} and has no {what}; add some or leave it out.")
    if "likeness" in category.signals and not category.contrast:
        raise InputError(
            f"{where} counts likeness and has no contrast: what does not belong to it, as examples have it."
        )
    weak = [signal for signal in _WEAK if category.signals.get(signal)]
    if category.action == "block" and weak:
        raise InputError(
            f"{where} blocks by the signal {weak[0]!r}, which is too weak to block by; expected "
            'action = "review", or the signal in a category of its own.'
        )
    if category.review is not None and category.review > category.threshold:
        raise InputError(f"{where} has review above threshold; expected at most {category.threshold}.")


def _digest(content: bytes, categories: Sequence[PolicyCategory]) -> str:
    state = hashlib.sha256(content)
    for file in sorted({file for category in categories for file in category.hashes}):
        try:
            state.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as error:
            raise InputError(f"The list of hashes {file} cannot be read: {error.strerror or error}.") from None
    return state.hexdigest()[:16]


def _known(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in values:
        if name not in known:
            raise InputError(f"{where} has {name!r}, which is not known; expected {', '.join(sorted(known))}.")


def _table(values: Mapping[str, Any], name: str, file: Path) -> Mapping[str, Any]:
    found = values.get(name, {})
    if not isinstance(found, dict):
        raise InputError(f"{file} has {name} = {found!r}; expected a table [{name}].")
    return found


def _text(value: Any, name: str, where: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where} has {name} = {value!r}; expected words in quotes.")
    return value


def _texts(value: Any, name: str, where: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise InputError(f"{where} has {name} = {value!r}; expected a list of words in quotes.")
    return tuple(value)


def _share(value: Any, name: str, where: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InputError(f"{where} has {name} = {value!r}; expected a number from 0 to 1.")
    return float(value)


def _action(value: Any, name: str, where: Any) -> ModerationAction:
    if value not in ACTIONS:
        raise InputError(f"{where} has {name} = {value!r}; expected {', '.join(ACTIONS)}.")
    return cast(ModerationAction, value)


def _days(value: Any, file: Path) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InputError(f"{file} has retention.days = {value!r}; expected a whole number of days.")
    return value
