"""Processes that decode: the same arrays as without them, limits that end a process, and nothing but that process."""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.media.faults import missing_key
from tutti.content import Audio, Image, Video
from tutti.errors import CapacityError, InputError
from tutti.media import InProcess, Limits, UniformFrames, Workers, sandbox


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    made = Workers(2, seconds=120)
    yield made
    made.close()


def test_sound_video_sizes_and_kinds_are_as_without(pool: Workers, one_of_each: dict[str, bytes]) -> None:
    alone, apart = InProcess(Limits()), pool.decoder(Limits())
    for name in ("OGG", "MP3", "m4a"):
        plain, sent = (one.sound(Audio(one_of_each[name])) for one in (alone, apart))
        assert sent.sample_rate_hz == plain.sample_rate_hz
        assert np.array_equal(sent.samples, plain.samples)
    for name in ("mp4", "webm", "gif film"):
        plain_clip, sent_clip = (one.clip(Video(one_of_each[name]), UniformFrames(3)) for one in (alone, apart))
        assert np.array_equal(sent_clip.frames, plain_clip.frames)
        assert np.array_equal(sent_clip.times_s, plain_clip.times_s)
        assert sent_clip.duration_s == plain_clip.duration_s
        assert (sent_clip.sound is None) == (plain_clip.sound is None)
        assert alone.size(Video(one_of_each[name])) == apart.size(Video(one_of_each[name]))
    for name in ("JPEG", "AVIF", "HEIC", "GIF"):
        assert np.array_equal(alone.image(Image(one_of_each[name])), apart.image(Image(one_of_each[name])))
        assert alone.size(Image(one_of_each[name])) == apart.size(Image(one_of_each[name]))
    small = [one.image(Image(one_of_each["JPEG"]), at_least=8) for one in (alone, apart)]
    assert np.array_equal(*small) and small[0].shape == (10, 15, 3)
    for name, content in one_of_each.items():
        assert apart.modality(content) == alone.modality(content), name


def test_errors_come_back_as_they_are(pool: Workers, one_of_each: dict[str, bytes]) -> None:
    decoder = pool.decoder(Limits(max_seconds=0.01))
    with pytest.raises(InputError, match="not a recording that Tutti reads: its content is plain text"):
        decoder.sound(Audio(b"words"))
    with pytest.raises(CapacityError, match=r"the limit is 0\.01 s"):
        decoder.sound(Audio(one_of_each["MP3"]))
    assert pool.killed == 0


def test_a_fault_of_ours_is_no_fault_of_the_medium(one_of_each: dict[str, bytes]) -> None:
    pool = Workers(1, seconds=120)
    decoder, film = pool.decoder(Limits()), Video(one_of_each["mp4"])
    with pytest.raises(sandbox.WorkerFault, match="KeyError: 'a fault of ours'"):
        decoder.clip(film, UniformFrames(1), scale=missing_key)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        decoder.clip(film, UniformFrames(1), scale=lambda frame: frame)
    assert len(decoder.clip(film, UniformFrames(1)).frames) == 1
    assert pool.killed == 0
    pool.close()


def test_a_process_that_is_killed_costs_its_medium_only(sound_bytes: Callable[..., bytes]) -> None:
    pool = Workers(1, seconds=120)
    decoder = pool.decoder(Limits())
    sound = Audio(sound_bytes("WAV"))
    assert decoder.sound(sound).duration_s == 1
    os.kill(pool._idle[0]._process.pid, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (pool._idle[0]._process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(CapacityError, match="takes more than it may to decode"):
        decoder.sound(sound)
    assert decoder.sound(sound).duration_s == 1
    assert pool.killed == 1
    pool.close()


def test_one_that_never_ends_is_ended(sound_bytes: Callable[..., bytes]) -> None:
    pool = Workers(1, seconds=120)
    decoder = pool.decoder(Limits())
    sound = Audio(sound_bytes("WAV"))
    decoder.sound(sound)
    stuck = pool._idle[0]._process
    os.kill(stuck.pid, signal.SIGSTOP)
    pool._seconds = 0.3
    begun = time.monotonic()
    with pytest.raises(CapacityError, match=r"takes more than 0\.3 s to decode"):
        decoder.sound(sound)
    assert time.monotonic() - begun < 10
    assert stuck.poll() is not None, "nothing is left behind"
    pool._seconds = 120
    assert decoder.sound(sound).duration_s == 1
    pool.close()


def test_memory_and_processor_are_bounded(sound_bytes: Callable[..., bytes]) -> None:
    """Much sound in little bytes: 58 MB of samples in a process that may take 32 MB more than it has."""
    hour = sound_bytes("FLAC", 900.0)
    small = Workers(1, seconds=120, memory_bytes=32 * 2**20)
    with pytest.raises(CapacityError, match="needs more memory"):
        small.decoder(Limits(max_seconds=1e5)).sound(Audio(hour))
    assert small.decoder(Limits()).sound(Audio(sound_bytes("WAV"))).duration_s == 1
    small.close()
    quick = Workers(1, seconds=120, cpu_seconds=-1)  # with the second that is always given, none is left
    with pytest.raises(CapacityError, match="takes more than it may to decode"):
        quick.decoder(Limits(max_seconds=1e5)).sound(Audio(hour))
    quick.close()


@pytest.mark.parametrize(
    "answer",
    [
        {"arrays": [["float32", [10**12]]], "sample_rate_hz": 1},
        {"arrays": [["object", [1]]], "sample_rate_hz": 1},
        {"arrays": [["float32", [-1]]], "sample_rate_hz": 1},
        {"arrays": [["uint8", [1, 1]]], "sample_rate_hz": 1},
        {"arrays": []},
        {"arrays": [["float32", [1]]]},
        {"arrays": [["float32", [1]]], "sample_rate_hz": "x"},
        {"arrays": [["float32"]], "sample_rate_hz": 1},
        [],
        {"error": "os.system", "message": "m."},
    ],
)
def test_a_process_that_was_taken_over_can_send_numbers_only(
    answer: object, monkeypatch: pytest.MonkeyPatch, sound_bytes: Callable[..., bytes]
) -> None:
    head = json.dumps(answer).encode()
    lie = f"import os; h={head!r}; os.write(1, len(h).to_bytes(8, 'little') + h + bytes(64)); input()"
    real = sandbox.subprocess.Popen

    def taken_over(words: list[str], **options: object) -> object:
        return real([words[0], "-c", lie], **options)

    monkeypatch.setattr(sandbox.subprocess, "Popen", taken_over)
    pool = Workers(1, seconds=60)
    with pytest.raises((CapacityError, InputError)):
        pool.decoder(Limits()).sound(Audio(sound_bytes("WAV")))
    pool.close()


def test_arrays_are_not_sent(pool: Workers) -> None:
    decoder = pool.decoder(Limits())
    assert decoder.sound(Audio(np.zeros(10, np.float32), sample_rate_hz=1000)).duration_s == 0.01
