"""Known hashes measured: copies that are met again, and false matches over pairs of the packs.

    python benchmarks/moderation_hashes.py --data DIR [--pictures 300] [--pairs 2600] [--sounds 200]

Copies are made here, one change at a time. False matches count every pair of different pictures; pairs that the packs
themselves hold twice (a difference hash and the mean pixel difference agree, too) are counted apart and said.
Beside it stands a simple way: a difference hash of 64 bits (dHash) at 10 bits.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, processor, versions
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageDraw

from tutti.evaluate.statistics import share_interval
from tutti.training.packs import PackReader
from tutti.trust.forensics.hash_lists import HashList
from tutti.trust.forensics.picture_hash import CLOSE, listed_hashes, picture_query
from tutti.trust.forensics.sound_prints import SoundPrint, landmarks

PACKS = ("photos_caltech101", "photos_openimages", "photos_flowers", "photos_mixed")
RATE_HZ = 16_000
Pixels = NDArray[np.uint8]


def told(name: str, scores: list[float]) -> str:
    found = share_interval(scores, [str(at) for at in range(len(scores))])
    return f"  {name:34} {found.mean:7.2%} [{found.low:.2%}, {found.high:.2%}] of {found.cases}"


def pictures(data: Path, count: int, seed: int) -> Iterator[Pixels]:
    """So many pictures of each pack in turn."""
    for pack in PACKS:
        reader = PackReader(data / pack)
        names = sorted(row["file"] for row in reader.rows)
        for at in np.random.default_rng(seed).permutation(len(names))[: count // len(PACKS)]:
            yield np.asarray(pillow.open(io.BytesIO(reader.content(names[at]))).convert("RGB"))


def saved(pixels: Pixels, form: str, quality: int) -> Pixels:
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, form, quality=quality)
    return np.asarray(pillow.open(out).convert("RGB"))


def scaled(pixels: Pixels, by: float) -> Pixels:
    size = max(16, round(pixels.shape[1] * by)), max(16, round(pixels.shape[0] * by))
    return np.asarray(pillow.fromarray(pixels).resize(size, pillow.Resampling.BICUBIC))


def cropped(pixels: Pixels, rng: np.random.Generator, share: float) -> Pixels:
    """Up to such a share of width and of height left out, at any place."""
    cuts = []
    for side in pixels.shape[:2]:
        out = round(side * share)
        before = int(rng.integers(0, out + 1))
        cuts.append(slice(before, side - (out - before)))
    return np.ascontiguousarray(pixels[cuts[0], cuts[1]])


def lit(pixels: Pixels, gain: float, gamma: float) -> Pixels:
    return np.clip(255 * gain * (pixels / 255) ** gamma, 0, 255).astype(np.uint8)


def captioned(pixels: Pixels) -> Pixels:
    """White words on a black band over the lower 15 %."""
    made = pillow.fromarray(pixels.copy())
    height = round(made.height * 0.15)
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, made.height - height, made.width, made.height), fill=(0, 0, 0))
    draw.text((4, made.height - height), "when it is monday again", fill=(255, 255, 255))
    return np.asarray(made)


def turned(pixels: Pixels, degrees: float) -> Pixels:
    return np.asarray(pillow.fromarray(pixels).rotate(degrees, pillow.Resampling.BICUBIC))


Change = Callable[[Pixels, np.random.Generator], Pixels]
LISTED: dict[str, Change] = {
    "JPEG quality 50": lambda p, _: saved(p, "JPEG", 50),
    "JPEG quality 20": lambda p, _: saved(p, "JPEG", 20),
    "WebP quality 30": lambda p, _: saved(p, "WEBP", 30),
    "scaled to half": lambda p, _: scaled(p, 0.5),
    "scaled to twice": lambda p, _: scaled(p, 2),
    "stretched 1.5 wide": lambda p, _: np.asarray(pillow.fromarray(p).resize((p.shape[1] * 3 // 2, p.shape[0]))),
    "brighter, gamma 0.8": lambda p, _: lit(p, 1.1, 0.8),
    "darker, gamma 1.3": lambda p, _: lit(p, 0.9, 1.3),
    "grey": lambda p, _: np.asarray(pillow.fromarray(p).convert("L").convert("RGB")),
    "mirrored": lambda p, _: np.ascontiguousarray(p[:, ::-1]),
    "crop 5 %": lambda p, r: cropped(p, r, 0.05),
    "crop 10 %": lambda p, r: cropped(p, r, 0.10),
    "mirrored, crop 5 %, JPEG 50": lambda p, r: saved(cropped(p[:, ::-1], r, 0.05), "JPEG", 50),
}
BEYOND: dict[str, Change] = {
    "mirrored, crop 10 %": lambda p, r: cropped(p[:, ::-1], r, 0.10),
    "crop 20 %": lambda p, r: cropped(p, r, 0.20),
    "caption over 15 %": lambda p, _: captioned(p),
    "rotated by 3 degrees": lambda p, _: turned(p, 3),
    "rotated by 90 degrees": lambda p, _: np.ascontiguousarray(np.rot90(p)),
}


def dhash(pixels: Pixels) -> NDArray[np.bool_]:
    small = np.asarray(pillow.fromarray(pixels).convert("L").resize((9, 8), pillow.Resampling.BOX), np.int16)
    return (np.diff(small, axis=1) > 0).ravel()


def of_pictures(data: Path, count: int, pairs: int) -> None:
    rng = np.random.default_rng(1)
    known = list(pictures(data, count, 0))
    hashes = [listed_hashes(each) for each in known]
    kept = [(pixels, bits) for pixels, bits in zip(known, hashes, strict=True) if bits is not None]
    print(f"pictures: {len(kept)} of {len(known)} have enough detail; a match agrees to {CLOSE}")
    everything = []
    for name, change in (LISTED | BEYOND).items():
        own, simple = [], []
        for pixels, bits in kept:
            copy = change(pixels, rng)
            found = picture_query(copy)
            one = HashList()
            one.add_picture(bits, "x")
            own.append(float(found is not None and one.agreements(found[None])[0, 0] >= CLOSE))
            simple.append(float(np.count_nonzero(dhash(copy) != dhash(pixels)) <= 10))
        print(told(name + ("" if name in LISTED else " (beyond)"), own), f"  dHash {np.mean(simple):.1%}")
        everything += own if name in LISTED else []
    print(told("all listed changes", everything))
    if pairs:
        false_pictures(list(pictures(data, pairs, 7)))


def false_pictures(many: list[Pixels]) -> None:
    listed, owners, queries = HashList(), [], []
    for pixels in many:
        bits, query = listed_hashes(pixels), picture_query(pixels)
        if bits is not None and query is not None:
            listed.add_picture(bits, str(len(owners)))
            owners.append(pixels)
            queries.append(query)
    asking = np.stack(queries)
    agreements = np.concatenate([listed.agreements(asking[at : at + 256]) for at in range(0, len(asking), 256)])
    np.fill_diagonal(agreements, -1)
    agreements = np.maximum(agreements, agreements.T)  # either may be the one that is listed
    upper = agreements[np.triu_indices(len(owners), 1)]
    small = np.stack([np.asarray(pillow.fromarray(p).convert("L").resize((32, 32)), np.float32) for p in owners])
    false, twice = 0, 0
    for first, second in np.argwhere(np.triu(agreements >= CLOSE, 1)):
        apart = min(np.abs(small[first] - small[second]).mean(), np.abs(small[first] - small[second][:, ::-1]).mean())
        twice += apart < 12
        false += apart >= 12
    share = false / len(upper)
    print(f"  pairs {len(upper):,}: {false} false matches ({share:.2e}); the packs hold {twice} pairs twice")
    print("  nearest:", np.sort(upper)[::-1][:16].round(3).tolist())
    for limit in (0.76, 0.78, 0.79, 0.8, 0.81, 0.82, 0.83, 0.84):
        print(f"    at {limit}: {int((upper >= limit).sum())} pairs", end=";")
    print()


def sounds(data: Path, count: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    import soundfile

    for pack in ("sound_esc10", "sound_instruments", "speech_intents"):
        reader = PackReader(data / pack)
        names = sorted(row["file"] for row in reader.rows)
        for at in np.random.default_rng(3).permutation(len(names))[: count // 3]:
            samples, rate = soundfile.read(io.BytesIO(reader.content(names[at])), dtype="float32", always_2d=True)
            assert rate == RATE_HZ
            if len(samples) >= 2 * RATE_HZ:
                yield f"{pack}/{names[at]}", samples.mean(1)


def coded(samples: NDArray[np.float32], form: str, subtype: str) -> NDArray[np.float32]:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, RATE_HZ, format=form, subtype=subtype)
    out.seek(0)
    return np.asarray(soundfile.read(out, dtype="float32")[0])


def noisy(samples: NDArray[np.float32], rng: np.random.Generator, snr_db: float) -> NDArray[np.float32]:
    power = float(np.sqrt(np.mean(samples**2))) * 10 ** (-snr_db / 20)
    return (samples + rng.normal(size=len(samples)) * power).astype(np.float32)


SOUND_CHANGES: dict[str, Any] = {
    "MP3": lambda s, _: coded(s, "MP3", "MPEG_LAYER_III"),
    "Vorbis": lambda s, _: coded(s, "OGG", "VORBIS"),
    "GSM 6.10": lambda s, _: coded(s, "WAV", "GSM610"),
    "quieter by 12 dB": lambda s, _: s * 0.25,
    "noise at 20 dB": lambda s, r: noisy(s, r, 20),
    "first quarter cut off": lambda s, _: s[len(s) // 4 + 77 :],
    "noise at 10 dB (beyond)": lambda s, r: noisy(s, r, 10),
    "5 % faster (beyond)": lambda s, _: np.interp(np.arange(0, len(s) - 1, 1.05), np.arange(len(s)), s).astype(
        np.float32
    ),
}


def of_sounds(data: Path, count: int) -> None:
    rng = np.random.default_rng(2)
    known = [(name, samples) for name, samples in sounds(data, count) if len(landmarks(samples)) >= 40]
    listed = SoundPrint.of(landmarks(samples) for _, samples in known)
    print(f"sounds: {len(known)} with 40 landmarks or more")
    everything = []
    for name, change in SOUND_CHANGES.items():
        found = [listed.find(landmarks(change(samples, rng))) for _, samples in known]
        scores = [float(match is not None and match.entry == at) for at, match in enumerate(found)]
        print(told(name, scores))
        everything += scores if "beyond" not in name else []
    print(told("all listed changes", everything))
    false = pairs = 0
    for first in range(len(known)):
        marks = landmarks(known[first][1])
        others = SoundPrint.of(landmarks(known[other][1]) for other in range(first + 1, len(known)))
        pairs += len(known) - first - 1
        match = others.find(marks)
        if match is not None:
            false += 1
            print("   alike:", known[first][0], known[first + 1 + match.entry][0], match)
    print(f"  pairs {pairs:,}: {false} matches of different recordings")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=2600)
    parser.add_argument("--sounds", type=int, default=180)
    given = parser.parse_args()
    print(processor(), commit(), versions())
    if given.pictures:
        of_pictures(given.data, given.pictures, given.pairs)
    if given.sounds:
        of_sounds(given.data, given.sounds)


if __name__ == "__main__":
    main()
