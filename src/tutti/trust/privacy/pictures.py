"""Pictures: decoded, brought to sRGB, covered until nothing is found any more, and encoded with their pixels alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Image
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.encoding import encode_picture
from tutti.media.images import picture
from tutti.media.profiles import to_srgb
from tutti.media.sniff import AVIF, HEIC, HEIF, JPEG, WEBP, Format
from tutti.media.sources import array_of, opened, quiet
from tutti.trust.pieces import Box
from tutti.trust.privacy.covering import covered
from tutti.trust.privacy.record import Finding, whole_box
from tutti.trust.privacy.steps import RedactionSteps
from tutti.trust.privacy.tools import RedactionTools
from tutti.trust.privacy.words import identifying_boxes

_MOST_ROUNDS = 6
"""Looks at a picture; more than three were never needed, and a detector that still finds something is not believed."""
_FORMS: dict[Format, tuple[str, str]] = {
    JPEG: (".jpg", "JPEG"),
    AVIF: (".jpg", "JPEG"),
    HEIC: (".jpg", "JPEG"),
    HEIF: (".jpg", "JPEG"),
    WEBP: (".webp", "WEBP"),
}
"""Format → ending and name of what is written; all else becomes PNG."""
_METADATA = {"exif": "EXIF", "xmp": "XMP", "photoshop": "IPTC", "comment": "comment", "mp": "further pictures"}


def picture_suffix(found: Format | None) -> str:
    """The ending of what a picture of a format is written as; None is an array."""
    return _FORMS[found][0] if found in _FORMS else ".png"


def redact_picture(
    part: Image, steps: RedactionSteps, tools: RedactionTools
) -> tuple[NDArray[np.uint8], list[Finding], list[str]]:
    """A picture's pixels with faces and words covered, what was found, and notes.

    Args:
        part: The picture.
        steps: What is looked for.
        tools: With what.

    Raises:
        InputError: It cannot be read, or something is still found after it was covered several times.
        CapacityError: It is over a budget.
    """
    pixels = tools.decoder.image(part)
    pixels, converted = to_srgb(part, pixels, tools.decoder.limits)
    notes = ["Colours were brought to sRGB, and the profile was left out."] if converted else []
    found = metadata_of(part, tools)
    boxes: list[Box] = []
    for turn in range(_MOST_ROUNDS):
        seen = look_at(covered(pixels, boxes), steps, tools, whole=turn > 0)
        if not seen:
            break
        found += [Finding(what=what, box=whole_box(box)) for what, box in seen]
        boxes += [_grown(box, 0.1 * turn) for _, box in seen]
    else:
        raise InputError(
            f"{part.name} still shows faces or words after they were covered {_MOST_ROUNDS} times; "
            "nothing was written: crop it, or leave it out."
        )
    return covered(pixels, boxes, steps.cover), found, notes


def look_at(
    pixels: NDArray[np.uint8], steps: RedactionSteps, tools: RedactionTools, *, whole: bool = False
) -> list[tuple[str, Box]]:
    """What is to be covered in pixels: kinds and boxes."""
    seen: list[tuple[str, Box]] = []
    if steps.faces and tools.detector is not None:
        seen += [("face", face.box) for face in tools.detector.faces(pixels)]
    if steps.words and tools.reader is not None:
        lines = tools.reader.read(Image(pixels))
        seen += [(one.kind, one.box) for one in identifying_boxes(lines, steps.names, steps.words, whole=whole)]
    return seen


def encoded(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """The file that is written."""
    form = next((name for ending, name in _FORMS.values() if ending == suffix), "PNG")
    return encode_picture(pixels, form)


def metadata_of(part: Image, tools: RedactionTools) -> list[Finding]:
    """Names of what a picture holds beside its pixels, never what it says."""
    if array_of(part) is not None:
        return []
    with opened(part, tools.decoder.limits) as file:
        if sniff.sniff(file) is sniff.DICOM:
            return []
        with picture(file, part, tools.decoder.limits) as (image, _), quiet():
            names = {_METADATA[key] for key in image.info if key in _METADATA}
            texts = getattr(image, "text", None)
            names |= {"text"} if isinstance(texts, dict) and texts else set()
            names |= {"EXIF"} if _has_exif(image) else set()
            names |= {"GPS"} if _has_gps(image) else set()
    return [Finding(what=f"metadata:{name}") for name in sorted(names)]


def _has_exif(image: pillow.Image) -> bool:
    try:
        return len(image.getexif()) > 0 and image.format != "TIFF"
    except Exception:  # noqa: BLE001 - damaged metadata are left out all the same
        return True


def _has_gps(image: pillow.Image) -> bool:
    try:
        return len(image.getexif().get_ifd(0x8825)) > 0
    except Exception:  # noqa: BLE001 - as above
        return False


def _grown(box: Box, share: float) -> Box:
    wide, high = share * (box[2] - box[0]), share * (box[3] - box[1])
    return box[0] - wide, box[1] - high, box[2] + wide, box[3] + high
