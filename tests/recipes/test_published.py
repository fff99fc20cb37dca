"""The recipe from published weights: what is trained on is what the model computes, and training teaches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recipes.tutti_mini import heard, knowing, space, texts
from recipes.tutti_mini.answering import Batch, Pictured, media_tokens
from recipes.tutti_mini.build import CONFIG
from recipes.tutti_mini.features import Seen
from tutti.models.efficientnet.config import EfficientNetConfig
from tutti.models.omni.model import Omni
from tutti.models.omni.parts import TrunkConfig
from tutti.models.omni.published import NameBank, PublishedHead

NETWORK = EfficientNetConfig(classes=6, width=16)
TRUNK = TrunkConfig(
    kind="picture", size=64, channels=(4, 4, 4), blocks=(0, 0, 0), width=8, heads=2, published=NETWORK, residual=32
)


@torch.inference_mode()
def test_tokens_from_features_are_those_of_the_model() -> None:
    torch.manual_seed(0)
    model = Omni(CONFIG).eval()
    bank = cast("NameBank", model.names)
    bank.ids.random_(200, 30_000)
    pixels = torch.randn(2, 3, 256, 256)
    grid = model.encode("image", {"pixel_values": pixels})
    own, seen = grid[..., :192], grid[..., 192:]
    quarters = F.avg_pool2d(seen.transpose(1, 2).unflatten(2, (8, 8)), 4).flatten(2).transpose(1, 2)
    scale = model.logit_scale.exp()
    share, which = (scale * model.point("image", grid) @ bank.points.T).softmax(-1).topk(bank.shown)
    made = media_tokens(model, Batch("photo", [], Pictured(own, quarters, which, share)))
    torch.testing.assert_close(made["image"], model.connect("image", {"pixel_values": pixels}), atol=1e-5, rtol=1e-4)
    point = F.normalize(model.point("image", grid).mean(0, keepdim=True), dim=-1)
    share, which = (scale * point @ bank.points.T).softmax(-1).topk(bank.shown)
    clip = Pictured(own[None], seen.mean(1)[None, :, None], which, share)
    made = media_tokens(model, Batch("clip", [], video=clip))
    whole = model.connect("video", {"pixel_values": pixels[None]})
    torch.testing.assert_close(made["video"], whole, atol=1e-5, rtol=1e-4)


def toy() -> tuple[PublishedHead, Seen, nn.Linear]:
    """Two kinds of pictures that the classifier cannot tell apart, and the trunk's own features can."""
    rng = np.random.default_rng(0)
    rows = [
        {"label": ("cup", "mug")[i % 2], "split": "val" if i % 5 == 0 else "train", "made": True} for i in range(120)
    ]
    own = rng.normal(0, 0.1, (120, 64, 8)).astype(np.float16)
    own[::2, :, 0] += 1
    pooled = np.abs(rng.normal(1, 0.1, (120, 16))).astype(np.float16)
    torch.manual_seed(0)
    return PublishedHead(TRUNK, 256), Seen("photos_flowers", rows, pooled, pooled[:, None], own), nn.Linear(16, 6)


def test_a_head_learns_what_the_published_classifier_does_not_know() -> None:
    head, seen, fc = toy()
    head.pool.query.requires_grad_(False)
    packs = [space.pool(seen, head, fc)]
    points = F.normalize(torch.randn(8, 256), dim=-1)
    names = {
        "photos": space.Names(["cup", "mug"], points[:2]),
        "drawings": space.Names([], points[:0]),
        "imagenet": space.Names([f"class {i}" for i in range(6)], points[2:]),
        "all": space.Names(["cup", "mug"], points[:2]),
    }
    head.classes.copy_(points[2:])
    before = space.check(packs, head, names["photos"])["photos_flowers"]
    space.align(head, packs, names, fc, steps=150)
    assert before < 0.8
    assert space.check(packs, head, names["photos"])["photos_flowers"] >= 0.9


def test_a_fold_leaves_the_other_rows_and_what_is_held_out() -> None:
    head, seen, fc = toy()
    folds = [set(space.pool(seen, head, fc, fold).train.tolist()) for fold in (0, 1)]
    whole = set(space.pool(seen, head, fc).train.tolist())
    assert folds[0] | folds[1] == whole
    assert not folds[0] & folds[1]
    assert not whole & {i for i in range(120) if i % 5 == 0}


def test_what_was_pooled_before_is_not_pooled_again() -> None:
    head, seen, fc = toy()
    own = space.pool_own(seen, head)
    torch.testing.assert_close(space.pool(seen, head, fc).own, own)
    assert space.pool(seen, head, fc, own=own + 1).own.equal(own + 1)


def test_captions_by_people_are_held_out() -> None:
    assert space.held_out("photos_mixed", {"label": "umbrella", "split": "train"})
    assert not space.held_out("photos_mixed", {"label": "umbrella", "split": "train", "made": True})


def test_classes_lie_at_their_names_and_half_as_much_at_their_descriptions(tmp_path: Path) -> None:
    folder = tmp_path / "imagenet-descriptions"
    folder.mkdir()
    values = {"0": {"name": ["cup"], "description": "Holds tea. Has a handle!"}, "2": {"description": "Barks."}}
    (folder / "imagenet1k_gpt_names_descriptions.json").write_text(json.dumps(values))
    sentences = texts.imagenet_descriptions(tmp_path)
    assert sentences == {0: ["Holds tea.", "Has a handle!"], 2: ["Barks."]}
    said = {"Holds tea.": 0, "Has a handle!": 1, "Barks.": 2}

    def teacher(read: list[str]) -> np.ndarray:
        return np.eye(384, dtype=np.float32)[[said[text] for text in read]]

    described = texts.described(cast("texts.Teacher", teacher), sentences, np.eye(384, 256, dtype=np.float32))
    assert described.shape == (1000, 256)
    torch.testing.assert_close(described[0, :3], torch.tensor([0.5**0.5, 0.5**0.5, 0.0]))
    assert not described[1].any()
    names = F.normalize(torch.randn(1000, 256), dim=-1)
    points = texts.class_points(names, described)
    torch.testing.assert_close(points[1], names[1])
    torch.testing.assert_close(points[2], F.normalize(names[2] + 0.5 * described[2], dim=-1))


class Letters:
    """Stands for a tokenizer: a token a letter."""

    def encode_batch(self, said: list[str]) -> list[object]:
        return [type("Encoding", (), {"ids": [200 + ord(letter) for letter in text]}) for text in said]


def test_a_text_trunk_learns_what_it_is_told() -> None:
    torch.manual_seed(0)
    model = Omni(CONFIG)
    model.words.table.random_(-100, 100)
    reader = texts.Reader(model.text, model.words, Letters())
    said = [f"{one}{two}" for one in "abcdefghij" for two in "klmnopqrst"]
    parts = {letter: torch.randn(256) for letter in "abcdefghijklmnopqrst"}
    wanted = F.normalize(torch.stack([parts[text[0]] + parts[text[1]] for text in said]), dim=-1)
    before = F.cosine_similarity(reader(said), wanted).mean()
    texts.distil(reader, said, wanted, steps=12)
    assert F.cosine_similarity(reader(said), wanted).mean() > max(0.8, float(before) + 0.3)


def test_a_projection_of_sounds_learns_their_names() -> None:
    torch.manual_seed(0)
    model = Omni(CONFIG)
    model.words.table.random_(-100, 100)
    reader = texts.Reader(model.text.eval(), model.words, Letters())
    keys = ["rain", "spoken one", "dog"] * 20
    pooled = torch.randn(3, 192).repeat(20, 1) + 0.1 * torch.randn(60, 192)
    known = heard.Heard(pooled, keys, [f"the sound of {key}" for key in keys])
    project = nn.Linear(192, 256)
    heard.bind(project, known, reader, scale=30.0, steps=40)
    names = sorted(set(keys))
    with torch.no_grad():
        nearest = (F.normalize(project(pooled), dim=-1) @ heard.name_points(reader, names).T).argmax(1)
    assert [names[index] for index in nearest] == keys


def test_what_is_reduced_keeps_cosines() -> None:
    rng = np.random.default_rng(0)
    low = rng.normal(size=(900, 40)) @ rng.normal(size=(40, 384))
    vectors = (low / np.linalg.norm(low, axis=1, keepdims=True)).astype(np.float32)
    reduced = vectors @ texts.reduce(vectors)
    np.testing.assert_allclose(reduced @ reduced.T, vectors @ vectors.T, atol=1e-4)


def test_a_head_is_told_what_is_familiar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures like those that it was taught on keep what was learned; others have the published point."""
    monkeypatch.setattr(knowing, "AXES", 16)
    rng = np.random.default_rng(1)
    centres = rng.normal(1, 0.5, (4, 300))
    labels = [i % 4 for i in range(400)]
    splits = ["val" if i % 10 < 2 else "train" for i in range(400)]
    rows = [{"label": f"kind {k}", "split": split} for k, split in zip(labels, splits, strict=True)]
    pooled = (centres[labels] + rng.normal(0, 0.2, (400, 300))).astype(np.float16)
    own = np.zeros((400, 64, 8), np.float16)
    seen = Seen("photos_flowers", rows, pooled, pooled[:, None], own)
    classes = knowing.centred([seen])
    assert classes == [f"kind {k}" for k in range(4)]
    wide = replace(NETWORK, width=300)
    head = PublishedHead(knowing.config_of(replace(TRUNK, published=wide), classes), 256)
    fc = nn.Linear(300, 6)
    pack = space.pool(seen, head, fc)
    knowing.set_usual(head, [pack])
    with torch.no_grad():
        points = head.named(pack.logits[pack.train][:: knowing.EVERY_USUAL]) + head.usual
    torch.testing.assert_close(head.usual, knowing.USUAL * points.mean(0))
    knowing.familiarize(head, [pack], classes)
    assert head.familiar is not None
    others = torch.from_numpy(rng.normal(1, 0.5, (50, 300)).astype(np.float32))
    check = pack.seen[[i for i in range(400) if i % 10 < 2]]
    known, unknown = head.familiar(check), head.familiar(others)
    assert float(known.mean()) > 0.6
    assert float(unknown.mean()) < 0.2


def test_other_views_are_learned_from_and_not_judged_by() -> None:
    head, seen, fc = toy()
    pack = space.pool(seen, head, fc)
    joined = space.join(pack, [pack])
    assert len(joined.rows) == len(pack.rows) + len(pack.train)
    assert len(joined.train) == 2 * len(pack.train)
    assert all(joined.rows[i]["split"] == "train" for i in joined.train)
    assert [joined.labels[i] for i in joined.train] == 2 * [pack.labels[i] for i in pack.train]
    assert joined.chance.sum() == pytest.approx(1)
    names = space.Names(["cup", "mug"], F.normalize(torch.randn(2, 256), dim=-1))
    assert space.check([joined], head, names) == space.check([pack], head, names)
