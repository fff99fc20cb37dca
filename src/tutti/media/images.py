"""Pictures: JPEG, PNG, WebP, GIF, BMP, TIFF to uint8 RGB, through Pillow's own reader of that one format."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL import Image as pillow
from PIL.ImageFile import ImageFile

from tutti.content import Image, Media
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.framing import check_whole, webp_size
from tutti.media.limits import Limits
from tutti.media.sniff import PICTURES, Format, describe
from tutti.media.sources import array_of, decoding, opened

# The readers are called directly rather than through `PIL.Image.open`: nothing else can be tried on hostile bytes, and
# the pixel budget is ours, not the process-wide MAX_IMAGE_PIXELS of Pillow with its warning.
_READERS: dict[Format, type[ImageFile]] = {
    sniff.JPEG: JpegImagePlugin.JpegImageFile,
    sniff.PNG: PngImagePlugin.PngImageFile,
    sniff.WEBP: WebPImagePlugin.WebPImageFile,
    sniff.GIF: GifImagePlugin.GifImageFile,
    sniff.BMP: BmpImagePlugin.BmpImageFile,
    sniff.TIFF: TiffImagePlugin.TiffImageFile,
}
_ORIENTATION_TAG = 0x0112
_quiet_lock = threading.Lock()


def decode_image(part: Image, limits: Limits, at_least: int | None = None) -> NDArray[np.uint8]:
    """Decode a picture; of an animation, its first frame.

    Orientation is applied, transparency laid on white, 16-bit grey scaled to 8 bits.

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
    with (
        opened(part, limits) as file,
        picture(file, part, limits) as (image, found),
        decoding(part.name, f"a readable {found.name} picture"),
    ):
        if at_least is not None:
            image.draft(None, _room_for(image.size, at_least))
        image.load()
        limits.check_pixels(part.name, *image.size)
        return _turned(rgb(image, part.name), _orientation(image))


@contextmanager
def picture(file: BinaryIO, part: Media, limits: Limits) -> Iterator[tuple[ImageFile, Format]]:
    """Open the header of a picture within the pixel budget.

    Raises:
        InputError: The content is no picture, or its header is damaged.
        CapacityError: The header claims more pixels than allowed.
    """
    found = sniff.sniff(file)
    if found is None or found not in _READERS:
        raise InputError(f"{part.name} is not a picture that Tutti reads: {describe(file)}; expected {PICTURES}.")
    if found is sniff.WEBP:
        limits.check_pixels(part.name, *webp_size(file))
    check_whole(file, found, part.name)
    with decoding(part.name, f"a readable {found.name} picture"), quiet():
        image = _READERS[found](file)
    with image:
        limits.check_pixels(part.name, *image.size)
        yield image, found


def is_animated(file: BinaryIO, found: Format, name: str) -> bool:
    """Whether an open GIF or WebP has more than one frame."""
    if found is sniff.WEBP:  # the animation flag of the extended header (RFC 9649, section 2.7), without decoding
        file.seek(0)
        head = file.read(21)
        file.seek(0)
        return head[12:16] == b"VP8X" and len(head) == 21 and bool(head[20] & 2)
    with decoding(name, f"a readable {found.name} picture"), quiet(), _READERS[found](file) as image:
        return bool(getattr(image, "is_animated", False))


def rgb(image: pillow.Image, name: str) -> NDArray[np.uint8]:
    """A loaded Pillow picture of any mode as (H, W, 3) uint8, transparency laid on white.

    Raises:
        InputError: The mode has no fixed range (32-bit integers, floats).
    """
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint32)
        return _three(((grey * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InputError(f"{name} has 32-bit values of unknown range; expected 1, 8 or 16 bits a channel.")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = pillow.new("RGBA", image.size, (255, 255, 255, 255))
        image = pillow.alpha_composite(white, image)
    return np.array(image.convert("RGB"), dtype=np.uint8)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings about odd metadata off the user's terminal.

    Under a lock, because the filters are global: two threads leaving in the wrong order would lose the user's own.
    """
    with _quiet_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _room_for(size: tuple[int, int], at_least: int) -> tuple[int, int]:
    """The least size of these proportions whose short side has so many pixels."""
    scale = at_least / min(size)
    return math.ceil(size[0] * scale), math.ceil(size[1] * scale)


def _orientation(image: ImageFile) -> int:
    try:
        with quiet():
            return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - a good picture with damaged metadata is still a good picture
        return 1


def _turned(array: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an EXIF orientation (Exif 2.32, tag 274)."""
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


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
