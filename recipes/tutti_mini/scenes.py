"""Scenes composed out of the packs: pictures, recordings, and clips in which a thing moves and something is heard.

Everything here is a pure function of the generator of chance and the pools. What a scene holds is written down as
facts, from which `questions` asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recipes.tutti_mini.drawing import (
    COLOURS,
    SHAPES,
    Colour,
    Pixels,
    background,
    fonts,
    lay,
    scaled,
    shade,
    shape_mask,
    text_mask,
    tinted,
)
from recipes.tutti_mini.objects import SYNONYMS, WORDS, kin, plural
from recipes.tutti_mini.pools import SIDE, Pools


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing that is seen."""

    kind: str
    """emoji, shape, photo, word or number."""
    name: str
    """Plain name, the class of a photo, or the text itself."""
    box: tuple[float, float, float, float] = (0, 0, SIDE, SIDE)
    """Left, top, right and bottom in pixels."""
    colour: str | None = None
    group: str = ""
    """Group of an emoji, or the pack of a photo."""

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box as shares of the picture, from the left and from the top."""
        return (self.box[0] + self.box[2]) / 2 / SIDE, (self.box[1] + self.box[3]) / 2 / SIDE

    @property
    def size(self) -> float:
        """Longer side in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def full(self) -> bool:
        """Whether it is the whole picture."""
        return self.kind == "photo" and self.size >= SIDE

    @property
    def said(self) -> str:
        """Its name within a sentence, with what tells it from others: "red circle"."""
        return f"{self.colour} {self.name}" if self.kind == "shape" else self.name

    def accepted(self) -> tuple[str, ...]:
        """Other names that are right."""
        return SYNONYMS.get(self.name, ())


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One thing that is heard."""

    kind: str
    """sound, digits or keyword."""
    name: str
    spans: tuple[tuple[str, float, float], ...] = ()
    """Name, start and end in seconds of each part, where they are known."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that may be asked about."""

    medium: str
    """picture, recording, clip (frames, with or without sound) or pair (a picture and a recording)."""
    things: tuple[Thing, ...] = ()
    heard: tuple[Heard, ...] = ()
    in_turn: bool = False
    """Whether what is heard comes one after the other instead of at once."""
    motion: str | None = None
    """Of a clip: left, right, up, down, grows, shrinks, appears, disappears or still."""
    fits: bool | None = None
    """Whether the thing seen makes the sound heard; None where that cannot be asked."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """A medium and what is in it."""

    kind: str
    facts: Facts
    picture: Pixels | None = None
    """(64, 64, 3)."""
    frames: Pixels | None = None
    """(F, 64, 64, 3)."""
    times_s: NDArray[np.float64] | None = None
    sound: NDArray[np.float32] | None = None
    """(S,) mono at 16 kHz."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A sprite that waits to be laid down."""

    thing: Thing
    sprite: Pixels
    avoid: tuple[Colour, ...]


def make_picture_scene(rng: np.random.Generator, pools: Pools) -> Scene:
    """A still picture."""
    kind = rng.random()
    if kind < 0.22 and pools.photos:
        return _photo_scene(rng, pools)
    if kind < 0.38:
        return composed(rng, pools, [emoji_sprite(rng, pools, _side(rng, 44, 64), set())], "picture", wander=0.5)
    if kind < 0.5:
        return make_word_scene(rng, pools)
    if kind < 0.62:
        one = (
            emoji_sprite(rng, pools, _side(rng, 20, 36), set())
            if rng.random() < 0.5
            else shape_sprite(rng, _side(rng, 16, 40), [])
        )
        return composed(rng, pools, [one], "picture")
    return composed(rng, pools, _several(rng, pools), "picture")


def make_word_scene(rng: np.random.Generator, pools: Pools) -> Scene:
    """A picture of nothing but a word or a number, large."""
    return composed(rng, pools, [_text(rng, int(rng.integers(44, 63)))], "picture")


def _side(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _photo_scene(rng: np.random.Generator, pools: Pools) -> Scene:
    packs = [pack for pack in pools.photos if pack in PHOTO_SHARES]
    shares = np.array([PHOTO_SHARES[pack] for pack in packs])
    pack = packs[int(rng.choice(len(packs), p=shares / shares.sum()))]
    thing, pixels = _photo(rng, pools, pack)
    picture = pixels.copy()
    if pack not in ("hand_digits", "cxr") and rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if rng.random() < 0.7:
        zoom = int(rng.integers(0, 8))
        if zoom:
            top, left = rng.integers(0, zoom + 1, 2).tolist()
            opaque = np.dstack((picture, np.full((SIDE, SIDE, 1), 255, np.uint8)))
            kept = np.ascontiguousarray(opaque[top : top + SIDE - zoom, left : left + SIDE - zoom])
            picture = np.ascontiguousarray(scaled(kept, SIDE)[..., :3])
    if pack != "makeup_shades" and rng.random() < 0.5:
        gain, shift = rng.uniform(0.8, 1.2), rng.uniform(-15, 15)
        picture = np.clip(picture * np.float32(gain) + np.float32(shift), 0, 255).astype(np.uint8)
    return Scene(kind="picture", picture=picture, facts=Facts(medium="picture", things=(thing,)))


PHOTO_SHARES = {
    "cifar10": 0.38,
    "grocery": 0.2,
    "clothing": 0.18,
    "hand_digits": 0.08,
    "cxr": 0.10,
    "makeup_shades": 0.06,
}
"""How often a full photo comes from which pack."""


def _photo(rng: np.random.Generator, pools: Pools, pack: str) -> tuple[Thing, Pixels]:
    classes = pools.photos[pack]
    chosen = classes[int(rng.integers(len(classes)))]
    index = int(chosen.rows[rng.integers(len(chosen.rows))])
    row = pools.pictures[pack].rows[index]
    colour = row.get("auto_color") if row.get("auto_color_share", 0) > 0.6 else None
    return Thing(kind="photo", name=chosen.name, colour=colour, group=pack), pools.pictures[pack].pixels[index]


def emoji_sprite(rng: np.random.Generator, pools: Pools, side: int, taken: set[str], name: str | None = None) -> Drawn:
    while name is None:
        candidate = pools.names[int(rng.integers(len(pools.names)))]
        if not any(kin(candidate, other) for other in taken):
            name = candidate
    styles = pools.emoji[name]
    sprite = styles[int(rng.integers(len(styles)))]
    solid = sprite[..., 3] > 200
    mean = tuple(int(v) for v in sprite[solid].mean(0)[:3]) if solid.any() else (128, 128, 128)
    mirrored = rng.random() < 0.5 and pools.group_of.get(name) not in ("home", "building")
    degrees = float(rng.uniform(-12, 12)) if rng.random() < 0.3 else 0.0
    pixels = scaled(sprite, side, mirrored=mirrored, degrees=degrees)
    return Drawn(
        Thing(kind="emoji", name=name, group=pools.group_of.get(name, "")), pixels, ((mean[0], mean[1], mean[2]),)
    )


def shape_sprite(
    rng: np.random.Generator, side: int, others: list[Thing], name: str | None = None, colour: str | None = None
) -> Drawn:
    used = {(thing.name, thing.colour) for thing in others}
    while name is None or colour is None:
        name = SHAPES[int(rng.integers(len(SHAPES)))]
        colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
        if (name, colour) in used or any(thing.kind != "shape" and kin(thing.name, name) for thing in others):
            name = None
    paint = shade(rng, colour)
    degrees = 0.0 if name in ("square", "diamond") else float(rng.uniform(-8, 8))
    return Drawn(
        Thing(kind="shape", name=name, colour=colour), tinted(shape_mask(name), paint, side, side, degrees), (paint,)
    )


def _text(rng: np.random.Generator, width: int) -> Drawn:
    number = rng.random() < 0.25
    text = (
        str(int(rng.integers(0, 10 if rng.random() < 0.5 else 100))) if number else WORDS[int(rng.integers(len(WORDS)))]
    )
    shown = text if number else (text, text.upper(), text.capitalize())[int(rng.integers(3))]
    mask = text_mask(shown, int(rng.integers(fonts())))
    scale = min(width / mask.width, 34 / mask.height)
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    paint = shade(rng, colour)
    size = max(4, round(mask.width * scale)), max(4, round(mask.height * scale))
    return Drawn(
        Thing(kind="number" if number else "word", name=text, colour=colour), tinted(mask, paint, *size), (paint,)
    )


def _several(rng: np.random.Generator, pools: Pools) -> list[Drawn]:
    count = int(rng.choice((2, 3, 4), p=(0.5, 0.3, 0.2)))
    low, high = {2: (18, 34), 3: (16, 26), 4: (15, 24)}[count]
    if rng.random() < 0.4:
        return repeated(rng, pools, count, low, high)
    drawn: list[Drawn] = []
    only = rng.random()
    for _ in range(count):
        side = _side(rng, low, high)
        kind = rng.random() if only > 0.5 else only * 2
        things = [one.thing for one in drawn]
        if kind < 0.5:
            drawn.append(emoji_sprite(rng, pools, side, {thing.name for thing in things}))
        elif kind < 0.86 or not _may_add_large(things, count):
            drawn.append(shape_sprite(rng, side, things))
        elif kind < 0.94 or "cifar10" not in pools.photos:
            drawn.append(_text(rng, 40))
        else:
            inset = _inset(rng, pools, _side(rng, 26, 34), {thing.name for thing in things})
            drawn.append(inset or shape_sprite(rng, side, things))
    return drawn


def _may_add_large(things: list[Thing], count: int) -> bool:
    return count == 2 and not any(thing.kind in ("word", "number", "photo") for thing in things)


def _inset(rng: np.random.Generator, pools: Pools, side: int, taken: set[str]) -> Drawn | None:
    thing, pixels = _photo(
        rng, pools, ("cifar10", "grocery")[int(rng.integers(2))] if "grocery" in pools.photos else "cifar10"
    )
    if any(kin(thing.name, name) for name in taken):
        return None
    opaque = np.dstack((pixels, np.full((SIDE, SIDE, 1), 255, np.uint8)))
    return Drawn(thing, scaled(opaque, side), ())


def repeated(rng: np.random.Generator, pools: Pools, count: int, low: int, high: int) -> list[Drawn]:
    """Several of the same, sometimes with another among them."""
    side = _side(rng, low, high)
    same = count if rng.random() < 0.6 else count - 1
    drawn: list[Drawn] = []
    if rng.random() < 0.6:
        name = next(name for name in iter(lambda: pools.names[int(rng.integers(len(pools.names)))], "") if plural(name))
        drawn = [emoji_sprite(rng, pools, side + int(rng.integers(-2, 3)), set(), name) for _ in range(same)]
    else:
        shape, colour = SHAPES[int(rng.integers(len(SHAPES)))], list(COLOURS)[int(rng.integers(len(COLOURS)))]
        drawn = [shape_sprite(rng, side + int(rng.integers(-2, 3)), [], shape, colour) for _ in range(same)]
    if same < count:
        things = [one.thing for one in drawn]
        other = (
            emoji_sprite(rng, pools, side, {thing.name for thing in things})
            if rng.random() < 0.5
            else shape_sprite(rng, side, things)
        )
        drawn.append(other)
    return drawn


def composed(rng: np.random.Generator, pools: Pools, drawn: list[Drawn], medium: str, wander: float = 1.0) -> Scene:
    """Lay sprites on a background without much overlap; one that finds no place is left out."""
    canvas = background(rng, SIDE, pools.textures, [colour for one in drawn for colour in one.avoid])
    things: list[Thing] = []
    for one in drawn:
        height, width = one.sprite.shape[:2]
        place = _place(rng, width, height, [thing.box for thing in things], wander)
        if place is None:
            continue
        lay(canvas, one.sprite, *place)
        box = (place[0], place[1], place[0] + width, place[1] + height)
        thing = one.thing
        things.append(Thing(kind=thing.kind, name=thing.name, colour=thing.colour, group=thing.group, box=box))
    if rng.random() < 0.2:
        noise = rng.integers(-10, 11, canvas.shape, dtype=np.int16)
        canvas = np.clip(canvas + noise, 0, 255).astype(np.uint8)
    return Scene(kind=medium, picture=canvas, facts=Facts(medium=medium, things=tuple(things)))


_CELLS = np.array([(x, y) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)])


def _place(
    rng: np.random.Generator, width: int, height: int, taken: list[tuple[float, float, float, float]], wander: float
) -> tuple[int, int] | None:
    """A place in or near one of nine cells, with a margin to what lies there; None after some tries in vain."""
    for _ in range(24):
        x, y = _CELLS[int(rng.integers(9))]
        x, y = 0.5 + (x - 0.5) * wander + rng.uniform(-0.08, 0.08), 0.5 + (y - 0.5) * wander + rng.uniform(-0.08, 0.08)
        left = round(min(max(x, 0), 1) * (SIDE - width))
        top = round(min(max(y, 0), 1) * (SIDE - height))
        if all(
            left + 1 > right or left + width < other_left + 1 or top + 1 > bottom or top + height < other_top + 1
            for other_left, other_top, right, bottom in taken
        ):
            return left, top
    return None
