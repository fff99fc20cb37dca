"""The worker process of `sandbox`: decodes one medium after another from stdin, and writes arrays to stdout."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import resource
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.errors import CapacityError, TuttiError
from tutti.media import audio, containers, documents, images, modality, probing, video  # noqa: F401 - see `main`
from tutti.media.decoder import InProcess

_Reply: TypeAlias = tuple[dict[str, Any], list[NDArray[Any]]]
"""The fields of a reply, and its arrays."""
_LONGEST_MESSAGE = 2000


def main(cpu_seconds: int, memory_bytes: int) -> None:
    """Decode until stdin ends.

    Args:
        cpu_seconds: Most processor time per medium.
        memory_bytes: Most memory beyond what the process uses now.
    """
    # Every reader is loaded by now, by the imports above and this one: once memory is limited, no library can be.
    with contextlib.suppress(ImportError):
        import pillow_heif  # noqa: F401
    with contextlib.suppress(ImportError):
        import pypdfium2  # noqa: F401
    limit_memory(memory_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, goal = sys.stdin.buffer, os.dup(1)
    os.dup2(2, 1)  # a decoder that prints must not print into the reply
    while size := source.read(8):
        job = pickle.loads(source.read(int.from_bytes(size, "little")))  # noqa: S301 - written by our own parent
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds, resource.RLIM_INFINITY)
        )
        fields, arrays = reply_to(*job)
        fields["arrays"] = [(array.dtype.name, array.shape) for array in arrays]
        head = json.dumps(fields).encode()
        _write(goal, len(head).to_bytes(8, "little") + head)
        for array in arrays:
            _write(goal, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def limit_memory(extra_bytes: int) -> None:
    """Let this process use so many bytes of address space beyond what it has, where the system reports that."""
    status = Path("/proc/self/statm")
    if status.exists():
        used = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + extra_bytes, used + extra_bytes))


def reply_to(decoder: InProcess, method: str, given: tuple[Any, ...], named: dict[str, Any]) -> _Reply:
    """Decode, and describe the result or the error. An error that is no `TuttiError` is a fault of our own code."""
    try:
        reply: _Reply = _REPLIES[method](getattr(decoder, method)(*given, **named))
        return reply
    except MemoryError:
        error: TuttiError = CapacityError("The medium needs more memory than it may take: use a smaller one.")
    except TuttiError as raised:
        error = raised
    except Exception:  # noqa: BLE001 - raised again in the parent
        return {"error": "fault", "message": traceback.format_exc()[-_LONGEST_MESSAGE:]}, []
    kind = "CapacityError" if isinstance(error, CapacityError) else "InputError"
    return {"error": kind, "message": str(error)[:_LONGEST_MESSAGE]}, []


def _of_clip(clip: Any) -> _Reply:
    fields = {"duration_s": clip.duration_s, "sample_rate_hz": clip.sound.sample_rate_hz if clip.sound else 0}
    return fields, [clip.frames, clip.times_s, *([clip.sound.samples] if clip.sound else [])]


def _of_document(pages: Any) -> _Reply:
    arrays = []
    for page in pages:
        arrays.append(np.frombuffer(page.text.encode(), np.uint8))
        if page.picture is not None:
            arrays.append(page.picture)
    return {"numbers": [page.number for page in pages]}, arrays


_REPLIES: dict[str, Any] = {
    "image": lambda pixels: ({}, [pixels]),
    "sound": lambda sound: ({"sample_rate_hz": sound.sample_rate_hz}, [sound.samples]),
    "clip": _of_clip,
    "document": _of_document,
    "size": lambda size: (asdict(size), []),
    "modality": lambda found: ({"modality": found}, []),
}


def _write(pipe: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(pipe, view) :]
