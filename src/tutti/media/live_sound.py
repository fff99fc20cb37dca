"""Sound as it comes: from a microphone, or from a file at the pace at which it was recorded."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Audio, Video
from tutti.errors import InputError, MissingExtra
from tutti.media.limits import Limits
from tutti.media.sound_windows import sound_windows

SoundBlock = NDArray[np.float32]
BLOCK_S = 0.25
MOST_WAITING_S = 60.0
"""Sound of a microphone that waits at most; of more, the oldest is dropped."""


def played(
    part: Audio | Video,
    limits: Limits,
    rate_hz: int,
    *,
    real_time: bool = False,
    zero_s: float | None = None,
    until_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[SoundBlock]:
    """The sound of a file, block by block. Shapes: (S,) float32 mono at `rate_hz`.

    Args:
        part: A recording or a video.
        limits: Budgets; `Limits.streaming` lets it be long.
        rate_hz: Sample rate that is wanted, in hertz.
        real_time: Give each block when it would have been heard; a reader that is late gets all that is due at once.
        zero_s: The container's time that counts as zero; None takes the track's own start.
        until_s: Silence follows what ends sooner, as where a film goes on without sound.
        clock: Seconds.
        sleep: Waits so many seconds.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: It lasts longer than allowed.
    """
    blocks = _blocks(part, limits, rate_hz, zero_s, until_s)
    if not real_time:
        yield from blocks
        return
    begun, given_s = clock(), 0.0
    due: list[SoundBlock] = []
    for block in blocks:
        given_s += len(block) / rate_hz
        wait_s = begun + given_s - clock()
        if wait_s > 0:
            if due:
                yield np.concatenate(due)
                due = []
                wait_s = begun + given_s - clock()
            sleep(max(0.0, wait_s))
        due.append(block)
    if due:
        yield np.concatenate(due)


def _blocks(
    part: Audio | Video, limits: Limits, rate_hz: int, zero_s: float | None, until_s: float
) -> Iterator[SoundBlock]:
    given = 0
    for _, block in sound_windows(part, limits, rate_hz=rate_hz, window_s=BLOCK_S, hop_s=BLOCK_S, zero_s=zero_s):
        given += len(block)
        yield block
    while given < round(until_s * rate_hz):
        block = np.zeros(min(round(BLOCK_S * rate_hz), round(until_s * rate_hz) - given), np.float32)
        given += len(block)
        yield block


class Microphone:
    """Blocks of sound as they are recorded; the extra `live`.

    Args:
        rate_hz: Sample rate, in hertz.
        device: Number or a part of the name; None is the system's choice.

    Raises:
        MissingExtra: sounddevice is not installed.
        InputError: PortAudio is missing, or the device cannot be opened.
    """

    def __init__(self, rate_hz: int, device: str | None = None) -> None:
        sounddevice = sounddevice_library("Listening to a microphone")
        self.rate_hz, self.dropped_s = rate_hz, 0.0
        self._waiting: queue.Queue[SoundBlock] = queue.Queue(round(MOST_WAITING_S / BLOCK_S))
        chosen = int(device) if device is not None and device.isdecimal() else device
        try:
            self._stream = sounddevice.InputStream(
                samplerate=rate_hz,
                channels=1,
                dtype="float32",
                blocksize=round(BLOCK_S * rate_hz),
                device=chosen,
                callback=self._take,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise InputError(
                f"The microphone cannot be opened: {error}; `python -m sounddevice` lists those for --microphone, "
                "and --from FILE reads a file."
            ) from error

    def __iter__(self) -> Iterator[SoundBlock]:
        """What was recorded since the last time, at least one block, until `close`."""
        while True:
            try:
                blocks = [self._waiting.get(timeout=1.0)]
            except queue.Empty:
                if not self._stream.active:
                    return
                continue
            while not self._waiting.empty():
                blocks.append(self._waiting.get_nowait())
            yield np.concatenate(blocks)

    def close(self) -> None:
        """Let the device go."""
        self._stream.stop()
        self._stream.close()

    def _take(self, recorded: SoundBlock, *_: object) -> None:
        """On the thread of the sound library."""
        if self._waiting.full():
            self._waiting.get_nowait()
            self.dropped_s += BLOCK_S
        self._waiting.put_nowait(recorded[:, 0].copy())


def sounddevice_library(doing: str) -> Any:
    """The library sounddevice.

    Args:
        doing: What needs it, for the error.

    Raises:
        MissingExtra: It is not installed.
        InputError: PortAudio is missing.
    """
    try:
        import sounddevice
    except ImportError:
        raise MissingExtra(doing, "live") from None
    except OSError as error:
        raise InputError(
            f"{doing} needs the library PortAudio, which is not installed; install it, as with: "
            "apt-get install libportaudio2"
        ) from error
    return sounddevice
