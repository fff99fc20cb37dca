"""The pixels of DICOM files, as stored values rescaled and as pictures to look at.

The chain is that of PS3.3, section C.11: stored values → modality (rescale slope and intercept, or a table) → values of
interest (a table, a window, or the range that there is) → 8 bits; MONOCHROME1 is shown inverted.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Image
from tutti.errors import InputError, MissingExtra, TuttiError
from tutti.media.dicom import READ_SYNTAXES, DicomHeader, dicom_dataset, header_of, pydicom_or_refuse
from tutti.media.limits import Limits
from tutti.media.sources import quiet

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")
_JPEG, _JPEG_2000 = ("1.2.840.10008.1.2.4.50",), ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_RLE = "1.2.840.10008.1.2.5"
_RLE_HEADER_BYTES = 64
_PIXEL_TAGS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, eq=False, slots=True)
class DicomPicture:
    """The frames of a DICOM file."""

    header: DicomHeader
    shown: NDArray[np.uint8]
    """(F, H, W, 3) uint8, as a viewer shows them."""
    values: NDArray[np.float32] | None
    """(F, H, W) float32, rescaled (of CT, Hounsfield units); None of colour."""


def decode_dicom(
    part: Image, limits: Limits, *, window: tuple[float, float] | None = None, first: bool = False
) -> DicomPicture:
    """Decode the frames of a DICOM file.

    Args:
        part: The file, its bytes or a `data:` URL.
        limits: Budgets of bytes, and of pixels of all frames together.
        window: Centre and width to show grey frames with, in rescaled values; the file's own where not given.
        first: Decode the first frame only.

    Raises:
        InputError: It is missing, damaged, cut off, no DICOM file, holds no pixels, or pixels coded in a way that is
            not read (the message names it).
        MissingExtra: pydicom is not installed, or what decodes JPEG-LS.
        CapacityError: It has more bytes, pixels or frames than allowed.
    """
    with dicom_dataset(part, limits) as dataset:
        header = header_of(dataset, part.name, limits)
        check_pixels_readable(dataset, header, part.name)
        count = 1 if first else header.frames
        if header.photometric in _GREY:
            shown, values = _grey(dataset, header, count, part.name, window)
            return DicomPicture(header, shown, values)
        return DicomPicture(header, _colour(dataset, header, count, part.name), None)


def check_pixels_readable(dataset: Any, header: DicomHeader, name: str) -> None:
    """Refuse what cannot be decoded, before anything is.

    Raises:
        InputError: There are no pixels, or they are coded or laid out in a way that is not read.
    """
    held = [tag for tag in _PIXEL_TAGS if tag in dataset]
    if not held or not header.frames:
        raise InputError(
            f"{name} is a DICOM file without pixels (modality {header.modality[:16] or 'unknown'}); expected an image."
        )
    if held != ["PixelData"]:
        raise InputError(f"{name} holds pixels as floating point numbers, which are not read; expected integers.")
    if header.transfer_syntax not in READ_SYNTAXES:
        raise InputError(
            f"{name} is coded as {header.syntax_name}, which is not read; expected uncompressed, RLE, JPEG Baseline, "
            "JPEG-LS or JPEG 2000: convert it first."
        )
    if header.photometric not in (*_GREY, *_COLOUR):
        raise InputError(
            f"{name} has the photometric interpretation {header.photometric[:32]!r}; "
            "expected grey, RGB, YBR or a palette."
        )
    allocated = int(dataset.get("BitsAllocated") or 0)
    if allocated not in (8, 16) or not 0 < header.bits_stored <= allocated:
        raise InputError(f"{name} stores {header.bits_stored} of {allocated} bits; expected 8 to 16 bits a sample.")
    if header.samples != (1 if header.photometric in (*_GREY, "PALETTE COLOR") else 3):
        raise InputError(f"{name} has {header.samples} samples a pixel as {header.photometric}; that cannot be.")


def frames_of(dataset: Any, header: DicomHeader, count: int, name: str) -> Iterator[NDArray[Any]]:
    """Stored frames one by one: (H, W) of integers, or (H, W, 3) uint8 with red, green and blue.

    Args:
        dataset: Of `dicom_dataset`.
        header: Of the same.
        count: How many, from the first on.
        name: What to call the file.

    Raises:
        InputError: A frame is cut off, damaged, or of another size than the header says.
    """
    pydicom = pydicom_or_refuse()
    compressed = header.transfer_syntax in (*_JPEG, *_JPEG_LS, *_JPEG_2000, _RLE)
    with _whole_pixels(name):
        if compressed:
            _check_frames(pydicom, dataset, header, count, name)
        decoder = pydicom.pixels.get_decoder(header.transfer_syntax)
        if not decoder.is_available:
            raise MissingExtra(f"Decoding {header.syntax_name}", "radiology")
        for index in range(count):
            with quiet():  # pydicom warns of padding
                pixels, described = decoder.as_array(dataset, index=index, raw=False)
            shape = (header.rows, header.columns, 3) if header.samples == 3 else (header.rows, header.columns)
            if pixels.shape != shape:
                raise InputError(f"Frame {index + 1} of {name} is {pixels.shape}; expected {shape}: it is damaged.")
            if header.samples == 3 and described["photometric_interpretation"] != "RGB":
                pixels = pydicom.pixels.convert_color_space(pixels, described["photometric_interpretation"], "RGB")
            yield pixels


@contextmanager
def _whole_pixels(name: str) -> Iterator[None]:
    try:
        yield
    except (TuttiError, MemoryError, GeneratorExit):
        raise
    except Exception as error:  # pydicom and Pillow raise anything
        raise InputError(f"The pixels of {name} are damaged or cut off; get a whole copy.") from error


def _check_frames(pydicom: Any, dataset: Any, header: DicomHeader, count: int, name: str) -> None:
    """Hold each compressed frame's own header to the size that the file announces, before it is decoded."""
    from PIL import Jpeg2KImagePlugin, JpegImagePlugin

    frames = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=header.frames)
    found = 0
    for index, frame in zip(range(count), frames, strict=False):
        found += 1
        if header.transfer_syntax == _RLE:
            _check_rle(frame, dataset, header, f"Frame {index + 1} of {name}")
            continue
        if header.transfer_syntax in _JPEG_LS:
            size = _jpeg_ls_size(frame)
        else:
            jpeg = header.transfer_syntax in _JPEG
            reader = JpegImagePlugin.JpegImageFile if jpeg else Jpeg2KImagePlugin.Jpeg2KImageFile
            with quiet(), reader(io.BytesIO(frame)) as picture:
                size = picture.size
        if size != (header.columns, header.rows):
            raise InputError(
                f"Frame {index + 1} of {name} is of {size[0]:,} x {size[1]:,} pixels; its header says "
                f"{header.columns:,} x {header.rows:,}: it is damaged."
            )
    if found < count:
        raise InputError(f"{name} announces {header.frames} frames and has {found}; get a whole copy.")


def _jpeg_ls_size(frame: bytes) -> tuple[int, int]:
    """Columns and rows that the frame header of JPEG-LS (ITU-T T.87, marker SOF55) announces; zeros without one."""
    place = 2
    while place + 9 <= len(frame) and frame[place] == 0xFF:
        marker, length = frame[place + 1], int.from_bytes(frame[place + 2 : place + 4], "big")
        if marker == 0xF7:
            return int.from_bytes(frame[place + 7 : place + 9], "big"), int.from_bytes(
                frame[place + 5 : place + 7], "big"
            )
        place += 2 + length
    return 0, 0


def _check_rle(frame: bytes, dataset: Any, header: DicomHeader, name: str) -> None:
    """PackBits expand up to 64 times, so a frame is refused that has more bytes than any encoder writes.

    Worst case of an encoder: a byte more for each 128 of a row, and one to make segments even (PS3.5, annex G).
    """
    segments = header.samples * int(dataset.BitsAllocated) // 8
    most = _RLE_HEADER_BYTES + segments * (header.rows * (header.columns + header.columns // 128 + 2) + 2)
    if len(frame) > 2 * most:
        raise InputError(f"{name} has {len(frame):,} bytes as RLE; expected at most {most:,}: it is damaged.")


def _grey(
    dataset: Any, header: DicomHeader, count: int, name: str, window: tuple[float, float] | None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    values = np.empty((count, header.rows, header.columns), np.float32)
    shown = np.empty((count, header.rows, header.columns, 3), np.uint8)
    for place, stored in enumerate(frames_of(dataset, header, count, name)):
        values[place] = _rescaled(dataset, header, stored)
        level = _levels(dataset, header, values[place], window)
        shown[place] = (255 - level if header.photometric == "MONOCHROME1" else level)[..., None]
    return shown, values


def _rescaled(dataset: Any, header: DicomHeader, stored: NDArray[Any]) -> NDArray[np.float32]:
    if header.rescale is not None:
        slope, intercept = header.rescale
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    if "ModalityLUTSequence" in dataset:
        return np.asarray(pydicom_or_refuse().pixels.apply_modality_lut(stored, dataset), np.float32)
    return stored.astype(np.float32)


def _levels(
    dataset: Any, header: DicomHeader, values: NDArray[np.float32], window: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """Rescaled values as 8 bits."""
    chosen = window or (header.windows[0] if header.windows else None)
    if window is None and "VOILUTSequence" in dataset:
        table = np.asarray(pydicom_or_refuse().pixels.apply_voi(values.astype(np.int32), dataset), np.float32)
        return _stretched(table, float(table.min()), float(table.max()))
    if chosen is None:
        return _stretched(values, float(values.min()), float(values.max()))
    centre, width = chosen
    function = str(dataset.get("VOILUTFunction") or "LINEAR") if window is None else "LINEAR"
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            share = 1 / (1 + np.exp(-4 * (values.astype(np.float64) - centre) / width))
        return np.asarray(np.rint(255 * share), np.uint8)
    if function == "LINEAR_EXACT" or width <= 1:
        return _stretched(values, centre - width / 2, centre + width / 2)
    return _stretched(values, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def _stretched(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    if high <= low:
        return np.where(values > low, 255, 0).astype(np.uint8)
    share = (values.astype(np.float64) - low) / (high - low)
    return np.asarray(np.rint(255 * np.clip(share, 0, 1)), np.uint8)


def _colour(dataset: Any, header: DicomHeader, count: int, name: str) -> NDArray[np.uint8]:
    shown = np.empty((count, header.rows, header.columns, 3), np.uint8)
    for place, stored in enumerate(frames_of(dataset, header, count, name)):
        pixels = stored
        if header.photometric == "PALETTE COLOR":
            pixels = pydicom_or_refuse().pixels.apply_color_lut(stored, dataset)[..., :3]
        shown[place] = pixels if pixels.dtype == np.uint8 else pixels >> (8 * pixels.dtype.itemsize - 8)
    return shown
