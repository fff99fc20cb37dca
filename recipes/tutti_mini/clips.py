"""Clips in which a thing moves or changes while something is heard, and pictures that come with a recording."""

from __future__ import annotations

import numpy as np

from recipes.tutti_mini.drawing import Pixels, background, lay, scaled
from recipes.tutti_mini.objects import DIGITS, SIGHT_OF_SOUND, kin
from recipes.tutti_mini.pools import SIDE, Pools
from recipes.tutti_mini.scenes import (
    Drawn,
    Facts,
    Heard,
    Scene,
    Thing,
    composed,
    emoji_sprite,
    make_picture_scene,
    repeated,
    shape_sprite,
)
from recipes.tutti_mini.sound_scenes import Wave, finish, sound, spoken_digits
from recipes.tutti_mini.voices import RATE_HZ

FRAMES = 8
MOTIONS = ("left", "right", "up", "down", "grows", "shrinks", "appears", "disappears", "still")
_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def make_clip_scene(rng: np.random.Generator, pools: Pools) -> Scene:
    """Eight frames over 2 to 4 seconds, with a sound track, a silent one, or none."""
    seconds = float(rng.uniform(2.0, 4.0))
    wave, heard, drawn, fits = _seen_and_heard(rng, pools, seconds)
    motion = MOTIONS[int(rng.integers(len(MOTIONS)))]
    frames, box = _animate(rng, pools, drawn, motion)
    thing = _at(drawn.thing, box)
    facts = Facts(medium="clip", things=(thing,), heard=heard, in_turn=False, motion=motion, fits=fits)
    times = (np.arange(FRAMES) + 0.5) * seconds / FRAMES
    return Scene(kind="clip", frames=frames, times_s=times, sound=wave, facts=facts)


def make_pair_scene(rng: np.random.Generator, pools: Pools) -> Scene:
    """A still picture and a recording that belong to one question."""
    kind = rng.random()
    if kind < 0.3 and pools.digits:
        return _counted(rng, pools)
    if kind < 0.5:
        still = make_picture_scene(rng, pools)
        wave, heard = _some_sound(rng, pools, 3.0)
        return Scene(
            kind="pair",
            picture=still.picture,
            sound=wave,
            facts=Facts(medium="pair", things=still.facts.things, heard=heard),
        )
    wave, heard, drawn, fits = _seen_and_heard(rng, pools, float(rng.uniform(2.0, 4.0)), silent=False)
    still = composed(rng, pools, [drawn], "pair")
    return Scene(
        kind="pair",
        picture=still.picture,
        sound=wave,
        facts=Facts(medium="pair", things=still.facts.things, heard=heard, fits=fits),
    )


def _counted(rng: np.random.Generator, pools: Pools) -> Scene:
    """Several of the same and a spoken digit, which half the time says how many."""
    count = int(rng.integers(1, 5))
    still = composed(rng, pools, repeated(rng, pools, count, 15, 24), "pair")
    there = len(still.facts.things)
    others = [number for number in range(1, 6) if number != there]
    number = there if rng.random() < 0.5 else others[int(rng.integers(len(others)))]
    wave, heard = spoken_digits(rng, pools, 1, (DIGITS[number],))
    sound = finish(rng, wave, float(rng.uniform(0, 0.4)), 0.2)
    facts = Facts(medium="pair", things=still.facts.things, heard=(heard,), fits=number == there)
    return Scene(kind="pair", picture=still.picture, sound=sound, facts=facts)


def _some_sound(rng: np.random.Generator, pools: Pools, seconds: float) -> tuple[Wave, tuple[Heard, ...]]:
    if rng.random() < 0.4 and pools.digits:
        wave, heard = spoken_digits(rng, pools, int(rng.integers(1, 3)))
    else:
        names = pools.sounds_of("any")
        name = names[int(rng.integers(len(names)))]
        wave, heard = sound(rng, pools, name, seconds), Heard(kind="sound", name=name)
    return finish(rng, wave, float(rng.uniform(0, 0.3)), 0.1), (heard,)


def _seen_and_heard(
    rng: np.random.Generator, pools: Pools, seconds: float, silent: bool = True
) -> tuple[Wave | None, tuple[Heard, ...], Drawn, bool | None]:
    """A thing with a sound that is its own, another's, a spoken digit's, or none."""
    side = int(rng.integers(20, 37))
    kind = rng.random()
    pairs = [pair for pair in SIGHT_OF_SOUND.items() if pair[0] in pools.sounds and pair[1] in pools.emoji]
    if kind < 0.6 and pairs:
        return _fitting_or_not(rng, pools, seconds, side, pairs)
    drawn = emoji_sprite(rng, pools, side, set()) if rng.random() < 0.6 else shape_sprite(rng, side, [])
    if kind < 0.85 or not silent:
        wave, heard = _some_sound(rng, pools, seconds)
        if drawn.thing.kind == "emoji" and any(_akin(drawn.thing.name, one) for one in heard):
            drawn = shape_sprite(rng, side, [])
        return wave[: int(seconds * RATE_HZ)] if heard[0].kind == "sound" else wave, heard, drawn, None
    if rng.random() < 0.5:
        return None, (), drawn, None
    quiet = rng.standard_normal(int(seconds * RATE_HZ), dtype=np.float32) * np.float32(10 ** rng.uniform(-5, -3))
    return quiet, (), drawn, None


def _fitting_or_not(
    rng: np.random.Generator, pools: Pools, seconds: float, side: int, pairs: list[tuple[str, str]]
) -> tuple[Wave, tuple[Heard, ...], Drawn, bool]:
    fits = bool(rng.random() < 0.5)
    heard, seen = pairs[int(rng.integers(len(pairs)))]
    if not fits:
        others = [other for other in pairs if other[1] != seen and not kin(other[0], heard) and not kin(other[1], seen)]
        if others and rng.random() < 0.6:
            seen = others[int(rng.integers(len(others)))][1]
        else:
            silent = [
                name
                for name in pools.names
                if name not in SIGHT_OF_SOUND.values() and not _akin(name, Heard(kind="sound", name=heard))
            ]
            seen = silent[int(rng.integers(len(silent)))]
    drawn = emoji_sprite(rng, pools, side, set(), seen)
    wave = finish(rng, sound(rng, pools, heard, seconds), float(rng.uniform(0, 0.2)), 0.0)
    return wave, (Heard(kind="sound", name=heard),), drawn, fits


def _akin(name: str, heard: Heard) -> bool:
    """Whether a thing might be thought to make this sound."""
    if heard.kind != "sound":
        return False
    maker = SIGHT_OF_SOUND.get(heard.name, heard.name)
    return kin(name, maker) or (maker in ("drum", "clock", "rain cloud", "storm cloud") and name in (
        "drum", "clock", "watch", "bell", "cloud", "rain cloud", "storm cloud", "umbrella", "tornado", "maracas"
    ))  # fmt: skip


def _at(thing: Thing, box: tuple[float, float, float, float]) -> Thing:
    return Thing(kind=thing.kind, name=thing.name, colour=thing.colour, group=thing.group, box=box)


def _animate(
    rng: np.random.Generator, pools: Pools, drawn: Drawn, motion: str
) -> tuple[Pixels, tuple[float, float, float, float]]:
    """Frames (8, 64, 64, 3) and where the thing is at the end."""
    canvas = background(rng, SIDE, pools.textures, list(drawn.avoid))
    frames = np.repeat(canvas[None], FRAMES, 0)
    side = drawn.sprite.shape[0]
    free = SIDE - side
    xs, ys, sides = (np.full(FRAMES, value, float) for value in (rng.uniform(0, free), rng.uniform(0, free), side))
    change = np.linspace(0, 1, FRAMES)
    if motion in _WAYS:
        across = np.linspace(0, rng.uniform(0.7, 1.0) * free, FRAMES)
        way = _WAYS[motion]
        if way[0]:
            xs = across if way[0] > 0 else free - across
        else:
            ys = across if way[1] > 0 else free - across
    elif motion in ("grows", "shrinks"):
        low, high = rng.uniform(12, 18), rng.uniform(38, 56)
        sides = low + (high - low) * (change if motion == "grows" else 1 - change)
        x, y = rng.uniform(0.4, 0.6, 2) * SIDE
        xs, ys = np.clip(x - sides / 2, 0, SIDE - sides), np.clip(y - sides / 2, 0, SIDE - sides)
    turn = int(rng.integers(3, 6))
    shown = (
        change < 2 if motion not in ("appears", "disappears") else (np.arange(FRAMES) >= turn) == (motion == "appears")
    )
    for index in np.flatnonzero(shown).tolist():
        width = round(float(sides[index]))
        sprite = drawn.sprite if width == side else scaled(np.ascontiguousarray(drawn.sprite), width)
        lay(frames[index], sprite, round(float(xs[index])), round(float(ys[index])))
    last = int(np.flatnonzero(shown)[-1])
    x, y, width = float(xs[last]), float(ys[last]), float(sides[last])
    return frames, (x, y, x + width, y + width)
