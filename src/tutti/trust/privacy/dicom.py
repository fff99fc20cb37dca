"""DICOM files without the patient: the Basic Application Level Confidentiality Profile (PS3.15, annex E).

Attributes of the profile's table are treated as it says; of those that are not in it, private ones, curves, overlays
and free text are removed, too, so that an attribute that a later edition names does not stay. UIDs become others by a
keyed digest, the same everywhere in a study; dates move by so many days per patient. Pixels are decoded and written
uncompressed, with nothing in bits that are not theirs, and all text that is read in them is covered.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti import __version__
from tutti.content import Image
from tutti.media.dicom import DicomHeader, dicom_dataset, header_of, pydicom_or_refuse
from tutti.media.dicom_pixels import check_pixels_readable, decode_dicom, frames_of
from tutti.trust.pieces import Box
from tutti.trust.privacy.basic_profile import ACTIONS
from tutti.trust.privacy.covering import whole_pixels
from tutti.trust.privacy.record import Finding, whole_box
from tutti.trust.privacy.steps import RedactionSteps
from tutti.trust.privacy.tools import RedactionTools

_FREE_TEXT = {"LO", "LT", "PN", "SH", "ST", "UC", "UT", "UR", "AE", "UN", "OB", "OW", "OF", "OD", "OL", "OV"}
"""Kinds of values that may say anything."""
_TECHNICAL = {
    "PixelData",
    "RescaleType",
    "CodeValue",
    "CodingSchemeDesignator",
    "CodeMeaning",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "LUTData",
    "ConvolutionKernel",
}
"""Those of free text that are kept, as long as they repeat nothing that was removed."""
_CODE_SCHEMES = {"DCM", "SRT", "SCT", "SNM3", "UCUM", "RADLEX", "LN", "99SDM", "I10"}
_STANDARD_UID = "1.2.840.10008."
_MOST_DAYS = 3650
_LEAST_SECRET = 4
"""Letters of a removed value that no kept value may repeat."""
_LEAST_BURNED = 3
"""Letters of a line that is covered in pixels; shorter ones are marks such as L and R."""
_METHOD = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113101", "Clean Pixel Data Option"),
)


def redact_dicom(
    part: Image, place: Path | None, steps: RedactionSteps, tools: RedactionTools, secret: bytes
) -> tuple[list[Finding], list[str]]:
    """De-identify a DICOM image.

    Args:
        part: The file.
        place: Where the copy is written; None writes none.
        steps: With words, text in pixels is read and covered.
        tools: With what.
        secret: Makes UIDs, names of patients and shifts of dates.

    Returns:
        What was removed and covered, and notes.

    Raises:
        InputError: It cannot be read, or holds no pixels that are.
        CapacityError: It is over a budget.
    """
    pydicom = pydicom_or_refuse()
    limits = tools.decoder.limits
    burned = _burned_in(part, tools) if steps.words and tools.reader is not None else []
    with dicom_dataset(part, limits) as dataset:
        header = header_of(dataset, part.name, limits)
        check_pixels_readable(dataset, header, part.name)
        frames = [_own_bits(frame, header) for frame in frames_of(dataset, header, header.frames, part.name)]
        for frame in frames:
            _blacken(frame, burned, header)
        found = Deidentifier(secret, header).apply(dataset)
        _set_pixels(dataset, frames, header)
        _describe(pydicom, dataset, cleaned=bool(steps.words) and tools.reader is not None)
        if place is not None:
            pydicom.dcmwrite(place, dataset, enforce_file_format=True)
    notes = [] if steps.words else ["Text in the pixels was not looked for."]
    return [*found, *(Finding(what="text", box=whole_box(box)) for box in burned)], notes


class Deidentifier:
    """Applies the profile to data sets of one patient.

    Args:
        secret: The key of all digests.
        header: Whose patient it is.
    """

    def __init__(self, secret: bytes, header: DicomHeader) -> None:
        self._secret = secret
        self._pseudonym = self._digest("patient", header.patient_id or header.patient_name)[:12].hex().upper()
        self._days = 1 + int.from_bytes(self._digest("days", header.patient_id or header.patient_name)[:4]) % _MOST_DAYS

    def apply(self, dataset: Any) -> list[Finding]:
        """Change a data set in place, and tell which attributes were changed."""
        secrets = {word for value in _texts(dataset, ACTIONS) for word in _words(value)}
        found = sorted(set(self._treated(dataset, secrets)))
        dataset.preamble = bytes(128)
        return [Finding(what=f"dicom:({tag >> 16:04x},{tag & 0xFFFF:04x})") for tag in found]

    def uid(self, uid: str) -> str:
        """Another UID for one that is not the standard's own (PS3.5, annex B.2: from a UUID)."""
        if uid.startswith(_STANDARD_UID) or not uid:
            return uid
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16])}"

    def moved(self, value: str) -> str:
        """A date, or a date with its time, so many days earlier; empty where it is none."""
        found = re.match(r"(\d{4})\.?(\d{2})\.?(\d{2})(.*)$", value.strip())
        if found is None:
            return ""
        try:
            day = date(int(found[1]), int(found[2]), int(found[3])) - timedelta(days=self._days)
        except (ValueError, OverflowError):
            return ""
        return f"{day:%Y%m%d}{found[4]}" if re.fullmatch(r"[0-9.+\-]*", found[4]) else f"{day:%Y%m%d}"

    def _digest(self, purpose: str, value: str) -> bytes:
        return hmac.digest(self._secret, f"{purpose}\0{value}".encode(), "sha256")

    def _treated(self, dataset: Any, secrets: set[str]) -> Iterator[int]:
        for tag in list(dataset.keys()):
            element = dataset[tag]
            action = _action(element, secrets)
            if action == "keep":
                if element.VR == "SQ":
                    for item in element.value:
                        yield from self._treated(item, secrets)
                continue
            yield int(tag)
            if action == "remove":
                del dataset[tag]
            elif element.VR == "SQ":
                element.value = []
            else:
                element.value = self._replaced(element, action)

    def _replaced(self, element: Any, action: str) -> Any:
        several = [str(one) for one in element.value] if element.VM > 1 else [str(element.value or "")]
        if action == "map":
            made = [self.uid(one) for one in several]
            return made if len(made) > 1 else made[0]
        if action == "shift":
            if element.VR == "TM":
                return element.value
            made = [self.moved(one) for one in several]
            return made if len(made) > 1 else made[0]
        if action == "empty" and element.keyword not in ("PatientName", "PatientID"):
            return None if element.VR in ("DS", "IS") else ""
        return self._dummy(element)

    def _dummy(self, element: Any) -> Any:
        """A value without meaning; of a patient's name and number, the same for all of their files."""
        if element.keyword in ("PatientName", "PatientID"):
            return self._pseudonym
        by_kind = {"DA": "19000101", "DT": "19000101", "TM": "000000", "AS": "000Y", "UI": "2.25.0", "CS": "ANON"}
        return by_kind.get(element.VR, b"" if element.VR in ("OB", "UN") else "ANONYMIZED")


def _action(element: Any, secrets: set[str]) -> str:
    tag, kind = int(element.tag), str(element.VR)
    if element.tag.is_private or 0x5000 <= tag >> 16 <= 0x60FF:
        return "remove"
    if tag in ACTIONS:
        return ACTIONS[tag]
    if kind == "SQ":
        return "keep" if all(_known_code(item) for item in element.value) else "remove"
    if kind in ("DA", "DT"):
        return "shift"
    if kind == "UI":
        return "map"
    if kind in _FREE_TEXT and element.keyword not in _TECHNICAL:
        return "remove"
    repeats = kind not in ("OB", "OW", "US", "SS", "TM") and any(
        word in secrets for word in _words(str(element.value or ""))
    )
    return "remove" if repeats else "keep"


def _known_code(item: Any) -> bool:
    """Whether an item of a sequence is no code, or one of a published scheme."""
    return "CodingSchemeDesignator" not in item or str(item.CodingSchemeDesignator) in _CODE_SCHEMES


def _texts(dataset: Any, actions: Any) -> Iterator[str]:
    """Values of a data set that the profile removes or that may say anything."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item, actions)
        elif element.VR not in ("OB", "OW", "UN", "UI", "DA", "TM", "DT") and (
            int(element.tag) in actions or element.tag.is_private
        ):
            yield str(element.value or "")


def _words(value: str) -> set[str]:
    """Words of a value that could identify."""
    return {word for word in re.split(r"[\W_]+", value.casefold()) if len(word) >= _LEAST_SECRET}


def _burned_in(part: Image, tools: RedactionTools) -> list[Box]:
    """Boxes of all text in the frames: at the first, the middle and the last one."""
    assert tools.reader is not None  # noqa: S101 - asked for by the caller
    shown = decode_dicom(part, tools.decoder.limits).shown
    boxes: list[Box] = []
    for index in sorted({0, len(shown) // 2, len(shown) - 1}):
        for line in tools.reader.read(Image(shown[index])):
            if sum(letter.isalnum() for letter in line.text) >= _LEAST_BURNED:
                left, top, right, bottom = line.box
                around = 0.25 * (bottom - top)
                boxes.append((left - around, top - around, right + around, bottom + around))
    return boxes


def _own_bits(frame: NDArray[Any], header: DicomHeader) -> NDArray[Any]:
    """Stored values without what lies in bits that are not theirs, where overlays once were kept."""
    if header.samples == 3:
        return np.array(frame)
    bits, width = header.bits_stored, 8 * frame.dtype.itemsize
    if header.signed:
        return np.array((frame << (width - bits)) >> (width - bits))
    return np.array(frame & ((1 << bits) - 1))


def _blacken(frame: NDArray[Any], boxes: list[Box], header: DicomHeader) -> None:
    black = frame.max() if header.photometric == "MONOCHROME1" else frame.min()
    for box in boxes:
        left, top, right, bottom = whole_pixels(box, frame.shape)
        frame[top:bottom, left:right] = 0 if header.samples == 3 else black


def _set_pixels(dataset: Any, frames: list[NDArray[Any]], header: DicomHeader) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    pixels = np.stack(frames)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    if header.samples == 3:
        dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.set_original_encoding(False, True)
    dataset.add_new("PixelData", "OB" if pixels.dtype.itemsize == 1 else "OW", content + bytes(len(content) % 2))
    dataset["PixelData"].is_undefined_length = False


def _describe(pydicom: Any, dataset: Any, *, cleaned: bool) -> None:
    """Record in the file how it was de-identified (PS3.3, section C.7.1.1, and PS3.16, CID 7050)."""
    items = []
    for code, meaning in _METHOD if cleaned else _METHOD[:2]:
        item = pydicom.Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning[:64]
        items.append(item)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = f"Tutti {__version__}: PS3.15 basic profile"[:64]
    dataset.DeidentificationMethodCodeSequence = items
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    if cleaned:
        dataset.BurnedInAnnotation = "NO"
