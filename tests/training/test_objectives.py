"""Objectives against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from tutti.errors import InputError
from tutti.training.objectives import IGNORE, classification, contrastive, next_token

NO_SCALE = torch.tensor(0.0)  # e^0 = 1


def test_classification_smooths_labels():
    logits = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/4
    out = classification(logits, torch.tensor([0]), smoothing=0.2)
    expected = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25))
    assert out["loss"].item() == pytest.approx(expected, rel=1e-6)
    assert out["accuracy"].item() == 1.0
    assert classification(logits, torch.tensor([1]))["accuracy"].item() == 0.0


def test_contrastive_with_different_keys_is_clips_loss():
    generator = torch.Generator().manual_seed(0)
    image, text = (F.normalize(torch.randn(5, 3, generator=generator), dim=-1) for _ in range(2))
    keys = {"image": torch.arange(5), "text": torch.arange(5)}
    scale = torch.tensor(2.0)
    logits = math.exp(2.0) * image @ text.T
    clip = (F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))) / 2
    assert contrastive({"image": image, "text": text}, keys, [("image", "text")], scale)[
        "loss"
    ].item() == pytest.approx(clip.item(), rel=1e-5)


def test_contrastive_counts_every_row_of_the_same_key_as_a_positive():
    # Two images of "dog" and one of "cat" against the same captions, all points at right angles or equal:
    # dog rows see logits (1, 1, 0), the cat row (0, 0, 1).
    dog, cat = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    points = torch.stack([dog, dog, cat])
    keys = torch.tensor([7, 7, 9])
    out = contrastive({"a": points, "b": points}, {"a": keys, "b": keys}, [("a", "b")], NO_SCALE)
    dogs = math.log(2 * math.e + 1) - 1
    cats = math.log(2 + math.e) - 1
    assert out["loss"].item() == pytest.approx((2 * dogs + cats) / 3, rel=1e-6)


def test_contrastive_compares_only_the_named_pairs():
    points = {name: torch.eye(2, requires_grad=True) for name in ("image", "text", "audio")}
    keys = {name: torch.arange(2) for name in points}
    out = contrastive(points, keys, [("image", "text")], NO_SCALE)
    assert set(out) == {"loss", "image-text"}
    out["loss"].backward()
    assert points["audio"].grad is None
    both = contrastive(points, keys, [("image", "text"), ("audio", "text")], NO_SCALE)
    assert both["loss"].item() == pytest.approx((both["image-text"].item() + both["audio-text"].item()) / 2)


def test_contrastive_lets_a_row_without_partner_add_nothing_of_its_own():
    points = {"a": torch.eye(2), "b": torch.eye(2)}
    keys = {"a": torch.tensor([0, 1]), "b": torch.tensor([0, 5])}
    row = math.log(math.e + 1) - 1
    # one of two rows has a partner, and the mean is over that one
    assert contrastive(points, keys, [("a", "b")], NO_SCALE)["loss"].item() == pytest.approx(row, rel=1e-6)


def test_contrastive_clamps_the_temperature_and_refuses_unknown_pairs():
    points = {"a": torch.eye(2) / 10, "b": torch.eye(2) / 10}
    keys = {"a": torch.arange(2), "b": torch.arange(2)}
    at_limit = contrastive(points, keys, [("a", "b")], torch.tensor(math.log(100.0)))["loss"]
    beyond = contrastive(points, keys, [("a", "b")], torch.tensor(20.0))["loss"]
    assert beyond.item() == pytest.approx(at_limit.item(), rel=1e-4)
    for pairs in ([], [("a", "c")]):
        with pytest.raises(InputError, match="expected pairs of"):
            contrastive(points, keys, pairs, NO_SCALE)


def test_next_token_equals_cross_entropy_over_all_positions_and_projects_only_the_labelled():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 4, 3, generator=generator, requires_grad=True)
    table = torch.randn(6, 3, generator=generator)
    labels = torch.tensor([[IGNORE, 2, 5, IGNORE], [IGNORE, IGNORE, IGNORE, 0]])
    seen: list[int] = []

    def project(states: torch.Tensor) -> torch.Tensor:
        seen.append(len(states))
        return states @ table.T

    out = next_token(hidden, labels, project)
    whole = F.cross_entropy((hidden @ table.T).flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
    assert seen == [3]
    assert out["loss"].item() == pytest.approx(whole.item(), rel=1e-6)
    out["loss"].backward()
    assert hidden.grad is not None
    assert not hidden.grad[labels == IGNORE].any()


def test_next_token_of_a_batch_without_labels_is_zero_and_still_has_a_gradient():
    hidden = torch.ones(1, 2, 3, requires_grad=True)
    out = next_token(hidden, torch.full((1, 2), IGNORE), lambda states: states)
    out["loss"].backward()
    assert out["loss"].item() == 0.0
    assert hidden.grad is not None
    assert not hidden.grad.any()


def test_next_token_by_hand():
    logits = torch.tensor([[[math.log(3.0), 0.0], [0.0, 0.0]]])
    out = next_token(logits, torch.tensor([[0, 1]]), lambda states: states)
    assert out["loss"].item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, rel=1e-6)
    assert out["token_accuracy"].item() == 0.5
