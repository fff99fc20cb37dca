"""A file without what must not leave: decoded, covered, encoded anew, and written beside with a record."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tutti.content import Audio, Image, Media, Video
from tutti.errors import InputError, writing
from tutti.media import wrap
from tutti.media.sniff import DICOM, Format, sniff
from tutti.media.sources import array_of, opened
from tutti.trust.privacy.pictures import encoded, look_at, picture_suffix, redact_picture
from tutti.trust.privacy.record import Finding, Record, whole_box
from tutti.trust.privacy.sounds import read_channels, silenced, sound_suffix, write_sound
from tutti.trust.privacy.speech import redact_transcript
from tutti.trust.privacy.steps import RedactionSteps
from tutti.trust.privacy.tools import RedactionTools, tools_for

RECORD_ENDING = ".redaction.json"


class Redacted(NamedTuple):
    """What became of a file."""

    path: Path | None
    """The file that was written; None of a dry run."""
    record: Record


class Redactor:
    """Removes from media what must not leave.

    Args:
        steps: What to do beside the removal of metadata.
        tools: With what; those of `tools_for` where not given.
        secret: What makes new names of patients and UIDs of DICOM files; the same secret gives the same ones, and
            whoever has it can tell whose they are. A new one where not given.

    Raises:
        MissingExtra: A step needs what is not installed.
    """

    def __init__(
        self, steps: RedactionSteps | None = None, tools: RedactionTools | None = None, secret: bytes | None = None
    ) -> None:
        self.steps = steps or RedactionSteps()
        self.tools = tools or tools_for(self.steps)
        self._secret = secret if secret is not None else os.urandom(32)

    def redact(
        self,
        medium: str | Path | Media,
        folder: Path,
        name: str,
        *,
        dry_run: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> Redacted:
        """Redact one file.

        Args:
            medium: The file, or a part.
            folder: Where the copy and its record are written; it is made if it is not there.
            name: What to call the copy, without its ending, which says how it is coded.
            dry_run: Find, and write nothing.
            progress: Told how much is done, from 0 to 1.

        Raises:
            InputError: The medium cannot be read, or the copy is there already.
            CapacityError: It is over a budget.
        """
        part = wrap(medium)
        if not isinstance(part, (Image, Audio, Video)):
            raise InputError("Words or readings of sensors were given; expected a picture, a recording or a film.")
        begun = time.perf_counter()
        found = _format(part, self.tools)
        target = folder / f"{name}{_suffix(part, found)}"
        if not dry_run:
            _refuse_existing(target)
        with _placed(target, dry_run) as place:
            record = self._made(part, found, place, progress)
            record = replace(record, seconds=time.perf_counter() - begun)
            if place is None:
                return Redacted(None, record)
            record = replace(record, sha256=hashlib.sha256(place.read_bytes()).hexdigest())
            _write_record(_record_path(target), record)
        return Redacted(target, record)

    def _made(
        self, part: Media, found: Format | None, place: Path | None, progress: Callable[[float], None] | None
    ) -> Record:
        if found is DICOM:
            from tutti.trust.privacy.dicom import redact_dicom

            findings, notes = redact_dicom(Image(part.source), place, self.steps, self.tools, self._secret)
            return self._record("dicom", findings, notes)
        if isinstance(part, Image):
            pixels, findings, notes = redact_picture(part, self.steps, self.tools)
            if place is not None:
                place.write_bytes(encoded(pixels, picture_suffix(found)))
            return self._record("picture", findings, notes)
        if isinstance(part, Video):
            return self._film(part, place, progress)
        return self._recording(part, found, place)

    def _record(self, kind: str, findings: list[Finding], notes: list[str]) -> Record:
        return Record(
            kind=kind,  # type: ignore[arg-type]
            findings=tuple(findings),
            steps=self.steps.to_dict(),
            tools=self.tools.names(),
            notes=tuple(notes),
        )

    def _film(self, part: Video, place: Path | None, progress: Callable[[float], None] | None) -> Record:
        from tutti.trust.privacy.films import find_in_film, write_film

        tools, limits = self.tools, self.tools.decoder.limits
        words = (lambda image: look_at(image.source, replace(self.steps, faces=False), tools)) if tools.reader else None
        length = max(1e-9, tools.decoder.size(part).seconds) if array_of(part) is None else 1e9
        half = None if progress is None else lambda time_s: progress(min(0.5, 0.5 * time_s / length))
        other = None if progress is None else lambda time_s: progress(min(1.0, 0.5 + 0.5 * time_s / length))
        detector = tools.detector if self.steps.faces else None
        film = find_in_film(part, limits, detector, words, half)
        spoken, notes = self._spoken(part)
        findings = [
            Finding(what=what, box=whole_box(box), start_s=round(since, 3), end_s=round(until, 3))
            for what, box, since, until in film.spans
        ]
        if place is not None:
            sound = read_channels(part, limits)
            if sound is not None:
                sound = _cut(sound[0], film.duration_s, sound[1]), sound[1]
                sound = silenced(*sound, _spans(spoken)), sound[1]
            write_film(part, place, limits, film, sound, self.steps.cover, other)
        return self._record("film", [*findings, *spoken], notes)

    def _recording(self, part: Media, found: Format | None, place: Path | None) -> Record:
        spoken, notes = self._spoken(part)
        sound = read_channels(part, self.tools.decoder.limits)
        if sound is None:
            raise InputError(f"{part.name} holds no sound; expected a recording with samples.")
        if place is not None:
            write_sound(place, silenced(*sound, _spans(spoken)), sound[1], sound_suffix(found))
        return self._record("recording", spoken, notes)

    def _spoken(self, part: Media) -> tuple[list[Finding], list[str]]:
        if self.tools.transcriber is None:
            return [], ["Speech was not looked into: what is said is as it was."]
        try:
            transcript = self.tools.transcriber.transcribe(part)
        except InputError:
            if isinstance(part, Video):
                return [], []  # a film without sound
            raise
        return redact_transcript(transcript, self.steps.names, self.steps.words)[1], []


def _spans(findings: list[Finding]) -> list[tuple[float, float]]:
    return [(one.start_s or 0.0, one.end_s or 0.0) for one in findings]


def _cut(samples: NDArray[np.float32], seconds: float, rate_hz: int) -> NDArray[np.float32]:
    return samples[: max(1, round(seconds * rate_hz))]


def _format(part: Media, tools: RedactionTools) -> Format | None:
    if array_of(part) is not None:
        return None
    with opened(part, tools.decoder.limits.streaming()) as file:
        return sniff(file)


def _suffix(part: Media, found: Format | None) -> str:
    if found is DICOM:
        return ".dcm"
    if isinstance(part, Image):
        return picture_suffix(found)
    return ".mp4" if isinstance(part, Video) else sound_suffix(found)


def _record_path(target: Path) -> Path:
    return target.with_name(target.name + RECORD_ENDING)


def _refuse_existing(target: Path) -> None:
    for path in (target, _record_path(target)):
        if path.exists():
            raise InputError(f"{path} exists, and nothing is written over; name another place, or remove it.")


@contextmanager
def _placed(target: Path, dry_run: bool) -> Iterator[Path | None]:
    """A file that gets its name only once it is whole, and is removed if anything fails."""
    if dry_run:
        yield None
        return
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".tutti-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
    place = Path(temporary)
    try:
        yield place
        with writing(target):
            place.chmod(0o644)
            _named(place, target)
    finally:
        place.unlink(missing_ok=True)


def _named(place: Path, target: Path) -> None:
    """Give a whole file its name, unless something has come in between."""
    try:
        os.link(place, target)
    except FileExistsError:
        _record_path(target).unlink(missing_ok=True)
        raise InputError(f"{target} exists, and nothing is written over; name another place.") from None
    except OSError:  # a file system without links
        if target.exists():
            raise
        place.rename(target)


def _write_record(path: Path, record: Record) -> None:
    with writing(path), path.open("x", encoding="utf-8") as file:
        json.dump(record.to_dict(), file, ensure_ascii=False, indent=1)
        file.write("\n")
