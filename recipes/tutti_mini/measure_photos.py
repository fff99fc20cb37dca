"""Real photographs: what the table of the model card says first.

python -m recipes.tutti_mini.measure_photos --data DIR [--model FOLDER] [--asked N] [--json FILE]

Validation photographs of the `photos_*` packs, whole and as large as the packs have them. `before` a change and after
it: the same command with another `--model`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageOps

import tutti
from recipes.tutti_mini.packs import open_picture
from recipes.tutti_mini.pairs import article
from recipes.tutti_mini.photos import plain_label
from recipes.tutti_mini.questions import plain
from recipes.tutti_mini.voices import Row
from tutti.training.packs import PackReader

PACKS = ("photos_caltech101", "photos_openimages", "photos_flowers", "photos_mixed")
TEMPLATES = ("a photo of {}", "a picture of {}", "this is {}", "{}")
MERGED = {
    "airplanes": "airplane",
    "motorbike": "motorcycle",
    "motorbikes": "motorcycle",
    "car side": "car",
    "faces": "face",
}
"""Names that several packs share, written differently."""
ACCEPTED = {
    "airplane": ("airliner", "plane", "jet"),
    "motorcycle": ("moped", "motor scooter", "motorbike"),
    "car": ("sports car", "convertible", "station wagon", "minivan", "limousine", "jeep", "cab"),
    "truck": ("pickup truck", "trailer truck", "moving van", "garbage truck", "tow truck", "fire truck", "pickup"),
    "bus": ("minibus", "school bus", "trolleybus"),
    "cell phone": ("cellular telephone", "mobile phone"),
    "watch": ("analog clock", "stopwatch", "digital watch"),
    "doughnut": ("donut",),
    "juice": ("orange juice",),
    "apple": ("granny smith",),
}
"""Name → other names that are right for it in a free answer."""
MARGINS_OF = "photos_caltech101"
LEAST = 10
"""Training pictures that a name must have to be among those that are told apart."""


@dataclass(frozen=True, eq=False)
class Photos:
    """Validation photographs, and the names of all packs."""

    rows: list[tuple[str, Row]]
    pictures: list[NDArray[np.uint8]]
    names: list[str]
    captioned: list[tuple[Row, NDArray[np.uint8]]]
    """Those with captions by people, none of which were trained on."""
    said: list[str]
    """What is said of the training photographs of the packs, once each."""


def name_of(row: Row) -> str:
    """A row's name, one for all packs."""
    return MERGED.get(plain_label(row), plain_label(row))


def load(data: Path) -> Photos:
    """Read the packs."""
    return list_photos(data, opened=True)


def list_photos(data: Path, opened: bool = False) -> Photos:
    """The same; without the pictures unless they are to be opened."""
    rows, pictures, captioned = [], [], []
    said: dict[str, None] = {}
    trained: Counter[str] = Counter()
    for pack in PACKS:
        reader = PackReader(data / pack)
        known = [row for row in reader.rows if row["split"] == "train" and row.get("made")]
        trained.update(map(name_of, known))
        said |= dict.fromkeys(str(text) for row in known for text in row["text"])
        for row in reader.rows:
            if row["split"] == "train" and row.get("made"):
                continue
            picture = np.asarray(open_picture(reader, row)) if opened else np.zeros((1, 1, 3), np.uint8)
            if row.get("made"):
                rows.append((pack, row))
                pictures.append(picture)
            else:
                captioned.append((row, picture))
    names = sorted(name for name, count in trained.items() if count >= LEAST)
    kept = [index for index, (_, row) in enumerate(rows) if name_of(row) in names]
    return Photos([rows[index] for index in kept], [pictures[index] for index in kept], names, captioned, list(said))


def points_of(model: tutti.Model, names: Sequence[str]) -> NDArray[np.float32]:
    """Names as the mean over prompt templates."""
    said = [model.embed([template.format(article(name)) for name in names]) for template in TEMPLATES]
    points = np.mean(said, axis=0)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def see(model: tutti.Model, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Embed pictures, some at a time."""
    parts = [
        model.embed([tutti.Image(one) for one in pictures[start : start + 32]]) for start in range(0, len(pictures), 32)
    ]
    return np.concatenate(parts)


def classify(model: tutti.Model, photos: Photos) -> dict[str, float]:
    """By text prompts among all names: micro, macro and per pack; top 1 and top 5."""
    points = see(model, photos.pictures)
    order = np.argsort(-(points @ points_of(model, photos.names).T), axis=1)[:, :5]
    wanted = [photos.names.index(name_of(row)) for _, row in photos.rows]
    right = np.array([[index == one for index in row] for row, one in zip(order, wanted, strict=True)])
    hits = {"top 1": right[:, 0], "top 5": right.any(1)}
    out: dict[str, float] = {"names": len(photos.names), "photographs": len(photos.rows)}
    for top, hit in hits.items():
        out[f"micro {top}"] = float(hit.mean())
        classes = [hit[[one == index for one in wanted]].mean() for index in sorted(set(wanted))]
        out[f"macro {top}"] = float(np.mean(classes))
        for pack in PACKS:
            out[f"{pack} {top}"] = float(hit[[name == pack for name, _ in photos.rows]].mean())
    return out


def captions(model: tutti.Model, photos: Photos) -> dict[str, float]:
    """People's captions to pictures and back, R@1, mean over the captions that each has."""
    points = see(model, [picture for _, picture in photos.captioned])
    found = []
    for number in range(5):
        texts = [row["text"][number % len(row["text"])] for row, _ in photos.captioned]
        scores = points @ model.embed(texts).T
        own = np.arange(len(texts))
        found.append(((scores.argmax(0) == own).mean(), (scores.argmax(1) == own).mean()))
    there, back = np.mean(found, axis=0)
    return {"of": len(photos.captioned), "caption to picture R@1": float(there), "picture to caption R@1": float(back)}


def chosen(photos: Photos, count: int, pack: str = "") -> list[int]:
    """So many photographs by the hash of their files' names, so that nobody chose them."""
    digests = {
        index: hashlib.sha256(row["file"].encode()).hexdigest()
        for index, (name, row) in enumerate(photos.rows)
        if not pack or name == pack
    }
    return sorted(digests, key=lambda index: digests[index])[:count]


def asked(model: tutti.Model, photos: Photos, count: int) -> dict[str, Any]:
    """What it is, asked freely, and whether something is there, half of which is to be answered no."""
    rng = np.random.default_rng(3)
    right, truths, said = [], [], []
    answers = []
    some = chosen(photos, count)
    for number, index in enumerate(some):
        row, medium = photos.rows[index][1], tutti.Image(photos.pictures[index])
        name = name_of(row)
        answer = model.ask("What is this?", medium, max_tokens=24).text
        right.append(is_right(answer, row))
        answers.append({"file": row["file"], "label": name, "said": answer})
        other = set(row.get("objects", ())) | {name}
        wrong = [one for one in photos.names if one not in other and one not in name and name not in one]
        wanted = number % 2 == 0
        thing = name if wanted else wrong[int(rng.integers(len(wrong)))]
        reply = model.ask(f"Is there {article(thing)} in the picture?", medium, max_tokens=8).text.strip(" .").lower()
        truths.append((reply == "yes") == wanted and reply in ("yes", "no"))
        said.append(reply)
    return {
        "asked": count,
        "what is this, right": float(np.mean(right)),
        **{
            f"what is this, by the nearest caption of the training photographs{which}": float(
                np.mean([is_right(text, photos.rows[index][1]) for text, index in zip(texts, some, strict=True)])
            )
            for which, texts in nearest_captions(model, photos, some).items()
        },
        "is there a, right": float(np.mean(truths)),
        "yes-ratio": said.count("yes") / len(said),
        "answers": answers,
    }


def nearest_captions(model: tutti.Model, photos: Photos, some: Sequence[int]) -> dict[str, list[str]]:
    """What is said of a training photograph and lies nearest to each picture: the answer that a decoder has to beat.

    Of all captions, where one that lists several things has as many chances to be right, and of those that name one.
    """
    texts = np.concatenate([model.embed(photos.said[start : start + 256]) for start in range(0, len(photos.said), 256)])
    scores = see(model, [photos.pictures[index] for index in some]) @ texts.T
    longest_first = sorted((re.escape(plain(name)) for name in photos.names), key=len, reverse=True)
    names = re.compile(rf"\b(?:{'|'.join(longest_first)})(?:e?s)?\b")
    one = [number for number, text in enumerate(photos.said) if len(names.findall(plain(text))) == 1]
    return {
        "": [photos.said[number] for number in scores.argmax(1)],
        " that name one thing": [photos.said[one[number]] for number in scores[:, one].argmax(1)],
    }


def on_ground(picture: pillow.Image, side: int) -> pillow.Image:
    """A picture whose longest side has so many pixels, in the middle of a grey one of 426 x 240."""
    ground = pillow.new("RGB", (426, 240), (200, 200, 200))
    small = ImageOps.contain(picture, (side, side))
    ground.paste(small, ((ground.width - small.width) // 2, (ground.height - small.height) // 2))
    return ground


def margins(model: tutti.Model, photos: Photos, count: int) -> dict[str, float]:
    """The same question of photographs of single things: as they are, cut to 16:9, and on a grey ground of 16:9."""
    right: dict[str, list[bool]] = {}
    for index in chosen(photos, count, MARGINS_OF):
        row, whole = photos.rows[index][1], pillow.fromarray(photos.pictures[index])
        for what, picture in (
            ("as they are", whole),
            ("cut to 16:9", ImageOps.fit(whole, (426, 240))),
            ("on a ground of 16:9, as high as it", on_ground(whole, 240)),
            ("on a ground of 16:9, half as high", on_ground(whole, 120)),
        ):
            answer = model.ask("What is this?", tutti.Image(np.asarray(picture)), max_tokens=24).text
            right.setdefault(f"single things {what}", []).append(is_right(answer, row))
    return {what: float(np.mean(each)) for what, each in right.items()}


def is_right(answer: str, row: Row) -> bool:
    """Whether a free answer names the thing, or one of its accepted names; "something like" it is not enough."""
    said = f" {plain(answer)} "
    names = [plain_label(row), name_of(row), *ACCEPTED.get(name_of(row), ())]
    if "something like" in said:
        return False
    return any(re.search(rf" {re.escape(plain(name))}(s|es)? ", said) for name in names)


def measure(model: tutti.Model, data: Path, count: int) -> dict[str, dict[str, Any]]:
    """All figures on photographs; so many are asked about."""
    photos = load(data)
    return {
        "photographs by text prompts": classify(model, photos),
        "people's captions": captions(model, photos),
        "photographs asked about": asked(model, photos, count),
        "photographs with margins": margins(model, photos, count // 2),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--model", default=None, help="tutti-mini, or a folder")
    parser.add_argument("--asked", type=int, default=200, help="photographs that are asked about")
    parser.add_argument("--json", type=Path, help="also write the figures, and the answers, to this file")
    arguments = parser.parse_args()
    figures = measure(tutti.load(arguments.model), arguments.data, arguments.asked)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(
        json.dumps(
            {key: {k: v for k, v in value.items() if k != "answers"} for key, value in figures.items()}, indent=1
        )
    )


if __name__ == "__main__":
    main()
