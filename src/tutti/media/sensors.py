"""Depth, thermal and motion readings: 16-bit PNG, CSV, arrays."""

from __future__ import annotations

import csv
import io

import numpy as np
from numpy.typing import NDArray

from tutti.content import Depth, Media, Motion, Thermal
from tutti.errors import InputError
from tutti.media import sniff
from tutti.media.images import picture
from tutti.media.limits import Limits
from tutti.media.sources import array_of, decoding, opened

_MOTION_COLUMNS = 6


def decode_depth(part: Depth, limits: Limits) -> NDArray[np.float32]:
    """Decode a depth map: 16-bit grey PNG in millimetres, or a float32 array in metres.

    Returns:
        (H, W) float32, metres; 0 means no reading, as depth cameras write it.

    Raises:
        InputError: It is missing, damaged or not such a PNG or array.
        CapacityError: It has more bytes or pixels than allowed.
    """
    return _grid(part, limits, per_unit=1000, unit="millimetres", array_unit="metres")


def decode_thermal(part: Thermal, limits: Limits) -> NDArray[np.float32]:
    """Decode a thermal picture: 16-bit grey PNG in centikelvin, or a float32 array in kelvin.

    Returns:
        (H, W) float32, kelvin.

    Raises:
        InputError: It is missing, damaged or not such a PNG or array.
        CapacityError: It has more bytes or pixels than allowed.
    """
    return _grid(part, limits, per_unit=100, unit="centikelvin", array_unit="kelvin")


def decode_motion(part: Motion, limits: Limits) -> NDArray[np.float32]:
    """Decode inertial readings: CSV of six columns (a line of names may come first), or an array.

    Returns:
        (S, 6) float32: acceleration in m/s² (x, y, z), rotation in rad/s (x, y, z).

    Raises:
        InputError: It is missing, or has other than six columns of finite numbers.
        CapacityError: It has more bytes or seconds than allowed.
    """
    array = array_of(part)
    if array is None:
        with opened(part, limits) as file, decoding(part.name, "a readable CSV of motion readings"):
            values = _rows(file.read(), part.name)
    elif array.dtype.kind != "f" or array.ndim != 2 or array.shape[1] != _MOTION_COLUMNS or array.size == 0:
        raise InputError(
            f"A motion array of {array.dtype} with shape {array.shape} was given; expected floats with shape (S, 6)."
        )
    else:
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"{part.name} holds values that are not finite numbers; expected acceleration and rotation.")
    if part.sample_rate_hz:
        limits.check_seconds(part.name, len(values) / part.sample_rate_hz)
    return values


def _rows(content: bytes, name: str) -> NDArray[np.float32]:
    try:
        lines = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if row]
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{name} is not CSV text; expected six columns of numbers.") from None
    if lines and not _is_number(lines[0][0]):
        lines = lines[1:]
    if not lines:
        raise InputError(f"{name} holds no readings; expected six columns of numbers.")
    for place, row in enumerate(lines, start=1):
        if len(row) != _MOTION_COLUMNS or not all(map(_is_number, row)):
            raise InputError(f"Reading {place} of {name} is {','.join(row)[:80]!r}; expected six numbers.")
    with np.errstate(over="ignore"):
        return np.array(lines, dtype=np.float64).astype(np.float32)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _grid(part: Media, limits: Limits, *, per_unit: int, unit: str, array_unit: str) -> NDArray[np.float32]:
    array = array_of(part)
    if array is not None:
        if array.dtype != np.float32 or array.ndim != 2 or array.size == 0:
            raise InputError(
                f"A {part.modality} array of {array.dtype} with shape {array.shape} was given; "
                f"expected float32 {array_unit} with shape (H, W)."
            )
        limits.check_pixels(part.name, array.shape[1], array.shape[0])
        if not np.isfinite(array).all():
            raise InputError(f"{part.name} holds values that are not finite numbers; expected {array_unit}.")
        return array.astype(np.float32)
    with opened(part, limits) as file, picture(file, part, limits) as (image, found):
        if found is not sniff.PNG or not image.mode.startswith("I;16"):
            raise InputError(
                f"{part.name} is a {found.name} of mode {image.mode}; expected a 16-bit grey PNG in {unit}."
            )
        with decoding(part.name, "a readable PNG picture"):
            image.load()
            return np.asarray(image).astype(np.float32) / np.float32(per_unit)
