"""The head of the shipped Whisper that tells where somebody speaks, and how well it does.

python -m recipes.voice_head --data DIR [--out src/tutti/assets/whisper-base] [--windows N]

Windows of the packs, speech, speech in noise, noises and music, and made noises, go through the encoder, some of ten
seconds, as live speech is heard, some of thirty, as files are (states know where in a window they are); means of half
seconds are what a logistic regression is fitted to. Recordings whose names hash to an even number are fitted on; it
is judged on the others, and on a pack of speech and one of music that were not fitted on at all. Of speech, half
seconds count in which something is heard.
"""

from __future__ import annotations

import argparse
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.media.text_files import json_object, read_lines

SPEECH, NOISE = (
    ("speech_intents", "speech_words_pd", "speech_digits"),
    (
        "sound_ambient",
        "sound_esc10",
        "sound_instruments",
    ),
)
OTHERS = ("speech_keywords", "sound_instruments_cc0")
"""Not fitted on."""
MADE = ("white", "pink", "hum", "chords", "dither")
RATE_HZ, WINDOWS_S, STEP_S = 16_000, (10.0, 30.0), 0.5
LEVELS_DB = (20, 15, 10, 5)
_GAP_S = 0.4
_HEARD_DB = 25.0
"""A half second of speech counts where it is at most so far below the loudest of its window."""
RIDGE = 30.0
SHOWN = (0.5, 0.7, 0.8, 0.9)
Rows = NDArray[np.float32]


def part_of(name: str) -> int:
    """0 to fit on, 1 to judge on."""
    return zlib.crc32(name.encode()) % 2


def clips(data: Path, pack: str) -> Iterator[tuple[int, Rows]]:
    """The recordings of a pack in an order by chance: part, (S,) at `RATE_HZ`."""
    import zipfile

    import soundfile
    import soxr

    from benchmarks.live import may_speak

    rows: list[Any] = [json_object(line) for _, line in read_lines(data / pack / "index.jsonl")]
    if pack.startswith("sound"):
        rows = [row for row in rows if not may_speak(row)]
    np.random.default_rng(0).shuffle(rows)
    with zipfile.ZipFile(data / pack / "data.zip") as packed:
        for row in rows:
            samples, rate_hz = soundfile.read(io.BytesIO(packed.read(row["file"])), dtype="float32")
            mono = samples if samples.ndim == 1 else samples.mean(axis=1)
            heard = mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ)
            yield part_of(row["file"]), np.asarray(heard, np.float32)


def windows(data: Path, pack: str, count: int) -> list[tuple[int, Rows]]:
    """So many short windows of a pack, and a third as many long ones."""
    counts = (count, max(2, count // 3))
    return [one for seconds, many in zip(WINDOWS_S, counts, strict=True) for one in filled(data, pack, seconds, many)]


def filled(data: Path, pack: str, seconds: float, count: int) -> list[tuple[int, Rows]]:
    """So many windows; short recordings stand behind one another, with a pause between."""
    size, gap = round(seconds * RATE_HZ), np.zeros(round(_GAP_S * RATE_HZ), np.float32)
    found: list[tuple[int, Rows]] = []
    open_: dict[int, list[Rows]] = {0: [], 1: []}
    for part, samples in clips(data, pack):
        for at in range(0, len(samples), size):
            open_[part] += [samples[at : at + size], gap]
            if sum(map(len, open_[part])) >= 0.9 * size:
                found.append((part, np.concatenate(open_[part])[:size]))
                open_[part] = []
        if len(found) >= count:
            break
    return found[:count]


def mixed(speech: list[tuple[int, Rows]], noise: list[tuple[int, Rows]]) -> list[tuple[int, Rows]]:
    """Speech in noise of the same part, 5 to 20 dB above it."""
    rng, found = np.random.default_rng(1), []
    for number, (part, samples) in enumerate(speech):
        others = [one for other, one in noise if other == part]
        other = np.resize(others[int(rng.integers(len(others)))], len(samples))
        gain = np.sqrt(np.square(samples).mean() / (np.square(other).mean() + 1e-9))
        level = 10 ** (-LEVELS_DB[number % len(LEVELS_DB)] / 20)
        found.append((part, np.clip(samples + level * gain * other, -1, 1).astype(np.float32)))
    return found


class Encoder:
    """Means of the states of the shipped Whisper's encoder."""

    def __init__(self) -> None:
        import torch

        import tutti

        provider: Any = tutti.load("whisper-base").provider
        self._listener, self._torch = provider.listener, torch

    def __call__(self, samples: Rows) -> Rows:
        """Shapes: (S,) → (steps, D)."""
        seconds = next(one for one in WINDOWS_S if len(samples) <= one * RATE_HZ)
        padded = np.pad(samples, (0, round(seconds * RATE_HZ) - len(samples)))
        features = self._torch.from_numpy(self._listener.processor.features(padded))[:, : round(100 * seconds)]
        with self._torch.inference_mode():
            states = self._listener.writer.model.encode(features[None])[0].float().numpy()
        steps, width = int(len(samples) / RATE_HZ / STEP_S), round(50 * STEP_S)
        return np.stack([states[at * width : (at + 1) * width].mean(0) for at in range(steps)]).astype(np.float32)


def rows_of(encoder: Encoder, some: list[tuple[int, Rows]], *, speech: bool) -> tuple[NDArray[Any], Rows]:
    """Part and state of each half second; of speech, of those in which something is heard."""
    parts: list[int] = []
    states: list[Rows] = []
    step = round(STEP_S * RATE_HZ)
    for part, samples in some:
        found = encoder(samples)
        levels = np.array([np.sqrt(np.square(samples[at * step : (at + 1) * step]).mean()) for at in range(len(found))])
        kept = levels > 10 ** (-_HEARD_DB / 20) * levels.max() if speech else np.full(len(found), True)
        states.append(found[kept])
        parts += [part] * int(kept.sum())
    return np.array(parts), np.concatenate(states)


def fitted(states: Rows, there: NDArray[Any], ridge: float = RIDGE) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a logistic regression in which both kinds count as much, by Newton's method."""
    means, spreads = states.mean(0, dtype=np.float64), states.std(0, dtype=np.float64) + 1e-6
    inputs = np.concatenate([(states - means) / spreads, np.ones((len(states), 1))], axis=1)
    counts = np.where(there > 0, 0.5 / there.mean(), 0.5 / (1 - there.mean()))
    weights = np.zeros(inputs.shape[1])
    penalty = ridge * np.eye(inputs.shape[1])
    penalty[-1, -1] = 1e-6
    for _ in range(30):
        odds = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (counts * (there - odds)) - penalty @ weights
        curve = (inputs * (counts * odds * (1 - odds))[:, None]).T @ inputs + penalty
        weights += np.linalg.solve(curve, slope)
    plain = weights[:-1] / spreads
    return plain, float(weights[-1] - plain @ means)


def main() -> None:
    """Fit, judge, print and write."""
    from benchmarks.live import without_words

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the packs")
    parser.add_argument("--out", type=Path, help="folder of the checkpoint; the head is written into it")
    parser.add_argument("--windows", type=int, default=60, help="of each pack")
    given = parser.parse_args()
    packs = {name: windows(given.data, name, given.windows) for name in (*SPEECH, *NOISE, *OTHERS)}
    packs["made"] = [
        (number // 2 % 2, without_words(kind, 100 + number, None)[: round(WINDOWS_S[number % 2] * RATE_HZ)])
        for kind in MADE
        for number in range(8)
    ]
    noise = [one for name in NOISE for one in packs[name]]
    packs["speech in noise"] = mixed([*packs["speech_intents"], *packs["speech_words_pd"]], noise)
    packs["keywords in noise"] = mixed(packs["speech_keywords"], noise)
    encoder = Encoder()
    found = {
        name: rows_of(encoder, some, speech="speech" in name or "keywords" in name) for name, some in packs.items()
    }
    fit = [name for name in found if name not in OTHERS and name != "keywords in noise"]
    states = np.concatenate([found[name][1][found[name][0] == 0] for name in fit])
    there = np.concatenate([np.full(int((found[name][0] == 0).sum()), float("speech" in name)) for name in fit])
    weights, bias = fitted(states, there)
    for name, (parts, some) in found.items():
        judged = some[parts == 1] if name in fit else some
        odds = 1 / (1 + np.exp(-np.clip(judged @ weights + bias, -30, 30)))
        shares = (f"{100 * float((odds >= least).mean()):6.2f} % from {least}" for least in SHOWN)
        print(f"{name:24} {len(judged):5}", *shares)
    if given.out is not None:
        values = {"weights": [round(float(one), 5) for one in weights], "bias": round(bias, 5), "step_s": STEP_S}
        (given.out / "voice_head.json").write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
