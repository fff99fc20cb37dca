"""Recordings into which something was put, or out of which something was cut, by kind and strength.

    python benchmarks/spliced_sound.py --data DIR [--count 30] [--kinds 9]
    python benchmarks/spliced_sound.py --unchanged FOLDER    recordings of others, as they are and with a piece cut out

A recording is made of speech of the packs, said into a made room and microphone over a made or recorded background;
another one has another of each. The shortcut test is part of it: beside each changed recording stands one that goes
through the same steps (the same place, length, fades, level and encoder), with a passage of the same room and
microphone where the other has a foreign one. So neither silence, an edge nor an encoder's mark tells them apart. The
threshold of each measure is the one that 5 % of unchanged recordings of the other half of the speech reach. Everything
is synthetic.
"""

from __future__ import annotations

import argparse
import io
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import soundfile
import soxr
from machine import commit, processor, versions
from numpy.typing import NDArray

from tutti.evaluate.statistics import share_interval
from tutti.training.packs import PackReader
from tutti.trust.forensics.coding_grid import coding_step
from tutti.trust.forensics.sound_splices import RATE_HZ, floor_step, waveform_break

Sound: TypeAlias = NDArray[np.float32]
SECONDS = 10.0
FALSE = 0.05
FLOORS = (
    (20, 3, None), (20, 3, "aac"), (20, 2, None), (40, 3, None), (20, 1.5, None), (30, 3, None), (20, 3, "libmp3lame"),
)  # fmt: skip
"""Decibels of the background below the speech, seconds of the passage, encoder afterwards."""
BREAKS = (
    ("anywhere", 0.0, None), ("anywhere", 0.0, "libmp3lame"), ("in a pause", 0.0, None), ("anywhere", 0.005, None),
)  # fmt: skip
"""Where something is cut out, seconds of a crossfade, encoder afterwards."""
GRIDS = ((96_000, None), (64_000, 128_000), (128_000, None), (64_000, 64_000), (64_000, None))
"""Bits a second of the AAC before, and of the one afterwards."""


class Speech:
    """Recordings of speech and of places, of one half of the packs."""

    def __init__(self, data: Path, held_out: bool) -> None:
        self._packs = {}
        for name in ("speech_intents", "sound_ambient"):
            pack = PackReader(data / name)
            rows = sorted(pack.rows, key=lambda row: row["file"])
            self._packs[name] = [row["file"] for at, row in enumerate(rows) if (at % 3 == 0) == held_out], pack

    def sound(self, name: str, rng: np.random.Generator) -> Sound:
        files, pack = self._packs[name]
        samples, _ = soundfile.read(io.BytesIO(pack.content(files[rng.integers(len(files))])), dtype="float32")
        return np.asarray(samples if samples.ndim == 1 else samples.mean(1), np.float32)


def filtered(sound: Sound, gains_db: NDArray[np.float64]) -> Sound:
    """A microphone: gains at equally spaced frequencies."""
    spectrum = np.fft.rfft(sound)
    at = np.linspace(0, len(gains_db) - 1, len(spectrum))
    return np.fft.irfft(spectrum * 10 ** (np.interp(at, np.arange(len(gains_db)), gains_db) / 20), len(sound)).astype(
        np.float32
    )


def echoing(sound: Sound, rng: np.random.Generator, decay_s: float) -> Sound:
    """A room: noise that fades exponentially."""
    tail = rng.normal(0, 1, round(decay_s * RATE_HZ)) * np.exp(
        -6.9 * np.arange(round(decay_s * RATE_HZ)) / (decay_s * RATE_HZ)
    )
    tail[0] = 12.0
    size = len(sound) + len(tail)
    made = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail / 12, size), size)
    return made[: len(sound)].astype(np.float32)


def faded(sound: Sound, fade_s: float = 0.03) -> Sound:
    """Without an edge at its beginning and end."""
    at = np.arange(len(sound)) / (fade_s * RATE_HZ)
    return (sound * np.clip(np.minimum(at, at[::-1]), 0, 1)).astype(np.float32)


def gated(sound: Sound) -> Sound:
    """Without the background of its own that it has between words: a recording has one background."""
    level = np.sqrt(np.convolve(sound**2, np.ones(480) / 480, "same"))
    opens = np.clip((level / max(float(level.max()), 1e-6) - 0.03) / 0.05, 0, 1)
    return (sound * np.convolve(opens, np.ones(320) / 320, "same")).astype(np.float32)


def recording(speech: Speech, rng: np.random.Generator, seconds: float, snr_db: float) -> Sound:
    """Somebody speaks in a place."""
    pieces: list[Sound] = []
    while sum(map(len, pieces)) < seconds * RATE_HZ:
        pieces += [
            faded(gated(speech.sound("speech_intents", rng))),
            np.zeros(round(rng.uniform(0.2, 0.8) * RATE_HZ), np.float32),
        ]
    said = np.concatenate(pieces)[: round(seconds * RATE_HZ)]
    said = echoing(said, rng, rng.uniform(0.15, 0.6))
    if rng.random() < 0.5:
        slope = rng.uniform(-1.2, 0.0)
        spectrum = np.fft.rfft(rng.normal(0, 1, len(said)))
        bed = np.fft.irfft(spectrum * np.maximum(np.arange(len(spectrum)), 20) ** slope, len(said)).astype(np.float32)
    else:
        one = speech.sound("sound_ambient", rng)
        lap = RATE_HZ // 2  # repeated with a crossfade, so that there is no edge
        share = np.linspace(0, 1, lap, dtype=np.float32)
        turn = np.concatenate([one[-lap:] * np.sqrt(1 - share) + one[:lap] * np.sqrt(share), one[lap:-lap]])
        bed = np.tile(turn, int(len(said) / len(turn)) + 1)[: len(said)]
    level = np.sqrt(np.mean(said**2) / max(float(np.mean(bed**2)), 1e-9)) * 10 ** (-snr_db / 20)
    made = filtered(said + bed * level, np.cumsum(rng.normal(0, 3, 12)))
    return (0.3 * made / np.sqrt(np.mean(made**2)) * 0.2).astype(np.float32)


def joined(whole: Sound, other: Sound, begin_s: float, fade_s: float) -> Sound:
    """A passage put over another at the same level, with fades."""
    begin, fade = round(begin_s * RATE_HZ), max(1, round(fade_s * RATE_HZ))
    piece = other * np.sqrt(np.mean(whole[begin : begin + len(other)] ** 2) / max(float(np.mean(other**2)), 1e-9))
    share = np.clip(np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / fade, 0, 1).astype(np.float32)
    made = whole.copy()
    made[begin : begin + len(piece)] = share * piece + (1 - share) * made[begin : begin + len(piece)]
    return made


def rerecorded(sound: Sound, rng: np.random.Generator) -> Sound:
    """Played by a small loudspeaker, recorded in a room."""
    gains = np.full(33, 0.0)
    gains[0], gains[1], gains[18:] = -40, -12, -18
    heard = echoing(filtered(sound, gains + rng.normal(0, 2, 33)), rng, 0.3)
    return (heard + rng.normal(0, 1, len(heard)) * np.sqrt(np.mean(heard**2)) * 10 ** (-30 / 20)).astype(np.float32)


def coded(sound: Sound, codec: str | None, rate_bps: int = 64_000, rate_hz: int = RATE_HZ) -> Sound:
    """After an encoder and its decoder."""
    if codec is None:
        return sound
    out = io.BytesIO()
    with av.open(out, "w", format={"libmp3lame": "mp3", "aac": "adts"}[codec]) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout="mono", bit_rate=rate_bps)
        size = stream.codec_context.frame_size or 1152
        for at in range(0, len(sound), size):
            block = av.AudioFrame.from_ndarray(sound[None, at : at + size], format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate_hz, at, Fraction(1, rate_hz)
            file.mux(stream.encode(block))
        file.mux(stream.encode())
    out.seek(0)
    with av.open(out) as file:
        return np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)]).astype(np.float32)


def told(scores: list[float], limit: float) -> str:
    """The share that reaches a threshold."""
    values = [float(each > limit) for each in scores]
    found = share_interval(values, [str(at) for at in range(len(values))])
    return f"{found.mean:6.1%} [{found.low:.1%}, {found.high:.1%}]"


def auroc(positive: list[float], negative: list[float]) -> float:
    one, two = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(((one > two) + 0.5 * (one == two)).mean())


def level_step(sound: Sound) -> float:
    """A simple way: the largest step of loudness between seconds."""
    seconds = sound[: len(sound) // RATE_HZ * RATE_HZ].reshape(-1, RATE_HZ)
    return float(np.abs(np.diff(10 * np.log10((seconds**2).mean(1) + 1e-9))).max())


def sample_step(sound: Sound) -> float:
    """A simple way: the largest difference between neighbouring samples, over the usual one."""
    steps = np.abs(np.diff(sound))
    return float(steps.max() / max(float(steps.mean()), 1e-9))


def floors(speech: Speech, count: int, kinds: int, limit: float) -> None:
    """Passages of another recording, and passages that were played and recorded again."""
    for snr_db, passage_s, codec in FLOORS[:kinds]:
        scores: dict[str, list[list[float]]] = {
            name: [[], []] for name in ("own passage", "foreign passage", "re-recorded passage")
        }
        for number in range(count):
            rng = np.random.default_rng([number, 7])
            whole = recording(speech, rng, SECONDS + 4, snr_db)
            size, begin_s = round(passage_s * RATE_HZ), rng.uniform(2.2, SECONDS - 2.2 - passage_s)
            later = whole[round(SECONDS * RATE_HZ) :][:size]
            other = recording(speech, rng, SECONDS, snr_db)[-size:]
            base = whole[: round(SECONDS * RATE_HZ)]
            for name, piece in {
                "own passage": later,
                "foreign passage": other,
                "re-recorded passage": rerecorded(later, rng),
            }.items():
                made = coded(joined(base, piece, begin_s, 0.01), codec)
                found = floor_step(made)
                scores[name][0].append(0.0 if found is None else found.score)
                scores[name][1].append(level_step(made))
        own = scores.pop("own passage")
        print(
            f"   background {snr_db} dB below, {passage_s} s, {codec or 'no coding'}: own passage taken for one",
            told(own[0], limit),
        )
        for name, (ours, simple) in scores.items():
            print(
                f"      {name:20} found {told(ours, limit)}  AUROC {auroc(ours, own[0]):.3f},",
                f"step of loudness {auroc(simple, own[1]):.3f}",
                flush=True,
            )


def breaks(speech: Speech, count: int, kinds: int, limit: float) -> None:
    """Half a second cut out."""
    for where, fade_s, codec in BREAKS[:kinds]:
        scores: list[list[float]] = [[], [], [], []]
        for number in range(count):
            rng = np.random.default_rng([number, 8])
            whole = recording(speech, rng, SECONDS, 25)
            at = round(rng.uniform(2, SECONDS - 3) * RATE_HZ)
            if where == "in a pause":
                power = np.convolve(whole[: 9 * RATE_HZ] ** 2, np.ones(800), "same")
                at = RATE_HZ + int(power[RATE_HZ : 8 * RATE_HZ].argmin())
            rest = whole[at + round(rng.uniform(0.3, 0.7) * RATE_HZ) :]
            fade = round(fade_s * RATE_HZ)
            if fade:
                share = np.linspace(0, 1, fade, dtype=np.float32)
                middle = whole[at - fade : at] * (1 - share) + rest[:fade] * share
                cut = np.concatenate([whole[: at - fade], middle, rest[fade:]])
            else:
                cut = np.concatenate([whole[:at], rest])
            for way, sound in enumerate((whole[: len(cut)], cut)):
                made = coded(sound, codec)
                found = waveform_break(made)
                scores[way].append(0.0 if found is None else found.score)
                scores[way + 2].append(sample_step(made))
        print(
            f"   cut {where}, fade {fade_s * 1000:.0f} ms, {codec or 'no coding'}: found {told(scores[1], limit)},",
            f"uncut {told(scores[0], limit)}  AUROC {auroc(scores[1], scores[0]):.3f},",
            f"largest difference {auroc(scores[3], scores[2]):.3f}",
            flush=True,
        )


def grids(speech: Speech, count: int, kinds: int) -> None:
    """Recordings of AAC at 44.1 kHz, cut and joined after decoding, and kept as they are or coded again."""
    for first, again in GRIDS[:kinds]:
        found: list[list[float]] = [[], []]
        for number in range(count):
            rng = np.random.default_rng([number, 9])
            whole = soxr.resample(recording(speech, rng, 6.0, 25), RATE_HZ, 44_100).astype(np.float32)
            whole += rng.normal(0, 1e-3, len(whole)).astype(np.float32)  # what a microphone has above 8 kHz
            heard = coded(whole, "aac", first, 44_100)
            at, away = int(rng.uniform(2, 3) * 44_100), int(rng.integers(9_000, 22_000))
            for way, sound in enumerate((heard[: len(heard) - away], np.concatenate([heard[:at], heard[at + away :]]))):
                lead = int(rng.integers(1, 1023))  # an editor's file begins anywhere
                kept = coded(sound[lead:], "aac" if again else None, again or 0, 44_100)
                step = coding_step(kept, 44_100)
                found[way].append(0.0 if step is None else step.score)
        print(
            f"   AAC at {first // 1000} kbit/s, then {f'AAC at {again // 1000}' if again else 'no coding'}: found",
            f"{told(found[1], 0.5)}, uncut {told(found[0], 0.5)}  AUROC {auroc(found[1], found[0]):.3f}",
            flush=True,
        )


def of_others(folder: Path, count: int) -> None:
    """Recordings that somebody published, of two seconds or more: as they are, and cut once without a fade."""
    files = sorted(folder.rglob("*.wav"))
    scores: dict[str, list[float]] = {"background": [], "cut": [], "cut, after cutting": []}
    for at in np.random.default_rng(4).permutation(len(files)):
        samples, rate_hz = soundfile.read(files[at], dtype="float32", always_2d=True)
        sound = np.asarray(soxr.resample(samples.mean(1), rate_hz, RATE_HZ), np.float32)[: 12 * RATE_HZ]
        if len(sound) < 2 * RATE_HZ:
            continue
        rng = np.random.default_rng([int(at), 10])
        begin = int(rng.uniform(0.2, 0.6) * len(sound))
        cut = np.concatenate([sound[:begin], sound[begin + int(rng.uniform(0.15, 0.5) * RATE_HZ) :]])
        for name, look, given in (("cut", waveform_break, sound), ("cut, after cutting", waveform_break, cut)):
            found = look(given)
            scores[name].append(0.0 if found is None else found.score)
        if (step := floor_step(sound)) is not None:
            scores["background"].append(step.score)
        if len(scores["cut"]) == count:
            break
    for name, own in scores.items():
        print(f"   {name}: {len(own)} recordings, reach 0.5: {told(own, 0.5)}")
    limit = float(np.quantile(scores["cut"], 1 - FALSE))
    found_of = told(scores["cut, after cutting"], limit)
    print(
        f"   cut at {limit:.3f}, which 5 % of these reach: found {found_of},",
        f"AUROC {auroc(scores['cut, after cutting'], scores['cut']):.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--data", type=Path)
    which.add_argument("--unchanged", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--only", default="floors,breaks,grids")
    parser.add_argument("--kinds", type=int, default=9, help="of each, the first so many")
    given = parser.parse_args()
    print(processor(), commit(), versions(), flush=True)
    if given.unchanged is not None:
        of_others(given.unchanged, given.count)
        return
    other, speech = Speech(given.data, False), Speech(given.data, True)
    plain = [
        recording(other, np.random.default_rng([number, 6]), SECONDS, rate)
        for number in range(given.count)
        for rate in (20, 30)
    ]
    limits = {}
    for name, measure in (("floors", floor_step), ("breaks", waveform_break)):
        scores = [found.score if (found := measure(each)) is not None else 0.0 for each in plain]
        limits[name] = float(np.quantile(scores, 1 - FALSE))
        print(
            f"{name}: threshold {limits[name]:.3f}, from {len(plain)} unchanged recordings of the other half",
            flush=True,
        )
    if "floors" in given.only:
        floors(speech, given.count, given.kinds, limits["floors"])
    if "breaks" in given.only:
        breaks(speech, given.count, given.kinds, limits["breaks"])
    if "grids" in given.only:
        grids(speech, given.count, given.kinds)


if __name__ == "__main__":
    main()
