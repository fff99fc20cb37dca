"""Needles in hours of video: objects, words and sounds at known times in H.264 and AAC, and whether they are found.

    python benchmarks/needles.py make --hours 1 --out hour.mp4 --data DIR     # the video, and hour.json with the truth
    python benchmarks/needles.py join a.mp4 b.mp4 a.mp4 --out long.mp4        # one after the other, not encoded again
    python benchmarks/needles.py cold hour.mp4  # one question about a file never seen: seconds, memory
    python benchmarks/needles.py find hour.mp4  # the same, and recall by kind
    python benchmarks/needles.py map a.mp4 hour.mp4 --out benchmarks/needles.png  # recall by depth and length

DIR holds the packs that the pictures and recordings come from: cifar10_test and sound_esc10, held out of training.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from machine import commit, processor, versions
from PIL import Image, ImageDraw

from tutti.training.packs import PackReader

WIDTH, HEIGHT, RATE, SOUND_HZ = 640, 360, 25, 16_000
NEEDLE_S = 4.0
LONGEST_S = 30.0
"""A moment that is longer shows nothing: it would hold a needle anyway."""
OBJECTS = ("airplane", "automobile", "ship", "truck", "horse", "frog")
SOUNDS = ("dog", "rooster", "crying baby", "sneezing", "chainsaw", "helicopter")
WORDS = ("OPEN", "STOP", "SALE")
CHOICES = {"object": OBJECTS, "sound": SOUNDS, "word": WORDS}
SAID = {"automobile": "a car", "dog": "a dog barking", "rooster": "a rooster crowing", "sneezing": "someone sneezing"}


def pack(data: Path, name: str, held_out: str | None) -> dict[str, list[bytes]]:
    """Label → encoded media."""
    found: dict[str, list[bytes]] = {}
    reader = PackReader(data / name)
    for row in reader.rows:
        if (held_out is None or row["split"] == held_out) and len(found.setdefault(row["label"], [])) < 40:
            found[row["label"]].append(reader.content(row["file"]))
    return found


def planned(seconds: float, seed: int) -> list[dict[str, Any]]:
    """Needles at random times, one of each, none within twelve seconds of another."""
    rng = np.random.default_rng(seed)
    what = [*(("object", x) for x in OBJECTS), *(("sound", x) for x in SOUNDS), *(("word", x) for x in WORDS)]
    slots = rng.permutation(int(seconds // 16))[: len(what)]
    return [
        {"kind": kind, "what": label, "start_s": float(16 * slot + rng.uniform(2, 10))}
        for (kind, label), slot in zip(what, slots, strict=False)
    ]


def frames(
    seconds: float, needles: list[dict[str, Any]], pictures: dict[str, list[bytes]], seed: int
) -> Iterator[np.ndarray]:
    """Frames of moving stripes and blobs in scenes of some twenty seconds; a needle fills the frame while it lasts."""
    rng = np.random.default_rng(seed)
    shown = {n["what"]: _needle(n, pictures, rng) for n in needles if n["kind"] != "sound"}
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    scene, until = None, -1.0
    for number in range(round(seconds * RATE)):
        now = number / RATE
        if now >= until:
            scene, until = _scene(rng, x, y), now + float(rng.uniform(12, 28))
        needle = next(
            (n for n in needles if n["kind"] != "sound" and n["start_s"] <= now < n["start_s"] + NEEDLE_S), None
        )
        yield shown[needle["what"]] if needle else np.roll(scene, number % WIDTH, axis=1)


def _scene(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base, tint = rng.uniform(60, 190, 3), rng.uniform(-50, 50, 3)
    fx, fy = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    wave = np.sin(2 * np.pi * fx * x / WIDTH + rng.uniform(0, 6)) + np.cos(2 * np.pi * fy * y / HEIGHT)
    return np.clip(base + wave[..., None] * tint / 2, 0, 255).astype(np.uint8)


def _needle(needle: dict[str, Any], pictures: dict[str, list[bytes]], rng: np.random.Generator) -> np.ndarray:
    if needle["kind"] == "word":
        board = Image.new("RGB", (WIDTH, HEIGHT), "white")
        ImageDraw.Draw(board).text((WIDTH // 2, HEIGHT // 2), needle["what"], fill="black", font_size=110, anchor="mm")
        return np.asarray(board)
    some = pictures[needle["what"]]
    small = Image.open(io.BytesIO(some[int(rng.integers(len(some)))])).convert("RGB")
    board = Image.new("RGB", (WIDTH, HEIGHT), small.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
    board.paste(small.resize((HEIGHT, HEIGHT), Image.Resampling.BICUBIC), ((WIDTH - HEIGHT) // 2, 0))
    return np.asarray(board)


def sound(
    seconds: float, needles: list[dict[str, Any]], sounds: dict[str, list[bytes]], seed: int
) -> Iterator[np.ndarray]:
    """Low noise in blocks of a second, and the needles in it."""
    rng = np.random.default_rng(seed)
    waves = {}
    for needle in needles:
        if needle["kind"] == "sound":
            some = sounds[needle["what"]]
            wave, hertz = soundfile.read(
                io.BytesIO(some[int(rng.integers(len(some)))]), dtype="float32", always_2d=True
            )
            whole = soxr.resample(wave.mean(axis=1), hertz, SOUND_HZ)[: round(NEEDLE_S * SOUND_HZ)]
            waves[round(needle["start_s"] * SOUND_HZ)] = whole / max(1e-3, np.abs(whole).max()) * 0.7
    for start in range(0, round(seconds * SOUND_HZ), SOUND_HZ):
        block = 0.004 * rng.normal(size=SOUND_HZ).astype(np.float32)
        for at, wave in waves.items():
            low, high = max(start, at), min(start + SOUND_HZ, at + len(wave))
            if low < high:
                block[low - start : high - start] += wave[low - at : high - at]
        yield np.clip(block, -1, 1)


def make(out: Path, seconds: float, data: Path, seed: int, needles: list[dict[str, Any]] | None = None) -> None:
    """Write the video, and the truth beside it."""
    needles = planned(seconds, seed) if needles is None else needles
    pictures, sounds = pack(data, "cifar10_test", None), pack(data, "sound_esc10", "val")
    with av.open(str(out), "w") as film:
        stream = film.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "crf": "26", "sc_threshold": "40"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        track = film.add_stream("aac", rate=SOUND_HZ, layout="mono")
        ears, heard = sound(seconds, needles, sounds, seed), 0
        for number, picture in enumerate(frames(seconds, needles, pictures, seed)):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if number % RATE == 0 and (block := next(ears, None)) is not None:
                frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, heard = SOUND_HZ, heard, heard + len(block)
                film.mux(track.encode(frame))
        film.mux(stream.encode())
        film.mux(track.encode())
    out.with_suffix(".json").write_text(json.dumps({"seconds": seconds, "seed": seed, "needles": needles}))


def join(parts: list[Path], out: Path) -> None:
    """Put files of `make` one after the other, packets as they are, and their truths with them."""
    needles, offset_s = [], 0.0
    with av.open(str(out), "w") as film:
        streams: list[Any] = []
        for part in parts:
            truth = json.loads(part.with_suffix(".json").read_text())
            needles += [{**needle, "start_s": needle["start_s"] + offset_s} for needle in truth["needles"]]
            with av.open(str(part)) as given:
                streams = streams or [film.add_stream_from_template(stream) for stream in given.streams]
                for packet in given.demux():
                    if packet.dts is None:
                        continue
                    shift = round(offset_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = streams[packet.stream.index]
                    film.mux(packet)
            offset_s += truth["seconds"] + 0.5  # coders pad the last block of sound
    out.with_suffix(".json").write_text(json.dumps({"seconds": offset_s, "needles": needles}))


def in_words(needle: dict[str, Any]) -> str:
    if needle["kind"] == "word":
        return f"the word {needle['what'].lower()}"
    return SAID.get(needle["what"], f"a {needle['what']}")


def known_needles(path: Path, embedder: Any, needles: list[dict[str, Any]], limits: Any) -> list[dict[str, Any]]:
    """Those that the model knows: shown the middle of the needle itself, it tells it from the others of its kind."""
    import tutti
    from tutti.content import Audio, Image, Video
    from tutti.media.key_frames import frame_at
    from tutti.media.sound_windows import sound_between

    known = []
    for needle in needles:
        labels = [in_words({"kind": needle["kind"], "what": what}) for what in CHOICES[needle["kind"]]]
        start_s = needle["start_s"]
        if needle["kind"] == "sound":
            samples = sound_between(Video(path), limits, start_s, start_s + NEEDLE_S, SOUND_HZ)
            shown: Any = Audio(samples, sample_rate_hz=SOUND_HZ)
        else:
            shown = Image(frame_at(Video(path), limits, start_s + NEEDLE_S / 2))
        vectors = embedder.embed([shown, *(tutti.Text(label) for label in labels)]).vectors
        if labels[int(np.argmax(vectors[1:] @ vectors[0]))] == in_words(needle):
            known.append(needle)
    return known


def counted(index: Any, needles: list[dict[str, Any]]) -> dict[str, Any]:
    """Two questions over time, beside the truth: how often something is heard, and which of two is heard first."""
    dogs = [n["start_s"] for n in needles if n["what"] == "dog"]
    roosters = [n["start_s"] for n in needles if n["what"] == "rooster"]
    first = [index.ask(f"When can {thing} be heard?").sources[:1] for thing in ("a dog barking", "a rooster crowing")]
    starts = [found[0].start_s if found else None for found in first]
    return {
        "How often can a dog barking be heard?": index.ask("How often can a dog barking be heard?").answer.text,
        "times it is": len(dogs),
        "first a dog, then a rooster: start in s as found": starts,
        "first a dog, then a rooster: start in s in truth": [min(dogs, default=None), min(roosters, default=None)],
    }


def recalled(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many there are, and the share of them among the first moment and the first five."""
    if not rows:
        return {"needles": 0}
    shares = {f"@{k}": float(np.mean([r["place"] is not None and r["place"] < k for r in rows])) for k in (1, 5)}
    return {"needles": len(rows), **shares}


def cold(path: Path) -> tuple[Any, dict[str, Any]]:
    """Answer a question about a file that was never seen: its index, and what that took."""
    import tutti
    from tutti.search import index_of

    begun = time.perf_counter()
    model = tutti.load()
    loaded_s = time.perf_counter() - begun
    index = index_of(path, model)
    answer = index.ask("When can a dog barking be heard?")
    return index, {
        "hours": json.loads(path.with_suffix(".json").read_text())["seconds"] / 3600,
        "MB": round(path.stat().st_size / 2**20, 1),
        "cold s": round(time.perf_counter() - begun, 1),
        "of it loading the model s": round(loaded_s, 1),
        "answer": answer.answer.text,
        "rows": index.store.count(),
        "peak memory MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "hardware": processor(),
        "commit": commit(),
        "versions": versions("torch", "av", "lancedb"),
    }


def place_of(needle: dict[str, Any], needles: list[dict[str, Any]], index: Any) -> int | None:
    """How many of the moments that are named come before the needle; others of its kind and label do not count.

    A moment shows a needle when it is of its sense and holds its middle.
    """
    alike = [other for other in needles if (other["kind"], other["what"]) == (needle["kind"], needle["what"])]
    sense, place = "sound" if needle["kind"] == "sound" else "picture", 0
    for moment in index.moments(in_words(needle), top=5 + len(alike)):
        start_s, end_s = moment.start_s - 1, moment.end_s + 1
        fits = moment.kind == sense and end_s - start_s <= LONGEST_S
        shown = [other for other in alike if fits and start_s <= other["start_s"] + NEEDLE_S / 2 <= end_s]
        if needle in shown:
            return place if place < 5 else None
        place += not shown
    return None


def find(path: Path) -> dict[str, Any]:
    """What `cold` says, where its time goes, and every needle looked for."""
    from tutti.content import Video
    from tutti.media import Limits
    from tutti.media.key_frames import plan_frames, sampled_frames
    from tutti.media.sound_windows import sound_windows
    from tutti.settings import read_settings

    truth = json.loads(path.with_suffix(".json").read_text())
    index, report = cold(path)
    limits = Limits.for_streaming(read_settings())
    begun = time.perf_counter()
    plan = plan_frames(Video(path), limits)
    kept = sum(1 for _ in sampled_frames(Video(path), limits, plan))
    pictures_s = time.perf_counter() - begun
    begun = time.perf_counter()
    windows = sum(1 for _ in sound_windows(Video(path), limits, rate_hz=16_000, window_s=5, hop_s=2.5, zero_s=0.0))
    sound_s = time.perf_counter() - begun
    known = known_needles(path, index.embedder, truth["needles"], limits)
    begins = [r["start_s"] for r in index.store.table.search().where("kind = 'picture'").select(["start_s"]).to_list()]
    rows = []
    for needle in truth["needles"]:
        place = place_of(needle, truth["needles"], index)
        sampled = any(needle["start_s"] <= begin < needle["start_s"] + NEEDLE_S for begin in begins)
        rows.append({**needle, "place": place, "sampled": sampled, "known": needle in known})
    recall = {kind: recalled([r for r in rows if r["kind"] == kind]) for kind in CHOICES}
    recall["that the model knows"] = recalled([r for r in rows if r["known"]])
    return {
        **report,
        "decoding pictures alone s": round(pictures_s, 1),
        "decoding sound alone s": round(sound_s, 1),
        "frames decoded": kept,
        "of frames": round(truth["seconds"] * RATE),
        "windows": windows,
        "needles to see that have a frame of their own": float(
            np.mean([r["sampled"] for r in rows if r["kind"] != "sound"])
        ),
        "recall": recall,
        **counted(index, truth["needles"]),
        "needles": rows,
    }


def heat_map(files: list[Path], out: Path) -> list[dict[str, Any]]:
    """Recall@5 of what the model knows by depth and length, as a picture; films of as many minutes share a row.

    Returns:
        Every needle, with its film and whether it was found.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    needles = []
    for file in files:
        found = find(file)
        needles += [
            {
                **needle,
                "film": file.name,
                "minutes": round(60 * found["hours"]),
                "depth": needle["start_s"] / 3600 / found["hours"],
            }
            for needle in found["needles"]
        ]
    minutes, depths = sorted({needle["minutes"] for needle in needles}), 6
    right, counts = np.zeros((len(minutes), depths)), np.zeros((len(minutes), depths))
    for needle in needles:
        if needle["known"]:
            cell = minutes.index(needle["minutes"]), min(depths - 1, int(needle["depth"] * depths))
            counts[cell] += 1
            right[cell] += needle["place"] is not None
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.6 * len(minutes)))
    shown = np.where(counts > 0, right / np.maximum(1, counts), np.nan)
    picture = axes.imshow(shown, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for row, column in np.ndindex(shown.shape):
        said = f"{right[row, column]:.0f}/{counts[row, column]:.0f}" if counts[row, column] else "none"
        dark = counts[row, column] and shown[row, column] < 0.6
        axes.text(column, row, said, ha="center", va="center", color="w" if dark else "k")
    axes.set_xticks(range(depths), [f"{100 * d // depths}–{100 * (d + 1) // depths} %" for d in range(depths)])
    axes.set_yticks(range(len(minutes)), [f"{m:g} min" for m in minutes])
    axes.set_xlabel("depth in the video")
    axes.set_title("needles that the model knows, found among the first five moments")
    figure.colorbar(picture)
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    return needles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "join", "cold", "find", "map"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="make a film without needles, to join with others")
    arguments = parser.parse_args()
    if arguments.what == "make":
        needles: list[dict[str, Any]] | None = [] if arguments.plain else None
        make(arguments.out, arguments.hours * 3600, arguments.data, arguments.seed, needles)
    elif arguments.what == "join":
        join(arguments.files, arguments.out)
    elif arguments.what == "cold":
        print(json.dumps(cold(arguments.files[0])[1], indent=1))
    elif arguments.what == "find":
        print(json.dumps(find(arguments.files[0]), indent=1))
    else:
        print(json.dumps(heat_map(arguments.files, arguments.out), indent=1))


if __name__ == "__main__":
    main()
