"""What runs in a worker process: one medium after another from stdin, arrays to stdout, within limits."""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, TuttiError
from tutti.media import decode_audio, decode_video, measure
from tutti.media.wrapping import modality_of

Told: TypeAlias = tuple[dict[str, Any], list[NDArray[Any]]]
"""What is told of a medium, and its arrays."""


def main(cpu_seconds: int, memory_bytes: int) -> None:
    """Decode until stdin ends.

    Args:
        cpu_seconds: Most processor time of one medium.
        memory_bytes: Most memory beyond what is taken now.
    """
    limit_memory(memory_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, goal = sys.stdin.buffer, os.dup(1)
    os.dup2(2, 1)  # a decoder that prints must not print into the answer
    while size := source.read(8):
        job = pickle.loads(source.read(int.from_bytes(size, "little")))  # noqa: S301 - written by our own parent
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds, resource.RLIM_INFINITY)
        )
        told, arrays = _done(job)
        told["arrays"] = [(array.dtype.name, array.shape) for array in arrays]
        head = json.dumps(told).encode()
        _write(goal, len(head).to_bytes(8, "little") + head)
        for array in arrays:
            _write(goal, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def limit_memory(extra_bytes: int) -> None:
    """Let this process take so many bytes of address space beyond what it has, where the system can tell."""
    status = Path("/proc/self/statm")
    if status.exists():
        taken = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + extra_bytes, taken + extra_bytes))


def _done(job: tuple[Any, ...]) -> Told:
    try:
        return _JOBS[job[0]](*job[1:])
    except MemoryError:
        error: TuttiError = CapacityError("The medium needs more memory than it may take: use a smaller one.")
    except TuttiError as raised:
        error = raised
    kind = "CapacityError" if isinstance(error, CapacityError) else "InputError"
    return {"error": kind, "message": str(error)[:2000]}, []


def _sound(part: Any, limits: Any) -> Told:
    sound = decode_audio(part, limits)
    return {"sample_rate_hz": sound.sample_rate_hz}, [sound.samples]


def _clip(part: Any, limits: Any, choice: Any, scale: Any, sound: Any) -> Told:
    clip = decode_video(part, limits, choice, scale=scale, sound=sound)
    told = {"duration_s": clip.duration_s, "sample_rate_hz": clip.sound.sample_rate_hz if clip.sound else 0}
    return told, [clip.frames, clip.times_s, *([clip.sound.samples] if clip.sound else [])]


def _size(part: Any, limits: Any) -> Told:
    size = measure(part, limits)
    return {"bytes": size.bytes, "pixels": size.pixels, "seconds": size.seconds}, []


def _modality(value: Any, limits: Any) -> Told:
    return {"modality": modality_of(value, limits)}, []


_JOBS: dict[str, Callable[..., Told]] = {"sound": _sound, "clip": _clip, "size": _size, "modality": _modality}


def _write(pipe: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(pipe, view) :]
