"""What the trunks that stand still make of every picture, run once and kept.

python -m recipes.tutti_mini.features --data DIR --weights DIR --into DIR [--view N] [PACK ...]

A pack's view is three arrays: `pooled` (n, 1280) and `grid` (n, 16, 1280), the published trunk's last grid as one mean
and as means of 2 x 2 places, and `own` (n, 64, 192), the grid of the small trunk. View 0 is the picture as it is,
whole; others are random views. Extraction goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from recipes.tutti_mini.packs import EMOJI, HELD_OUT_STYLE, open_picture
from recipes.tutti_mini.pairs import MEAN, NO_FLIP, STD
from tutti.training.packs import PackReader

SIZE = 256
"""Side of a picture in pixels: the whole of it, as the published trunk saw 7/8 of the side in its tests."""
PLACES, WIDTH, OWN_PLACES, OWN_WIDTH = 16, 1280, 64, 192
REAL = ("photos_caltech101", "photos_openimages", "photos_flowers", "photos_mixed")
PACKS = (
    *REAL,
    "clothing",
    "grocery",
    "hand_digits",
    "cxr",
    HELD_OUT_STYLE,
    *EMOJI,
    "cifar10",
    "cifar10_test",
    "makeup_shades",
)
CIFAR_ROWS = 6
"""Every so many rows of CIFAR-10's training pictures are used."""
AT_ONCE = 128
FRAMED = 0.6
"""How often a random view of a photograph is the whole of it with a margin, rather than a part."""
SHAPES = (None, None, 1.0, 4 / 3, 3 / 4, 16 / 9, 16 / 9, 9 / 16)
"""Shapes of a picture with a margin, width by height; None is that of the photograph."""
WIDEST = 1.7
"""Up to how many times as long as it must be a side with a margin is."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A pack as the trunks see it."""

    name: str
    rows: list[dict[str, Any]]
    pooled: NDArray[np.float16]
    grid: NDArray[np.float16]
    own: NDArray[np.float16]


def rows_of(data: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a pack that are used."""
    rows = PackReader(data / name).rows
    return rows[::CIFAR_ROWS] if name == "cifar10" else rows


def load_seen(data: Path, cache: Path, name: str, view: int = 0) -> Seen:
    """A pack whose features were extracted; arrays are mapped, not read."""
    arrays = (np.load(cache / f"{name}.{view}.{part}.npy", mmap_mode="r") for part in ("pooled", "grid", "own"))
    return Seen(name, rows_of(data, name), *arrays)


class Trunks:
    """The two trunks, folded."""

    def __init__(self, weights: Path, small: Path) -> None:
        from tutti import checkpoints
        from tutti.engine.passes import run_passes
        from tutti.models.efficientnet.config import EfficientNetConfig
        from tutti.models.efficientnet.model import EfficientNet

        self.published = EfficientNet(EfficientNetConfig()).eval()
        self.published.load_state_dict(torch.load(weights, weights_only=True))
        run_passes(self.published)
        trunk = checkpoints.load(small).model.trunks["image"].eval()
        self.own: Callable[[torch.Tensor], torch.Tensor] = trunk.own

    @torch.inference_mode()
    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Shapes: (S, S, 3) → (1280,), (16, 1280), (64, 192)."""
        x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().contiguous(memory_format=torch.channels_last)
        grid = self.published.features((x - 127) / 128)
        own = self.own((F.avg_pool2d(x, SIZE // 64) / 255 - MEAN) / STD)[0]
        places = F.avg_pool2d(grid, grid.shape[-1] // 4).flatten(2)[0].T
        return grid.mean((2, 3))[0], places, own


def look(picture: Any, rng: np.random.Generator | None, may_flip: bool) -> NDArray[np.uint8]:
    """A picture as the model is given it, or a random view of it. Shape (S, S, 3)."""
    from tutti.processing.images import ImageProcessor

    drawn = picture.mode == "RGBA"
    if drawn:
        picture = _lay(picture, rng)
    if rng is not None:
        framed = not drawn and rng.random() < FRAMED
        picture = _frame(picture, rng) if framed else _crop(picture, rng)
        picture = _vary(picture, rng, may_flip)
    values = ImageProcessor(size={"longest_edge": SIZE}, do_pad=True, do_normalize=False, do_rescale=False)(
        np.asarray(picture)
    )
    return np.asarray(values.transpose(1, 2, 0).clip(0, 255).astype(np.uint8))


def _lay(sprite: Any, rng: np.random.Generator | None) -> Any:
    """A drawing on white, or somewhere on a random ground."""
    from PIL import Image

    from recipes.tutti_mini.pairs import grounds

    if rng is None:
        ground = Image.new("RGBA", sprite.size, "white")
        return Image.alpha_composite(ground, sprite).convert("RGB")
    side = max(sprite.size)
    whole = round(side * rng.uniform(1.0, 1.5))
    colours = grounds(1, rng)[0].permute(1, 2, 0).byte().numpy()
    ground = Image.fromarray(colours).resize((whole, whole)).convert("RGBA")
    turned = sprite.rotate(float(rng.normal(0, 6)), resample=2)
    corner = tuple(int(rng.integers(0, whole - edge + 1)) for edge in sprite.size)
    ground.alpha_composite(turned, corner)
    return ground.convert("RGB")


def _crop(picture: Any, rng: np.random.Generator) -> Any:
    width, height = picture.size
    share = rng.uniform(0.55, 1.0) ** 0.5
    wide, high = (max(8, round(edge * min(1.0, share * rng.uniform(0.9, 1.1)))) for edge in (width, height))
    left, top = int(rng.integers(0, width - wide + 1)), int(rng.integers(0, height - high + 1))
    return picture.crop((left, top, left + wide, top + high))


def _frame(picture: Any, rng: np.random.Generator) -> Any:
    """A photograph with a margin, as on a slide, in a film of another shape, or before a wall."""
    from PIL import Image

    from recipes.tutti_mini.pairs import grounds

    width, height = picture.size
    aspect = SHAPES[int(rng.integers(len(SHAPES)))] or width / height
    high = max(height, width / aspect) * rng.uniform(1.0, WIDEST)
    whole = round(high * aspect), round(high)
    colours = grounds(1, rng)[0].permute(1, 2, 0).byte().numpy()
    ground = Image.fromarray(colours).resize(whole)
    free = whole[0] - width, whole[1] - height
    at = (0.5, 0.5) if rng.random() < 0.5 else rng.random(2)
    ground.paste(picture, tuple(round(room * share) for room, share in zip(free, at, strict=True)))
    return ground


def _vary(picture: Any, rng: np.random.Generator, may_flip: bool) -> Any:
    from PIL import ImageEnhance, ImageOps

    if may_flip and rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    for kind in (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast):
        picture = kind(picture).enhance(float(rng.uniform(0.75, 1.3)))
    return picture


def extract(trunks: Trunks, data: Path, into: Path, name: str, view: int) -> None:
    """Fill a pack's arrays."""
    rows = rows_of(data, name)
    into.mkdir(parents=True, exist_ok=True)
    shapes = {"pooled": (WIDTH,), "grid": (PLACES, WIDTH), "own": (OWN_PLACES, OWN_WIDTH)}
    progress = into / f"{name}.{view}.json"
    done = json.loads(progress.read_text()) if progress.exists() else 0
    if done == len(rows):
        return
    arrays = {
        part: np.lib.format.open_memmap(
            into / f"{name}.{view}.{part}.npy", "r+" if done else "w+", np.float16, (len(rows), *shape)
        )
        for part, shape in shapes.items()
    }
    pack = PackReader(data / name)
    for index in range(done, len(rows)):
        row = rows[index]
        rng = np.random.default_rng((view, index)) if view else None
        still = name == "hand_digits" or any(word in str(row["label"]) for word in NO_FLIP)
        for part, values in zip(shapes, trunks(look(open_picture(pack, row), rng, not still)), strict=True):
            arrays[part][index] = values.half().numpy()
        if (index + 1) % AT_ONCE == 0 or index + 1 == len(rows):
            for array in arrays.values():
                array.flush()
            progress.write_text(json.dumps(index + 1))


def main() -> None:
    """Extract."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="*", default=PACKS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="the published trunk's file")
    parser.add_argument(
        "--small", type=Path, default=Path("src/tutti/assets/tutti-mini"), help="folder with the small trunk"
    )
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--view", type=int, default=0)
    arguments = parser.parse_args()
    trunks = Trunks(arguments.weights, arguments.small)
    for name in arguments.packs:
        extract(trunks, arguments.data, arguments.into, name, arguments.view)
        print(name, arguments.view, flush=True)


if __name__ == "__main__":
    main()
