"""Lessons of feedback as files that `tutti tune` reads: preferences, corrections, verdicts as JSONL, media beside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tutti.content import Audio, Document, Image, Media, Video
from tutti.content.feedback import Feedback, JudgedMedium
from tutti.errors import InputError, writing
from tutti.evaluate.feedback_pairs import Lessons, PreferredPair
from tutti.evaluate.feedback_store import FeedbackStore
from tutti.media import wrap

_KINDS: dict[str, type[Media]] = {"image": Image, "audio": Audio, "video": Video, "document": Document}
_PARTS = {"image": "image_url", "audio": "audio_url", "video": "video_url"}
"""What training reads."""


class FoundMedia:
    """Media of feedback by their digests: those that a store kept, and those in a folder.

    Args:
        store: Of the feedback.
        folder: Searched through once, all below it; None searches none.
    """

    def __init__(self, store: FeedbackStore, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise InputError(f"{folder} is no folder; name the one that holds the media that were asked about.")
        self._store, self._folder = store, folder
        self._paths: dict[str, Path] | None = None

    def content(self, medium: JudgedMedium) -> bytes | None:
        """The content of a medium; None where it is not at hand."""
        kept = self._store.medium(medium.digest)
        if kept is not None:
            return kept
        if self._paths is None:
            self._paths = dict(_digests(self._folder)) if self._folder is not None else {}
        path = self._paths.get(medium.digest)
        return path.read_bytes() if path is not None else None

    def media_of(self, feedback: Feedback) -> list[Media] | None:
        """The media of a feedback, opened; None where one of them is not at hand, or of a kind without files."""
        found: list[Media] = []
        for medium in feedback.media:
            kind, content = _KINDS.get(medium.modality), self.content(medium)
            if kind is None or content is None:
                return None
            found.append(kind(content))
        return found


def _digests(folder: Path) -> Iterable[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            try:
                medium = wrap(path)
            except InputError:
                continue  # not a medium
            yield medium.digest, path


class LessonFiles:
    """Writes lessons into a folder.

    Args:
        out: The folder; files of an earlier export are replaced.
        media: Finds media.
    """

    def __init__(self, out: Path, media: FoundMedia) -> None:
        self.out, self._media = out, media
        self.without_media = 0
        """Rows that were left out since their media are not at hand."""

    def write(self, found: Lessons, more: Sequence[PreferredPair] = ()) -> dict[str, int]:
        """Write preferences.jsonl, corrections.jsonl, verdicts.jsonl and contradictions.jsonl; name → rows.

        Args:
            found: From people.
            more: Pairs from elsewhere, such as verification.
        """
        pairs = {(one.source.asked, one.chosen, one.rejected): one for one in (*found.pairs, *more)}
        with writing(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
        return {
            "preferences": self._rows("preferences", pairs.values(), self._pair),
            "corrections": self._rows("corrections", found.corrections, self._correction),
            "verdicts": self._rows("verdicts", found.verdicts, self._verdict),
            "contradictions": self._rows("contradictions", found.contradicting, _told),
        }

    def _rows(self, name: str, values: Iterable[Any], row_of: Callable[[Any], dict[str, Any] | None]) -> int:
        rows = [row for row in map(row_of, values) if row is not None]
        path = self.out / f"{name}.jsonl"
        part = path.with_name(f".{path.name}.part")
        with writing(path):
            part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            part.replace(path)
        return len(rows)

    def _pair(self, pair: PreferredPair) -> dict[str, Any] | None:
        prompt = self._prompt(pair.source)
        if prompt is None:
            return None
        return {
            "id": pair.source.id,
            "prompt": prompt,
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }

    def _correction(self, one: Feedback) -> dict[str, Any] | None:
        prompt = self._prompt(one)
        if prompt is None:
            return None
        return {"id": one.id, "messages": [*prompt, {"role": "assistant", "content": one.other}]}

    def _verdict(self, value: tuple[Feedback, bool]) -> dict[str, Any] | None:
        one, good = value
        prompt = self._prompt(one)
        if prompt is None or not one.answer.strip():
            return None
        completion = [{"role": "assistant", "content": one.answer}]
        return {"id": one.id, "prompt": prompt, "completion": completion, "label": good}

    def _prompt(self, one: Feedback) -> list[dict[str, Any]] | None:
        parts: list[dict[str, Any]] = []
        for medium in one.media:
            kind, content = _PARTS.get(medium.modality), self._media.content(medium)
            if kind is None or content is None:
                self.without_media += 1
                return None
            parts.append({"type": kind, kind: {"url": self._kept(medium, content)}})
        before = [{"role": role, "content": text} for role, text in one.before]
        asked: Any = [*parts, {"type": "text", "text": one.question}] if parts else one.question
        return [*before, {"role": "user", "content": asked}]

    def _kept(self, medium: JudgedMedium, content: bytes) -> str:
        ending = Path(medium.name).suffix[:8] if Path(medium.name).suffix[1:].isalnum() else ""
        path = self.out / "media" / f"{medium.digest[:32]}{ending}"
        if not path.exists():
            with writing(path):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        return f"media/{path.name}"


def _told(pair: PreferredPair) -> dict[str, Any]:
    return {
        "question": pair.source.question,
        "media": [medium.digest for medium in pair.source.media],
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "votes": pair.votes,
        "against": pair.against,
    }
