"""A recording that is a little longer than the model takes is cut where that is asked for, and the answer says so."""

from __future__ import annotations

import numpy as np
import pytest

import tutti
from tutti.content import Message, SamplingOptions
from tutti.errors import CapacityError

RATE = 16_000


@pytest.fixture(scope="module")
def model() -> tutti.Model:
    return tutti.load()


def sound(seconds: float) -> tutti.Audio:
    return tutti.Audio(np.full(round(seconds * RATE), 0.01, np.float32), sample_rate_hz=RATE)


def clip(seconds: int) -> tutti.Video:
    return tutti.Video(np.zeros((seconds, 16, 16, 3), np.uint8), frames_per_s=1.0)


@pytest.mark.parametrize("seconds", [29.9, 30.0, 30.05, 30.14])
def test_what_fits_is_not_cut(model: tutti.Model, seconds: float) -> None:
    assert model.ask("What is this?", sound(seconds), max_tokens=2).notes == ()
    assert len(model.embed([sound(seconds)])) == 1


@pytest.mark.parametrize("seconds", [30.5, 45.0, 60.0])
def test_what_is_a_little_longer_is_cut_and_said(model: tutti.Model, seconds: float) -> None:
    answer = model.ask("What is this?", sound(seconds), max_tokens=2)
    assert answer.notes == (
        f"The sound of audio array lasts {seconds:.1f} s; the model takes 30 s at a time and was given the first 30 s.",
    )
    assert answer.text == model.ask("What is this?", sound(30.0), max_tokens=2).text
    assert answer.to_dict()["notes"] == answer.notes


def test_what_is_far_longer_is_refused(model: tutti.Model) -> None:
    with pytest.raises(CapacityError, match=r"lasts 61\.0 s; this model hears at most 30 s at a time"):
        model.ask("What is this?", sound(61.0))


def test_nothing_is_cut_unasked(model: tutti.Model) -> None:
    with pytest.raises(CapacityError, match="hears at most 30 s"):
        model.ask("What is this?", sound(31.0), cut_media=False)
    with pytest.raises(CapacityError, match="hears at most 30 s"):
        list(model.responder().stream([Message.user(sound(31.0), "What?")], SamplingOptions()))
    with pytest.raises(CapacityError, match="hears at most 30 s"):
        model.embed([sound(31.0)])
