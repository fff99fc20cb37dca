"""Retrieval across modalities on public packs beside chance, and products by class, colour and composed queries.

    python benchmarks/retrieval.py --data DIR [--model CHECKPOINT] [--most 1000] [--only-products]
    python benchmarks/retrieval.py --data DIR --model openai/clip-vit-base-patch32    # or its folder: no network then

Media are held out of the training of tutti-mini where the packs say so (`split`). All goes through `tutti.Index`. CLIP
does not hear: its tables of sound hold the sentence that says so.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, processor, versions

import tutti
from tutti.errors import InputError, UnsupportedTask
from tutti.search.query.colours import difference, unpacked, wishes
from tutti.training.packs import PackReader

PACKS = {"cifar10_test": None, "clothing": "val", "grocery": "val", "sound_esc10": "val", "sound_instruments": "val"}
SOUNDING = {"dog": "dog", "chainsaw": None, "rooster": "bird", "helicopter": "airplane"}
"""ESC-10 class → the CIFAR-10 class that makes such a sound, or nearly; never paired in training."""
KS = (1, 5, 10)
WHERE = "price < 80 and stock > 0"


def unpacked_rows(data: Path, name: str, split: str | None, most: int, folder: Path) -> list[dict[str, Any]]:
    """The rows of a pack, with their media as files."""
    pack = PackReader(data / name)
    rows = [row for row in pack.rows if split is None or row["split"] == split]
    rows = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))[:most]]
    for number, row in enumerate(rows):
        file = folder / f"{name}_{number}{Path(row['file']).suffix}"
        file.write_bytes(pack.content(row["file"]))
        row["path"] = str(file)
        row["class"] = row.get("coarse", row["label"]).lower().replace("-", " ").replace("_", " ")
    return rows


def recall(ranked: list[list[bool]], share: float) -> dict[str, str]:
    """Share of queries with a right result among the first k, beside that of a random order."""
    return {f"@{k}": f"{np.mean([any(row[:k]) for row in ranked]):.1%} (chance {1 - (1 - share) ** k:.1%})" for k in KS}


def pack_table(index: tutti.Index, rows: list[dict[str, Any]]) -> dict[str, Any]:
    classes = Counter(row["class"] for row in rows)
    of = {row["path"]: row["class"] for row in rows}
    share = float(np.mean([count / len(rows) for count in classes.values()]))
    by_words, by_like = [], []
    for name in classes:
        hits = index.search(f"a {name}", top=10, hybrid=False)
        by_words.append([of[hit.path] == name for hit in hits])
    for row in rows[:100]:
        hits = [hit for hit in index.search(like=row["path"], top=11) if hit.path != row["path"]]
        by_like.append([of[hit.path] == row["class"] for hit in hits[:10]])
    vectors = tutti_vectors(index)
    names = list(classes)
    points = index.embedder.embed([tutti.Text(f"a {name}") for name in names]).vectors
    to_words = [[names[place] == of[path] for place in np.argsort(-(points @ vectors[path]))[:10]] for path in vectors]
    return {
        "items": len(rows),
        "classes": len(classes),
        "words to media": recall(by_words, share),
        "media to words": recall(to_words, 1 / len(names)),
        "media to media": recall(by_like, share),
    }


def tutti_vectors(index: tutti.Index) -> dict[str, np.ndarray]:
    """One vector an item: its first facet's."""
    rows = index.store.table.search().select(["path", "start_s", "vector"]).limit(1_000_000).to_list()
    rows.sort(key=lambda row: -(row["start_s"] or 0))
    return {row["path"]: np.array(row["vector"], np.float32) for row in rows}


def emergent(pictures: tutti.Index, heard: list[dict[str, Any]], seen: list[dict[str, Any]]) -> Any:
    """Pictures found by sounds."""
    of = {row["path"]: row["class"] for row in seen}
    ranked, shares = [], []
    for row in heard:
        if wanted := SOUNDING.get(row["class"]):
            hits = pictures.search(like=row["path"], top=10)
            ranked.append([of[hit.path] == wanted for hit in hits])
            shares.append(np.mean([name == wanted for name in of.values()]))
    return recall(ranked, float(np.mean(shares))) if ranked else None


def feed_of(rows: list[dict[str, Any]], file: Path, *, words: bool) -> Path:
    """A feed with prices and stock; with words, each row has its category and a title, else only its picture."""
    rng = np.random.default_rng(0)
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["id", "image", "price", "stock", *(["category", "title"] if words else [])])
        for number, row in enumerate(rows):
            price, stock = round(float(rng.uniform(1, 100)), 2), int(rng.integers(0, 5))
            said = [row["class"], row["label"].replace("-", " ").replace("_", " ")] if words else []
            table.writerow([number, Path(row["path"]).name, price, stock, *said])
    return file


def reached(index: tutti.Index, of: dict[str, str]) -> list[str]:
    """The classes of which zero-shot classification among all of them gets at least half: what the model knows."""
    names = sorted(set(of.values()))
    points = index.embedder.embed([tutti.Text(f"a {name}") for name in names]).vectors
    vectors = tutti_vectors(index)
    right: dict[str, list[bool]] = {name: [] for name in names}
    for path, vector in vectors.items():
        right[of[path]].append(names[int(np.argmax(points @ vector))] == of[path])
    return [name for name in names if np.mean(right[name]) >= 0.5]


def by_words(model: tutti.Model, rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """The same products with a category and a title: hybrid search beside the shared space alone."""
    index = tutti.Index(folder / "words.db", model)
    index.add(feed_of(rows, folder / "words.csv", words=True))
    of = {row["path"]: row for row in rows}
    titles = {row["label"]: row["label"].replace("-", " ").replace("_", " ") for row in rows}

    def found(field: str, queries: dict[str, str], hybrid: bool) -> float:
        """Share of right ones among the first 5."""
        right = []
        for wanted, query in queries.items():
            hits = index.search(query, top=5, where=WHERE, hybrid=hybrid)
            right += [of[hit.path][field] == wanted for hit in hits]
        return float(np.mean(right))

    classes = {name: f"a {name}" for name in sorted({row["class"] for row in rows})}
    return {
        "category, share of the first 5, hybrid": found("class", classes, True),
        "category, share of the first 5, space alone": found("class", classes, False),
        "title, share of the first 5, hybrid": found("label", titles, True),
        "title, share of the first 5, space alone": found("label", titles, False),
    }


def products(model: tutti.Model, rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """A feed of clothes and groceries: by class, by colour, and "this, but blue", with a filter on every query."""
    index = tutti.Index(folder / "shop.db", model)
    index.add(feed_of(rows, folder / "feed.csv", words=False))  # what is found, is found in the picture
    of = {row["path"]: row["class"] for row in rows}
    by_class = {
        name: any(of[h.path] == name for h in index.search(f"a {name}", top=5, where=WHERE))
        for name in set(of.values())
    }
    known = reached(index, of)
    measured = index.store.table.search().select(["path", "palette"]).limit(100_000).to_list()
    palettes = {row["path"]: unpacked(row["palette"]) for row in measured}

    def has(path: str, colour: str) -> bool:
        """Whether a fifth of it is within 20 of the colour by CIEDE2000."""
        palette, lab = palettes[path], wishes(colour)[0].lab
        return bool(palette.shares[difference(palette.lab[:, None], lab).min(axis=1) < 20].sum() >= 0.2)

    colours = ("red", "blue", "green", "black", "white", "pink", "yellow", "brown")
    by_colour = [
        [has(h.path, colour) for h in index.search(f"a {colour} thing", top=5, where=WHERE)] for colour in colours
    ]
    composed, alike = [], []
    for row in rows[:40]:
        for colour in ("blue", "red", "black"):
            if not has(row["path"], colour):
                hits = index.search(f"but in {colour}", like=row["path"], top=5, where=WHERE)
                composed.append([has(hit.path, colour) for hit in hits])
                alike.append([has(hit.path, colour) and of[hit.path] == row["class"] for hit in hits])
    return {
        "items": len(rows),
        "classes": len(by_class),
        "class among the first 5": float(np.mean(list(by_class.values()))),
        "classes that classification reaches": known,
        "class among the first 5, of those": float(np.mean([by_class[name] for name in known])),
        "with words": by_words(model, rows, folder),
        "colour among the first 5": float(np.mean([any(row) for row in by_colour])),
        "colour, share of the first 5": float(np.mean([value for row in by_colour for value in row])),
        "this but in another colour: the colour": float(np.mean([any(row) for row in composed])),
        "this but in another colour: the colour and the class": float(np.mean([any(row) for row in alike])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--most", type=int, default=1000, help="most items of a pack")
    parser.add_argument("--only-products", action="store_true")
    arguments = parser.parse_args()
    model = tutti.load(arguments.model)
    print(json.dumps({"model": model.name, "hardware": processor(), "commit": commit(), "versions": versions("torch")}))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        held: dict[str, tuple[tutti.Index, list[dict[str, Any]]]] = {}
        for pack, split in ({} if arguments.only_products else PACKS).items():
            (folder / pack).mkdir()
            rows = unpacked_rows(arguments.data, pack, split, arguments.most, folder / pack)
            index = tutti.Index(folder / f"{pack}.db", model)
            try:
                report = index.add(folder / pack)
                held[pack] = (index, rows)
                print(
                    json.dumps({pack: pack_table(index, rows), "items/s": round(report.added / report.seconds, 1)}),
                    flush=True,
                )
            except (UnsupportedTask, InputError) as error:
                print(json.dumps({pack: str(error)}), flush=True)
        if {"sound_esc10", "cifar10_test"} <= {*held}:
            (_, heard), (pictures, seen) = held["sound_esc10"], held["cifar10_test"]
            print(json.dumps({"sound to picture, emergent": emergent(pictures, heard, seen)}), flush=True)
        (folder / "shop").mkdir()
        some = [
            row
            for pack in ("clothing", "grocery")
            for row in unpacked_rows(arguments.data, pack, "val", 1000, folder / "shop")
        ]
        print(json.dumps({"products": products(model, some, folder / "shop")}), flush=True)


if __name__ == "__main__":
    main()
