"""Media on their way to a trunk: order and errors of threads, and what goes through a trunk together."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tutti.content import Image, Media
from tutti.errors import InputError
from tutti.processing.prompt import MediaInput
from tutti.providers.batches import batches, prepared


def _input(side: int, tokens: int) -> MediaInput:
    return MediaInput("image", {"pixel_values": np.zeros((3, side, side), np.float32)}, tokens, "")


def test_media_come_back_under_their_numbers_and_are_prepared_at_once() -> None:
    both = threading.Barrier(2, timeout=30)  # passed only if two threads are in `prepare` at the same time

    def prepare(part: Media) -> MediaInput:
        both.wait()
        return _input(int(np.asarray(part.source)[0, 0, 0]), 1)

    parts: dict[int, Media] = {number: Image(np.full((1, 1, 3), number, np.uint8)) for number in (5, 3, 8, 1)}
    found = prepared(prepare, parts, threads=2)
    assert [(number, one.arrays["pixel_values"].shape[1]) for number, one in found.items()] == [
        (number, number) for number in parts
    ]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_error_comes_out(threads: int) -> None:
    def prepare(part: Media) -> MediaInput:
        raise InputError(part.name)

    parts: dict[int, Media] = {number: Image(f"{number}.jpg") for number in range(4)}
    with pytest.raises(InputError, match=r"^0\.jpg$"):
        prepared(prepare, parts, threads)


def test_only_alike_media_go_together_and_long_ones_go_fewer_at_a_time() -> None:
    media = {number: _input(2 + number % 2, 50) for number in range(20)} | {99: _input(9, 4000)}
    found = [list(some) for some in batches(media)]
    assert sorted(number for some in found for number in some) == sorted(media)
    assert [len(some) for some in found] == [8, 2, 8, 2, 1]
