"""How long an hour of film in 1080p takes to be answered, and in how much memory: frames are shrunk as they come.

    python -m benchmarks.film               # in this repository, with the tests' requirements

The film is ten seconds of moving shapes at 25 frames a second, one key frame each, repeated 360 times. The checkpoint
is a tiny random SmolVLM2 with the published settings for videos: 64 frames of 512 x 512. Its decoder costs next to
nothing, so that what is measured is reading, decoding and shrinking, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from benchmarks.machine import commit, processor, versions

WIDTH, HEIGHT, RATE, SECONDS = 1920, 1080, 25, 10


def make_film(path: Path, hours: float) -> None:
    """Encode ten seconds once, and put them behind one another as they are coded."""
    once = path.with_name("once.mp4")
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    with av.open(once, "w") as film:
        stream = film.add_stream("libx264", rate=RATE, width=WIDTH, height=HEIGHT, pix_fmt="yuv420p")
        stream.options = {"preset": "veryfast", "g": str(RATE * SECONDS), "sc_threshold": "0", "bf": "0"}
        for number in range(RATE * SECONDS):
            waves = [np.sin(rows / 40 + number / 9), np.sin(columns / 70 - number / 7), np.sin((rows + columns) / 90)]
            picture = np.stack([127 + 120 * wave for wave in waves], axis=-1).astype(np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode())
    with av.open(once) as source, av.open(path, "w") as film:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        stream = film.add_stream_from_template(source.streams.video[0])
        shift = round(SECONDS / packets[0].time_base)
        for packet in packets * round(hours * 3600 / SECONDS):
            packet.stream = stream
            film.mux(packet)
            packet.pts, packet.dts, packet.time_base = packet.pts + shift, packet.dts + shift, packets[0].time_base


def make_checkpoint(folder: Path) -> None:
    """A tiny SmolVLM2 that sees what the published one sees."""
    from tests.parity.test_idefics3_parity import save_theirs

    case = {"type": "smolvlm", "scale_factor": 4, "vision": {"image_size": 512, "patch_size": 16}}
    save_theirs(folder, {**case, "text": {"max_position_embeddings": 8192}})
    file = folder / "preprocessor_config.json"
    video = {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 512}}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"video_sampling": video}))


def ask(folder: Path, film: Path) -> dict[str, object]:
    """What an answer takes."""
    import tutti

    model = tutti.load(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    tokens = model.responder().count_tokens([tutti.Message.user(tutti.Video(film), "What happens?")])
    decoded = time.perf_counter()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = model.ask("What happens?", tutti.Video(film), max_tokens=4)
    return {
        "film_gb": round(film.stat().st_size / 1e9, 2),
        "prompt_tokens": tokens,
        "decode_s": round(decoded - begun, 1),
        "peak_memory_before_mb": round(before / 1024),
        "peak_memory_decoded_mb": round(held / 1024),
        "peak_memory_answered_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "video_tokens": answer.usage.video_tokens,
    }


def main() -> None:
    """Make, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--child", nargs=2, metavar="PATH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(ask(*map(Path, arguments.child))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder, film = Path(scratch) / "smolvlm", Path(scratch) / "film.mp4"
        make_checkpoint(folder)
        make_film(film, arguments.hours)
        command = [sys.executable, "-m", "benchmarks.film", "--child", str(folder), str(film)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures = {"hours": arguments.hours, **json.loads(done.stdout)}
    print(json.dumps({**figures, "hardware": processor(), "versions": versions("torch", "av"), "commit": commit()}))


if __name__ == "__main__":
    main()
