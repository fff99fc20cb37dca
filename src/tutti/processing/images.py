"""Pictures to pixel values: resize, crop or pad, rescale, normalize, as `preprocessor_config.json` says.

Reference implementation: the image processors of `transformers`, whose keys are read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.errors import UnsupportedConfig

Pixels = NDArray[np.uint8]

_IGNORED = frozenset({"image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb", "_valid_processor_keys"})


@dataclass(frozen=True, kw_only=True)
class ImageProcessor:
    """What happens to one picture between decoding and the model."""

    size: Mapping[str, int]
    """`{"shortest_edge": n}`, `{"longest_edge": n}` or `{"height": h, "width": w}`, in pixels."""
    crop_size: Mapping[str, int] | None = None
    """`{"height": h, "width": w}` cut from the centre, or None."""
    resample: int = 3
    """Pillow's filter: 2 bilinear, 3 bicubic."""
    do_resize: bool = True
    do_center_crop: bool = False
    do_pad: bool = False
    """Fill to a square of `size["longest_edge"]` with `pad_color`."""
    pad_color: str = "border_mean"
    """`border_mean`: the mean colour of the picture's outermost pixels."""
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    image_std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> ImageProcessor:
        """Read the keys of `preprocessor_config.json`.

        Raises:
            UnsupportedConfig: A key is unknown.
        """
        values = {key: value for key, value in values.items() if key not in _IGNORED}
        if unknown := sorted(set(values) - set(cls.__dataclass_fields__)):
            raise UnsupportedConfig(f"preprocessor_config.json has the unknown key {unknown[0]!r} for pictures.")
        for key in ("size", "crop_size"):
            if isinstance(values.get(key), int):
                both = {"height": values[key], "width": values[key]}
                values[key] = {"shortest_edge": values[key]} if key == "size" else both
        if values.get("pad_color", "border_mean") != "border_mean":
            raise UnsupportedConfig(f"pad_color is {values['pad_color']!r}; only 'border_mean' is computed.")
        for key in ("image_mean", "image_std"):
            if key in values:
                values[key] = tuple(values[key])
        return cls(**values)

    def __call__(self, picture: Pixels) -> NDArray[np.float32]:
        """Transform one picture. Shapes: (H, W, 3) uint8 → (3, height, width) float32."""
        if self.do_resize:
            picture = resize(picture, *self._target(*picture.shape[:2]), self.resample)
        if self.do_center_crop and self.crop_size:
            picture = center_crop(picture, self.crop_size["height"], self.crop_size["width"])
        if self.do_pad:
            picture = pad_square(picture, self.size["longest_edge"])
        values = picture.astype(np.float32)
        if self.do_rescale:
            values *= np.float32(self.rescale_factor)
        if self.do_normalize:
            values = (values - np.float32(self.image_mean)) / np.float32(self.image_std)
        return np.ascontiguousarray(values.transpose(2, 0, 1))

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if "height" in self.size:
            return self.size["height"], self.size["width"]
        if "longest_edge" in self.size:
            scale = self.size["longest_edge"] / max(height, width)
            return max(1, round(height * scale)), max(1, round(width * scale))
        short = self.size["shortest_edge"]
        if height <= width:
            return short, max(1, int(short * width / height))
        return max(1, int(short * height / width)), short


def resize(picture: Pixels, height: int, width: int, resample: int) -> Pixels:
    """Resize with Pillow, which widens the filter when it shrinks. Shapes: (H, W, 3) → (height, width, 3)."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling(resample)))


def center_crop(picture: Pixels, height: int, width: int) -> Pixels:
    """Cut from the centre; what lies outside the picture is black. Shapes: (H, W, 3) → (height, width, 3)."""
    top, left = _margin(picture.shape[0], height), _margin(picture.shape[1], width)
    out = np.zeros((height, width, picture.shape[2]), np.uint8)
    source = picture[max(top, 0) : top + height, max(left, 0) : left + width]
    down, right = max(-top, 0), max(-left, 0)
    out[down : down + source.shape[0], right : right + source.shape[1]] = source
    return out


def _margin(side: int, target: int) -> int:
    """Where a centred window starts; negative where it is larger than the picture (rounding as the reference does)."""
    return (side - target) // 2 if side >= target else -(-(-(target - side)) // -2)


def pad_square(picture: Pixels, side: int) -> Pixels:
    """Centre the picture on a square of its border's mean colour. Shapes: (H, W, 3) → (side, side, 3)."""
    height, width = picture.shape[:2]
    if (height, width) == (side, side):
        return picture
    out = np.empty((side, side, 3), np.uint8)
    out[:] = border_mean(picture)
    top, left = (side - height) // 2, (side - width) // 2
    out[top : top + height, left : left + width] = picture
    return out


def border_mean(picture: Pixels) -> Pixels:
    """Mean colour of the outermost pixels. Shapes: (H, W, 3) → (3,) uint8."""
    sides = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    return np.round(np.concatenate(sides).astype(np.float64).mean(0)).astype(np.uint8)
