"""Scenes follow from their seed, keep to their shapes, hold what their facts say, and never touch what is held out."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recipes.tutti_mini.clips import make_clip_scene, make_pair_scene
from recipes.tutti_mini.drawing import COLOURS, distance, lay, shade
from recipes.tutti_mini.objects import EMOJI_GROUPS, WORDS, a, emoji_names, kin, plural
from recipes.tutti_mini.packs import EMOJI, HELD_OUT_SPEAKER, HELD_OUT_STYLE, HOLD_OUT, Pictures, Sounds
from recipes.tutti_mini.pools import Pools, sprite
from recipes.tutti_mini.scenes import Scene, make_picture_scene
from recipes.tutti_mini.sound_scenes import make_sound_scene

MAKERS = (make_picture_scene, make_sound_scene, make_clip_scene, make_pair_scene)
Maker = Callable[[np.random.Generator, Pools], Scene]


def digest(scene: Scene) -> int:
    arrays = (scene.picture, scene.frames, scene.times_s, scene.sound)
    return zlib.crc32(repr(scene.facts).encode() + b"".join(array.tobytes() for array in arrays if array is not None))


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_makes_the_same_scenes(make: Maker, pools: Pools) -> None:
    first, again = (
        [digest(make(rng, pools)) for _ in range(30)] for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == again
    assert len(set(first)) == 30


@pytest.mark.parametrize("make", MAKERS)
def test_shapes_and_ranges(make: Maker, pools: Pools) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        scene = make(rng, pools)
        if scene.picture is not None:
            assert scene.picture.shape == (64, 64, 3)
            assert scene.picture.dtype == np.uint8
        if scene.frames is not None and scene.times_s is not None:
            assert (scene.frames.shape, scene.times_s.shape) == ((8, 64, 64, 3), (8,))
            assert (np.diff(scene.times_s) > 0).all()
        if scene.sound is not None:
            assert scene.sound.dtype == np.float32
            assert 16_000 <= len(scene.sound) <= 96_000 or scene.kind == "clip"
            assert np.abs(scene.sound).max() <= 1


def test_things_do_not_overlap_and_lie_within_the_picture(pools: Pools) -> None:
    rng = np.random.default_rng(2)
    several = 0
    for _ in range(300):
        things = make_picture_scene(rng, pools).facts.things
        several += len(things) > 1
        for number, thing in enumerate(things):
            left, top, right, bottom = thing.box
            assert 0 <= left < right <= 64
            assert 0 <= top < bottom <= 64
            for other in things[:number]:
                across = min(right, other.box[2]) - max(left, other.box[0])
                down = min(bottom, other.box[3]) - max(top, other.box[1])
                assert min(across, down) <= 1
    assert several > 60


def test_a_moving_thing_is_where_the_motion_says(pools: Pools) -> None:
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(200):
        scene = make_clip_scene(rng, pools)
        assert scene.frames is not None
        motion = scene.facts.motion
        changes = (scene.frames[1:] != scene.frames[:-1]).any((1, 2, 3))
        if motion == "still":
            assert not changes.any()
        elif motion in ("appears", "disappears"):
            assert changes.sum() == 1
        else:
            assert changes.sum() >= 4
        seen.add(motion)
    assert len(seen) == 9


def test_pools_are_never_changed(pools: Pools) -> None:
    def state() -> list[int]:
        arrays: list[NDArray[Any]] = [s for sprites in pools.emoji.values() for s in sprites] + [
            p.pixels for p in pools.pictures.values()
        ]
        arrays += [wave for waves in pools.sounds.values() for wave in waves]
        return [zlib.crc32(array.tobytes()) for array in arrays]

    before = state()
    rng = np.random.default_rng(4)
    for make in MAKERS:
        for _ in range(40):
            make(rng, pools)
    assert state() == before


def test_held_out_style_speaker_and_rows_stay_out(
    pools: Pools, pictures: dict[str, Pictures], sounds: dict[str, Sounds]
) -> None:
    held_out = Pools.build(pictures, sounds, held_out=True)
    assert HELD_OUT_STYLE not in EMOJI
    held_style = {sprite(pixels).tobytes() for pixels in pictures[HELD_OUT_STYLE].pixels}
    trained = {one.tobytes() for sprites in pools.emoji.values() for one in sprites}
    assert not held_style & trained
    assert {one.tobytes() for sprites in held_out.emoji.values() for one in sprites} == held_style
    assert list(held_out.digits) == [HELD_OUT_SPEAKER]
    assert HELD_OUT_SPEAKER not in pools.digits
    for pack in pools.photos:
        ours = {int(row) for photo in pools.photos[pack] for row in photo.rows}
        theirs = {int(row) for photo in held_out.photos.get(pack, []) for row in photo.rows}
        assert ours.isdisjoint(theirs)
        assert len(ours | theirs) == len(pictures[pack].rows)
    assert all(HOLD_OUT["cifar10_test"]({"split": split}) for split in ("train", "test"))


def test_a_wave_is_in_one_pool_only(pools: Pools, pictures: dict[str, Pictures], sounds: dict[str, Sounds]) -> None:
    held_out = Pools.build(pictures, sounds, held_out=True)
    for name in ("sounds", "keywords"):
        ours = {id(wave) for waves in getattr(pools, name).values() for wave in waves}
        theirs = {id(wave) for waves in getattr(held_out, name).values() for wave in waves}
        assert ours
        assert theirs
        assert ours.isdisjoint(theirs)


@pytest.mark.parametrize("name", COLOURS)
def test_a_shade_is_nearer_to_its_own_colour_than_to_far_ones(name: str) -> None:
    pure = {
        "red": (235, 15, 15),
        "green": (30, 160, 30),
        "blue": (20, 80, 220),
        "white": (255, 255, 255),
        "black": (0, 0, 0),
    }
    rng = np.random.default_rng(6)
    shades = [shade(rng, name) for _ in range(50)]
    assert len(set(shades)) > 3
    if name in pure:
        for colour in shades:
            assert min(pure, key=lambda other: distance(colour, pure[other])) == name


def test_a_sprite_is_laid_by_its_alpha() -> None:
    canvas = np.full((4, 4, 3), 200, np.uint8)
    half = np.zeros((2, 2, 4), np.uint8)
    half[..., 0], half[..., 3] = 100, 128
    lay(canvas, half, 3, -1)
    assert canvas[0, 3].tolist() == [100 + 200 * 127 // 255, 200 * 127 // 255, 200 * 127 // 255]
    assert (canvas[1:] == 200).all()
    assert (canvas[0, :3] == 200).all()


def test_names_have_articles_plurals_and_kin() -> None:
    assert [a(name) for name in ("dog", "owl", "unicorn", "grapes", "red circle")] == [
        "a dog", "an owl", "a unicorn", "grapes", "a red circle",
    ]  # fmt: skip
    assert [plural(name) for name in ("dog", "fox", "strawberry", "mouse", "grapes", "milk")] == [
        "dogs", "foxes", "strawberries", "mice", None, None,
    ]  # fmt: skip
    assert kin("bird", "owl")
    assert kin("polar bear", "bear")
    assert kin("pants", "trousers")
    assert not kin("dog", "cat")


def test_names_are_many_and_each_is_in_one_group() -> None:
    names = emoji_names()
    assert len(set(names.values())) >= 250
    groups: dict[str, set[str]] = {}
    for group, text in EMOJI_GROUPS.items():
        for entry in text.split(";"):
            groups.setdefault(names[entry.partition("=")[0]], set()).add(group)
    assert all(len(found) == 1 for found in groups.values())
    assert len(WORDS) == len(set(WORDS)) >= 120
    assert not set(WORDS) & set(COLOURS)
