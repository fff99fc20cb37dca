"""DICOM files (PS3.10): the header values that say what a file holds and whose it is, by pydicom, within limits.

Pixels are decoded in `tutti.media.dicom_pixels`. Whatever the header says is text of strangers: nothing of it is
trusted before it has been checked against what the file holds.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from tutti.content import Image
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media import sniff
from tutti.media.limits import Limits
from tutti.media.sniff import describe
from tutti.media.sources import array_of, decoding, opened, quiet

MOST_FRAMES = 10_000
"""Frames of one file; a long angiogram has a few hundred, a tomogram a few thousand."""
READ_SYNTAXES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
"""Transfer syntaxes (PS3.5, annex A; PS3.6, annex A) whose pixels are decoded, by UID."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_OTHER_SYNTAXES = {
    _DEFLATED: "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.4.51": "JPEG Extended of 12 bits",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, first-order prediction",
    "1.2.840.10008.1.2.4.100": "MPEG-2",
    "1.2.840.10008.1.2.4.102": "MPEG-4 AVC/H.264",
    "1.2.840.10008.1.2.4.107": "HEVC/H.265",
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 with RPCL, lossless",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
}
"""Well-known ones that are not, for error messages."""
_MOST_META = 100
"""Elements of the file's meta information that are looked at; the standard knows 17."""
_LONGEST_UID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomHeader:
    """What the header of a DICOM file says. Text that identifies a person is left out of its `repr`."""

    modality: str
    """(0008,0060), such as CR, DX, MG, CT, MR, US."""
    sop_class_uid: str
    study_uid: str
    series_uid: str
    sop_uid: str
    transfer_syntax: str
    """UID of how the data set and its pixels are coded."""
    rows: int
    """Height of a frame in pixels; 0 where the file holds none."""
    columns: int
    """Width of a frame in pixels."""
    frames: int
    """How many frames; 0 where the file holds no pixels."""
    samples: int
    """1 for grey or a palette, 3 for colour."""
    bits_stored: int
    signed: bool
    photometric: str
    """Photometric interpretation, such as MONOCHROME1, MONOCHROME2, RGB."""
    laterality: str
    """L, R, B or "", of the image or else of its series."""
    view: str
    """View position, such as PA, AP, LL, CC, MLO; "" where it is not said."""
    body_part: str
    spacing_mm: tuple[float, float] | None
    """Distance of rows and of columns in the patient, or else at the detector; None where it is not said."""
    windows: tuple[tuple[float, float], ...]
    """Centre and width of each window, in rescaled values."""
    rescale: tuple[float, float] | None
    """Slope and intercept from stored to rescaled values; None where the file has none."""
    burned_in: bool | None
    """Whether it says that text is burned into its pixels; None where it does not say."""
    overlays: int
    """Planes of graphics or text that lie over the image (PS3.3, C.9); they are not part of what is decoded."""
    deidentified: bool
    """Whether it says that the patient's identity was removed."""
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    accession: str = field(repr=False)
    study_date: str = field(repr=False)
    description: str = field(repr=False)
    """Of the study, or else of the series."""

    @property
    def syntax_name(self) -> str:
        """The transfer syntax in words."""
        known = READ_SYNTAXES.get(self.transfer_syntax) or _OTHER_SYNTAXES.get(self.transfer_syntax)
        return known or f"of UID {self.transfer_syntax[:64]}"


def read_dicom_header(part: Image, limits: Limits) -> DicomHeader:
    """What a DICOM file says of itself; its pixels are not decoded, and may be coded in any way but a deflated one.

    Args:
        part: The file, its bytes or a `data:` URL.
        limits: Budgets of bytes and pixels that the header is held to.

    Raises:
        InputError: It is missing, damaged, or no DICOM file.
        MissingExtra: pydicom is not installed.
        CapacityError: It has more bytes, or announces more pixels or frames, than allowed.
    """
    with dicom_dataset(part, limits, pixels=False) as dataset:
        return header_of(dataset, part.name, limits)


@contextmanager
def dicom_dataset(part: Image, limits: Limits, *, pixels: bool = True) -> Iterator[Any]:
    """The data set of a DICOM file as pydicom reads it, whose values are still those of strangers.

    Args:
        part: The file.
        limits: The budget of bytes.
        pixels: Whether to read on to the pixels, which are not decoded.

    Raises:
        InputError: It is missing, damaged, or no DICOM file; or a fault was found in what the caller read of it.
        MissingExtra: pydicom is not installed.
        CapacityError: It has more bytes than allowed.
    """
    if array_of(part) is not None:
        raise InputError("An array was given as a DICOM file; expected a path or bytes.")
    with opened(part, limits) as file:
        if sniff.sniff(file) is not sniff.DICOM:
            raise InputError(
                f"{part.name} is not a DICOM file: {describe(file)}; expected one with DICM at byte 128 (PS3.10)."
            )
        with decoding(part.name, "a readable DICOM file"), quiet():
            yield _read(file, part.name, pixels)


def _read(file: BinaryIO, name: str, pixels: bool) -> Any:
    pydicom = pydicom_or_refuse()
    syntax = _transfer_syntax(file)
    if not syntax:
        raise InputError(f"{name} does not say how it is coded; expected a transfer syntax in its file header.")
    if syntax == _DEFLATED:  # it would be inflated whole, whatever its size
        raise InputError(f"{name} is {_OTHER_SYNTAXES[_DEFLATED]}, which is not read; save it uncompressed.")
    return pydicom.dcmread(file, stop_before_pixels=not pixels)


def _transfer_syntax(file: BinaryIO) -> str:
    """(0002,0010) of the file's meta information, which is always Explicit VR Little Endian (PS3.10, section 7.1)."""
    file.seek(132)
    found = ""
    for _ in range(_MOST_META):
        head = file.read(8)
        if len(head) < 8 or head[:2] != b"\x02\0":
            break
        if head[4:6] in (b"OB", b"OW", b"UN", b"UT", b"SQ"):
            length = int.from_bytes(file.read(4), "little")
        else:
            length = int.from_bytes(head[6:8], "little")
        content = file.read(min(length, _LONGEST_UID))
        if head[2:4] == b"\x10\0":
            found = content.decode("ascii", errors="replace").strip("\0 ")
        file.seek(max(0, length - len(content)), io.SEEK_CUR)
    file.seek(0)
    return found


def pydicom_or_refuse() -> Any:
    """The library.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pydicom
        import pydicom.encaps
        import pydicom.pixels
    except ImportError:
        raise MissingExtra("Reading DICOM files", "privacy") from None
    return pydicom


def header_of(dataset: Any, name: str, limits: Limits) -> DicomHeader:
    """The values of an open data set. Errors as for `read_dicom_header`, except for those of the file."""
    rows, columns = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    frames = _frames(dataset, name) if rows and columns else 0
    limits.check_pixels(name, columns, rows, frames=max(1, frames))
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    return DicomHeader(
        modality=_text(dataset, "Modality"),
        sop_class_uid=_text(dataset, "SOPClassUID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        sop_uid=_text(dataset, "SOPInstanceUID"),
        transfer_syntax=str(dataset.file_meta.TransferSyntaxUID),
        rows=rows,
        columns=columns,
        frames=frames,
        samples=_whole(dataset, "SamplesPerPixel") or 1,
        bits_stored=_whole(dataset, "BitsStored"),
        signed=_whole(dataset, "PixelRepresentation") == 1,
        photometric=_text(dataset, "PhotometricInterpretation"),
        laterality=_text(dataset, "ImageLaterality") or _text(dataset, "Laterality"),
        view=_text(dataset, "ViewPosition"),
        body_part=_text(dataset, "BodyPartExamined"),
        spacing_mm=_pair(dataset, "PixelSpacing") or _pair(dataset, "ImagerPixelSpacing"),
        windows=_windows(dataset),
        rescale=None if slope is None else (slope, intercept or 0.0),
        burned_in={"YES": True, "NO": False}.get(_text(dataset, "BurnedInAnnotation")),
        overlays=sum((group, 0x3000) in dataset for group in range(0x6000, 0x6020, 2)),
        deidentified=_text(dataset, "PatientIdentityRemoved") == "YES",
        patient_id=_text(dataset, "PatientID"),
        patient_name=_text(dataset, "PatientName"),
        birth_date=_text(dataset, "PatientBirthDate"),
        accession=_text(dataset, "AccessionNumber"),
        study_date=_text(dataset, "StudyDate"),
        description=_text(dataset, "StudyDescription") or _text(dataset, "SeriesDescription"),
    )


def _frames(dataset: Any, name: str) -> int:
    if "NumberOfFrames" not in dataset or not str(dataset.NumberOfFrames or "").strip():
        return 1
    frames = _whole(dataset, "NumberOfFrames")
    if frames < 1:
        raise InputError(f"{name} announces {frames} frames; expected one or more.")
    if frames > MOST_FRAMES:
        raise CapacityError(f"{name} announces {frames:,} frames; the limit is {MOST_FRAMES:,}: split it.")
    return frames


def _windows(dataset: Any) -> tuple[tuple[float, float], ...]:
    """Windows with a width that can be used (PS3.3, section C.11.2)."""
    centres, widths = _numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth")
    return tuple((centre, width) for centre, width in zip(centres, widths, strict=False) if width >= 1)


def _pair(dataset: Any, name: str) -> tuple[float, float] | None:
    found = _numbers(dataset, name)
    return (found[0], found[1]) if len(found) == 2 and min(found) > 0 else None


def _value(dataset: Any, name: str) -> Any:
    """A value, or None where the header's bytes cannot be understood as one: others may still be of use."""
    try:
        return dataset.get(name)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pydicom converts values when they are asked for, and raises anything
        return None


def _numbers(dataset: Any, name: str) -> list[float]:
    value = _value(dataset, name)
    several = [] if value is None or value == "" else [value] if isinstance(value, (str, float, int)) else list(value)
    try:
        numbers = [float(one) for one in several]
    except (TypeError, ValueError):
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def _number(dataset: Any, name: str) -> float | None:
    found = _numbers(dataset, name)
    return found[0] if found else None


def _whole(dataset: Any, name: str) -> int:
    return int(_number(dataset, name) or 0)


def _text(dataset: Any, name: str) -> str:
    value = _value(dataset, name)
    return "" if value is None else str(value).strip()
