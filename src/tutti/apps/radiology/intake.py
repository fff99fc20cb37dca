"""A case read: images with what their headers say, history, notes with times, prior reports. Refusals name the file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutti.apps.radiology.bundles import BundleLine, read_bundle
from tutti.apps.radiology.report import ReportSource
from tutti.content import Audio, Image, Transcript, Video, is_data_url
from tutti.errors import CapacityError, InputError
from tutti.media import sniff, wrap
from tutti.media.decoder import InProcess, MediaDecoder
from tutti.media.dicom import DicomHeader
from tutti.media.limits import Limits
from tutti.media.sources import opened
from tutti.media.text_files import read_text
from tutti.settings import read_settings
from tutti.trust.clinical.contradictions import SourceKind, Stated
from tutti.trust.clinical.identity import IdentityKind, StatedIdentity, identities, normal
from tutti.trust.clinical.lexicon import PARTS
from tutti.trust.clinical.statements import Statement, statements

_MOST_TEXT_BYTES = 1_000_000
_MOST_FILES = 200
_NAMES: dict[IdentityKind, str] = {
    "patient id": "patient_id", "name": "patient_name", "birth date": "birth_date",
    "accession": "accession", "study date": "study_date",
}  # fmt: skip
CaseMedium = str | os.PathLike[str] | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """What a case is drafted from."""

    images: Sequence[CaseMedium] = ()
    """DICOM files or pictures: paths, bytes or `data:` URLs."""
    history: Sequence[str | os.PathLike[str]] = ()
    """Paths of texts or FHIR bundles."""
    notes: Sequence[CaseMedium] = ()
    """Recordings, or paths of transcripts as `tutti transcribe --json` prints them."""
    priors: Sequence[str | os.PathLike[str]] = ()
    """Paths of texts."""
    modality: str = ""
    """Of pictures without a header, as a DICOM code such as DX."""
    body_part: str = ""
    """Of pictures without a header, such as CHEST."""
    texts: Sequence[tuple[SourceKind, str, str]] = ()
    """Texts at hand, as kind, name and words: history or prior."""


@dataclass(frozen=True, slots=True, eq=False)
class CaseImage:
    """An image of a case."""

    name: str
    header: DicomHeader | None
    picture: NDArray[np.uint8]
    """(H, W, 3), the middle frame."""
    frame: int
    frames: int


@dataclass(frozen=True, slots=True)
class CaseText:
    """A text of a case; of a note, what was said."""

    name: str
    kind: SourceKind
    text: str
    lines: tuple[BundleLine, ...] = ()
    times: tuple[tuple[int, int, float, float], ...] = ()
    """Of a note: first and last character, first and last second."""

    def source(self, start: int, end: int) -> ReportSource:
        """Where characters of it come from."""
        quote = self.text[start:end]
        spans = [each for each in self.times if each[0] < end and start < each[1]]
        if self.kind == "note":
            begin, stop = (spans[0][2], spans[-1][3]) if spans else (0.0, 0.0)
            return ReportSource(kind="note", name=self.name, quote=quote, start_s=begin, end_s=stop)
        pointer = next((line.pointer for line in self.lines if line.start < end and start < line.end), "")
        kind: Literal["prior", "history"] = "prior" if self.kind == "prior" else "history"
        return ReportSource(kind=kind, name=self.name, quote=quote, start=start, end=end, pointer=pointer)

    def stated(self) -> Stated:
        """What it states."""
        tense = "before" if self.kind == "prior" else "now"
        return Stated(self.name, self.kind, statements(self.text, tense=tense), identities(self.text))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ClinicalCase:
    """A case, read."""

    images: tuple[CaseImage, ...]
    texts: tuple[CaseText, ...]
    modality: str
    body_part: str


def read_case(
    files: CaseFiles, transcribe: Callable[[Any], Transcript], *, limits: Limits | None = None,
    decoder: MediaDecoder | None = None,
) -> ClinicalCase:  # fmt: skip
    """Read and check all files of a case before anything is drafted.

    Args:
        files: What there is.
        transcribe: Writes recordings down with times; asked only where there are recordings.
        limits: Budgets of media; those of the settings when not given.
        decoder: Decodes pictures; in this process when not given.

    Raises:
        InputError: There is nothing to draft from, or a file is missing, damaged or of another kind; it is named.
        CapacityError: A file is over a budget.
        MissingExtra: A file needs an extra that is not installed.
    """
    count = sum(map(len, (files.images, files.history, files.notes, files.priors, files.texts)))
    if not files.images and not files.notes:
        raise InputError("No image and no note was given; expected at least one of them to draft from.")
    if count > _MOST_FILES:
        raise CapacityError(f"{count} files were given; a case has at most {_MOST_FILES}: leave series out.")
    chosen = decoder or InProcess(limits or Limits.from_settings(read_settings()))
    texts = [_history(path) for path in files.history]
    texts += [_plain(path, "prior") for path in files.priors]
    texts += [_given(kind, name, words) for kind, name, words in files.texts]
    images = [_image(medium, chosen, number) for number, medium in enumerate(files.images, 1)]
    texts += [_note(medium, transcribe, number) for number, medium in enumerate(files.notes, 1)]
    names = [*(image.name for image in images), *(text.name for text in texts)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"Two files of the case are called {twice}; sources are told by name: rename one.")
    return ClinicalCase(tuple(images), tuple(texts), files.modality.upper(), files.body_part.upper())


def _image(medium: CaseMedium, decoder: MediaDecoder, number: int) -> CaseImage:
    part = wrap(medium)
    name = _called(medium, f"image {number}")
    if not isinstance(part, Image):
        raise InputError(f"{name} is of modality {part.modality}; expected DICOM or a picture.")
    with opened(part, decoder.limits) as file:
        dicom = sniff.sniff(file) is sniff.DICOM
    if not dicom:
        return CaseImage(name, None, decoder.image(part), 0, 1)
    from tutti.media.dicom_pixels import decode_dicom

    found = decode_dicom(part, decoder.limits)
    middle = len(found.shown) // 2
    return CaseImage(name, found.header, found.shown[middle], middle, len(found.shown))


def _called(medium: CaseMedium, otherwise: str) -> str:
    """The name of a file without its folder; of what has none, what the caller says."""
    if isinstance(medium, bytes) or (isinstance(medium, str) and is_data_url(medium)):
        return otherwise
    return Path(medium).name


def _history(path: str | os.PathLike[str]) -> CaseText:
    name, text = Path(path).name, read_text(path, _MOST_TEXT_BYTES)
    return _given("history", name, text)


def _given(kind: SourceKind, name: str, text: str) -> CaseText:
    if kind == "history" and text.lstrip()[:1] == "{":
        found = read_bundle(text, name)
        return CaseText(name, "history", found.text, tuple(found.lines))
    return CaseText(name, kind, _with_words(text, name))


def _plain(path: str | os.PathLike[str], kind: SourceKind) -> CaseText:
    return CaseText(Path(path).name, kind, _with_words(read_text(path, _MOST_TEXT_BYTES), Path(path).name))


def _with_words(text: str, name: str) -> str:
    if not text.strip():
        raise InputError(f"{name} is empty; expected text.")
    if "\0" in text:
        raise InputError(f"{name} holds null characters; expected text.")
    return text


def _note(medium: CaseMedium, transcribe: Callable[[Any], Transcript], number: int) -> CaseText:
    if isinstance(medium, (str, os.PathLike)) and str(medium).lower().endswith(".json"):
        return _timed(Path(medium).name, _segments(medium))
    part = wrap(medium)
    name = _called(medium, f"note {number}")
    if not isinstance(part, (Audio, Video)):
        raise InputError(f"{name} is of modality {part.modality}; expected a recording as a note.")
    said = transcribe(part)
    return _timed(name, [(each.start_s, each.end_s, each.text) for each in said.segments])


def _segments(path: str | os.PathLike[str]) -> list[tuple[float, float, str]]:
    name = Path(path).name
    try:
        values = json.loads(read_text(path, _MOST_TEXT_BYTES))
        return [(float(each["start_s"]), float(each["end_s"]), str(each["text"])) for each in values["segments"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{name} is no transcript; expected what tutti transcribe FILE --json prints.") from None


def _timed(name: str, segments: Sequence[tuple[float, float, str]]) -> CaseText:
    parts, times, at = [], [], 0
    for start_s, end_s, words in segments:
        said = words.strip()
        if said:
            parts.append(said)
            times.append((at, at + len(said), start_s, end_s))
            at += len(said) + 1
    if not parts:
        raise InputError(f"Nothing is said in {name}; expected a spoken note.")
    return CaseText(name, "note", " ".join(parts), (), tuple(times))


def stated_by_header(image: CaseImage) -> Stated:
    """What the header of an image states: whose it is, when it was made, and of which part on which side."""
    header = image.header
    if header is None:
        return Stated(image.name, "header", (), ())
    told = []
    for kind, field in _NAMES.items():
        said = " ".join(str(getattr(header, field)).replace("^", " ").split())
        value = normal(kind, said)
        if value and not (header.deidentified and kind in ("patient id", "name")):
            told.append(StatedIdentity(kind=kind, value=value, written=said, start=0, end=0))
    part = header.body_part.lower()
    side = {"L": "left", "R": "right"}.get(header.laterality, "")
    stated = []
    if side and part in PARTS:
        stated.append(Statement(
            subject=part, is_part=True, polarity="present", side=side, size_mm=None, tense="now", start=0, end=0,  # type: ignore[arg-type]
        ))  # fmt: skip
    return Stated(image.name, "header", stated, told)
