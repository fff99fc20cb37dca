"""All names at once: whose captions are whose, and that captions come to lie where their pictures do."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from recipes.tutti_mini.alignment import tokenize
from recipes.tutti_mini.build import SMALL, Pretraining
from recipes.tutti_mini.name_tuning import NEIGHBOURS, WAYS, Bind, CaptionSource, Names, NameSource, Remembered, Tune
from recipes.tutti_mini.packs import Pictures, Sounds
from recipes.tutti_mini.pairs import PicturePairs, SoundPairs
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.shares import TUNE_SHARES
from recipes.tutti_mini.token_labelling import PlaceSource, place_names
from tutti.models.omni.model import Omni


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_str((files("tutti") / "assets/tutti-mini/tokenizer.json").read_text())


@pytest.fixture
def model() -> Omni:
    torch.manual_seed(0)
    model = Omni(SMALL).eval()
    model.words.table.random_(-100, 100)
    model.words.scale.fill_(0.01)
    return model


@pytest.fixture(scope="module")
def names(pictures: dict[str, Pictures]) -> Names:
    packs = [pictures[name].part(held_out=False) for name in ("cifar10", "grocery", "hand_digits")]
    return Names(PicturePairs(packs, (0.6, 0.4, 0.0)))


def test_names_are_those_of_packs_that_are_drawn_from(names: Names, sounds: dict[str, Sounds]) -> None:
    assert "dog" in names.levels[0]
    assert not any(name.startswith("hand") for level in names.levels for name in level)
    heard = Names(SoundPairs([sounds["speech_digits"].part(held_out=False)], (1.0,)))
    assert len(heard.levels) == 1
    assert heard.level(np.random.default_rng(0)) == 0
    assert all(len(shares) == 9 for shares in TUNE_SHARES.values())


def test_each_name_is_told_by_captions_of_its_own(names: Names) -> None:
    ways = names.ways(seed=0)
    assert ways == names.ways(seed=0)
    assert len(ways) == WAYS * sum(map(len, names.levels))
    fine, broad = names.levels
    assert all("dog" in text for text in ways[WAYS * fine["dog"] :][:WAYS])
    assert all("apple" in text for text in ways[WAYS * (len(fine) + broad["apple"]) :][:WAYS])


def test_a_batch_points_at_the_captions_of_its_own_names(names: Names, pools: Pools) -> None:
    source = NameSource(names, 40, PlaceSource(pools, place_names(pools), 2))
    ways, levels = names.ways(seed=0), set()
    for seed in range(8):
        batch = source.batch(np.random.default_rng(seed))
        level = int(batch["ways"].min() >= WAYS * len(names.levels[0]))
        levels.add(level)
        known = list(names.levels[level])
        assert len(batch["ways"]) == len(known)
        for key in batch["keys"].tolist():
            word = known[key].split()[0]
            assert word in ways[batch["ways"][key]].lower()
    assert levels == {0, 1}


def test_half_the_captions_are_of_neighbours_in_the_alphabet(names: Names, tokenizer: Tokenizer) -> None:
    batch = CaptionSource(names, tokenizer, 4 * NEIGHBOURS).batch(np.random.default_rng(0))
    keys, count = batch["keys"], len(names.levels[batch["level"]])
    assert len(keys) == len(batch["input_ids"]) == 4 * NEIGHBOURS
    steps = (keys[1:] - keys[:-1]) % count == 1
    assert steps[2 * NEIGHBOURS : 3 * NEIGHBOURS - 1].all()
    assert not steps[: 2 * NEIGHBOURS - 1].all()


def test_pictures_and_captions_come_together_on_what_the_trunk_saw_once(tokenizer: Tokenizer, model: Omni) -> None:
    labels = ("dog", "cat", "ship", "automobile", "truck", "frog", "horse", "bird")
    shades = np.random.default_rng(0).integers(0, 256, (len(labels), 1, 1, 3), dtype=np.uint8)
    plain = Pictures("cifar10", [{"label": label} for label in labels], np.broadcast_to(shades, (8, 64, 64, 3)))
    names = Names(PicturePairs([plain], (1.0,), strength=0.1))
    objective = Bind("image", names, views=512, seed=0)
    source = CaptionSource(names, tokenizer, 32)
    learned = [*model.text.parameters(), *model.heads["image"].project.parameters()]
    optimizer = torch.optim.Adam(learned, 1e-3)
    figures = []
    for step in range(50):
        out = objective(model, source.batch(np.random.default_rng(step)))
        optimizer.zero_grad()
        out["loss"].backward()
        assert all(parameter.grad is None for parameter in model.trunks.parameters())
        optimizer.step()
        figures.append([float(out[name].detach()) for name in ("loss", "cosine")])
    (first, far), (last, near) = np.mean(figures[:5], axis=0), np.mean(figures[-5:], axis=0)
    assert last < 0.9 * first
    assert near > far + 0.1


def test_what_is_remembered_of_a_name_is_its_own() -> None:
    owners = torch.tensor([0, 0, 2, 2, 2])
    seen = Remembered(torch.arange(10.0).view(5, 2), owners, torch.tensor([0, 2, 2, 5]))
    keys = torch.tensor([0, 1, 2] * 50)
    places = seen.one_of(keys)
    assert (places[keys == 1] == -1).all()
    assert (owners[places[keys != 1]] == keys[keys != 1]).all()
    assert set(places.tolist()) == {-1, 0, 1, 2, 3, 4}
    assert seen.means.tolist() == [[1.0, 2.0], [0.0, 0.0], [6.0, 7.0]]


def test_a_picture_at_the_point_of_its_own_name_costs_least(names: Names, tokenizer: Tokenizer, model: Omni) -> None:
    objective = Tune("image", names.ways(seed=0), tokenizer)
    count = len(names.levels[0])
    batch = {"values": torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "ways": torch.arange(0, WAYS * count, WAYS)}
    head = model.heads["image"].project
    with torch.no_grad():
        head.weight.zero_()
        head.bias[:] = model.embed_text(*tokenize(tokenizer, [objective.texts[2 * WAYS]], 48))[0]
    costs = []
    for key in range(count):
        out = objective(Pretraining(model, {}), {**batch, "keys": torch.tensor([key])})
        costs.append(float(out["loss"].detach()))
    assert int(np.argmin(costs)) == 2
    out["loss"].backward()
    assert head.bias.grad is not None
    assert all(parameter.grad is None for parameter in model.text.parameters())
