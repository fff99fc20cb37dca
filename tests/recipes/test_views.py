"""Views of photographs that are learned from, and what the decoder is asked about them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from recipes.tutti_mini import answering, features
from recipes.tutti_mini.answering import Questions, media_tokens
from recipes.tutti_mini.build import CONFIG
from recipes.tutti_mini.evidence import Asked, Shown
from recipes.tutti_mini.features import Seen
from recipes.tutti_mini.space import Names
from tutti.models.omni.model import Omni

LABELS = ["cup", "mug", "saw", "owl", "harp", "kite", "lamp", "drum", "fork", "coat", "boat", "rose"]


def names() -> Names:
    rng = np.random.default_rng(2)
    return Names(LABELS, F.normalize(torch.from_numpy(rng.normal(size=(12, 256)).astype(np.float32)), dim=-1))


def test_a_photograph_with_a_margin_is_whole() -> None:
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8))
    shapes = set()
    for _ in range(40):
        framed = np.asarray(features._frame(photo, rng))
        shapes.add(framed.shape[1] >= 1.5 * framed.shape[0])
        places = np.lib.stride_tricks.sliding_window_view(framed, (30, 40, 3))[:, :, 0]
        assert (places == np.asarray(photo)).all((-3, -2, -1)).any()
    assert shapes == {True, False}


def test_views_of_drawings_are_those_of_before() -> None:
    """They are kept, and must be the same for the same seed: a part is cut out, and there is no margin."""
    sprite = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    for seed in range(30):
        seen = features.look(sprite, np.random.default_rng((1, seed)), may_flip=True)
        assert seen.shape == (256, 256, 3)


def test_an_exchanged_name_lies_as_near_as_the_own_one_did() -> None:
    known = names()
    asked = Asked(known, LABELS, 30.0)
    rng = np.random.default_rng(3)
    said = set()
    for own in range(12):
        point = F.normalize(known.points[own] + 0.05 * torch.randn(256), dim=0)
        label, moved = asked.exchanged(LABELS[own], point, rng)
        said.add(label)
        there = known.points[LABELS.index(label)]
        assert float(moved @ there) == pytest.approx(float(point @ known.points[own]), abs=1e-5)
        assert float(moved.norm()) == pytest.approx(1.0, abs=1e-5)
        assert LABELS[int((known.points @ moved).argmax())] == label
    assert len(said) > 4


def test_a_name_that_is_not_the_nearest_stays() -> None:
    asked = Asked(names(), LABELS, 30.0)
    point = asked.known.points[1]
    assert asked.exchanged("cup", point, np.random.default_rng(0)) == ("cup", point)


@pytest.fixture
def questions(tmp_path: Path) -> tuple[Omni, Questions]:
    torch.manual_seed(0)
    model = Omni(CONFIG).eval()
    assert model.names is not None
    model.names.ids.random_(200, 30_000)
    known = names()
    rows = [{"label": LABELS[i % 12], "split": "train"} for i in range(48)]
    rng = np.random.default_rng(4)
    shown = []
    for view in (0, 1):
        pooled = np.full((48, 1280), view + 1, np.float16)
        own = np.full((48, 64, 192), view + 1, np.float16)
        seen = Seen("photos_flowers", rows, pooled, rng.normal(size=(48, 16, 1280)).astype(np.float16), own)
        every = np.arange(48)
        labels = [str(row["label"]) for row in rows]
        points = known.points[[known.index[label] for label in labels]]
        shown.append(Shown(seen, labels, points, every, every[:0], np.full(48, 1 / 48)))
    sounds: dict[str, Any] = {"audio": torch.randn(12, 16, 192)}
    (tmp_path / "00000.pickle").write_bytes(pickle.dumps(("sound", sounds, [])))
    return model, Questions(model, shown, Asked(known, LABELS, 30.0), tmp_path)


def test_a_photograph_becomes_a_film_of_two_shots(questions: tuple[Omni, Questions]) -> None:
    model, drawn = questions
    rng = np.random.default_rng(5)
    shots, tracks = set(), set()
    for _ in range(12):
        batch = drawn.films(rng, 6)
        assert batch.video is not None
        assert batch.video.own.shape == (6, drawn.frames, 64, 192)
        assert batch.video.places.shape == (6, drawn.frames, 1, 1280)
        frames = batch.video.places[:, :, 0, 0]
        assert (frames == batch.video.own[:, :, 0, 0]).all()
        shots |= {tuple(int(value) for value in film) for film in frames}
        tracks.add(batch.audio is not None)
        asked = [pair for some in batch.questions for pair in some]
        assert not any(answering.STILL.search(question) for question, _ in asked)
        assert any("clip" in text or "video" in text or "film" in text for pair in asked for text in pair)
    assert any(len(set(film)) == 2 for film in shots)
    assert any(len(set(film)) == 1 for film in shots)
    assert tracks == {True, False}
    with torch.inference_mode():
        tokens = media_tokens(model, batch)["video"]
    heard = 0 if batch.audio is None else batch.audio.shape[1]
    assert tokens.shape[1] == CONFIG.clip_tokens(drawn.frames, heard * CONFIG.trunks["audio"].stride)


def test_most_pictures_keep_their_name(questions: tuple[Omni, Questions], monkeypatch: pytest.MonkeyPatch) -> None:
    _, drawn = questions
    rng = np.random.default_rng(6)
    for share in (0.0, 1.0):
        monkeypatch.setattr(answering, "EXCHANGED", share)
        named = 0
        for one, index in drawn._rows(rng, 200):
            _, _, asked = drawn._ask(one, index, one.points[index], rng, "train", check=False)
            named += one.labels[index] in asked[0][1]
        assert named > 150 if not share else named < 60
