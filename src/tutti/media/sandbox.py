"""Decoding in worker processes with limits of time, processor and memory; ending one loses one medium only.

A decoder is a large program that reads hostile bytes. It may loop, use much memory or crash, and none of that may
affect whoever serves others. A reply is trusted in its form only: numbers of a fixed kind and of a size within the
budget, never objects.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.content import Audio, Document, Image, Media, Modality, Video
from tutti.errors import CapacityError, InputError, TuttiError
from tutti.media.audio import Sound
from tutti.media.decoder import InProcess
from tutti.media.documents import Page
from tutti.media.frame_sampling import FrameChoice
from tutti.media.limits import Limits
from tutti.media.probing import Size
from tutti.media.sources import array_of
from tutti.media.video import Clip, Scale

_Reply: TypeAlias = tuple[dict[str, Any], list[NDArray[Any]]]
_ERRORS: dict[str, type[TuttiError]] = {"InputError": InputError, "CapacityError": CapacityError}
_KINDS: dict[str, type[np.generic]] = {"float32": np.float32, "uint8": np.uint8, "float64": np.float64}
_LARGEST_HEAD = 1 << 16
_PIECE = 1 << 20


class _Ended(Exception):
    """A worker ended, or sent what no worker sends."""


class WorkerFault(RuntimeError):
    """Our own code failed in a worker: a bug. The message is the worker's traceback."""


class Workers:
    """A few processes that wait for media to decode. Threads may share it.

    Args:
        count: Most processes, and so most media that are decoded at once.
        seconds: Longest time per medium.
        cpu_seconds: Most processor time per medium, all threads together.
        memory_bytes: Most memory that a process may use beyond what it starts with.
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

    def decoder(self, limits: Limits) -> Sandboxed:
        """A `MediaDecoder` that decodes in these processes."""
        return Sandboxed(self, limits)

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def run(self, limits: Limits, method: str, medium: Any, *given: Any, **named: Any) -> _Reply:
        """Call a method of `MediaDecoder` in a worker.

        Args:
            limits: The limits that the medium is held to.
            method: Its name.
            medium: Its first argument.
            given: Further arguments by place; they must pickle.
            named: And by name.

        Raises:
            TuttiError: As raised while decoding, or a `CapacityError` if the worker exceeded a limit.
            WorkerFault: Our own code failed there.
        """
        job = pickle.dumps((InProcess(limits), method, (medium, *given), named))  # replies are never unpickled
        most = 4 * limits.max_bytes + 3 * limits.max_pixels
        with self._free, self._worker() as worker:
            try:
                fields, arrays = worker.reply(job, time.monotonic() + self._seconds, most)
            except (TimeoutError, _Ended) as error:
                self.killed += 1
                worker.end()
                what = f"more than {self._seconds:g} s" if isinstance(error, TimeoutError) else "more than it may"
                name = medium.name if isinstance(medium, Media) else "The medium"
                raise CapacityError(f"{name} takes {what} to decode; use a shorter or simpler one.") from None
        if "error" not in fields:
            return fields, arrays
        if fields["error"] == "fault":
            raise WorkerFault(str(fields.get("message")))
        raise _ERRORS.get(str(fields["error"]), InputError)(str(fields.get("message")))

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


@dataclass(frozen=True)
class Sandboxed:
    """A `MediaDecoder` in worker processes, for media of strangers. Arrays need no decoding and stay in this process.

    Args:
        workers: The processes.
        limits: The limits that every medium is held to.
    """

    workers: Workers
    limits: Limits

    def image(self, part: Image, at_least: int | None = None) -> NDArray[np.uint8]:
        """As `decode_image`: (H, W, 3) uint8."""
        if array_of(part) is not None:
            return InProcess(self.limits).image(part, at_least)
        return _array(self.workers.run(self.limits, "image", part, at_least), 0, np.uint8, 3)

    def sound(self, part: Audio) -> Sound:
        """As `decode_audio`."""
        if array_of(part) is not None:
            return InProcess(self.limits).sound(part)
        return _sound(self.workers.run(self.limits, "sound", part), 0)

    def clip(
        self, part: Video, choice: FrameChoice | None = None, *, scale: Scale | None = None, sound: bool = True
    ) -> Clip:
        """As `decode_video`; `choice` and `scale` must pickle."""
        if array_of(part) is not None:
            return InProcess(self.limits).clip(part, choice, scale=scale, sound=sound)
        reply = self.workers.run(self.limits, "clip", part, choice, scale=scale, sound=sound)
        frames, times_s = _array(reply, 0, np.uint8, 4), _array(reply, 1, np.float64, 1)
        return Clip(frames, times_s, _number(reply, "duration_s"), _sound(reply, 2) if len(reply[1]) > 2 else None)

    def document(self, part: Document, numbers: Sequence[int] | None = None, *, side: int | None) -> list[Page]:
        """As `decode_document`."""
        reply = self.workers.run(self.limits, "document", part, numbers, side=side)
        found = reply[0].get("numbers")
        if not isinstance(found, list) or not all(isinstance(number, int) for number in found):
            _refuse()
        each = 1 if side is None else 2
        return [
            Page(
                number=number,
                text=_array(reply, each * place, np.uint8, 1).tobytes().decode("utf-8", "replace"),
                picture=None if side is None else _array(reply, each * place + 1, np.uint8, 3),
            )
            for place, number in enumerate(found)
        ]

    def size(self, part: Media) -> Size:
        """As `measure`."""
        reply = self.workers.run(self.limits, "size", part)
        size, width, height, pages = (int(_number(reply, name)) for name in ("bytes", "width", "height", "pages"))
        return Size(bytes=size, width=width, height=height, pages=pages, seconds=_number(reply, "seconds"))

    def modality(self, value: str | os.PathLike[str] | bytes) -> Modality:
        """As `modality_of`."""
        found = self.workers.run(self.limits, "modality", value)[0].get("modality")
        known: tuple[Modality, ...] = ("image", "audio", "video", "document")
        return next((one for one in known if one == found), None) or _refuse()


class _Worker:
    """One process, and the pipes to it."""

    def __init__(self, cpu_seconds: int, memory_bytes: int) -> None:
        code = f"from tutti.media.sandbox_worker import main; main({cpu_seconds}, {memory_bytes})"
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

    def reply(self, job: bytes, deadline: float, most_bytes: int) -> _Reply:
        """Send a job and read the reply.

        Raises:
            TimeoutError: The deadline is over.
            _Ended: The process ended, or its reply is malformed.
        """
        try:
            self._send(len(job).to_bytes(8, "little") + job, deadline)
            size = int.from_bytes(self._read(8, deadline), "little")
            head = self._read(size, deadline) if size <= _LARGEST_HEAD else b""
        except BrokenPipeError:
            raise _Ended from None
        kinds, fields = _parsed(head)
        arrays: list[NDArray[Any]] = []
        for kind, shape in kinds:
            length = math.prod(shape) * np.dtype(kind).itemsize
            if length > most_bytes:
                raise _Ended
            arrays.append(np.frombuffer(self._read(length, deadline), kind).reshape(shape))
        return fields, arrays

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


def _parsed(head: bytes | bytearray) -> tuple[list[tuple[type[np.generic], tuple[int, ...]]], dict[str, Any]]:
    """The kinds and shapes of the arrays that follow a reply's fields, and the fields.

    Raises:
        _Ended: It is malformed.
    """
    try:
        fields = json.loads(head)
        kinds = [(_KINDS[kind], tuple(int(side) for side in shape)) for kind, shape in fields.get("arrays", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _Ended from None
    if any(side < 0 for _, shape in kinds for side in shape):
        raise _Ended
    return kinds, fields


def _array(reply: _Reply, place: int, kind: type[np.generic], axes: int) -> NDArray[Any]:
    arrays: Sequence[NDArray[Any]] = reply[1]
    if place >= len(arrays) or arrays[place].dtype != kind or arrays[place].ndim != axes:
        _refuse()
    return arrays[place]


def _number(reply: _Reply, name: str) -> float:
    found = reply[0].get(name)
    return found if isinstance(found, (int, float)) and math.isfinite(found) else _refuse()


def _sound(reply: _Reply, place: int) -> Sound:
    return Sound(_array(reply, place, np.float32, 1), int(_number(reply, "sample_rate_hz")))


def _refuse() -> NoReturn:
    """A worker did not send what was requested: what it decoded has taken control of it."""
    raise CapacityError("A medium could not be decoded; use another one.")
