"""Moderation measured: disguised terms, and memes in which only picture and words together break a rule.

    python benchmarks/moderation.py --data DIR [--only evasion,memes,read] [--pictures 40] [--pairs 900]

Memes are generated, and stand for nothing that people made: pictures of the packs (those held out are of their
validation splits) with phrases of `moderation_phrases.py` (those held out are written otherwise). A third of those that
break a rule do so by their words alone, a third by the picture alone, a third only by both; each of the last has benign
confounders: the same picture with other words, the same words with another picture. Words are given as a caption, but
in `read`, where they are drawn into the picture and read again.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, processor, versions
from moderation_phrases import ALONE, BENIGN_TEXTS, DISGUISES, HAND_MADE, NEUTRAL, TERMS, TOGETHER
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

import tutti
from tutti.content import Image, Text
from tutti.evaluate.statistics import mean_interval, share_interval
from tutti.training.packs import PackReader
from tutti.trust.forensics.evasion import TermFinder
from tutti.trust.forensics.joint_head import fit_head

KINDS = {
    "animal": ("photos_mixed", ("dog", "cat")),
    "vehicle": ("photos_openimages", ("vehicle",)),
    "food": ("photos_openimages", ("sweet food", "fruit")),
    "flower": ("photos_flowers", ("flower",)),
}
RATE = 0.01
STRATA = ("words", "picture", "together")


def told(name: str, scores: list[float], clusters: list[str] | None = None) -> str:
    found = share_interval(scores, clusters or [str(at) for at in range(len(scores))])
    return f"{name:28} {found.mean:6.1%} [{found.low:.1%}, {found.high:.1%}] of {found.cases}"


def evasion() -> None:
    finder = TermFinder(TERMS)
    everything = []
    for name, disguise in DISGUISES.items():
        found = [
            float(any(match.term == term for match in finder.find(f"please {disguise(term)} now"))) for term in TERMS
        ]
        everything += found
        print("  ", told(name, found))
    print(told("made by rule", everything))
    missed = [(text, term) for text, term in HAND_MADE if not any(match.term == term for match in finder.find(text))]
    print(told("written by hand", [float((text, term) not in missed) for text, term in HAND_MADE]), " missed:", missed)
    plain = [float(term in text.lower()) for text, term in HAND_MADE]
    print(told("  the same by looking for the word", plain))
    wrong = [(text, finder.find(text)[0].reason) for text in BENIGN_TEXTS if finder.find(text)]
    print(told("innocent sentences taken for one", [float(bool(finder.find(text))) for text in BENIGN_TEXTS]), wrong)


def innocent_captions(data: Path) -> None:
    finder = TermFinder(TERMS)
    texts = {
        text
        for pack in ("photos_mixed", "photos_openimages", "photos_caltech101", "grocery", "clothing", "emoji_noto")
        for row in PackReader(data / pack).rows
        for text in row["text"]
    }
    wrong = [(text, finder.find(text)[0].reason) for text in texts if finder.find(text)]
    print(f"captions of the packs taken for one: {len(wrong)} of {len(texts)}", wrong[:5])


def pictures(data: Path, kind: str, split: str, count: int) -> list[NDArray[np.uint8]]:
    pack, kinds = KINDS[kind]
    reader = PackReader(data / pack)
    names = [row["file"] for row in reader.rows if row["split"] == split and row.get("kind") in kinds]
    chosen = np.random.default_rng(5).permutation(len(names))[:count]
    return [np.asarray(pillow.open(io.BytesIO(reader.content(names[at]))).convert("RGB")) for at in chosen]


def embedded(model: Any, parts: list[Any]) -> NDArray[np.float32]:
    return np.concatenate([model.embed(parts[at : at + 16]).vectors for at in range(0, len(parts), 16)])


def drawn(seen: dict[str, Any], read: dict[str, Any], count: int, seed: int) -> dict[str, Any]:
    """Pairs: vectors of pictures and words, the stratum or "", and which picture."""
    rng = np.random.default_rng(seed)
    made: dict[str, list[Any]] = {"pictures": [], "words": [], "stratum": [], "cluster": []}

    def add(stratum: str, kind: str, words: str) -> None:
        picture, phrase = rng.integers(len(seen[kind])), rng.integers(len(read[words]))
        made["pictures"].append(seen[kind][picture])
        made["words"].append(read[words][phrase])
        made["stratum"].append(stratum)
        made["cluster"].append(f"{kind} {picture}")

    harmless = ("animal", "vehicle", "food")
    for _ in range(count // 6):
        add("words", str(rng.choice(harmless)), "alone")
        add("picture", "flower", "neutral")
        add("together", "animal", "together")
    for at in range(count - 3 * (count // 6)):
        if at % 3 == 0:
            add("", "animal", "neutral")
        elif at % 3 == 1:
            add("", str(rng.choice(("vehicle", "food"))), "together")
        else:
            add("", str(rng.choice(harmless)), "neutral")
    return {
        "pictures": np.stack(made["pictures"]),
        "words": np.stack(made["words"]),
        "stratum": np.array(made["stratum"]),
        "cluster": np.array(made["cluster"]),
    }


def memes(data: Path, count: int, pairs: int) -> None:
    model = tutti.open_provider("tutti-mini")
    halves = []
    for half, split in enumerate(("train", "val")):
        seen = {kind: embedded(model, [Image(each) for each in pictures(data, kind, split, count)]) for kind in KINDS}
        phrases = {"alone": ALONE, "neutral": NEUTRAL, "together": TOGETHER}
        read = {name: embedded(model, [Text(text) for text in texts[half]]) for name, texts in phrases.items()}
        halves.append(drawn(seen, read, pairs, half))
    train, test = halves
    truth = (train["stratum"] != "").tolist()
    scores = {}
    for sight in ("words", "picture", "joint"):
        head = fit_head(train["pictures"], train["words"], truth, model="tutti-mini", sight=sight)  # type: ignore[arg-type]
        scores[sight] = head.score(test["pictures"], test["words"])
    scores["late fusion"] = 1 - (1 - scores["words"]) * (1 - scores["picture"])
    both = [_one(each["pictures"], each["words"]) for each in (train, test)]
    scores["one embedding"] = fit_head(both[0], both[0], truth, model="tutti-mini", sight="picture").score(
        both[1], both[1]
    )
    report(scores, test)


def _one(pictures: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of picture and words, as one vector of length one."""
    made = pictures + words
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def report(scores: dict[str, Any], test: dict[str, Any]) -> None:
    benign = test["stratum"] == ""
    print(
        f"memes: {int((~benign).sum())} break a rule, {int(benign.sum())} do not; recall at {RATE:.0%} false positives"
    )
    recalls = {}
    for name, values in scores.items():
        limit = np.sort(values[benign])[::-1][int(RATE * benign.sum())]
        hits = (values > limit).astype(float)
        recalls[name] = hits[~benign]
        print(" ", told(f"{name}, all", hits[~benign].tolist(), test["cluster"][~benign].tolist()))
        for stratum in STRATA:
            own = test["stratum"] == stratum
            print("   ", told(stratum, hits[own].tolist(), test["cluster"][own].tolist()))
    best = max(("words", "picture"), key=lambda name: recalls[name].mean())
    clusters = test["cluster"][~benign].tolist()
    for other in (best, "late fusion"):
        gain = mean_interval((recalls["joint"] - recalls[other]).tolist(), clusters)
        ratio = recalls["joint"].mean() / max(recalls[other].mean(), 1e-9)
        print(f"  joint less {other}: {gain.mean:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]; {ratio:.2f} times")


def lettered(pixels: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    """A picture, 480 wide, under a white band with words, as memes have it."""
    picture = pillow.fromarray(pixels).resize((480, 480 * pixels.shape[0] // pixels.shape[1]))
    made = pillow.new("RGB", (480, picture.height + 60), "white")
    made.paste(picture, (0, 60))
    ImageDraw.Draw(made).text((12, 14), text, fill="black", font=ImageFont.load_default(26))
    return np.asarray(made)


def reading(data: Path, count: int) -> None:
    """Terms in words that are drawn into pictures: upright, mirrored, on their side."""
    from tutti.trust.forensics.turned_text import turned_texts
    from tutti.trust.reading import RapidReader

    reader = RapidReader()
    made = [
        lettered(each, f"you want {TERMS[at % len(TERMS)]} now")
        for at, each in enumerate(pictures(data, "food", "val", count))
    ]
    ways = {"upright": lambda p: p, "mirrored": lambda p: p[:, ::-1], "on its side": np.rot90}
    for name, way in ways.items():
        found = []
        for at, pixels in enumerate(made):
            finder = TermFinder([TERMS[at % len(TERMS)]])
            given = np.ascontiguousarray(way(pixels))
            straight = " ".join(line.text for line in reader.read(Image(given)))
            hit = bool(finder.find(straight)) or any(finder.find(text) for _, text in turned_texts(given, reader))
            found.append(float(hit))
        print(told(f"words in pictures, {name}", found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="evasion,memes,read")
    parser.add_argument("--pictures", type=int, default=40, help="of each kind and half")
    parser.add_argument("--pairs", type=int, default=900, help="of each half")
    parser.add_argument("--read", type=int, default=12, help="pictures with words drawn in")
    given = parser.parse_args()
    print(processor(), commit(), versions(), flush=True)
    if "evasion" in given.only:
        evasion()
        innocent_captions(given.data)
    if "memes" in given.only:
        memes(given.data, given.pictures, given.pairs)
    if "read" in given.only:
        reading(given.data, given.read)


if __name__ == "__main__":
    main()
