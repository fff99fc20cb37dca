"""Processes that decode: the same arrays as without them, limits that end a process, and nothing but that process."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from tutti.content import Audio, Video
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, UniformFrames, Workers, decode_audio, decode_video, measure, workers, wrap


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    made = Workers(2, seconds=120)
    yield made
    made.close()


def test_sound_video_sizes_and_kinds_are_as_without(pool: Workers, one_of_each: dict[str, bytes]) -> None:
    alone, apart = Limits(), Limits(workers=pool)
    for name in ("OGG", "MP3", "m4a"):
        plain, sent = (decode_audio(Audio(one_of_each[name]), limits) for limits in (alone, apart))
        assert sent.sample_rate_hz == plain.sample_rate_hz
        assert np.array_equal(sent.samples, plain.samples)
    for name in ("mp4", "webm", "gif film"):
        plain_clip, sent_clip = (
            decode_video(Video(one_of_each[name]), one, UniformFrames(3)) for one in (alone, apart)
        )
        assert np.array_equal(sent_clip.frames, plain_clip.frames)
        assert np.array_equal(sent_clip.times_s, plain_clip.times_s)
        assert sent_clip.duration_s == plain_clip.duration_s
        assert (sent_clip.sound is None) == (plain_clip.sound is None)
        assert measure(Video(one_of_each[name]), alone) == measure(Video(one_of_each[name]), apart)
    for name, content in one_of_each.items():
        assert wrap(content, limits=apart).modality == wrap(content, limits=alone).modality, name


def test_errors_come_back_as_they_are(pool: Workers, one_of_each: dict[str, bytes]) -> None:
    limits = Limits(workers=pool, max_seconds=0.01)
    with pytest.raises(InputError, match="not a recording that Tutti reads: its content is plain text"):
        decode_audio(Audio(b"words"), limits)
    with pytest.raises(CapacityError, match=r"the limit is 0\.01 s"):
        decode_audio(Audio(one_of_each["MP3"]), limits)
    assert pool.killed == 0


def test_a_process_that_is_killed_costs_its_medium_only(sound_bytes: Callable[..., bytes]) -> None:
    pool = Workers(1, seconds=120)
    limits = Limits(workers=pool)
    sound = Audio(sound_bytes("WAV"))
    assert decode_audio(sound, limits).duration_s == 1
    os.kill(pool._idle[0]._process.pid, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (pool._idle[0]._process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(CapacityError, match="takes more than it may to decode"):
        decode_audio(sound, limits)
    assert decode_audio(sound, limits).duration_s == 1
    assert pool.killed == 1
    pool.close()


def test_one_that_never_ends_is_ended(sound_bytes: Callable[..., bytes]) -> None:
    pool = Workers(1, seconds=120)
    limits = Limits(workers=pool)
    sound = Audio(sound_bytes("WAV"))
    decode_audio(sound, limits)
    stuck = pool._idle[0]._process
    os.kill(stuck.pid, signal.SIGSTOP)
    pool._seconds = 0.3
    begun = time.monotonic()
    with pytest.raises(CapacityError, match=r"takes more than 0\.3 s to decode"):
        decode_audio(sound, limits)
    assert time.monotonic() - begun < 10
    assert stuck.poll() is not None, "nothing is left behind"
    pool._seconds = 120
    assert decode_audio(sound, limits).duration_s == 1
    pool.close()


def test_memory_and_processor_are_bounded(sound_bytes: Callable[..., bytes]) -> None:
    """Much sound in little bytes: 58 MB of samples in a process that may take 32 MB more than it has."""
    hour = sound_bytes("FLAC", 900.0)
    small = Workers(1, seconds=120, memory_bytes=32 * 2**20)
    with pytest.raises(CapacityError, match="needs more memory"):
        decode_audio(Audio(hour), Limits(workers=small, max_seconds=1e5))
    assert decode_audio(Audio(sound_bytes("WAV")), Limits(workers=small)).duration_s == 1
    small.close()
    quick = Workers(1, seconds=120, cpu_seconds=-1)  # with the second that is always given, none is left
    with pytest.raises(CapacityError, match="takes more than it may to decode"):
        decode_audio(Audio(hour), Limits(workers=quick, max_seconds=1e5))
    quick.close()


@pytest.mark.parametrize(
    "answer",
    [
        {"arrays": [["float32", [10**12]]], "sample_rate_hz": 1},
        {"arrays": [["object", [1]]], "sample_rate_hz": 1},
        {"arrays": [["float32", [-1]]], "sample_rate_hz": 1},
        {"arrays": [["uint8", [1, 1]]], "sample_rate_hz": 1},
        {"arrays": []},
        [],
        {"error": "os.system", "message": "m."},
    ],
)
def test_a_process_that_was_taken_over_can_send_numbers_only(
    answer: object, monkeypatch: pytest.MonkeyPatch, sound_bytes: Callable[..., bytes]
) -> None:
    head = json.dumps(answer).encode()
    lie = f"import os; h={head!r}; os.write(1, len(h).to_bytes(8, 'little') + h + bytes(64)); input()"
    real = workers.subprocess.Popen

    def taken_over(words: list[str], **options: object) -> object:
        return real([words[0], "-c", lie], **options)

    monkeypatch.setattr(workers.subprocess, "Popen", taken_over)
    pool = Workers(1, seconds=60)
    with pytest.raises((CapacityError, InputError)):
        decode_audio(Audio(sound_bytes("WAV")), Limits(workers=pool))
    pool.close()


def test_arrays_are_not_sent(pool: Workers) -> None:
    limits = replace(Limits(), workers=pool)
    assert decode_audio(Audio(np.zeros(10, np.float32), sample_rate_hz=1000), limits).duration_s == 0.01
