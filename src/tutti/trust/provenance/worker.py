"""The process in which C2PA's parser runs: one job from stdin, one reply to stdout, and no way to anything else.

Before the job is read, memory and processor time are limited, and the number of open files to those that there are:
neither a file nor a socket can be opened any more, whatever the bytes make of the parser.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

_LONGEST_MESSAGE = 500
_REPLY = 3
"""Where the reply is written; the numbers below it are taken, so that no other can be opened."""
_OFFLINE = {
    "version": 1,
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True, "verify_after_sign": False},
    "builder": {"thumbnail": {"enabled": False}},  # nothing of the source but what is in the file anyway
}


def main(cpu_seconds: int, memory_bytes: int) -> None:
    """Do one job.

    Args:
        cpu_seconds: Most processor time.
        memory_bytes: Most memory beyond what the process uses now.
    """
    import c2pa  # before files are limited, of which its library is one

    os.dup2(os.dup(1), _REPLY)
    os.dup2(2, 1)  # a parser that prints must not print into the reply
    confine(cpu_seconds, memory_bytes)
    job, content = _read(sys.stdin.buffer)
    try:
        fields, made = _JOBS[job["do"]](c2pa, job, content)
    except MemoryError:
        fields, made = {"error": "memory", "message": "it takes more memory than it may"}, b""
    except Exception as error:  # noqa: BLE001 - reported to the parent, which decides what it means
        fields, made = {"error": type(error).__name__.strip("_"), "message": str(error)[:_LONGEST_MESSAGE]}, b""
    head = json.dumps(fields).encode()
    view = memoryview(len(head).to_bytes(8, "little") + head + made)
    while view:
        view = view[os.write(_REPLY, view) :]


def confine(cpu_seconds: int, memory_bytes: int) -> None:
    """Limit this process, and close all files but stdin, stdout, stderr and the reply: none can be opened any more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    status = Path("/proc/self/statm")
    if status.exists():
        held = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + memory_bytes, held + memory_bytes))
    os.closerange(_REPLY + 1, 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_REPLY + 1, _REPLY + 1))


def _read(stream: Any) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(stream.read(8), "little")
    return json.loads(stream.read(size)), stream.read()


def _inspect(c2pa: Any, job: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    settings = {**_OFFLINE, **({"trust": {"user_anchors": job["trust"]}} if job.get("trust") else {})}
    reader = c2pa.Reader(io.BytesIO(content), context=c2pa.Context.from_dict(settings))
    return {}, str(reader.json()).encode()


def _sign(c2pa: Any, job: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    chain, key = job["chain"].encode(), job["key"].encode()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(job["algorithm"], chain, key, None))
    builder = c2pa.Builder(job["manifest"], context=c2pa.Context.from_dict(_OFFLINE))
    if job["source"] is None:
        builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    else:
        builder.set_intent(c2pa.C2paBuilderIntent.CREATE, c2pa.C2paDigitalSourceType[job["source"]])
    made = io.BytesIO()
    builder.sign(signer, job["format"], io.BytesIO(content), made)
    return {}, made.getvalue()


_JOBS = {"inspect": _inspect, "sign": _sign}
