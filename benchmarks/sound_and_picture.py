"""Does the sound fit the picture: films with their own sound, with it moved, and with that of another film.

    python benchmarks/sound_and_picture.py --data DIR [--count 12] [--fit 6] [--embedding]

Films are drawn by `sounding_films.py`; those that are reported use photographs and recordings that no other film uses
(`--fit` films a kind of the other half set the threshold for 5 % false positives). The shortcut test is part of it:
every sound, moved or not, is cut from a longer track of the same film and goes through the same encoder, so that there
is neither silence nor an edge to go by. Beside it: the correlation of all change in the picture with the loudness, and
the cosine of sound and middle frame as tutti-mini embeds them. Intervals over films.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import sounding_films as films
from machine import commit, processor, versions

from tutti.content import Audio, Image, Video
from tutti.evaluate.statistics import share_interval
from tutti.media import Limits
from tutti.media.grey_pictures import grey_pictures
from tutti.media.sound_windows import sound_windows
from tutti.trust.forensics.synchrony import CURVES_PER_S, HIGH, WIDE, curves_of_pictures, curves_of_sound, sound_fit

SHIFTS = (0.2, 0.3, 0.5, 1.0, 2.0)
FALSE = 0.05


def encoded(folder: Path, sound: Any) -> Any:
    """A sound after AAC, as films have it. Shapes: (S,) → (S,)."""
    still = np.zeros((2, 32, 32, 3), np.uint8)
    path = films.write_film(folder / "sound.mp4", still, 25, sound)
    window = next(sound_windows(Video(str(path)), Limits(), rate_hz=films.RATE_HZ, window_s=20, hop_s=20))
    return window[1]


def made(material: films.Material, count: int, folder: Path) -> list[dict[str, Any]]:
    rows = []
    for kind in films.KINDS:
        for seed in range(count):
            scene = films.scene(material, kind, seed)
            path = films.write_film(folder / "film.mp4", scene.frames, scene.frames_per_s, None)
            frames = grey_pictures(
                Video(str(path)), Limits(), width=WIDE, height=HIGH, per_second=CURVES_PER_S, zero_s=0.0
            )
            seen = curves_of_pictures(frames)
            rows.append({"kind": kind, "seen": seen, "scene": scene, "frame": scene.frames[len(scene.frames) // 2]})
    return rows


def simple(seen: Any, heard: Any) -> float:
    """All change in the picture and the loudness, correlated as they are; larger is worse."""
    count = min(len(seen), len(heard))
    change = seen[:count, 48:96].sum(1)
    return float(-np.corrcoef(change, heard[:count, 0])[0, 1])


def scored(rows: list[dict[str, Any]], folder: Path, model: Any) -> list[dict[str, Any]]:
    """Each film with its own sound, moved by each shift (early and late in turn), and with another film's."""
    found = []
    for at, row in enumerate(rows):
        way = 1 if at % 2 else -1
        other = rows[(at + len(films.KINDS) * 2 + 1) % len(rows)]["scene"]
        sounds = {"own": row["scene"].heard(), "swapped": other.heard()}
        sounds |= {f"moved by {shift} s": row["scene"].heard(way * shift) for shift in SHIFTS}
        for name, sound in sounds.items():
            heard = encoded(folder, sound)
            curves = curves_of_sound(heard)
            fit = sound_fit(row["seen"], curves)
            values = {"kind": row["kind"], "case": name, "score": 0.0 if fit is None else fit.score}
            values["simple"] = simple(row["seen"], curves)
            if fit is not None and name.startswith("moved"):
                values["right"] = float(abs(fit.shift_s - way * float(name.split()[2])) <= 0.2)
            if model is not None and name in ("own", "swapped"):
                vectors = model.embed([Image(row["frame"]), Audio(heard, sample_rate_hz=films.RATE_HZ)]).vectors
                values["embedding"] = -float(vectors[0] @ vectors[1])
            found.append(values)
    return found


def auroc(positive: Any, negative: Any) -> float:
    """Share of pairs in the right order."""
    one, two = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(((one > two) + 0.5 * (one == two)).mean())


def interval(rows: list[dict[str, Any]], case: str, measure: str) -> str:
    """AUROC of a case against films with their own sound, with 95 % over films drawn anew."""
    positive = np.array([row[measure] for row in rows if row["case"] == case])
    negative = np.array([row[measure] for row in rows if row["case"] == "own"])
    rng = np.random.default_rng(0)
    drawn = [rng.integers(len(negative), size=len(negative)) for _ in range(500)]
    low, high = np.quantile([auroc(positive[at], negative[at]) for at in drawn], [0.025, 0.975])
    return f"{auroc(positive, negative):.3f} [{low:.3f}, {high:.3f}]"


def told(values: list[float]) -> str:
    found = share_interval(values, [str(at) for at in range(len(values))])
    return f"{found.mean:.1%} [{found.low:.1%}, {found.high:.1%}] of {found.cases}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12, help="films of each kind, held out")
    parser.add_argument("--fit", type=int, default=6, help="films of each kind that set the threshold")
    parser.add_argument("--embedding", action="store_true", help="with tutti-mini beside it")
    given = parser.parse_args()
    print(processor(), commit(), versions(), flush=True)
    model = None
    if given.embedding:
        import tutti

        model = tutti.open_provider("tutti-mini")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limit = 0.5
        if given.fit:
            fitted = scored(made(films.Material(given.data, False), given.fit, folder), folder, None)
            own = np.sort([row["score"] for row in fitted if row["case"] == "own"])[::-1]
            limit = float(own[int(FALSE * len(own))])
            print(f"threshold for {FALSE:.0%} false positives over {len(own)} films of the other half: {limit:.3f}")
        rows = scored(made(films.Material(given.data, True), given.count, folder), folder, model)
    cases = ["swapped", *(f"moved by {shift} s" for shift in SHIFTS)]
    print("films as they are, taken for wrong:", told([float(r["score"] > limit) for r in rows if r["case"] == "own"]))
    for case in cases:
        hits = [float(row["score"] > limit) for row in rows if row["case"] == case]
        right = [row["right"] for row in rows if row["case"] == case and "right" in row]
        line = f"{case:16} AUROC {interval(rows, case, 'score')}  simple {interval(rows, case, 'simple')}"
        if case == "swapped" and model is not None:
            line += f"  embedding {interval(rows, case, 'embedding')}"
        print(line, f" found {told(hits)}", f" shift right {told(right)}" if right else "")
    for kind in films.KINDS:
        own_kind = [row for row in rows if row["kind"] == kind]
        print(f"   {kind:8}", {case: interval(own_kind, case, "score") for case in ("swapped", "moved by 0.5 s")})


if __name__ == "__main__":
    main()
