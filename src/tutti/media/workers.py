"""Processes that decode sound and video within limits of time, processor and memory; killing one costs one medium.

A decoder is a large program that reads hostile bytes. It may loop, swell or crash, and none of that may reach whoever
serves others. What comes back from a worker is believed in its form only: numbers of a fixed kind and a size within the
budget, never objects.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Audio, Media, Modality, Video
from tutti.errors import CapacityError, InputError, TuttiError
from tutti.media.limits import Limits

if TYPE_CHECKING:
    from tutti.media.audio import Sound
    from tutti.media.frames import FrameChoice
    from tutti.media.measuring import Size
    from tutti.media.video import Clip, Scale

_ERRORS: dict[str, type[TuttiError]] = {"InputError": InputError, "CapacityError": CapacityError}
_KINDS: dict[str, type[np.generic]] = {"float32": np.float32, "uint8": np.uint8, "float64": np.float64}
_LARGEST_HEAD = 1 << 16
_PIECE = 1 << 20


class _Ended(Exception):
    """A worker ended, or says what no worker says."""


class Workers:
    """A few processes that wait for media to decode. Threads may share it.

    Args:
        count: Most processes, and so most media that are decoded at once.
        seconds: Longest that one medium may take.
        cpu_seconds: Most processor time of one medium, all threads together.
        memory_bytes: Most memory that a process may take beyond what it starts with.
    """

    def __init__(
        self, count: int = 2, *, seconds: float = 60.0, cpu_seconds: int = 120, memory_bytes: int = 2 * 2**30
    ) -> None:
        self._seconds, self._cpu_seconds, self._memory_bytes = seconds, cpu_seconds, memory_bytes
        self._free = threading.Semaphore(count)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self.killed = 0
        """How many processes had to be ended."""

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def sound(self, part: Audio, limits: Limits) -> Sound:
        """As `decode_audio`."""
        from tutti.media.audio import Sound

        told, arrays = self._run("sound", part, limits)
        return Sound(_one(arrays, 0, np.float32, 1), int(told["sample_rate_hz"]))

    def clip(self, part: Video, limits: Limits, choice: FrameChoice, *, scale: Scale | None, sound: bool) -> Clip:
        """As `decode_video`."""
        from tutti.media.audio import Sound
        from tutti.media.video import Clip

        told, arrays = self._run("clip", part, limits, choice, scale, sound)
        heard = len(arrays) > 2
        return Clip(
            _one(arrays, 0, np.uint8, 4),
            _one(arrays, 1, np.float64, 1),
            float(told["duration_s"]),
            Sound(_one(arrays, 2, np.float32, 1), int(told["sample_rate_hz"])) if heard else None,
        )

    def size(self, part: Media, limits: Limits) -> Size:
        """As `measure`."""
        from tutti.media.measuring import Size

        told, _ = self._run("size", part, limits)
        return Size(bytes=int(told["bytes"]), pixels=int(told["pixels"]), seconds=float(told["seconds"]))

    def modality(self, value: str | os.PathLike[str] | bytes, limits: Limits) -> Modality:
        """As `modality_of`."""
        found = self._run("modality", value, limits)[0]["modality"]
        known: dict[str, Modality] = {"image": "image", "audio": "audio", "video": "video"}
        return known[found]

    def _run(self, job: str, *given: Any) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Have a worker do a job.

        Raises:
            TuttiError: What decoding raised, or a `CapacityError` if the worker ran into a limit.
        """
        medium, limits, *rest = given
        alone = replace(limits, workers=None)
        most = 4 * limits.max_bytes + 3 * limits.max_pixels
        with self._free, self._worker() as worker:
            try:
                told, arrays = worker.ask((job, medium, alone, *rest), time.monotonic() + self._seconds, most)
            except (TimeoutError, _Ended, OSError, ValueError, KeyError, TypeError) as error:
                self.killed += 1
                worker.end()
                what = f"more than {self._seconds:g} s" if isinstance(error, TimeoutError) else "more than it may"
                name = medium.name if isinstance(medium, Media) else "The medium"
                raise CapacityError(f"{name} takes {what} to decode; use a shorter or simpler one.") from None
        if "error" in told:
            raise _ERRORS.get(str(told["error"]), InputError)(str(told.get("message")))
        return told, arrays

    @contextlib.contextmanager
    def _worker(self) -> Iterator[_Worker]:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None or not worker.alive:
            worker = _Worker(self._cpu_seconds, self._memory_bytes)
        try:
            yield worker
        except BaseException:
            worker.end()
            raise
        with self._lock:
            self._idle.append(worker)


class _Worker:
    """One process, and the pipes to it."""

    def __init__(self, cpu_seconds: int, memory_bytes: int) -> None:
        code = f"from tutti.media.worker import main; main({cpu_seconds}, {memory_bytes})"
        self._process = subprocess.Popen(  # noqa: S603 - our own code, in our own interpreter
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the server, which lets its workers finish
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Kill it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def ask(self, job: tuple[Any, ...], deadline: float, most_bytes: int) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """Send a job and wait for what comes of it.

        Raises:
            TimeoutError: The deadline is over.
            _Ended: The process ended, or its answer has no form.
        """
        content = pickle.dumps(job)  # to the worker only: what is read from it is never unpickled
        self._send(len(content).to_bytes(8, "little") + content, deadline)
        size = int.from_bytes(self._read(8, deadline), "little")
        if size > _LARGEST_HEAD:
            raise _Ended
        told = json.loads(self._read(size, deadline))
        if not isinstance(told, dict):
            raise _Ended
        arrays: list[NDArray[Any]] = []
        for kind, shape in told.get("arrays", ()):
            count = int(np.prod([int(side) for side in shape], dtype=np.int64))
            length = count * np.dtype(_KINDS[kind]).itemsize
            if not 0 <= length <= most_bytes:
                raise _Ended
            arrays.append(np.frombuffer(self._read(length, deadline), _KINDS[kind]).reshape(shape))
        return told, arrays

    def _send(self, content: bytes, deadline: float) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened as pipes
        pipe, view = self._process.stdin.fileno(), memoryview(content)
        os.set_blocking(pipe, False)
        while view:
            self._wait(pipe, selectors.EVENT_WRITE, deadline)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(pipe, view[:_PIECE]) :]

    def _read(self, size: int, deadline: float) -> bytearray:
        assert self._process.stdout is not None  # noqa: S101 - opened as pipes
        pipe, content = self._process.stdout.fileno(), bytearray()
        while len(content) < size:
            self._wait(pipe, selectors.EVENT_READ, deadline)
            piece = os.read(pipe, min(_PIECE, size - len(content)))
            if not piece:
                raise _Ended
            content += piece
        return content

    @staticmethod
    def _wait(pipe: int, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError


def _one(arrays: list[NDArray[Any]], place: int, kind: type[np.generic], axes: int) -> NDArray[Any]:
    """One of the arrays that came back, if it is what was expected."""
    if place >= len(arrays) or arrays[place].dtype != kind or arrays[place].ndim != axes:
        raise CapacityError("A medium could not be decoded; use another one.")
    return arrays[place]
