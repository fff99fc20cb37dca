"""What is where in a picture and when in a recording, against scenes laid out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from recipes.tutti_mini.build import SMALL
from recipes.tutti_mini.pairs import warped
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.scenes import Facts, Heard, Scene, Thing
from recipes.tutti_mini.sound_scenes import make_sound_scene
from recipes.tutti_mini.token_labelling import (
    COLOUR_NAMES,
    MOMENTS,
    NOTHING,
    MomentSource,
    PlaceSource,
    moments,
    place_names,
    places,
    spotted,
)
from tutti.training.objectives import IGNORE

INDEX = {"": 0, "circle": 1, "dog": 2, "word sun": 3}


def test_a_thing_is_where_its_box_is() -> None:
    things = (
        Thing(kind="shape", name="circle", colour="red", box=(0, 0, 16, 16)),
        Thing(kind="word", name="sun", box=(8, 58, 56, 62)),
    )
    classes, colours, numbers = places(things, INDEX).reshape(3, 8, 8)
    assert (classes[:2, :2] == 1).all()
    assert (colours[:2, :2] == COLOUR_NAMES.index("red")).all()
    assert (classes[7, 1:7] == 3).all(), "a line of text lower than a place still has its row"
    assert (colours[7] == IGNORE).all()
    assert (classes == NOTHING).sum() == 64 - 4 - 6
    assert (numbers[:2, :2] == 1).all()


def test_a_full_photo_is_everywhere() -> None:
    assert (places((Thing(kind="photo", name="dog", group="cifar10"),), INDEX)[0] == 2).all()


def test_what_is_heard_is_heard_as_long_as_it_lasts() -> None:
    heard = Heard(kind="digits", name="two six", spans=(("two", 0.0, 0.4), ("six", 0.8, 1.2)))
    scene = Scene(kind="sound", facts=Facts(medium="recording", heard=(heard,)))
    labels = moments(scene, 20)  # a token lasts 80 ms
    two, six = MOMENTS.index("digit two"), MOMENTS.index("digit six")
    assert labels.tolist() == [two] * 5 + [NOTHING] * 5 + [six] * 5 + [NOTHING] * 5


def test_sounds_at_once_are_left_open() -> None:
    heard = tuple(Heard(kind="sound", name=name) for name in ("dog", "rain"))
    facts = Facts(medium="recording", heard=heard)
    assert (moments(Scene(kind="sound", facts=facts), 4) == IGNORE).all()
    one = replace(facts, heard=heard[:1], in_turn=False)
    assert (moments(Scene(kind="sound", facts=one), 4) == NOTHING).all()


def test_spans_lie_within_the_recording(pools: Pools) -> None:
    for seed in range(40):
        scene = make_sound_scene(np.random.default_rng(seed), pools)
        assert scene.sound is not None
        for one in scene.facts.heard:
            for _, start, end in one.spans:
                assert 0 <= start < end
            if one.kind == "digits" and len(scene.sound) < 6 * 16_000:
                assert " ".join(name for name, _, _ in one.spans) == one.name
                assert one.spans[-1][2] <= len(scene.sound) / 16_000


def test_batches_fit_the_trunks(pools: Pools) -> None:
    names = place_names(pools)
    drawn = PlaceSource(pools, names, 3).batch(np.random.default_rng(0))
    assert drawn["values"].shape == (3, 3, 64, 64)
    assert drawn["classes"].shape == drawn["colours"].shape == (3, 64)
    assert drawn["classes"].max() < len(names)
    there = drawn["weights"] * (drawn["classes"] != NOTHING)
    torch.testing.assert_close(there.sum(), there.sum().round(), msg="every thing counts once")
    heard = MomentSource(pools, 3).batch(np.random.default_rng(0))
    assert heard["classes"].shape[1] == -(-heard["values"].shape[2] // SMALL.trunks["audio"].stride)


def test_every_thing_counts_once_and_open_places_not_at_all() -> None:
    logits = torch.zeros(1, 4, 4)
    logits[0, 1, 2] = 9
    classes, weights = torch.tensor([[NOTHING, 2, 2, IGNORE]]), torch.tensor([[1, 0.5, 0.5, 1]])
    figures = spotted(logits, classes, weights)
    unsure, sure = torch.tensor(4.0).log(), (3 + torch.tensor(9.0).exp()).log() - 9
    torch.testing.assert_close(figures["loss"], (1.5 * unsure + 0.5 * sure) / 2)
    assert figures["accuracy"] == 0.5


def test_a_longer_throat_moves_bands_and_keeps_time() -> None:
    mel = np.repeat(np.arange(64, dtype=np.float32)[:, None], 5, 1)
    out = warped(mel, np.random.default_rng(0))
    assert out.shape == mel.shape
    assert (out == out[:, :1]).all()
    assert (np.diff(out[:, 0]) >= 0).all()
    assert not np.allclose(out, mel)


def test_a_microphone_adds_one_smooth_curve_of_a_few_decibels() -> None:
    out = np.stack([warped(np.zeros((64, 3), np.float32), np.random.default_rng(seed)) for seed in range(200)])
    assert (out == out[:, :, :1]).all()
    assert np.abs(np.diff(out[:, :, 0], axis=1)).max() < 0.08, "neighbouring bands within 3.2 dB"
    assert 0.08 < out.std() < 0.17, "3 to 7 dB"
