"""The shop measured: shades in photographs, grounds, surfaces, dialogues, turns over 100,000 products, pictures.

    python benchmarks/shopping.py --data DIR [--only shades,grounds,surfaces,dialogues,turns,pictures] [--photos 60]

Shades are those of brands of the makeup pack, photographed by `photographs.py`; dialogues are said by
`shopping_dialogues.py`. The white-sheet detector and the light's constants were set on 80 shades at other seeds.
Beside each figure stands that of a simple way.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, processor, versions
from photographs import SIDE, photograph, rgb_of
from shopping_dialogues import Speaker, Truth, rows

from tutti.apps.shop import Shop
from tutti.content import Embeddings, Part, Usage
from tutti.evaluate.statistics import share_interval
from tutti.processing.words import folded
from tutti.search.catalogue.assortment import Appearance, Assortment, stated_lab
from tutti.search.catalogue.money import Money
from tutti.search.catalogue.products import Product, product_of
from tutti.search.dialogue.keeping import after
from tutti.search.dialogue.reading import TurnReader
from tutti.search.dialogue.sifting import ShopSetting, all_fit, ranked
from tutti.search.dialogue.wishes import SeenPhoto, ShopState, Wish
from tutti.search.looks.ground import ground_of
from tutti.search.looks.planes import gamma, linear
from tutti.search.looks.product_look import look_of_photo, look_of_product
from tutti.search.query.colours import difference, to_lab
from tutti.training.packs import PackReader


def told(name: str, scores: list[float], clusters: list[str] | None = None) -> str:
    """A share with its interval."""
    found = share_interval(scores, clusters or [str(at) for at in range(len(scores))])
    return f"{name} {found.mean:.1%} [{found.low:.1%}, {found.high:.1%}] of {found.cases}"


def shade_catalogue(own: list[dict[str, Any]]) -> Assortment:
    products = [
        Product(
            id=f"{row['brand']} {at}",
            title=row["shade"],
            price=Money(20, "EUR"),
            availability="in stock",
            group=f"{row['brand']} {at}",
            brand=row["brand"],
            hex=row["hex"],
            kind="Foundations",
        )
        for at, row in enumerate(own)
    ]
    looks = [Appearance(stated_lab(one)) for one in products]
    nothing = np.zeros((len(products), 8), np.float32)
    return Assortment(products, looks, nothing, nothing)


def nearest(assortment: Assortment, lab: np.ndarray, remains: float, light: str) -> list[int]:
    """What a shop shows for "Do you have this colour?", beyond its tolerance too."""
    photo = SeenPhoto(lab=tuple(map(float, lab)), remains=remains, light=light)  # type: ignore[arg-type]
    state = ShopState(photo=photo)
    state = after(state, TurnReader(assortment).read("Do you have this colour?", state)).state
    fit = all_fit(state.wishes, assortment)
    places = ranked(state, assortment, fit, ShopSetting())
    return places or ranked(state, assortment, np.ones(len(assortment), bool), ShopSetting())


def shades(data: Path, photos: int) -> None:
    """Photographs of shades of one unseen brand at a time, and of all brands together."""
    pack = PackReader(data / "makeup_shades").rows
    brands: dict[str, list[dict[str, Any]]] = {}
    for row in pack:
        brands.setdefault(row["brand"], []).append(row)
    chosen = [name for name in sorted(brands) if len({row["hex"] for row in brands[name]}) >= 20][:12]
    every = shade_catalogue(pack)
    for name, sheet, on_sheet in [
        ("white sheet", True, None),
        ("white sheet, said so", True, True),
        ("none", False, None),
    ]:
        top: dict[str, list[float]] = {"one": [], "five": [], "box": [], "all": []}
        firsts: list[float] = []
        errors: list[float] = []
        boxes: list[float] = []
        clusters: list[str] = []
        seen: dict[str, int] = {}
        for at in range(photos):
            own = brands[chosen[at % len(chosen)]]
            row = own[int(np.random.default_rng(at).integers(len(own)))]
            shot = photograph(row["hex"], 50_000 + at, sheet=sheet)
            look = look_of_photo(shot.pixels, on_sheet)
            seen[look.light] = seen.get(look.light, 0) + 1
            errors.append(float(difference(look.lab, shot.lab)))
            assortment = shade_catalogue(own)
            places = nearest(assortment, look.lab, look.remains, look.light)[:5]
            top["one"].append(float(own[places[0]]["hex"] == row["hex"]))
            top["five"].append(float(any(own[place]["hex"] == row["hex"] for place in places)))
            firsts.append(float(difference(assortment.lab[places[0]], shot.lab)))
            box = shot.pixels[SIDE * 2 // 5 : SIDE * 3 // 5, SIDE * 2 // 5 : SIDE * 3 // 5].reshape(-1, 3).mean(0)
            apart = np.linalg.norm(np.array([rgb_of(one["hex"]) for one in own], float) - box, axis=1)
            order = np.argsort(apart, kind="stable")[:5]
            top["box"].append(float(any(own[place]["hex"] == row["hex"] for place in order)))
            boxes.append(float(difference(assortment.lab[order[0]], shot.lab)))
            alike = nearest(every, look.lab, look.remains, look.light)[:5]
            top["all"].append(float(any(pack[place]["hex"] == row["hex"] for place in alike)))
            clusters.append(row["brand"])
        print(f"shades, reference: {name} ({seen}), catalogues of one brand, {len(chosen)} brands")
        print(f"  {told('right one among five', top['five'], clusters)}; {told('first', top['one'], clusters)}")
        print(f"  {told('among five of the middle of the picture by RGB', top['box'], clusters)}")
        print(f"  {told(f'among five of all brands ({len(pack)} shades)', top['all'], clusters)}")
        print(f"  ΔE of the first: median {np.median(firsts):.2f} (simple way {np.median(boxes):.2f})")
        print(
            f"  ΔE of the colour read: median {np.median(errors):.2f}, nine of ten below {np.quantile(errors, 0.9):.2f}"
        )


def grounds(photos: int) -> None:
    """Where the thing is: this way, GrabCut from a box, and the middle of the picture."""
    import cv2

    def ours(pixels: np.ndarray) -> np.ndarray:
        return ground_of(to_lab(pixels)).thing

    def grabcut(pixels: np.ndarray) -> np.ndarray:
        mask = np.zeros(pixels.shape[:2], np.uint8)
        box = (SIDE // 6, SIDE // 6, SIDE * 2 // 3, SIDE * 2 // 3)
        cv2.grabCut(pixels[..., ::-1].copy(), mask, box, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT)
        return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))

    def middle(pixels: np.ndarray) -> np.ndarray:
        box = np.zeros(pixels.shape[:2], bool)
        box[SIDE * 3 // 8 : SIDE * 5 // 8, SIDE * 3 // 8 : SIDE * 5 // 8] = True
        return box

    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {"ours": ours, "GrabCut": grabcut, "the middle": middle}
    shots = [photograph("#b03048" if at % 2 else "#c8a282", 70_000 + at, sheet=at % 3 == 0) for at in range(photos)]
    for name, way in ways.items():
        begun = time.perf_counter()
        found = [way(shot.pixels) for shot in shots]
        took = (time.perf_counter() - begun) / len(shots)
        ious = [
            float((own & s.thing).sum() / max(1, (own | s.thing).sum())) for own, s in zip(found, shots, strict=True)
        ]
        print(f"grounds, {name}: IoU median {np.median(ious):.3f}, mean {np.mean(ious):.3f}; {took * 1000:.0f} ms")


def surfaces(count: int) -> None:
    """Patterns and finishes on drawn surfaces of random colours, scales, turns and noise."""
    rng = np.random.default_rng(5)
    right: dict[str, list[float]] = {}
    for at in range(count):
        pattern = ("plain", "striped", "dotted", "checked")[at % 4]
        found = look_of_product(_on_ground(_cloth(pattern, rng), rng)).pattern
        right.setdefault(f"pattern {pattern}", []).append(float(found == pattern))
        finish = ("matt", "gloss", "metallic")[at % 3]
        found = look_of_product(_on_ground(_ball(finish, rng), rng)).finish
        right.setdefault(f"finish {finish}", []).append(float(found == finish))
    for kind, share in (("pattern", 1 / 4), ("finish", 1 / 3)):
        all_of = [score for name, scores in right.items() if name.startswith(kind) for score in scores]
        each = ", ".join(
            f"{name.split()[1]} {np.mean(scores):.0%}" for name, scores in right.items() if name.startswith(kind)
        )
        print(f"surfaces, {told(kind, all_of)} (chance {share:.0%}): {each}")


def _cloth(pattern: str, rng: np.random.Generator) -> np.ndarray:
    one, other = rng.integers(20, 235, 3), rng.integers(20, 235, 3)
    while float(difference(to_lab(one.astype(np.uint8)), to_lab(other.astype(np.uint8)))) < 25:
        other = rng.integers(20, 235, 3)
    y, x = np.mgrid[0:160, 0:160].astype(float)
    turn, period = rng.uniform(0, np.pi), rng.uniform(16, 34)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    away = np.hypot(u % period - period / 2, v % period - period / 2)
    where = {
        "plain": np.zeros_like(u),
        "striped": (u % period < rng.uniform(0.35, 0.6) * period) * 1.0,
        "checked": ((u % period < period / 2) * 0.5 + (v % period < period / 2) * 0.5),
        "dotted": (away < rng.uniform(0.22, 0.32) * period) * 1.0,
    }[pattern]
    shade = 1 + rng.uniform(-0.15, 0.15) * x / 160 + rng.uniform(-0.15, 0.15) * y / 160
    return (one + where[..., None] * (other - one)) * shade[..., None] + rng.normal(0, 4, (160, 160, 3))


def _ball(finish: str, rng: np.random.Generator) -> np.ndarray:
    body = linear(rng.integers(60, 190, 3).astype(np.uint8))
    body[rng.integers(3)] *= 0.25
    y, x = np.mgrid[-1:1:160j, -1:1:160j]
    cx, cy = rng.uniform(-0.4, 0.4, 2)
    shade = rng.uniform(0.65, 0.8) + 0.25 * (1 - ((x - cx) ** 2 + (y - cy) ** 2) / 4)
    spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.03, 0.12))
    size = {"matt": 0.0, "gloss": rng.uniform(0.35, 0.8), "metallic": rng.uniform(1.0, 2.5)}[finish]
    colour = body if finish == "metallic" else np.ones(3)
    light = body * shade[..., None] + size * spot[..., None] * colour
    return gamma(light).astype(float) + rng.normal(0, 2, (160, 160, 3))


def _on_ground(thing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pixels = np.full((240, 240, 3), float(rng.integers(225, 252))) + rng.normal(0, 1.5, (240, 240, 3))
    pixels[40:200, 40:200] = thing
    return np.clip(pixels, 0, 255).astype(np.uint8)


class Nothing:
    """An embedder that places everything by its digest: what is measured is the rest."""

    name = "nothing"

    def sharpness(self, modality: str) -> float:
        return 20.0

    def embed(self, parts: list[Part], tenant: str | None = None) -> Embeddings:
        seeds = [int(part.digest[:8], 16) for part in parts]
        made = np.stack([np.random.default_rng(seed).normal(size=256) for seed in seeds]).astype(np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return Embeddings(vectors=made, model=self.name, usage=Usage())


def dialogues(count: int) -> None:
    """Generated dialogues through the whole shop: state, constraints, facts."""
    feed = rows(3000)
    by_id = {row["id"]: row for row in feed}
    kept: list[float] = []
    states: list[float] = []
    turns_of: list[str] = []
    simple: list[float] = []
    shown_all = invented = 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.jsonl"
        path.write_text("\n".join(map(json.dumps, feed)))
        shop = Shop(f"{folder}/db", Nothing())
        shop.catalogue.update(path)
        for number in range(count):
            speaker, shown = Speaker(number, by_id), list[str]()
            for turn in range(speaker.length):
                said = speaker.first() if turn == 0 else speaker.next(shown)
                answer = shop.ask(said, session=str(number))
                state = shop.sessions.load(str(number))
                right = canonical(state.wishes) == expected(speaker.truth)
                states.append(float(right))
                turns_of.append(str(number))
                if not right and len(wrong) < 12:
                    wrong.append(f"{said!r}: {sorted(map(str, state.wishes))} for {expected(speaker.truth)}")
                for offer in answer.offers:
                    row = by_id.get(offer.id)
                    kept.append(float(row is not None and speaker.truth.fits(row)))
                for offer in (*answer.offers, *(one for group in answer.alternatives for one in group.offers)):
                    shown_all += 1
                    invented += not _stated(offer, by_id.get(offer.id))
                first = [row for row in feed if all(word in json.dumps(row).lower() for word in _content(said))][:5]
                simple += [float(speaker.truth.fits(row)) for row in first]
                shown = [offer.id for offer in (*answer.offers, *(o for g in answer.alternatives for o in g.offers))]
    print(f"dialogues: {told('state right', states, turns_of)} turns in {count} dialogues")
    kept_share, simple_share = np.mean(kept), np.mean(simple)
    print(
        f"  constraints kept in {kept_share:.2%} of {len(kept):,} offers; by the turn's words alone {simple_share:.1%}"
    )
    print(f"  invented facts: {invented} in {shown_all:,} products shown")
    for line in wrong:
        print(f"  wrong: {line}")


def _content(said: str) -> list[str]:
    return [word for word in folded(said).replace(",", "").split() if len(word) > 3 and word.isalpha()][:2]


def _stated(offer: Any, row: dict[str, Any] | None) -> bool:
    if row is None:
        return False
    price = f"{offer.price:.2f} {offer.currency}" == row["price"]
    rest = (offer.title, offer.brand, offer.colour, offer.size) == (
        row["title"],
        row["brand"],
        row["color"],
        row["size"],
    )
    return price and rest and offer.availability == row["availability"].replace("_", " ")


def canonical(wishes: tuple[Wish, ...]) -> dict[str, Any]:
    """A state as plain values, in the same form as `expected`."""
    found: dict[str, Any] = {}
    for wish in wishes:
        if wish.field == "price":
            found[wish.test] = round(float(wish.number or 0), 2)
        elif wish.field == "stock":
            found["stock"] = True
        else:
            key = f"not {wish.field}" if wish.negative else wish.field
            found[key] = sorted({*found.get(key, []), *wish.values})
    return found


def expected(truth: Truth) -> dict[str, Any]:
    """What should be kept."""
    values: dict[str, Any] = {
        "kind": [truth.kind] if truth.kind else None,
        "below": truth.below,
        "at most": truth.most,
        "above": truth.above,
        "brand": [folded(truth.brand)] if truth.brand else None,
        "not brand": sorted(map(folded, truth.not_brands)),
        "colour": [truth.colour] if truth.colour else None,
        "not colour": sorted(truth.not_colours),
        "pattern": [truth.pattern] if truth.pattern else None,
        "not pattern": sorted(truth.not_patterns),
        "size": [folded(truth.size)] if truth.size else None,
        "stock": truth.stock or None,
    }
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in values.items() if value}


def turns(count: int) -> None:
    """Seconds of a turn over many products with synthetic vectors, with session and events written."""
    feed = [product_of(row) for row in rows(count)]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2, count, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    begun = time.perf_counter()
    assortment = Assortment(feed, [Appearance(stated_lab(one), one.pattern) for one in feed], vectors[0], vectors[1])
    print(f"turns: {count:,} products opened in {time.perf_counter() - begun:.1f} s (without reading the database)")
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(f"{folder}/db", Nothing())
        shop.catalogue.assortment = lambda: assortment  # type: ignore[method-assign]
        said = ["red dresses", "under 60", "not Kestrel", "like the second but darker", "same pattern, cheaper"]
        said += [
            "any colour",
            "in size 42",
            "a bag that goes with it",
            "in stock",
            "start over, striped shirts by Tarn",
        ]
        took = []
        for turn in said * 5:
            begun = time.perf_counter()
            shop.ask(turn)
            took.append(time.perf_counter() - begun)
        some = took[len(said) :]
        print(f"  a turn: median {np.median(some):.3f} s, longest of {len(some)} {max(some):.3f} s")


def pictures(data: Path, most: int) -> None:
    """Products of the packs found by a photograph of another and a change: the class, and the class in a colour."""
    import tutti

    provider = tutti.load().embedder()
    for name, changes in (("clothing", True), ("grocery", False)):
        pack = PackReader(data / name)
        rng = np.random.default_rng(1)
        own = [row for row in pack.rows if row["split"] == "val"]
        queries = [own[at] for at in rng.permutation(len(own))[:most]]
        with tempfile.TemporaryDirectory() as folder:
            lines = []
            for at, row in enumerate(own):
                file = f"{at}{Path(row['file']).suffix}"
                (Path(folder) / file).write_bytes(pack.content(row["file"]))
                row["at"] = f"Q{at}"
                row["path"] = f"{folder}/{file}"
                lines.append(json.dumps({"id": f"Q{at}", "title": f"Item Q{at}", "price": "1 EUR", "image": file}))
            (Path(folder) / "feed.jsonl").write_text("\n".join(lines))
            shop = Shop(f"{folder}/db", provider)
            shop.catalogue.update(f"{folder}/feed.jsonl")
            by_id = {row["at"]: row for row in own}
            assortment = shop.catalogue.assortment()
            label = "coarse" if name == "grocery" else "label"
            same: list[float] = []
            changed: list[float] = []
            words: list[float] = []
            for number, row in enumerate(queries):
                others = [one for one in own if one is not row]
                found = shop.ask("something like this", photo=row["path"], session=f"a{number}").offers
                ids = [offer.id for offer in found if offer.id != row["at"]]
                same.append(float(any(by_id[key].get(label) == row.get(label) for key in ids)))
                if not changes:
                    continue
                fitting = [one for one in others if one["label"] == row["label"]]
                terms = {term for one in fitting for term in _terms(assortment, one["at"])}
                if not terms:
                    continue
                colour = sorted(terms)[int(rng.integers(len(terms)))]
                found = shop.ask(f"something like this in {colour}", photo=row["path"], session=f"b{number}").offers
                ok = [
                    by_id[offer.id]["label"] == row["label"] and colour in _terms(assortment, offer.id)
                    for offer in found
                ]
                changed.append(float(any(ok)))
                hits = shop.catalogue.index.search(f"a {colour} {row['label']}", top=5)
                ids = [str(hit.columns["shop_id"]) for hit in hits]
                words.append(
                    float(any(by_id[k]["label"] == row["label"] and colour in _terms(assortment, k) for k in ids))
                )
        print(f"pictures, {name} ({len(own)} products without words): {told('like this, recall@5', same)}")
        if changes:
            print(f"  {told('like this in another colour, recall@5', changed)}; {told('words alone', words)}")


def _terms(assortment: Assortment, key: str) -> set[str]:
    place = assortment.by_id.get(key)
    return (
        {term for term, places in assortment.terms.items() if place in places.tolist()} if place is not None else set()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default="shades,grounds,surfaces,dialogues,turns,pictures")
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--dialogues", type=int, default=300)
    parser.add_argument("--products", type=int, default=100_000)
    arguments = parser.parse_args()
    print(f"{processor()}, {versions('numpy', 'lancedb')}, commit {commit()}", flush=True)
    parts: dict[str, Callable[[], None]] = {
        "shades": lambda: shades(arguments.data, arguments.photos),
        "grounds": lambda: grounds(min(60, arguments.photos)),
        "surfaces": lambda: surfaces(arguments.photos),
        "dialogues": lambda: dialogues(arguments.dialogues),
        "turns": lambda: turns(arguments.products),
        "pictures": lambda: pictures(arguments.data, min(100, arguments.photos)),
    }
    for name in arguments.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
