"""Prompts, and the digest by which media are told apart."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tutti.errors import InputError
from tutti.processing.prompt import MediaInput, Prompt, media_digest


def _medium(tokens: int) -> MediaInput:
    return MediaInput("image", {"pixel_values": np.zeros((3, 2, 2), np.float32)}, tokens, "")


@pytest.mark.parametrize(
    ("tokens", "starts", "sentence"),
    [
        ((2,), (), "The prompt has 1 media but 0 places for them"),
        ((2,), (5,), "The image of 2 tokens at 5 does not fit the prompt of 6 tokens, of which 0 are taken"),
        ((2, 2), (0, 1), "at 1 does not fit the prompt of 6 tokens, of which 2 are taken"),
        ((2, 2), (3, 0), "at 0 does not fit"),
        ((0,), (0,), "of 0 tokens at 0 does not fit"),
        ((1,), (-1,), "at -1 does not fit"),
    ],
)
def test_media_that_do_not_fit_are_refused(tokens: tuple[int, ...], starts: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Prompt(np.zeros(6, np.int64), tuple(map(_medium, tokens)), starts)


def test_media_may_touch_and_fill_the_prompt() -> None:
    assert Prompt(np.zeros(6, np.int64), (_medium(2), _medium(4)), (0, 2)).starts == (0, 2)


def test_the_digest_is_the_one_that_is_written_down() -> None:
    content = b"".join(len(part).to_bytes(8, "little") + part for part in (b"x", b"<i2", b"(2,)")) + b"\x01\x00\x02\x00"
    assert media_digest({"x": np.array([1, 2], "<i2")}) == hashlib.sha256(content).hexdigest()


def test_whatever_differs_changes_the_digest() -> None:
    base = np.arange(12, dtype=np.int32).reshape(3, 4)
    others = [
        {"x": base},
        {"y": base},
        {"x": base.reshape(4, 3)},
        {"x": base.astype(np.int64)},
        {"x": base.view(np.float32)},
        {"x": base + 1},
        {"x": base.T},
        {"x": base, "y": base[:0]},
        {"x": base[:1], "y": base[1:]},
        {},
    ]
    assert len({media_digest(arrays) for arrays in others}) == len(others)


def test_neither_layout_in_memory_nor_order_of_names_counts() -> None:
    base = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert media_digest({"x": base}) == media_digest({"x": np.asfortranarray(base)})
    assert media_digest({"x": base, "y": base}) == media_digest({"y": base, "x": base})
