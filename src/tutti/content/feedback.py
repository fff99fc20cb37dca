"""Feedback: what a person thought of an answer, as a value that is kept, exported and learned from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args

from tutti.errors import InputError

FeedbackVerdict: TypeAlias = Literal["good", "bad", "corrected", "chosen", "unjudged"]
Consent: TypeAlias = Literal["training", "measuring"]
"""What a person allows: that models learn from it, or only that it is counted."""
KEEP_DAYS = 365.0
_MOST_CHARACTERS = 200_000
_MOST_MEDIA = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMedium:
    """A medium that was asked about, by its content and not its place."""

    modality: str
    digest: str
    """SHA-256 as of `Media.digest`, 64 hexadecimal digits."""
    name: str = ""
    """Of its file, without folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One judgement of one answer by one person (or rule).

    Raises:
        InputError: A verdict lacks the text that belongs to it, or a field is not what it should be.
    """

    question: str
    """The last turn of the user, in words."""
    answer: str
    """The answer that was judged; of a choice, the one that was chosen."""
    verdict: FeedbackVerdict
    other: str = ""
    """For `corrected` the text as it should have been; for `chosen` the answer that was not chosen."""
    media: tuple[JudgedMedium, ...] = ()
    before: tuple[tuple[str, str], ...] = ()
    """Earlier turns in words, as (role, text)."""
    who: str = ""
    """Who judged, by whatever name the tenant gives; agreement is measured between them."""
    model: str = ""
    adapter: str = ""
    answer_id: str = ""
    """The server's id of the answer."""
    consent: Consent = "measuring"
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    """When, in UTC (ISO 8601)."""
    keep_days: float = KEEP_DAYS
    """Days after which it is erased."""
    id: str = field(default_factory=lambda: f"fb_{secrets.token_hex(12)}")

    def __post_init__(self) -> None:
        """Check what a store would otherwise find years later."""
        for name in ("question", "answer", "other", "who", "model", "adapter", "answer_id", "id"):
            _check_text(name, getattr(self, name))
        if not self.question.strip():
            raise InputError("The question is empty; expected what the model was asked, in words.")
        if self.verdict not in get_args(FeedbackVerdict):
            raise InputError(f"verdict is {self.verdict!r}; expected {', '.join(get_args(FeedbackVerdict))}.")
        if self.consent not in get_args(Consent):
            raise InputError(f"consent is {self.consent!r}; expected {' or '.join(get_args(Consent))}.")
        if self.verdict in ("corrected", "chosen"):
            if not self.other.strip() or self.other.strip() == self.answer.strip():
                what = "the corrected text" if self.verdict == "corrected" else "the answer that was not chosen"
                raise InputError(f"verdict is {self.verdict!r}, so other must be {what}, and differ from the answer.")
        elif self.other:
            raise InputError(
                f"other belongs to corrected or chosen, and the verdict is {self.verdict!r}; leave it out."
            )
        if len(self.media) > _MOST_MEDIA:
            raise InputError(f"There are {len(self.media)} media; expected at most {_MOST_MEDIA}.")
        if not isinstance(self.keep_days, (int, float)) or not 0 < self.keep_days <= 36_500:
            raise InputError(f"keep_days is {self.keep_days!r}; expected days above 0 and at most 36,500.")
        self.moment  # noqa: B018 - raises where it is none

    @property
    def moment(self) -> datetime:
        """When it was given.

        Raises:
            InputError: `at` is no time with its zone.
        """
        try:
            found = datetime.fromisoformat(self.at)
        except (ValueError, TypeError):
            found = None
        if found is None or found.tzinfo is None:
            raise InputError(f"at is {self.at!r}; expected a time with its zone, as in 2026-11-30T12:00:00+00:00.")
        return found

    @property
    def ends(self) -> datetime:
        """When it is to be gone."""
        return self.moment + timedelta(days=self.keep_days)

    @property
    def asked(self) -> tuple[object, ...]:
        """What tells two questions apart: turns and media, not who asked when."""
        return (self.before, self.question, tuple(medium.digest for medium in self.media))

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=True)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Feedback:
        """From the fields of `to_json`; those with defaults may be left out.

        Raises:
            InputError: A field is unknown, missing or not what it should be.
        """
        unknown = sorted(set(row) - set(cls.__dataclass_fields__))
        if unknown:
            raise InputError(f"unknown field {unknown[0]!r}; known are {', '.join(cls.__dataclass_fields__)}.")
        missing = [name for name in ("question", "answer", "verdict") if name not in row]
        if missing:
            raise InputError(f"{missing[0]!r} is missing; expected question, answer and verdict.")
        values = dict(row)
        try:
            values["media"] = tuple(JudgedMedium(**medium) for medium in row.get("media", ()))
            values["before"] = tuple((str(role), str(text)) for role, text in row.get("before", ()))
        except (TypeError, ValueError):
            raise InputError(
                "media or before is malformed; expected media as objects of modality, digest and name, and before as "
                "pairs of role and text."
            ) from None
        for medium in values["media"]:
            if not _is_digest(medium.digest):
                raise InputError(f"digest is {str(medium.digest)[:80]!r}; expected 64 hexadecimal digits.")
        return cls(**values)


def _is_digest(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and not set(text) - set("0123456789abcdef")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InputError(f"{name} is {type(value).__name__}; expected text.")
    if len(value) > _MOST_CHARACTERS:
        raise InputError(f"{name} has {len(value):,} characters; expected at most {_MOST_CHARACTERS:,}.")
