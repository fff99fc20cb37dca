"""Pictures into which a part of another one was pasted, by how it was saved before and after, and by how it was scaled.

    python benchmarks/spliced_pictures.py --pictures FOLDER [--count 24]
    python benchmarks/spliced_pictures.py --unchanged FOLDER      pictures of others as they are: what a half is worth

FOLDER holds photographs (here the 500 of BSDS500, as for `manipulated_pictures.py`). The shortcut test is part of it:
beside each changed picture stands one that goes through the same steps, with a part of the picture itself where the
other has a foreign one (put back where it stood), or with the foreign part unscaled: same place, size, edge, encoder
and resolution. Thresholds are those that 5 % of the photographs reach that are not used otherwise. A simple way stands
beside it: how far the sharpness of one window lies from that of the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import commit, processor, versions
from manipulated_pictures import Pixels, photographs, saved, told
from PIL import Image as pillow
from PIL import ImageDraw

from tutti.trust.forensics.picture_grids import PictureTrace, pasted_region, resampled_region

FALSE = 0.05
PASTES = (
    (128, 75, None), (128, 90, None), (96, 75, None), (64, 75, None), (128, 75, 98), (128, 75, 95), (128, 75, 85),
)  # fmt: skip
"""Pixels, quality before, quality after; None is PNG."""
SCALINGS = (
    (160, 1.3, None), (160, 1.1, None), (160, 0.8, None), (160, 2.0, None), (112, 1.3, None), (160, 1.3, 95),
    (160, 1.3, 85),
)  # fmt: skip
"""Pixels, scale, quality after."""
Look = Callable[[Pixels], PictureTrace | None]


def score(look: Look, pixels: Pixels) -> float:
    found = look(pixels)
    return 0.0 if found is None else found.score


def simple(pixels: Pixels) -> float:
    """How far the sharpest or smoothest window of 96 pixels lies from the others, in deviations."""
    grey = pixels.astype(np.float32).mean(2)
    bends = np.abs(2 * grey[:, 1:-1] - grey[:, :-2] - grey[:, 2:])
    windows = np.lib.stride_tricks.sliding_window_view(bends, (96, 96))[::32, ::32]
    levels = np.log(np.median(windows, axis=(2, 3)) + 0.5)
    return float(np.abs(levels - np.median(levels)).max() / (levels.std() + 1e-6))


def placed(host: Pixels, part: Pixels, left: int, top: int) -> Pixels:
    """A part with round corners and a soft edge of two pixels."""
    side = len(part)
    mask = pillow.new("L", (side * 2, side * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((3, 3, 2 * side - 4, 2 * side - 4), side // 2, fill=255)
    made = pillow.fromarray(host)
    made.paste(pillow.fromarray(part), (left, top), mask.resize((side, side), pillow.Resampling.BOX))
    return np.asarray(made)


def auroc(positive: list[float], negative: list[float]) -> float:
    one, two = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(((one > two) + 0.5 * (one == two)).mean())


def report(name: str, look: Look, pairs: list[tuple[Pixels, Pixels]], limit: float) -> None:
    """Recall and false positives at a threshold, and AUROC beside that of the simple way."""
    changed, left = [score(look, each) for each, _ in pairs], [score(look, each) for _, each in pairs]
    plain = auroc([simple(each) for each, _ in pairs], [simple(each) for _, each in pairs])
    beside = f" AUROC {auroc(changed, left):.3f}, simple {plain:.3f}"
    print("  ", told(name, [float(each > limit) for each in changed]), beside)
    print("  ", told("  the same with nothing foreign", [float(each > limit) for each in left]), flush=True)


def pastes(pictures: list[Pixels], side: int, before: int, after: int | None) -> list[tuple[Pixels, Pixels]]:
    pairs = []
    for number, host in enumerate(pictures):
        rng = np.random.default_rng([number, 1])
        source = saved(pictures[(number + 7) % len(pictures)], before)
        from_left, from_top = int(rng.integers(0, source.shape[1] - side)), int(rng.integers(0, source.shape[0] - side))
        left, top = int(rng.integers(0, host.shape[1] - side)), int(rng.integers(0, host.shape[0] - side))
        foreign = source[from_top : from_top + side, from_left : from_left + side]
        own = saved(host, before)[top : top + side, left : left + side]  # the same step before, in step with the rest
        pairs.append((saved(placed(host, foreign, left, top), after), saved(placed(host, own, left, top), after)))
    return pairs


def scalings(pictures: list[Pixels], side: int, size: float, after: int | None) -> list[tuple[Pixels, Pixels]]:
    pairs = []
    for number, host in enumerate(pictures):
        rng = np.random.default_rng([number, 2])
        source = pillow.fromarray(pictures[(number + 7) % len(pictures)])
        wide = round(side / size) + 12
        from_left = int(rng.integers(0, max(1, source.width - wide)))
        from_top = int(rng.integers(0, max(1, source.height - wide)))
        left, top = int(rng.integers(0, host.shape[1] - side)), int(rng.integers(0, host.shape[0] - side))
        cut = source.crop((from_left, from_top, from_left + wide, from_top + wide))
        larger = cut.resize((round(wide * size),) * 2, pillow.Resampling.BICUBIC)
        scaled = np.asarray(larger)[4 : 4 + side, 4 : 4 + side]
        plain = np.asarray(source)[from_top : from_top + side, from_left : from_left + side]
        if plain.shape != scaled.shape:
            plain = np.asarray(source)[:side, :side]
        pairs.append((saved(placed(host, scaled, left, top), after), saved(placed(host, plain, left, top), after)))
    return pairs


def of_others(folder: Path, count: int) -> None:
    """How many pictures that somebody published reach a half; of large ones, a corner."""
    pictures = [each[:1500, :2000] for each in photographs(folder, count)]
    for name, look in (("pasted", pasted_region), ("resampled", resampled_region)):
        scores = [score(look, each) for each in pictures]
        quantiles = np.quantile(scores, (0.5, 0.8, 0.95)).round(2)
        print(told(f"{name}: reach 0.5", [float(each >= 0.5) for each in scores]), "quantiles", quantiles, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pictures", type=Path)
    which.add_argument("--unchanged", type=Path)
    parser.add_argument("--count", type=int, default=24)
    given = parser.parse_args()
    print(processor(), commit(), versions(), flush=True)
    if given.unchanged is not None:
        of_others(given.unchanged, given.count)
        return
    chosen = photographs(given.pictures, 3 * given.count)
    pictures, others = chosen[: given.count], chosen[given.count :]
    limits = {}
    for name, look in (("pasted", pasted_region), ("resampled", resampled_region)):
        scores = np.sort([score(look, each) for each in others])[::-1]
        limits[name] = max(0.2, float(scores[int(FALSE * len(scores))]))
        print(
            f"{name}: threshold {limits[name]:.3f}; highest of {len(others)} photographs as they are",
            scores[:4].round(2),
        )
    for side, before, after in PASTES:
        name = f"{side} pixels, JPEG {before}, then {'PNG' if after is None else f'JPEG {after}'}"
        report(name, pasted_region, pastes(pictures, side, before, after), limits["pasted"])
    for side, size, after in SCALINGS:
        name = f"{side} pixels, scaled by {size}, then {'PNG' if after is None else f'JPEG {after}'}"
        report(name, resampled_region, scalings(pictures, side, size, after), limits["resampled"])


if __name__ == "__main__":
    main()
