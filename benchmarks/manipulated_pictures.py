"""Pictures in which a region was copied to another place, by kind and strength.

    python benchmarks/manipulated_pictures.py --pictures FOLDER [--count 24] [--unchanged 300] [--data DIR]

FOLDER holds photographs (here the 500 of BSDS500, github.com/BIDS/BSDS500 at a04b7c6: Arbelaez et al. 2011, for
research, not shipped). The shortcut test is part of it: a picture that was left as it is goes through all that a
changed one does (a region of the same size and edge, turned and scaled alike, is put back where it stood; the same
encoder, quality and size), so that nothing but the copy tells the two apart.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from machine import commit, processor, versions
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

from tutti.evaluate.statistics import share_interval
from tutti.trust.forensics.copied_regions import copied_region

Pixels: TypeAlias = NDArray[np.uint8]
LIMIT = 0.2


def told(name: str, scores: list[float]) -> str:
    found = share_interval(scores, [str(at) for at in range(len(scores))])
    return f"{name:34} {found.mean:6.1%} [{found.low:.1%}, {found.high:.1%}] of {found.cases}"


def saved(pixels: Pixels, quality: int | None) -> Pixels:
    if quality is None:
        return pixels
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, "JPEG", quality=quality)
    return np.asarray(pillow.open(out).convert("RGB"))


def photographs(folder: Path, count: int) -> list[Pixels]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = np.random.default_rng(4).permutation(len(files))[:count]
    return [np.asarray(pillow.open(files[at]).convert("RGB")) for at in chosen]


def moved(pixels: Pixels, side: int, turn: float, size: float, rng: np.random.Generator, copies: bool) -> Pixels:
    """A round-edged region, turned and scaled, put elsewhere, or back where it stood."""
    height, width = pixels.shape[:2]
    reach = round(side * max(1.0, size)) + 4
    for _ in range(200):
        left, top = int(rng.integers(0, width - reach)), int(rng.integers(0, height - reach))
        new_left, new_top = int(rng.integers(0, width - reach)), int(rng.integers(0, height - reach))
        if (
            max(abs(left - new_left), abs(top - new_top)) > reach
            and pixels[top : top + side, left : left + side].std() > 12
        ):
            break
    region = pillow.fromarray(pixels[top : top + side, left : left + side])
    mask = pillow.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rounded_rectangle((1, 1, side - 2, side - 2), side // 4, fill=255)
    if turn or size != 1:
        to = (round(side * size),) * 2
        region = region.resize(to, pillow.Resampling.BICUBIC).rotate(turn, pillow.Resampling.BICUBIC)
        mask = mask.resize(to, pillow.Resampling.BILINEAR).rotate(turn, pillow.Resampling.BILINEAR)
    made = pillow.fromarray(pixels)
    made.paste(region, (new_left, new_top) if copies else (left, top), mask)
    return np.asarray(made)


COPIES: dict[str, dict[str, Any]] = {
    "96 pixels, as it is": {"side": 96},
    "64 pixels, as it is": {"side": 64},
    "48 pixels, as it is": {"side": 48},
    "32 pixels, as it is": {"side": 32},
    "64 pixels, JPEG 75": {"side": 64, "quality": 75},
    "64 pixels, JPEG 50": {"side": 64, "quality": 50},
    "64 pixels, turned by 30, JPEG 90": {"side": 64, "quality": 90, "turn": 30.0},
    "64 pixels, scaled by 1.1, JPEG 90": {"side": 64, "quality": 90, "size": 1.1},
}


def copy_of(pixels: Pixels, rng: np.random.Generator, copies: bool, **how: Any) -> Pixels:
    made = moved(pixels, how["side"], how.get("turn", 0.0), how.get("size", 1.0), rng, copies)
    return saved(made, how.get("quality"))


def score_of_copy(pixels: Pixels) -> float:
    found = copied_region(pixels)
    return 0.0 if found is None else found.score


def measured(pictures: list[Pixels]) -> None:
    """Recall of each kind, and what is left as it is, at one threshold; printed as they are done."""
    unchanged: list[float] = []
    took = []
    for name, how in COPIES.items():
        scores: list[list[float]] = [[], []]
        for number, pixels in enumerate(pictures):
            for copies in (False, True):
                made = copy_of(pixels, np.random.default_rng(number), copies, **how)
                begun = time.perf_counter()
                scores[copies].append(score_of_copy(made))
                took.append(time.perf_counter() - begun)
        unchanged += scores[0]
        rank = np.mean([(a > b) + 0.5 * (a == b) for a in scores[1] for b in scores[0]])
        print("  ", told(name, [float(score >= LIMIT) for score in scores[1]]), f"  AUROC {rank:.3f}", flush=True)
        print("  ", told("  put back where it stood", [float(score >= LIMIT) for score in scores[0]]), flush=True)
    print("  ", told("put back where it stood, all", [float(score >= LIMIT) for score in unchanged]))
    print(f"   seconds a picture, median {np.median(took):.2f}")


def others(data: Path, count: int) -> None:
    """What was not changed and is of another kind: small photographs, products, receipts, signs, drawn words."""
    for pack in ("photos_openimages", "clothing", "receipts_dev", "scene_text_dev", "faces_dev"):
        scores = []
        with zipfile.ZipFile(data / pack / "data.zip") as archive:
            names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".png", ".webp")))
            for at in np.random.default_rng(6).permutation(len(names))[:count]:
                picture = pillow.open(io.BytesIO(archive.read(names[at]))).convert("RGB")
                scores.append(score_of_copy(np.asarray(picture)))
        print(f"   {pack}: {len(scores)} pictures, highest {np.sort(scores)[::-1][:4].round(3).tolist()}")
    scores = []
    for number in range(20):
        page = pillow.new("RGB", (480, 320), "white")
        words = "the quick brown fox jumps over the lazy dog and the other dog jumps over the fox"
        for line in range(8):
            ImageDraw.Draw(page).text(
                (10, 10 + 36 * line), words[(number + 7 * line) % 40 :][:40], "black", ImageFont.load_default(20)
            )
        scores.append(score_of_copy(np.asarray(page)))
    print(f"   drawn words: 20 pages, scores {np.sort(scores)[::-1][:6].round(3).tolist()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="the packs, for unchanged pictures of other kinds")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--unchanged", type=int, default=0, help="photographs that are looked at as they are")
    given = parser.parse_args()
    print(processor(), commit(), versions("opencv-python-headless"))
    if given.unchanged:
        as_they_are = [score_of_copy(pixels) for pixels in photographs(given.pictures, given.unchanged)]
        print("  ", told("photographs as they are", [float(score >= LIMIT) for score in as_they_are]), flush=True)
    if not given.count:
        return
    pictures = photographs(given.pictures, given.count)
    if given.data is not None:
        others(given.data, 40)
    print(f"copies within {len(pictures)} photographs; score from {LIMIT} on", flush=True)
    measured(pictures)


if __name__ == "__main__":
    main()
