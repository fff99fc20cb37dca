"""Pictures: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC, DICOM to uint8 RGB, each by the one reader of its format."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL import Image as pillow
from PIL.ImageFile import ImageFile

from tutti.content import Image, Media
from tutti.errors import InputError, MissingExtra
from tutti.media import sniff
from tutti.media.limits import Limits
from tutti.media.orientation import UPRIGHT, Turn, turned
from tutti.media.png_chunks import without_large_texts
from tutti.media.sniff import PICTURES, Format, describe
from tutti.media.sources import array_of, decoding, opened, quiet
from tutti.media.transparency import rgb, scale_transparent_colour
from tutti.media.truncation import check_whole, webp_size

# The readers are called directly rather than through `PIL.Image.open`: no other reader sees hostile bytes, and
# the pixel budget is ours, not the process-wide MAX_IMAGE_PIXELS of Pillow with its warning.
_READERS: dict[Format, type[ImageFile]] = {
    sniff.JPEG: JpegImagePlugin.JpegImageFile,
    sniff.PNG: PngImagePlugin.PngImageFile,
    sniff.WEBP: WebPImagePlugin.WebPImageFile,
    sniff.GIF: GifImagePlugin.GifImageFile,
    sniff.BMP: BmpImagePlugin.BmpImageFile,
    sniff.TIFF: TiffImagePlugin.TiffImageFile,
    sniff.AVIF: AvifImagePlugin.AvifImageFile,
}
_ORIENTATION_TAG = 0x0112
_EXIF_TURNS: dict[int, Turn] = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
"""Values of that tag (Exif 2.32)."""


def decode_image(part: Image, limits: Limits, at_least: int | None = None) -> NDArray[np.uint8]:
    """Decode a picture; of an animation or a DICOM file, its first frame.

    Orientation is applied, 16-bit grey scaled to 8 bits, and what is transparent laid on white, or on black or grey
    where what is visible would vanish on white.

    Args:
        part: The picture.
        limits: Budgets of bytes and pixels.
        at_least: A JPEG may come at a half, a quarter or an eighth of its size while its short side keeps so many
            pixels, which skips most of the decoding; None keeps its size.

    Returns:
        (H, W, 3) uint8, red, green, blue.

    Raises:
        InputError: It is missing, damaged, cut off, or of another format.
        CapacityError: It has more bytes or pixels than allowed.
    """
    array = array_of(part)
    if array is not None:
        return _from_array(array, limits)
    with opened(part, limits) as file:
        if sniff.sniff(file) is sniff.DICOM:
            from tutti.media.dicom_pixels import decode_dicom

            frame: NDArray[np.uint8] = decode_dicom(part, limits, first=True).shown[0]
            return frame
        return _decoded(file, part, limits, at_least)


def _decoded(file: BinaryIO, part: Image, limits: Limits, at_least: int | None) -> NDArray[np.uint8]:
    with (
        picture(file, part, limits) as (image, found),
        decoding(part.name, f"a readable {found.name} picture"),
    ):
        if at_least is not None:
            image.draft(None, _room_for(image.size, at_least))
        image.load()
        limits.check_pixels(part.name, *image.size)
        return turned(rgb(image, part.name), *_EXIF_TURNS.get(_orientation(image), UPRIGHT))


@contextmanager
def picture(file: BinaryIO, part: Media, limits: Limits) -> Iterator[tuple[ImageFile, Format]]:
    """Open the header of a picture within the pixel budget.

    Raises:
        InputError: The content is no picture, or its header is damaged.
        MissingExtra: It is HEIC, and its reader is not installed.
        CapacityError: The header claims more pixels than allowed.
    """
    found = sniff.sniff(file)
    if found is None or found.modality != "image" or found is sniff.DICOM:
        raise InputError(f"{part.name} is not a picture that Tutti reads: {describe(file)}; expected {PICTURES}.")
    if found is sniff.WEBP:
        limits.check_pixels(part.name, *webp_size(file))
    check_whole(file, found, part.name)
    reader = _reader(found)
    with decoding(part.name, f"a readable {found.name} picture"), quiet():
        image = reader(without_large_texts(file) if found is sniff.PNG else file)
        if found is sniff.PNG:
            scale_transparent_colour(image, image.tile[0].args if image.tile else None)
    with image:
        limits.check_pixels(part.name, *image.size)
        yield image, found


def _reader(found: Format) -> type[ImageFile]:
    """What reads pictures of a format.

    Raises:
        MissingExtra: It is not installed.
        InputError: Pillow was built without AVIF.
    """
    if found is sniff.AVIF and not AvifImagePlugin.SUPPORTED:
        raise InputError("This Pillow was built without AVIF; install its wheel, or convert the picture to PNG.")
    if found in _READERS:
        return _READERS[found]
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise MissingExtra(f"Reading {found.name} pictures", "heif") from None
    return cast("type[ImageFile]", HeifImageFile)


def is_animated(file: BinaryIO, found: Format, name: str) -> bool:
    """Whether an open GIF, WebP or AVIF has more than one frame."""
    if found is sniff.WEBP:  # the animation flag of the extended header (RFC 9649, section 2.7), without decoding
        file.seek(0)
        head = file.read(21)
        file.seek(0)
        return head[12:16] == b"VP8X" and len(head) == 21 and bool(head[20] & 2)
    with decoding(name, f"a readable {found.name} picture"), quiet(), _READERS[found](file) as image:
        return bool(getattr(image, "is_animated", False))


def _room_for(size: tuple[int, int], at_least: int) -> tuple[int, int]:
    """The least size of these proportions whose short side has so many pixels."""
    scale = at_least / min(size)
    return math.ceil(size[0] * scale), math.ceil(size[1] * scale)


def upright_size(image: ImageFile) -> tuple[int, int]:
    """Width and height of a picture by its header, once it is upright."""
    transposed, _, _ = _EXIF_TURNS.get(_orientation(image), UPRIGHT)
    return (image.height, image.width) if transposed else (image.width, image.height)


def _orientation(image: ImageFile) -> int:
    try:
        with quiet():
            return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - a good picture with damaged metadata is still a good picture
        return 1


def _three(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _from_array(array: NDArray[np.generic], limits: Limits) -> NDArray[np.uint8]:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or array.size == 0:
        raise InputError(
            f"An image array of {array.dtype} with shape {array.shape} was given; "
            "expected uint8 with shape (H, W), (H, W, 3) or (H, W, 4)."
        )
    limits.check_pixels("image array", array.shape[1], array.shape[0])
    pixels = array.astype(np.uint8)
    if pixels.ndim == 2:
        return _three(pixels)
    return pixels if pixels.shape[2] == 3 else rgb(pillow.fromarray(pixels), "image array")
