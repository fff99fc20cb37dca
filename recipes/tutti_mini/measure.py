"""The table of the model card, on data that was not trained on.

python -m recipes.tutti_mini.measure --data DIR --cache DIR [--model FOLDER] [--scenes N] [--asked N] [--json FILE]
python -m recipes.tutti_mini.measure --data DIR --cache DIR --phrasings train [--quantize int4]  (scene questions only)
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tutti
from recipes.tutti_mini import measure_photos
from recipes.tutti_mini import scenes as seen
from recipes.tutti_mini.clips import make_clip_scene, make_pair_scene
from recipes.tutti_mini.objects import SIGHT_OF_SOUND, emoji_names
from recipes.tutti_mini.packs import (
    HELD_OUT_STYLE,
    HOLD_OUT,
    Sounds,
    load_sounds,
    open_picture,
)
from recipes.tutti_mini.pairs import article
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.questions import ask, score
from recipes.tutti_mini.sound_scenes import make_sound_scene
from recipes.tutti_mini.voices import RATE_HZ, Row
from tutti.training.packs import PackReader

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Held:
    """Pictures that are held out."""

    rows: list[Row]
    pixels: list[NDArray[np.uint8]]
    """(H, W, 3), or (H, W, 4) where the pictures have alpha."""


def _on_white(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.shape[-1] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.asarray(picture[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


class Bench:
    """A model and the held-out parts of the packs."""

    def __init__(self, model: tutti.Model, data: Path, cache: Path) -> None:
        self.model, self.data, self.cache = model, data, cache

    def pictures(self, name: str) -> Held:
        """What is held out of a pack of pictures, as large as the pack has them."""
        pack = PackReader(self.data / name)
        rows = [row for row in pack.rows if HOLD_OUT[name](row)]
        return Held(rows, [np.asarray(open_picture(pack, row)) for row in rows])

    def sounds(self, name: str) -> Sounds:
        """What is held out of a pack of recordings."""
        return load_sounds(self.data, self.cache, name).part(held_out=True)

    def see(self, pictures: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Embed pictures, some at a time; alpha is laid on white."""
        shown = [tutti.Image(_on_white(picture)) for picture in pictures]
        return np.concatenate([self.model.embed(shown[start : start + 64]) for start in range(0, len(shown), 64)])

    def hear(self, waves: Sequence[NDArray[np.float32]]) -> Vectors:
        """Embed recordings."""
        return self.model.embed([tutti.Audio(wave, sample_rate_hz=RATE_HZ) for wave in waves])

    def read(self, names: Sequence[str], templates: Sequence[str]) -> Vectors:
        """Embed names as the mean over prompt templates, which steadies zero-shot classes (CLIP, section 3.1.4)."""
        said = [[template.format(name) for name in names] for template in templates]
        points = np.mean([self.model.embed(texts) for texts in said], axis=0)
        return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))

    def accuracy(
        self, points: Vectors, labels: Sequence[str], templates: Sequence[str], say: Callable[[str], str] = str
    ) -> float:
        """Share of the items whose own label's prompt is the nearest."""
        names = sorted(set(labels))
        nearest = (points @ self.read([say(name) for name in names], templates).T).argmax(1)
        return float(np.mean([names[index] == label for index, label in zip(nearest, labels, strict=True)]))


PHOTO_TEMPLATES = ("a photo of {}", "a picture of {}", "this is {}", "{}")
SOUND_TEMPLATES = ("the sound of {}", "a recording of {}", "you can hear {}", "{}")
WORD_TEMPLATES = ("the word {}", "someone says {}", "{}")


def classes(bench: Bench) -> dict[str, float]:
    """Zero-shot classification by text prompts."""
    out = {}
    test = bench.pictures("cifar10_test")
    out["cifar10 test, by text prompts"] = bench.accuracy(
        bench.see(test.pixels), [row["label"] for row in test.rows], PHOTO_TEMPLATES, article
    )
    spoken = {
        "clothing": lambda row: row["label"],
        "grocery": lambda row: row["coarse"].lower().replace("-", " "),
        "hand_digits": lambda row: row["text"][0],
        "cxr": lambda row: "chest x-ray showing pneumonia" if row["label"] == "pneumonia" else "normal chest x-ray",
    }
    for name, label in spoken.items():
        part = bench.pictures(name)
        plain = name in ("hand_digits", "cxr")
        templates = ("{}",) if plain else PHOTO_TEMPLATES
        say = str if plain or name == "grocery" else article
        labels = [label(row) for row in part.rows]
        out[f"{name} held out"] = bench.accuracy(bench.see(part.pixels), labels, templates, say)
    for name in ("sound_esc10", "sound_instruments", "speech_digits", "speech_keywords"):
        sounds = bench.sounds(name)
        templates = WORD_TEMPLATES if name.startswith("speech") else SOUND_TEMPLATES
        labels = [row["label"] for row in sounds.rows]
        out[f"{name} held out"] = bench.accuracy(bench.hear(sounds.waves), labels, templates)
    return out


def retrieval(bench: Bench) -> dict[str, float]:
    """Names of a style of emoji that was never seen, and pictures found by sounds that were never paired with any."""
    style = bench.pictures(HELD_OUT_STYLE)
    names = [row["text"][0] for row in style.rows]
    points = bench.see(style.pixels)
    order = np.argsort(-(points @ bench.read(names, ("{}", "an emoji of {}")).T), axis=1)[:, :5]
    right = np.array([[names[index] == name for index in row] for row, name in zip(order, names, strict=True)])
    out = {
        f"emoji of the held-out style, R@1 over {len(names)} names": float(right[:, 0].mean()),
        "the same, R@5": float(right.any(1).mean()),
    }
    return {**out, **_emergent(bench, style, points)}


def _emergent(bench: Bench, style: Held, points: Vectors) -> dict[str, float]:
    plain = emoji_names()
    gallery = {plain[row["label"]]: index for index, row in enumerate(style.rows) if row["label"] in plain}
    sounds = [bench.sounds(name) for name in ("sound_esc10", "sound_ambient", "sound_instruments")]
    heard = [(row["label"], wave) for pack in sounds for row, wave in zip(pack.rows, pack.waves, strict=True)]
    known = [(label, wave) for label, wave in heard if SIGHT_OF_SOUND.get(label) in gallery]
    things = sorted({SIGHT_OF_SOUND[label] for label, _ in known})
    waves = bench.hear([wave for _, wave in known])
    pictures = points[[gallery[thing] for thing in things]]
    wanted = np.array([things.index(SIGHT_OF_SOUND[label]) for label, _ in known])
    labels = sorted({label for label, _ in known})
    named = (waves @ bench.read(labels, SOUND_TEMPLATES).T).argmax(1)
    found = float(((waves @ pictures.T).argmax(1) == wanted).mean())
    trained = float(np.mean([labels[index] == label for index, (label, _) in zip(named, known, strict=True)]))
    return {
        f"sound to picture (never paired), R@1 over {len(things)} pictures": found,
        f"sound to words (trained pair), R@1 over {len(labels)} names": trained,
        "emergent share of the trained pair": found / trained if trained else 0.0,
        "chance": 1 / len(things),
    }


MAKERS = {
    "picture": seen.make_picture_scene,
    "recording": make_sound_scene,
    "clip": make_clip_scene,
    "pair": make_pair_scene,
}


def questions(bench: Bench, pools: Pools, scenes: int, seed: int = 7, phrasings: str = "val") -> dict[str, Any]:
    """Scene questions by type, in phrasings that were not trained on ("val") or that were ("train")."""
    right: dict[str, list[bool]] = defaultdict(list)
    said: Counter[str] = Counter()
    wrong: list[dict[str, str]] = []
    parts: dict[str, list[bool]] = defaultdict(list)
    for index in range(scenes):
        kind = tuple(MAKERS)[index % len(MAKERS)]
        rng = np.random.default_rng((seed, index))
        scene = MAKERS[kind](rng, pools)
        media = media_of(scene)
        for qa in ask(scene, rng, phrasings, 4):
            answer = bench.model.ask(qa.question, *media.values(), max_tokens=32).text
            good = score(answer, qa)
            right[qa.type].append(good)
            if qa.type == "yesno":
                said[answer.strip(" .").lower()] += 1
            if qa.type in ("both", "fit") and kind == "pair":
                parts["both"].append(good)
                for name, medium in media.items():
                    parts[f"{name} only"].append(score(bench.model.ask(qa.question, medium, max_tokens=32).text, qa))
            if not good and len(wrong) < 60:
                asked = {"kind": kind, "type": qa.type, "question": qa.question}
                wrong.append({**asked, "expected": qa.answer, "said": answer})
    share = {name: float(np.mean(values)) for name, values in sorted(right.items())}
    return {
        "mean over types": float(np.mean(list(share.values()))),
        "over all questions": float(np.mean([good for values in right.values() for good in values])),
        "by type": share,
        "questions": {name: len(values) for name, values in sorted(right.items())},
        "yes-ratio": said["yes"] / max(1, said["yes"] + said["no"]),
        "questions that need picture and sound": {name: float(np.mean(values)) for name, values in parts.items()},
        "wrong": wrong,
    }


def media_of(scene: seen.Scene) -> dict[str, tutti.Image | tutti.Audio | tutti.Video]:
    """A scene as a user would give it. A clip with sound goes in as encoded video."""
    sound = tutti.Audio(scene.sound, sample_rate_hz=RATE_HZ) if scene.sound is not None else None
    if scene.frames is not None and scene.times_s is not None:
        from recipes.tutti_mini.film import encode

        return {"clip": tutti.Video(encode(scene.frames, scene.times_s, scene.sound))}
    picture = {"picture": tutti.Image(scene.picture)} if scene.picture is not None else {}
    return {**picture, **({"sound": sound} if sound else {})}


def mixed_pools(data: Path, cache: Path) -> Pools:
    """Emoji of the styles that were trained on, in new scenes; photos, sounds and voices that were held out."""
    known = Pools.load(data, cache, held_out=False)
    new = Pools.load(data, cache, held_out=True)
    return replace(new, emoji=known.emoji, names=known.names, group_of=known.group_of)


PARTS = ("photographs", "classes", "scenes")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--cache", type=Path, required=True, help="folder for decoded packs")
    parser.add_argument("--model", default=None, help="tutti-mini, or a folder")
    parser.add_argument("--quantize", help="int8 or int4, to see what that costs")
    parser.add_argument("--scenes", type=int, default=400, help="scenes to ask about")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part (all); may be given again")
    parser.add_argument("--asked", type=int, default=200, help="photographs to ask about")
    parser.add_argument("--phrasings", choices=("val", "train"), default="val", help="of the questions (val)")
    parser.add_argument("--json", type=Path, help="also write the figures, and wrong answers, to this file")
    arguments = parser.parse_args()
    bench = Bench(tutti.load(arguments.model, quantize=arguments.quantize), arguments.data, arguments.cache)
    if arguments.phrasings == "train":
        known = questions(bench, mixed_pools(arguments.data, arguments.cache), arguments.scenes, phrasings="train")
        known.pop("wrong")
        print(json.dumps(known, indent=1))
        return
    parts = arguments.part or PARTS
    figures: dict[str, Any] = {}
    if "photographs" in parts:
        figures |= measure_photos.measure(bench.model, arguments.data, arguments.asked)
    if "classes" in parts:
        figures |= {"classification": classes(bench), "retrieval": retrieval(bench)}
    if "scenes" in parts:
        figures["scene questions"] = questions(bench, mixed_pools(arguments.data, arguments.cache), arguments.scenes)
        held_out = Pools.load(arguments.data, arguments.cache, held_out=True)
        figures["scene questions, held-out style of emoji"] = questions(bench, held_out, arguments.scenes // 4)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    for part in figures.values():
        part.pop("wrong", None)
        part.pop("answers", None)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
