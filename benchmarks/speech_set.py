"""An hour or more of known text, spoken by espeak-ng in several voices and speeds, with something else between.

    apt-get install espeak-ng
    python -m benchmarks.speech_set --into speech_set --minutes 60

Published recordings with their text are few where this is built, so sentences are composed from the lists below, spoken,
and laid out in recordings of half a minute to two, as people speak and pause. In each recording one voice speaks;
between its sentences there is silence, noise (white, pink, hum) or music (broken chords made here), and some recordings
are quiet, or have noise beneath the speech. Same seed, same text and places; the samples are espeak-ng's.

`index.jsonl` has a row a recording: file, text, seconds, voice, words a minute, condition, and `segments` with the
times and words of each sentence.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE_HZ = 16_000
VOICES = (
    "en-us",
    "en-us+f2",
    "en-gb",
    "en-gb+f3",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-us+m3",
    "en-gb+m7",
    "en-us+f4",
    "en-029",
)
WORDS_A_MINUTE = (125, 145, 160, 175)
CONDITIONS = ("clean", "clean", "clean", "quiet", "noise beneath", "music between", "noise between")
_SPEECH_PEAK, _QUIET_PEAK = 0.5, 0.01
_BENEATH_DB, _BETWEEN_DB = 15.0, 20.0
_PAUSES_S = (0.4, 0.6, 0.9, 1.5, 4.0, 9.0)

_PEOPLE = "my sister|the teacher|our neighbour|a young doctor|the old captain|her brother|the baker|a famous singer|the mayor|a quiet student|the gardener|his grandmother|the new driver|an engineer|the shopkeeper|a tired nurse".split(
    "|"
)
_PLACES = "in the garden|near the river|at the station|behind the church|on the market square|in a small village|at the hospital|under the old bridge|in the library|beside the harbour|at the top of the hill|in the kitchen|on the third floor|across the street".split(
    "|"
)
_TIMES = "yesterday morning|last summer|early on Sunday|before breakfast|after the rain|late in the evening|every Friday|on the first of May|during the holidays|at midnight|a week ago|in the winter".split(
    "|"
)
_THINGS = "a letter|the blue suitcase|some fresh bread|a broken umbrella|the morning newspaper|two tickets for the theatre|an old photograph|a basket of apples|the wrong key|a cup of coffee|a pair of boots|the spare wheel|a silver ring|three wooden chairs|a map of the city".split(
    "|"
)
_DID = (
    "found|carried|sold|forgot|painted|repaired|bought|hid|borrowed|lost|delivered|opened|described|photographed".split(
        "|"
    )
)
_FEELS = "surprised|happy|worried|proud|very tired|angry|curious|sorry|relieved|nervous".split("|")
_WEATHER = "a strong wind|heavy rain|thick fog|the first snow|a long drought|bright sunshine|a sudden storm".split("|")
_ANIMALS = (
    "a brown horse|two grey cats|a flock of geese|the neighbour's dog|a young fox|several cows|a small owl".split("|")
)
_FORMS = (
    "{People} {did} {thing} {place} {time}.",
    "{Time}, {people} {did} {thing} and felt {feels} about it.",
    "Because of {weather}, {people} waited {place} until the road was open again.",
    "Did {people} really leave {thing} {place}?",
    "{People} said that {animal} had been seen {place}.",
    "If {weather} comes back, we will meet {place} and not {place2}.",
    "I have never understood why {people} {did} {thing} {time}.",
    "Please bring {thing} with you when you come back.",
    "{Animal} crossed the road {place}, and {people} had to stop.",
    "Nobody was more {feels} than {people} when {weather} ended.",
    "The meeting {place} begins at nine and ends before lunch.",
    "{People} and {people2} talked about {thing} for more than an hour.",
    "It was {feels2} news that {people} heard {time}.",
    "Could you tell {people} that the train leaves from another platform today?",
    "When the lights went out, {people} was still {place} with {animal}.",
    "There is {thing} {place}, but it belongs to {people}.",
)  # fmt: skip


class Spoken(NamedTuple):
    """A sentence in a recording."""

    start_s: float
    end_s: float
    text: str


def sentence(draw: random.Random) -> str:
    """One composed sentence, with a capital letter and its mark at the end."""
    people, people2 = draw.sample(_PEOPLE, 2)
    place, place2 = draw.sample(_PLACES, 2)
    words = {
        "people": people, "people2": people2, "place": place, "place2": place2, "thing": draw.choice(_THINGS),
        "time": draw.choice(_TIMES), "did": draw.choice(_DID), "feels": draw.choice(_FEELS),
        "feels2": draw.choice(("good", "bad", "strange", "wonderful", "terrible")), "weather": draw.choice(_WEATHER),
        "animal": draw.choice(_ANIMALS),
    }  # fmt: skip
    capital = {key.capitalize(): value[0].upper() + value[1:] for key, value in words.items()}
    return draw.choice(_FORMS).format(**words, **capital)


def speak(text: str, voice: str, words_a_minute: int) -> Samples:
    """Speech of espeak-ng at `RATE_HZ`, silence at its ends cut off, peak 1. Shape (S,)."""
    command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(words_a_minute), text]
    done = subprocess.run(command, capture_output=True, check=True)
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    samples = soxr.resample(samples, rate, RATE_HZ).astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return samples / np.abs(samples).max()


def noise(kind: str, count: int, random_numbers: np.random.Generator) -> Samples:
    """Noise of a kind, of mean square 1. Shape (S,)."""
    white = random_numbers.normal(size=count)
    if kind == "hum":
        times = np.arange(count) / RATE_HZ
        made = sum(np.sin(2 * np.pi * 50 * k * times + k) / k for k in (1, 2, 3, 4, 6)) + 0.1 * white
    elif kind == "pink":
        spectrum = np.fft.rfft(white)
        spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
        made = np.fft.irfft(spectrum, count)
    else:
        made = white
    return (made / max(1e-9, np.sqrt(np.mean(np.square(made))))).astype(np.float32)


def music(count: int, random_numbers: np.random.Generator) -> Samples:
    """Broken chords with a beat, of mean square 1. Shape (S,)."""
    made = np.zeros(count)
    step = RATE_HZ // 4
    chords = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (9, 12, 16))
    for number, start in enumerate(range(0, count, step)):
        chord = chords[number // 8 % len(chords)]
        note = 220 * 2 ** ((chord[random_numbers.integers(3)]) / 12)
        times = np.arange(min(2 * step, count - start)) / RATE_HZ
        tone = sum(np.sin(2 * np.pi * note * k * times) / k**1.5 for k in (1, 2, 3)) * np.exp(-3 * times)
        made[start : start + len(times)] += tone
        if number % 2 == 0:
            beat = random_numbers.normal(size=len(times)) * np.exp(-40 * times)
            made[start : start + len(times)] += 0.5 * beat
    return (made / max(1e-9, np.sqrt(np.mean(np.square(made))))).astype(np.float32)


def recording(number: int, seed: int) -> tuple[Samples, dict[str, Any]]:
    """One recording and its row of the index."""
    draw = random.Random(f"{seed} {number}")
    random_numbers = np.random.default_rng((seed, number))
    voice, speed, condition = draw.choice(VOICES), draw.choice(WORDS_A_MINUTE), CONDITIONS[number % len(CONDITIONS)]
    peak = _QUIET_PEAK if condition == "quiet" else _SPEECH_PEAK
    pieces: list[Samples] = []
    spoken: list[Spoken] = []
    length = 0
    for _ in range(draw.randint(5, 14)):
        gap = round(draw.choice(_PAUSES_S) * RATE_HZ)
        text = sentence(draw)
        samples = peak * speak(text, voice, speed)
        start = length + gap
        pieces += [_between(condition, gap, peak, random_numbers), samples]
        length = start + len(samples)
        spoken.append(Spoken(round(start / RATE_HZ, 3), round(length / RATE_HZ, 3), text))
    tail = round(draw.choice(_PAUSES_S) * RATE_HZ)
    sound = np.concatenate([*pieces, _between(condition, tail, peak, random_numbers)])
    if condition == "noise beneath":
        level = np.sqrt(np.mean(np.square(np.concatenate(pieces[1::2])))) * 10 ** (-_BENEATH_DB / 20)
        sound = sound + level * noise(draw.choice(("white", "pink", "hum")), len(sound), random_numbers)
    row = {
        "file": f"{number:04d}.flac", "text": " ".join(one.text for one in spoken),
        "seconds": round(len(sound) / RATE_HZ, 3), "voice": voice, "words_a_minute": speed, "condition": condition,
        "segments": [one._asdict() for one in spoken],
    }  # fmt: skip
    return sound.clip(-1, 1).astype(np.float32), row


def _between(condition: str, count: int, peak: float, random_numbers: np.random.Generator) -> Samples:
    """What lies between two sentences: nothing, noise or music, fading in and out."""
    if count == 0 or condition not in ("music between", "noise between"):
        return np.zeros(count, np.float32)
    kind = ("white", "pink", "hum")[int(random_numbers.integers(3))]
    made = music(count, random_numbers) if condition == "music between" else noise(kind, count, random_numbers)
    fade = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.05 * RATE_HZ))
    return (peak * 10 ** (-_BETWEEN_DB / 20) * 3 * made * fade).astype(np.float32)


def make(into: Path, minutes: float, seed: int) -> Sequence[dict[str, Any]]:
    """Write recordings until they last so long, and the index; what is there already with the same seed is kept."""
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng is not installed; run apt-get install espeak-ng.")
    into.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    while sum(row["seconds"] for row in rows) < 60 * minutes:
        sound, row = recording(len(rows), seed)
        soundfile.write(into / row["file"], sound, RATE_HZ)
        rows.append(row)
    (into / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--into", type=Path, default=Path("speech_set"))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = make(given.into, given.minutes, given.seed)
    seconds, words = sum(row["seconds"] for row in rows), sum(len(row["text"].split()) for row in rows)
    spoken = sum(one["end_s"] - one["start_s"] for row in rows for one in row["segments"])
    print(f"{len(rows)} recordings, {seconds / 60:.1f} minutes, {spoken / 60:.1f} of them speech, {words:,} words")


if __name__ == "__main__":
    main()
