"""Speech in a film of which half is speech: how fast it is written down, and what is invented in the rest.

python benchmarks/speech_in_film.py SET --data DIR --cache DIR [--seconds 240] [--model NAME] [--json FILE]

SET is a folder of `python -m benchmarks.speech_set`; the rest of the film is noises (ESC-10) and instruments, a quarter
each, from the packs in --data. Frames change every five seconds. Times are of the processor, since machines are shared;
`--everything` writes down the whole sound without looking for voices, as a comparison.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from machine import commit, processor
from numpy.typing import NDArray

import tutti
from recipes.tutti_mini.film import encode
from recipes.tutti_mini.packs import load_sounds
from tutti.content import Audio, Segment
from tutti.media import InProcess, Limits
from tutti.media.text_files import read_lines
from tutti.processing.spoken_words import SURE, is_speech
from tutti.processing.voice_activity import voices
from tutti.providers.ears import Ears
from tutti.search import index_of
from tutti.search.ingest.speech_pieces import SpeechPieces

RATE_HZ = 16_000
TURN_S = 20.0
"""Speech and the rest take turns of so many seconds."""


def speech(folder: Path, seconds: float) -> NDArray[np.float32]:
    """Recordings of the set one behind the other."""
    parts, held = [], 0
    for _, line in read_lines(folder / "index.jsonl"):
        row = json.loads(line)
        samples, rate_hz = soundfile.read(folder / row["file"], dtype="float32", always_2d=True)
        samples = samples.mean(1) if rate_hz == RATE_HZ else soxr.resample(samples.mean(1), rate_hz, RATE_HZ)
        parts.append(samples)
        held += len(samples)
        if held >= seconds * RATE_HZ:
            break
    return np.concatenate(parts)[: round(seconds * RATE_HZ)].astype(np.float32)


def rest(data: Path, cache: Path, seconds: float) -> NDArray[np.float32]:
    """Noises, then instruments, as much of each, as they lie in the packs."""
    parts = []
    for name in ("sound_esc10", "sound_instruments_cc0"):
        waves = load_sounds(data, cache, name).waves
        order = np.random.default_rng(0).permutation(len(waves))
        parts.append(np.resize(np.concatenate([waves[index] for index in order]), round(seconds / 2 * RATE_HZ)))
    return np.concatenate(parts).astype(np.float32)


def track_of(said: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[bool]]:
    """Both in turns, and which turns are speech."""
    size = round(TURN_S * RATE_HZ)
    turns = [one[start : start + size] for start in range(0, len(said), size) for one in (said, other)]
    return np.concatenate(turns), [number % 2 == 0 for number in range(len(turns))]


class Track:
    """The sound of the film, and where in it is speech."""

    def __init__(self, samples: NDArray[np.float32], spoken: list[bool]) -> None:
        self.samples, self.spoken = samples, spoken
        self.seconds = len(samples) / RATE_HZ
        self.mask = np.repeat(spoken, round(TURN_S * RATE_HZ))[: len(samples)]

    def in_rest(self, segments: list[Segment]) -> list[Segment]:
        """The segments that lie where nobody speaks."""
        return [one for one in segments if not self.spoken[int((one.start_s + one.end_s) / 2 / TURN_S)]]


def words(segments: list[Segment]) -> int:
    """How many there are."""
    return sum(len(one.text.split()) for one in segments)


def kept(track: Track) -> dict[str, Any]:
    """What voice activity leaves of both halves."""
    begun = time.process_time()
    stretches = voices(track.samples)
    took_s = time.process_time() - begun
    held = np.zeros(len(track.samples), bool)
    for start, stop in stretches:
        held[start:stop] = True
    shares = {"speech kept": float(held[track.mask].mean()), "rest kept": float(held[~track.mask].mean())}
    return {"seconds to find voices": took_s, **shares}


def written(track: Track, ears: Ears) -> dict[str, Any]:
    """Piece by piece, as while indexing."""
    begun, pieces, size = time.process_time(), SpeechPieces(ears), round(5 * RATE_HZ)
    starts = range(0, len(track.samples), size)
    segments = [one for at in starts for one in pieces.take(at / RATE_HZ, track.samples[at : at + size])]
    segments += pieces.finish()
    took_s = time.process_time() - begun
    invented = track.in_rest(segments)
    return {
        "seconds to write down": took_s,
        "times real time": track.seconds / took_s,
        "words": words(segments),
        "words in the rest": words(invented),
        "in the rest": [f"{one.start_s:.1f} {one.text}" for one in invented],
    }


def whole(track: Track, ears: Ears) -> dict[str, Any]:
    """All of the sound as one recording, without looking for voices."""
    begun = time.process_time()
    segments = ears.transcribe(Audio(track.samples, sample_rate_hz=RATE_HZ), SURE).segments
    took_s = time.process_time() - begun
    loose = [one for one in segments if is_speech(one)]
    return {"everything: seconds": took_s, "everything: words in the rest": words(track.in_rest(loose))}


def indexed(track: Track, ears: Ears, name: str | None) -> dict[str, Any]:
    """The film as a whole, with and without words."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        times_s = np.arange(2.5, track.seconds, 5.0)
        colours = np.random.default_rng(0).integers(0, 256, (len(times_s), 6, 8, 3), np.uint8)
        path = Path(folder) / "film.mp4"
        path.write_bytes(encode(colours.repeat(40, 1).repeat(40, 2), times_s, track.samples))
        model = tutti.load(name)
        model.embed(["a dog"])
        for what, ears_or_none in (("without words", None), ("with words", ears)):
            begun = time.process_time()
            index_of(path, model, transcriber=ears_or_none)
            took_s = time.process_time() - begun
            figures |= {f"indexed {what}: seconds": took_s, f"indexed {what}: times real time": track.seconds / took_s}
    return figures


def main() -> None:
    """Make the film, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--model")
    parser.add_argument("--everything", action="store_true", help="also write down the whole sound as one recording")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    half_s = arguments.seconds / 2
    track = Track(*track_of(speech(arguments.set, half_s), rest(arguments.data, arguments.cache, half_s)))
    ears = Ears(InProcess(Limits()))
    ears.transcribe(Audio(track.samples[: 2 * RATE_HZ], sample_rate_hz=RATE_HZ), SURE)  # loaded before clocks run
    figures = {"seconds of film": track.seconds, **kept(track), **written(track, ears)}
    figures |= whole(track, ears) if arguments.everything else {}
    figures |= indexed(track, ears, arguments.model)
    print(f"at commit {commit()}, {processor()}; seconds are of the processor")
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
