"""Pictures to pixel values: resize, crop or pad, rescale, normalize, as `preprocessor_config.json` says.

Reference implementation: the image processors of `transformers` (those built on Pillow), whose keys are read here.
We differ in: `do_pad` with `pad_color` fills the picture to a square after resizing its long side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, InputError, UnsupportedConfig

Pixels = NDArray[np.uint8]

BORDER_MEAN = "border_mean"
"""Value of `pad_color`: the mean colour of the picture's outermost pixels."""

_IGNORED = frozenset(
    {"image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb", "_valid_processor_keys"}
)
"""Keys that change nothing here: pictures arrive as RGB."""
_SIZE_FORMS = ({"shortest_edge"}, {"longest_edge"}, {"height", "width"})
_SMOOTH = frozenset({2, 3})
"""Filters (bilinear, bicubic) that can shrink a part by itself: Pillow takes its borders as float32, which moves one
value in two thousand by one step of its 255. With others, and where a picture grows, some would move further."""
_MAX_PIXELS = 64_000_000
"""A strip of 1 x 60,000 pixels resized to a short side of 224 would take 9 GB."""


@dataclass(frozen=True, kw_only=True)
class ImageProcessor:
    """What happens to one picture between decoding and the model."""

    size: Mapping[str, int]
    """`{"shortest_edge": n}`, `{"longest_edge": n}` or `{"height": h, "width": w}`, in pixels."""
    crop_size: Mapping[str, int] | None = None
    """`{"height": h, "width": w}` cut from the centre."""
    resample: int = 3
    """Pillow's filter: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming."""
    do_resize: bool = True
    do_center_crop: bool = False
    do_pad: bool = False
    """Fill to a square of `size["longest_edge"]`, the picture in its middle."""
    pad_color: str | tuple[int, ...] = BORDER_MEAN
    """`border_mean`, or red, green and blue from 0 to 255."""
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    image_std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        _check_sides("size", self.size, _SIZE_FORMS)
        if self.do_center_crop:
            _check_sides("crop_size", self.crop_size or {}, ({"height", "width"},))
        if self.resample not in range(6):
            raise UnsupportedConfig(f"resample is {self.resample!r}; expected one of Pillow's filters, 0 to 5.")
        if self.do_pad and set(self.size) != {"longest_edge"}:
            raise UnsupportedConfig(f"do_pad needs a size by longest_edge; found {dict(self.size)!r}.")
        if self.pad_color != BORDER_MEAN and not _is_colour(self.pad_color):
            raise UnsupportedConfig(f"pad_color is {self.pad_color!r}; expected 'border_mean' or three numbers to 255.")
        if len(self.image_mean) != 3 or len(self.image_std) != 3 or not all(self.image_std):
            raise UnsupportedConfig("image_mean and image_std must be three numbers each, image_std without a zero.")

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> ImageProcessor:
        """Read the keys of `preprocessor_config.json`; older forms of `size` and `crop_size` (one number) count.

        Raises:
            UnsupportedConfig: A key is unknown or missing, or a value is not computed here.
        """
        known: dict[str, Any] = {
            key: value for key, value in values.items() if key not in _IGNORED and value is not None
        }
        if unknown := sorted(set(known) - set(cls.__dataclass_fields__)):
            raise UnsupportedConfig(f"preprocessor_config.json has the unknown key {unknown[0]!r} for pictures.")
        # Without them each family of the reference falls back to numbers of its own.
        needed = {"size"} | ({"image_mean", "image_std"} if known.get("do_normalize", True) else set())
        if absent := sorted(needed - set(known)):
            raise UnsupportedConfig(f"preprocessor_config.json lacks {absent[0]!r} for pictures.")
        if known.get("do_pad") and "pad_color" not in known:
            raise UnsupportedConfig("preprocessor_config.json has do_pad without pad_color for pictures.")
        if isinstance(known["size"], int):
            known["size"] = {"shortest_edge": known["size"]}
        if isinstance(known.get("crop_size"), int):
            known["crop_size"] = {"height": known["crop_size"], "width": known["crop_size"]}
        known.setdefault("do_center_crop", "crop_size" in known)
        fields: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in known.items()}
        return cls(**fields)

    @property
    def side(self) -> int | None:
        """The side of the pictures that come out, if all are squares of one size."""
        sides = self.crop_size if self.do_center_crop else self.size if self.do_resize else None
        if self.do_pad:
            sides = dict.fromkeys(("height", "width"), self.size["longest_edge"])
        found = {(sides or {}).get(key) for key in ("height", "width")}
        return found.pop() if len(found) == 1 else None

    def check_side(self, side: int) -> None:
        """Refuse settings that do not make squares of the side that a model sees.

        Raises:
            UnsupportedConfig: They do not.
        """
        if self.side != side:
            raise UnsupportedConfig(
                f"The preprocessor settings do not make pictures of {side} x {side} pixels, "
                "which the model sees; they are of another model."
            )

    def __call__(self, picture: Pixels) -> NDArray[np.float32]:
        """Transform one picture.

        Shapes: (H, W, 3) uint8 → (3, height, width) float32.

        Raises:
            InputError: The array is not a picture.
            CapacityError: The picture is so long and narrow that resizing would need an unreasonable amount of memory.
        """
        self.check(picture)
        crop = (self.crop_size["height"], self.crop_size["width"]) if self.do_center_crop and self.crop_size else None
        if self.do_resize:
            picture = resize(picture, *self._target(*picture.shape[:2]), self.resample, crop)
        if crop:
            picture = center_crop(picture, *crop)
        if self.do_pad:
            colour = border_mean(picture) if self.pad_color == BORDER_MEAN else np.array(self.pad_color, np.uint8)
            picture = pad_square(picture, self.size["longest_edge"], colour)
        # Channel by channel: with the three of a pixel side by side, numpy takes five times as long.
        values: NDArray[np.float32] = np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float32)
        if self.do_rescale:
            values *= np.float32(self.rescale_factor)
        if self.do_normalize:
            values -= np.asarray(self.image_mean, np.float32)[:, None, None]
            values /= np.asarray(self.image_std, np.float32)[:, None, None]
        return values

    @staticmethod
    def check(picture: Pixels) -> None:
        """Refuse what is no picture.

        Raises:
            InputError: The array is not a picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size or picture.dtype != np.uint8:
            raise InputError(f"Expected a picture (H, W, 3) of bytes, got {picture.dtype} of shape {picture.shape}.")

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if "height" in self.size:
            return self.size["height"], self.size["width"]
        if "longest_edge" in self.size:
            scale = self.size["longest_edge"] / max(height, width)
            return max(1, round(height * scale)), max(1, round(width * scale))
        short = self.size["shortest_edge"]
        long = int(short * max(height, width) / min(height, width))
        if short * long > _MAX_PIXELS:
            raise CapacityError(
                f"The picture is {width} x {height} pixels; with a short side of {short} it would have "
                f"{short * long:,} pixels, more than {_MAX_PIXELS:,}: crop it first."
            )
        return (short, long) if height <= width else (long, short)


def _check_sides(key: str, sides: Mapping[str, int], forms: tuple[set[str], ...]) -> None:
    if not isinstance(sides, Mapping) or set(sides) not in forms:
        expected = " or ".join(" and ".join(sorted(form)) for form in forms)
        raise UnsupportedConfig(f"{key} is {sides!r}; expected {expected}.")
    if not all(type(side) is int and 0 < side <= 8192 for side in sides.values()):
        raise UnsupportedConfig(f"{key} is {dict(sides)!r}; expected sides from 1 to 8192 pixels.")


def _is_colour(value: object) -> bool:
    channels = value if isinstance(value, tuple) else ()
    return len(channels) == 3 and all(type(channel) is int and 0 <= channel <= 255 for channel in channels)


def resize(picture: Pixels, height: int, width: int, resample: int, crop: tuple[int, int] | None = None) -> Pixels:
    """Resize with Pillow, which widens the filter when it shrinks.

    Args:
        picture: (H, W, 3).
        height: Of the result.
        width: Of the result.
        resample: Pillow's filter.
        crop: Height and width of the centre that is kept later: what lies outside is not computed, where that can be.

    Returns:
        (height, width, 3), or the centre of it.
    """
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    whole = Image.fromarray(picture)
    down, across = picture.shape[0] / height, picture.shape[1] / width
    inside = crop is not None and crop[0] <= height and crop[1] <= width
    if crop is None or not inside or resample not in _SMOOTH or min(down, across) < 1:
        return np.asarray(whole.resize((width, height), Image.Resampling(resample)))
    top, left = _margin(height, crop[0]), _margin(width, crop[1])
    box = (left * across, top * down, (left + crop[1]) * across, (top + crop[0]) * down)
    box = (*box[:2], min(box[2], picture.shape[1]), min(box[3], picture.shape[0]))
    return np.asarray(whole.resize((crop[1], crop[0]), Image.Resampling(resample), box))


def center_crop(picture: Pixels, height: int, width: int) -> Pixels:
    """Cut from the centre; what lies outside the picture is black. Shapes: (H, W, 3) → (height, width, 3)."""
    top, left = _margin(picture.shape[0], height), _margin(picture.shape[1], width)
    source = picture[max(top, 0) : max(top, 0) + height, max(left, 0) : max(left, 0) + width]
    out = np.zeros((height, width, picture.shape[2]), np.uint8)
    down, right = max(-top, 0), max(-left, 0)
    out[down : down + source.shape[0], right : right + source.shape[1]] = source
    return out


def cut(picture: Pixels, side: int) -> list[Pixels]:
    """Tiles row by row. Shapes: (H, W, 3), both multiples of `side` → (side, side, 3) each."""
    height, width = picture.shape[:2]
    return [
        picture[top : top + side, left : left + side]
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]


def _margin(side: int, target: int) -> int:
    """Where a centred window starts, rounded down as in the reference; negative where the window is the larger."""
    return (side - target) // 2


def pad_square(picture: Pixels, side: int, colour: Pixels) -> Pixels:
    """Centre the picture on a square of one colour. Shapes: (H, W, 3) and (3,) → (side, side, 3)."""
    height, width = picture.shape[:2]
    out = np.empty((side, side, 3), np.uint8)
    out[:] = colour
    top, left = (side - height) // 2, (side - width) // 2
    out[top : top + height, left : left + width] = picture
    return out


def border_mean(picture: Pixels) -> Pixels:
    """Mean colour of the outermost pixels. Shapes: (H, W, 3) → (3,) uint8."""
    sides = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    mean: Pixels = np.round(np.concatenate(sides).astype(np.float64).mean(0)).astype(np.uint8)
    return mean
