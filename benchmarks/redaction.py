"""How fast media are redacted, and in how many frames of films a face still shows.

    python -m benchmarks.redaction films --packs DIR [--face-model centerface.onnx] [--each 2]
    python -m benchmarks.redaction speed --packs DIR [--face-model centerface.onnx]

`films`: stills with a known face (of `benchmarks.faces`) that move, turn, grow and are cut to another still, 3 seconds
at 25 frames a second and 640 x 360. A face shows in a frame of the result if less than three quarters of the ellipse in
its box are grey there, and its middle lies in the frame. `speed`: pictures of 1600 x 1200 with faces, with and without
words, and a film of 640 x 360 with sound, in seconds of the clock and of the processor.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from benchmarks.faces import Box, Composition, compose, cut_out, scenes
from tutti.content import Video
from tutti.media import Limits
from tutti.trust.privacy import RedactionSteps, Redactor
from tutti.trust.privacy.films import frames_of_film
from tutti.trust.privacy.tools import tools_for

WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 25, 3
GREY, NEAR = 96, 14
"""What a box is filled with, and how far a decoded pixel may lie from it."""


class Walk(NamedTuple):
    """A still that moves: which, and where its face is in each frame."""

    frames: list[NDArray[np.uint8]]
    boxes: list[Box | None]


def walks(stills: list[Composition], rng: np.random.Generator) -> Walk:
    """A film of stills, one after another."""
    frames: list[NDArray[np.uint8]] = []
    boxes: list[Box | None] = []
    each = SECONDS * RATE // len(stills)
    for still in stills:
        start, end = rng.uniform(1.1, 1.5, 2)
        phase, speed = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.5, 2.5, 3)
        for place in range(each):
            t = place / each
            zoom = start + (end - start) * t
            turn = 4 * np.sin(speed[2] * 2 * np.pi * t + phase[2])
            spare_x, spare_y = zoom * 640 - WIDTH, zoom * 480 - HEIGHT
            x = spare_x * (0.5 + 0.4 * np.sin(speed[0] * np.pi * t + phase[0]))
            y = spare_y * (0.5 + 0.4 * np.sin(speed[1] * np.pi * t + phase[1]))
            warp = cv2.getRotationMatrix2D((320, 240), turn, zoom)
            warp[:, 2] += (320 * (zoom - 1) - x, 240 * (zoom - 1) - y)
            how = cv2.INTER_LINEAR
            frames.append(
                cv2.warpAffine(still.pixels, warp, (WIDTH, HEIGHT), flags=how, borderMode=cv2.BORDER_REPLICATE)
            )
            boxes.append(moved(still.box, warp, zoom))
    return Walk(frames, boxes)


def moved(box: Box, warp: NDArray[np.float64], zoom: float) -> Box | None:
    """Where a box is after a turn by few degrees; None where its middle is outside."""
    middle = warp @ np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 1.0])
    wide, high = (box[2] - box[0]) * zoom, (box[3] - box[1]) * zoom
    if not (0 <= middle[0] < WIDTH and 0 <= middle[1] < HEIGHT):
        return None
    return middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2


def written(path: Path, frames: list[NDArray[np.uint8]], sound: bool = False) -> None:
    """As H.264 in MP4."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        track = output.add_stream("aac", rate=48000, layout="mono") if sound else None
        for pixels in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")))
        output.mux(stream.encode(None))
        if track is not None:
            samples = (0.2 * np.sin(np.arange(len(frames) * 48000 // RATE) / 15)).astype(np.float32)
            for start in range(0, len(samples) - 1023, 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
                frame.sample_rate, frame.pts = 48000, start
                output.mux(track.encode(frame))
            output.mux(track.encode(None))


def shown(pixels: NDArray[np.uint8], box: Box) -> float:
    """Share of the ellipse of a face that is not grey."""
    ellipse = np.zeros(pixels.shape[:2], np.uint8)
    middle = (int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2))
    axes = (max(1, int((box[2] - box[0]) / 2)), max(1, int((box[3] - box[1]) / 2)))
    cv2.ellipse(ellipse, middle, axes, 0, 0, 360, 1, -1)
    grey = np.abs(pixels.astype(int) - GREY).max(-1) <= NEAR
    inside = ellipse > 0
    return float((inside & ~grey).sum() / max(1, inside.sum()))


def stills_of(packs: Path, seed: int, each: int) -> Iterator[list[Composition]]:
    """Of every face: a still alone, and one that is cut to a still of another face, at sizes of 24 to 96 pixels."""
    made = [one for one in compose(cut_out(packs), scenes(packs), seed) if one.size <= 96]
    rng = np.random.default_rng(seed)
    by = {name: [one for one in made if one.face == name] for name in dict.fromkeys(one.face for one in made)}
    names = list(by)
    for number in range(each):
        for place, name in enumerate(names):
            first = by[name][int(rng.integers(len(by[name])))]
            other = by[names[(place + 1 + number) % len(names)]]
            yield [first] if number % 2 == 0 else [first, other[int(rng.integers(len(other)))]]


def films(given: argparse.Namespace) -> None:
    """Redact films of moving stills, and count frames in which a face shows."""
    steps = RedactionSteps(words=())
    redactor = Redactor(steps, tools_for(steps, face_model=given.face_model))
    rng, limits = np.random.default_rng(given.seed), Limits()
    frames, open_frames, films_shown, extra, count = 0, 0, 0, [], 0
    spent, begun = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for number, stills in enumerate(stills_of(given.packs, given.seed, given.each)):
            walk = walks(stills, rng)
            path = Path(folder) / f"{number}.mp4"
            written(path, walk.frames)
            done = redactor.redact(path, Path(folder) / "out", str(number))
            assert done.path is not None
            hits = 0
            for box, frame in zip(walk.boxes, frames_of_film(Video(done.path), limits), strict=True):
                grey = np.abs(frame.pixels.astype(int) - GREY).max(-1) <= NEAR
                extra.append(float(grey.mean()))
                if box is not None:
                    frames, hits = frames + 1, hits + (shown(frame.pixels, box) > 0.25)
            count, open_frames, films_shown = count + 1, open_frames + hits, films_shown + (hits > 0)
            what = ", ".join(f"{one.size} px turned {one.yaw}/{one.roll}" for one in stills)
            if hits:
                print(f"film {number} ({what}): a face shows in {hits} of {len(walk.frames)} frames", flush=True)
    print(f"{redactor.tools.names()['faces']}: {count} films, {frames} frames with a face in them: "
          f"shows in {open_frames} frames of {films_shown} films; {np.mean(extra):.1%} of all pixels are grey; "
          f"{time.process_time() - spent:.0f} s of processor, {time.perf_counter() - begun:.0f} s")  # fmt: skip


def speed(given: argparse.Namespace) -> None:
    """Pictures a second, and how many times as fast as it plays a film is redacted."""
    made = [one for one in compose(cut_out(given.packs), scenes(given.packs), given.seed) if one.size >= 48]
    rng = np.random.default_rng(given.seed)
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, OpenCV {cv2.getNumThreads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number in range(given.pictures):
            one = made[int(rng.integers(len(made)))].pixels
            pillow.fromarray(one).resize((1600, 1200)).save(place / f"{number}.jpg", quality=90)
        stills = [made[int(rng.integers(len(made)))] for _ in range(4)]
        written(place / "film.mp4", [f for one in stills for f in walks([one], rng).frames], sound=True)
        for what, steps in (("faces", RedactionSteps(words=())), ("faces and words", RedactionSteps())):
            redactor = Redactor(steps, tools_for(steps, face_model=given.face_model))
            name = redactor.tools.names()["faces"]
            jobs = [place / f"{number}.jpg" for number in range(given.pictures)]
            wall, spent = timed(redactor, jobs, place / what)
            count = len(jobs)
            print(
                f"{name}, {what}: {count / wall:.2f} pictures/s; {count / spent:.2f} a second of processor", flush=True
            )
            wall, spent = timed(redactor, [place / "film.mp4"], place / what)
            length = 4 * SECONDS
            print(
                f"{name}, {what}: film {length / wall:.2f} x real time; {length / spent:.2f} x by processor", flush=True
            )


def timed(redactor: Redactor, paths: list[Path], out: Path) -> tuple[float, float]:
    """Seconds of the clock, and of the processor."""
    begun, spent = time.perf_counter(), time.process_time()
    for path in paths:
        redactor.redact(path, out, path.stem)
    return time.perf_counter() - begun, time.process_time() - spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("films", "speed"))
    parser.add_argument("--packs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--face-model", metavar="FILE", help="centerface.onnx")
    parser.add_argument("--each", type=int, default=2, help="films of each face")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    (films if given.what == "films" else speed)(given)


if __name__ == "__main__":
    main()
