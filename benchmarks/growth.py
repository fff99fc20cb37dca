"""What grows with work, and whose it is: memory in use by malloc and by Python after rounds of the same work.

    python benchmarks/growth.py films                    # readers of MP4 files of one and of three hours
    python benchmarks/growth.py requests --rounds 8 --each 250   # a server in this process under a mixed load
    python benchmarks/growth.py requests --trace         # and the lines of Python that hold more than a round before
    python benchmarks/growth.py files --rounds 8 --each 500      # small pictures into an index

"used" is what malloc has given out and not got back (`mallinfo2`), "free" what it keeps for later, "resident" what the
system counts. What is only free is not lost: it grows where sizes do not fit what lies free.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import http.client
import json
import os
import sys
import tempfile
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
PORT = 18933


class Info(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "mapped", "usmblks", "fsmblks", "used", "free", "keepcost")
    ]


LIBC = ctypes.CDLL("libc.so.6")
LIBC.mallinfo2.restype = Info


def held() -> dict[str, float]:
    """Megabytes in use, free and resident, and blocks of Python's own allocator."""
    gc.collect()
    info = LIBC.mallinfo2()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    sizes = {"used": info.used + info.mapped, "free": info.free, "resident": resident}
    return {name: round(size / 2**20, 1) for name, size in sizes.items()} | {"blocks": sys.getallocatedblocks()}


def write_film(path: Path, hours: int, scratch: Path) -> None:
    """25 pictures and 43 pieces of sound a second: ten seconds are encoded once, and repeated."""
    import av

    short = scratch / "short.mp4"
    with av.open(str(short), "w") as out:
        pictures, sound = out.add_stream("mpeg4", rate=25), out.add_stream("aac", rate=44100)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        for number in range(250):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 255, np.uint8), format="rgb24")
            frame.pts = number
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        for number in range(430):
            piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 44100, number * 1024
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    with av.open(str(short)) as given, av.open(str(path), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in given.streams}
        packets = [(one, bytes(one)) for one in given.demux() if one.dts is not None]
        for turn in range(hours * 360):
            for one, content in packets:
                packet, later = av.Packet(content), round(turn * 10 / one.time_base)
                packet.pts, packet.dts, packet.duration = one.pts + later, one.dts + later, one.duration
                packet.time_base, packet.is_keyframe = one.time_base, one.is_keyframe
                packet.stream = streams[one.stream.index]
                out.mux(packet)


def films() -> None:
    """How much each reader of a long film holds, and whether it is given back."""
    import av

    with tempfile.TemporaryDirectory() as scratch:
        for hours in (1, 3):
            path = Path(scratch) / f"{hours}.mp4"
            write_film(path, hours, Path(scratch))
            LIBC.malloc_trim(0)
            before, readers = held(), []
            for count in (1, 2):
                readers.append(av.open(str(path)))
                print(f"{hours} h, readers: {count}: +{held()['used'] - before['used']:.1f} MB", flush=True)
            for reader in readers:
                reader.close()
            print(f"{hours} h, closed: +{held()['used'] - before['used']:.1f} MB", flush=True)


def rounds(arguments: argparse.Namespace, work: Any) -> None:
    """Do the same so many times, print what is held before and after each."""
    before, counted = None, Counter[str]()
    for number in range(arguments.rounds + 1):
        if arguments.trace and not tracemalloc.is_tracing():
            tracemalloc.start(8)
        line: dict[str, Any] = {"round": number, **held()}
        types = Counter(type(one).__name__ for one in gc.get_objects())
        line["objects more"] = dict((types - counted).most_common(5)) if counted else {}
        counted = types
        print(json.dumps(line), file=sys.__stdout__, flush=True)
        if arguments.trace:
            now = tracemalloc.take_snapshot()
            for one in now.compare_to(before, "traceback")[:8] if before else ():
                where = " < ".join(f"{frame.filename[-40:]}:{frame.lineno}" for frame in [*one.traceback][::-1][:5])
                print(f"  {one.size_diff:+} bytes, {one.count_diff:+} blocks: {where}", file=sys.__stdout__, flush=True)
            before = now
        if number < arguments.rounds:
            work(number)
    LIBC.malloc_trim(0)
    print(json.dumps({"after malloc_trim": held()}), file=sys.__stdout__, flush=True)


def requests(arguments: argparse.Namespace) -> None:
    """Serve in this process, and load it from a thread."""
    sys.path.insert(0, str(ROOT))
    from tests.serve.load import Load
    from tutti.cli.main import main as command

    def load() -> None:
        for _ in range(240):
            try:
                line = http.client.HTTPConnection("127.0.0.1", PORT)
                line.request("GET", "/health")
                line.getresponse().read()
                break
            except OSError:
                time.sleep(0.5)
        clients = Load(f"http://127.0.0.1:{PORT}", ROOT / "examples/media", 4)
        clients.run(150, seed=99)
        rounds(arguments, lambda number: clients.run(arguments.each, seed=number))
        os._exit(0)

    threading.Thread(target=load, daemon=True).start()
    command(["serve", "--port", str(PORT), "--max-waiting", "200"])


def files(arguments: argparse.Namespace) -> None:
    """Index small pictures, more each round."""
    from indexing import photos

    import tutti

    model = tutti.load()
    with tempfile.TemporaryDirectory() as scratch:
        index = tutti.Index(Path(scratch) / "db", model)

        def more(number: int) -> None:
            folder = Path(scratch) / f"part{number}"
            folder.mkdir()
            photos(folder, arguments.each, 96)
            for path in folder.iterdir():  # of other content than those of other rounds
                path.write_bytes(path.read_bytes() + str(number).encode())
            index.add(folder)

        more(-1)
        rounds(arguments, more)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["films", "requests", "files"])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--each", type=int, default=250)
    parser.add_argument("--trace", action="store_true")
    arguments = parser.parse_args()
    if arguments.what == "films":
        films()
    else:
        (requests if arguments.what == "requests" else files)(arguments)


if __name__ == "__main__":
    main()
