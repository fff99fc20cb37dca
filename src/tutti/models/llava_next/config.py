"""Configuration of LLaVA-NeXT (LLaVA-1.6), as `config.json` of `model_type` "llava_next" has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutti.errors import UnsupportedConfig
from tutti.models.llava.config import LlavaConfig, read_fields

_MAX_SIDE = 8192


@dataclass(frozen=True, kw_only=True)
class LlavaNextConfig(LlavaConfig):
    """As LLaVA-1.5, and the sizes that a picture may be brought to before it is cut into tiles."""

    image_grid_pinpoints: tuple[tuple[int, int], ...] = (
        (336, 672),
        (672, 336),
        (672, 672),
        (1008, 336),
        (336, 1008),
    )
    """Height and width in pixels, multiples of the tower's S."""

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> LlavaNextConfig:
        """Read `config.json`.

        Raises:
            UnsupportedConfig: A key is unknown, or a value is not computed here.
        """
        values = dict(values)
        if values.pop("use_image_newline_parameter", True) is not True:
            raise UnsupportedConfig("use_image_newline_parameter is not true; this model ends lines with a parameter.")
        own = read_fields(cls, values, "The llava_next configuration")
        if (pinpoints := own.pop("image_grid_pinpoints", None)) is not None:
            own["image_grid_pinpoints"] = read_pinpoints(pinpoints)
        return cls(**own)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.vision_feature_select_strategy != "default":
            raise UnsupportedConfig(
                "vision_feature_select_strategy is 'full'; tiles are laid side by side, which only 'default' allows."
            )
        side = self.vision.image_size
        if odd := [point for point in self.image_grid_pinpoints if point[0] % side or point[1] % side]:
            raise UnsupportedConfig(f"image_grid_pinpoints has {list(odd[0])}; expected multiples of {side}.")

    def resolution(self, height: int, width: int) -> tuple[int, int]:
        """The size that a picture is brought to: the one that keeps most of its pixels and then wastes least."""

        def merit(point: tuple[int, int]) -> tuple[int, int]:
            scale = min(point[1] / width, point[0] / height)
            kept = min(int(width * scale) * int(height * scale), width * height)
            return kept, kept - point[0] * point[1]

        return max(self.image_grid_pinpoints, key=merit)  # of several the first

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of a picture's tiles."""
        best = self.resolution(height, width)
        return best[0] // self.vision.image_size, best[1] // self.vision.image_size

    def margins(self, height: int, width: int) -> tuple[int, int]:
        """Patches at the top (and bottom), and at the left (and right), of the tiles that show nothing of a picture."""
        side = self.vision.image_size // self.vision.patch_size
        rows, columns = (tiles * side for tiles in self.grid(height, width))
        if width / height > columns / rows:
            return (rows - int(round(height * (columns / width), 7))) // 2, 0
        return 0, (columns - int(round(width * (rows / height), 7))) // 2

    def picture_tokens(self, height: int, width: int) -> int:
        """N of a picture: the whole at a glance, then the tiles line by line, each line with an end."""
        side = self.vision.image_size // self.vision.patch_size
        rows, columns = self.grid(height, width)
        top, left = self.margins(height, width)
        return self.tower_tokens + (rows * side - 2 * top) * (columns * side - 2 * left + 1)

    def most_picture_tokens(self) -> int:
        """N of the picture that takes most."""
        return max(self.picture_tokens(*point) for point in self.image_grid_pinpoints)

    def parameters(self) -> int:
        """Parameters of the whole model."""
        return super().parameters() + self.text.hidden_size


def read_pinpoints(values: Any) -> tuple[tuple[int, int], ...]:
    """`image_grid_pinpoints` of `config.json` and of the preprocessor settings.

    Raises:
        UnsupportedConfig: They are not pairs of sides.
    """
    points = tuple(tuple(point) if isinstance(point, (list, tuple)) else () for point in values)
    sides = [side for point in points for side in point]
    if not points or len(sides) != 2 * len(points) or {len(point) for point in points} != {2}:
        raise UnsupportedConfig(f"image_grid_pinpoints is {values!r}; expected pairs of height and width.")
    if not all(type(side) is int and 0 < side <= _MAX_SIDE for side in sides):
        raise UnsupportedConfig(f"image_grid_pinpoints has sides other than 1 to {_MAX_SIDE} pixels: {values!r}.")
    return points
