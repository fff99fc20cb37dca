"""Speech written down while it is said, against the whole file at once, in short parts that go on where they stopped.

    python -m benchmarks.live SPEECH_SET --out live.jsonl --minutes 10 --threads 2
    PEERS/bin/python -m benchmarks.live SPEECH_SET --out live.jsonl --minutes 5 --player faster-whisper
    python -m benchmarks.live SPEECH_SET --out live.jsonl --part invented --data PACKS --minutes 10
    python -m benchmarks.live SPEECH_SET --out live.jsonl --part memory --minutes 10
    python -m benchmarks.live SPEECH_SET --out live.jsonl --minutes 0      only the figures

SPEECH_SET is a folder of `benchmarks.speech_set`. Each line of the file is a measurement that is done; the same command
again does those that are missing, and prints figures of all. The clock is that of the sound: time that computing takes
is added to it, and sound that came meanwhile is given at once, as to a microphone; nothing waits. Delays count from
where the final transcript says that a word ends, which is a share of its segment and may err by half a second; a first
guess is the first time that a word of that number is shown. `--context` hears a shortened window, so many seconds
longer than the stretch, `--step` is how often. `--clock cpu` counts what the process computes instead of the time that
passes, for a machine that does other things, too; it is right for one thread. `--frames 2` looks at two pictures a
second of sound, too.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import soundfile
import soxr

from benchmarks.machine import commit, processor, versions
from benchmarks.speech_set import music, noise
from tutti.content import FinalWords, GuessedWords, Segment, TranscriptionOptions
from tutti.media.text_files import json_object, read_lines
from tutti.providers.live import Cadence, LiveTranscriber

BLOCK_S = 0.25
RATE_HZ = 16_000
INVENTED_S = 60.0
"""Length of a piece of silence, noise or music."""
KINDS = {
    "silence": ("zeros", "dither"),
    "noise": ("sound_ambient", "sound_esc10", "white", "pink", "hum"),
    "music": ("sound_instruments", "sound_instruments_cc0", "chords"),
}
"""What holds no words; those with an underscore are packs of recordings."""
VOICES = ("voice", "crowd", "coffee", "city", "robot", "people", "chatter")
"""Words of what a recording is called in which somebody may speak: it is left out."""
WHISPER = "whisper-base"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def plain(text: str) -> list[str]:
    """Words without signs and capitals."""
    return re.sub(r"[^\w\s']", " ", text).casefold().split()


def edits(said: list[str], expected: list[str]) -> int:
    """Words to insert, delete and replace."""
    row = list(range(len(said) + 1))
    for number, word in enumerate(expected, 1):
        before, row = row, [number]
        for place, other in enumerate(said, 1):
            row.append(min(before[place - 1] + (word != other), before[place] + 1, row[place - 1] + 1))
    return row[-1]


class Shown:
    """What a person has seen so far, and how late."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.final_s: list[float] = []
        self.guess_s: list[float] = []
        self._first: list[float] = []
        """When a word of each number was first shown."""

    def take(self, events: Sequence[Any], now_s: float) -> None:
        """Events that came at a time of the stream's clock."""
        for event in events:
            if isinstance(event, FinalWords):
                for word in event.words:
                    self.words.append(word.text)
                    self._seen(len(self.words), now_s)
                    self.final_s.append(now_s - word.end_s)
                    self.guess_s.append(self._first[len(self.words) - 1] - word.end_s)
            elif isinstance(event, GuessedWords) and event.text:
                self._seen(len(self.words) + len(event.text.split()), now_s)

    def _seen(self, count: int, now_s: float) -> None:
        self._first += [now_s] * (count - len(self._first))


def live(
    stream: LiveTranscriber,
    samples: Any,
    clock: Callable[[], float],
    look: Callable[[], None] | None = None,
    frames: float = 0.0,
) -> Any:
    """What was shown of a recording, and the seconds of computing."""
    shown, given, now_s, busy_s, looked = Shown(), 0, 0.0, 0.0, 0
    while given < len(samples):
        now_s = max(now_s, given / RATE_HZ + BLOCK_S)
        due = min(len(samples), round(now_s * RATE_HZ))
        begun = clock()
        events = [*stream.feed(samples[given:due])]
        given = due
        if given == len(samples):
            events += stream.finish()
        while look is not None and looked < now_s * frames:
            look()
            looked += 1
        took_s = clock() - begun
        now_s, busy_s = now_s + took_s, busy_s + took_s
        shown.take(events, now_s)
    return shown, busy_s


class Player:
    """What hears: Tutti's Whisper, or that of faster-whisper with the same rules for what is final."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.name, self.pace = given.player, Cadence(step_s=given.step, context_beyond_s=given.context)
        self._threads = given.threads
        self.stream, self.whole = self._tutti() if self.name == "tutti" else self._faster(given.weights)

    def _tutti(self) -> Any:
        import torch

        import tutti

        torch.set_num_threads(self._threads)
        provider: Any = tutti.load(WHISPER).provider
        options = TranscriptionOptions(language="en")
        return (
            lambda: provider.live(options, self.pace),
            lambda samples: provider.listener.listen(samples, options, None).text,
        )

    def _faster(self, weights: Path | None) -> Any:
        from faster_whisper import WhisperModel

        model = WhisperModel(
            str(weights) if weights else "base", device="cpu", compute_type="int8", cpu_threads=self._threads
        )

        def parts(samples: Any, prompt: str) -> list[Segment]:
            found, _ = model.transcribe(samples, language="en", initial_prompt=prompt or None, temperature=0.0)
            return [Segment(start_s=one.start, end_s=one.end, text=one.text.strip()) for one in found]

        def hear(samples: Any, options: TranscriptionOptions) -> Any:
            return parts(samples, options.prompt), "en"

        return (
            lambda: LiveTranscriber(hear, RATE_HZ, None, self.pace),
            lambda samples: " ".join(one.text for one in parts(samples, "")),
        )


def index_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of a set or a pack."""
    return [dict(json_object(line)) for _, line in read_lines(folder / "index.jsonl")]


def sound_of(path: Path) -> Any:
    """(S,) float32 mono at `RATE_HZ`."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    return mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ).astype(np.float32)


def looking(frames: float) -> Callable[[], None] | None:
    """What looks at one picture more, each another one; None where none is looked at."""
    if not frames:
        return None
    import tutti

    eyes, drawn = tutti.load("tutti-mini"), np.random.default_rng(0)

    def look() -> None:
        from io import BytesIO

        from PIL import Image

        file = BytesIO()
        Image.fromarray(drawn.integers(0, 255, (36, 64, 3), np.uint8)).resize((640, 360)).save(file, "jpeg")
        eyes.embed([tutti.Image(file.getvalue())])

    look()
    return look


def speech(given: argparse.Namespace, player: Player, done: set[str]) -> Iterator[dict[str, Any]]:
    """Recordings of the set: words, delays, load."""
    look, clock = looking(given.frames), CLOCKS[given.clock]
    for row in index_of(given.speech_set):
        if row["file"] in done:
            continue
        samples = sound_of(given.speech_set / row["file"])
        shown, busy_s = live(player.stream(), samples, clock, look, given.frames)
        begun = clock()
        whole = player.whole(samples)
        whole_s = clock() - begun
        expected = plain(row["text"])
        yield {
            "key": row["file"],
            "seconds": len(samples) / RATE_HZ,
            "words": len(expected),
            "live": edits(plain(" ".join(shown.words)), expected),
            "whole": edits(plain(whole), expected),
            "apart": edits(plain(" ".join(shown.words)), plain(whole)),
            "final_s": [round(one, 3) for one in shown.final_s],
            "guess_s": [round(one, 3) for one in shown.guess_s],
            "busy_s": busy_s,
            "whole_s": whole_s,
        }


def without_words(kind: str, number: int, data: Path | None) -> Any:
    """A piece without words; None where it needs packs that are not given.

    Of packs it is the half that no head was fitted on (`recipes.voice_head`): names that hash to an odd number.
    """
    count, draw = round(INVENTED_S * RATE_HZ), np.random.default_rng(number)
    if kind == "zeros":
        return np.zeros(count, np.float32)
    if kind == "dither":
        return (draw.standard_normal(count) / 2**15).astype(np.float32)
    if kind == "chords":
        return (0.3 * music(count, draw)).astype(np.float32)
    if not kind.startswith("sound_"):
        return (0.1 * noise(kind, count, draw)).astype(np.float32)
    if data is None:
        return None
    from io import BytesIO
    from zipfile import ZipFile

    pack = data / kind
    rows = [row for row in index_of(pack) if crc32(row["file"].encode()) % 2 and not may_speak(row)]
    pieces: list[Any] = []
    with ZipFile(pack / "data.zip") as packed:
        while sum(map(len, pieces)) < count:
            row = rows[int(draw.integers(len(rows)))]
            samples, rate_hz = soundfile.read(BytesIO(packed.read(row["file"])), dtype="float32")
            samples = samples if samples.ndim == 1 else samples.mean(axis=1)
            pieces.append(samples if rate_hz == RATE_HZ else soxr.resample(samples, rate_hz, RATE_HZ))
    return np.concatenate(pieces)[:count].astype(np.float32)


def may_speak(row: dict[str, Any]) -> bool:
    """Whether somebody may speak in a recording of noise, by its names."""
    return any(one in name for one in VOICES for name in [row["label"], *row["text"]])


def invented(given: argparse.Namespace, player: Player, done: set[str]) -> Iterator[dict[str, Any]]:
    """Ten minutes each of silence, noise and music, a minute in turn: as a stream, and each piece as a file."""
    for number in range(10):
        for kind, sources in KINDS.items():
            source = sources[number % len(sources)]
            key = f"{kind} {number} {source}"
            samples = None if key in done else without_words(source, number, given.data)
            if samples is None:
                continue
            clock = CLOCKS[given.clock]
            shown, busy_s = live(player.stream(), samples, clock)
            begun = clock()
            whole = plain(player.whole(samples))
            row = {"key": key, "kind": kind, "seconds": INVENTED_S, "said": shown.words, "busy_s": busy_s}
            yield {**row, "whole": whole, "whole_s": clock() - begun}


def memory(given: argparse.Namespace, player: Player, done: set[str]) -> Iterator[dict[str, Any]]:
    """One stream without an end, as fast as it is written down: what the process holds after each recording."""
    stream, seconds = player.stream(), 0.0
    rows = index_of(given.speech_set)
    run = len(done)
    for number in range(10**6):
        samples = sound_of(given.speech_set / rows[number % len(rows)]["file"])
        for at in range(0, len(samples), RATE_HZ):
            stream.feed(samples[at : at + RATE_HZ])
        seconds += len(samples) / RATE_HZ
        held = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        yield {"key": f"{run} {number}", "run": run, "heard_s": seconds, "held_mb": held}


PARTS = {"speech": speech, "invented": invented, "memory": memory}


def figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What rows of one part and setting say together."""
    if "held_mb" in rows[0]:
        last = [row for row in rows if row["run"] == rows[-1]["run"]]
        settled = last[len(last) // 4 :]  # the first recordings warm up
        slope = np.polyfit([row["heard_s"] / 3600 for row in settled], [row["held_mb"] for row in settled], 1)[0]
        ends = {"mb_first": round(settled[0]["held_mb"], 1), "mb_last": round(settled[-1]["held_mb"], 1)}
        return {"hours_of_sound": round(last[-1]["heard_s"] / 3600, 2), **ends, "mb_an_hour": round(float(slope), 1)}
    if "kind" in rows[0]:
        kinds = dict.fromkeys(row["kind"] for row in rows)
        of = {kind: [row for row in rows if row["kind"] == kind] for kind in kinds}
        return {
            kind: {
                "minutes": sum(row["seconds"] for row in some) / 60,
                "words": sum(len(row["said"]) for row in some),
                "words_of_files": sum(len(row["whole"]) for row in some),
                "load": round(sum(row["busy_s"] for row in some) / sum(row["seconds"] for row in some), 2),
            }
            for kind, some in of.items()
        }
    seconds, words = sum(row["seconds"] for row in rows), sum(row["words"] for row in rows)
    found: dict[str, Any] = {"minutes": round(seconds / 60, 1), "words": words}
    for name in ("live", "whole", "apart"):
        found[f"{name}_errors"] = round(sum(row[name] for row in rows) / words, 4)
    for name in ("final_s", "guess_s"):
        delays = sorted(one for row in rows for one in row[name])
        if delays:
            found[f"{name}_median_p95"] = [
                round(statistics.median(delays), 2),
                round(delays[int(0.95 * len(delays))], 2),
            ]
    found["load"] = round(sum(row["busy_s"] for row in rows) / seconds, 2)
    found["whole_file_load"] = round(sum(row["whole_s"] for row in rows) / seconds, 2)
    return found


def kept(path: Path) -> list[dict[str, Any]]:
    """The measurements of a file; a last line that was cut short is none."""
    rows = []
    for _, line in read_lines(path) if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def arguments() -> argparse.Namespace:
    """As given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech_set", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="measurements, a line each; goes on where it stopped")
    parser.add_argument("--minutes", type=float, default=10.0, help="begin no measurement after so many")
    parser.add_argument("--part", choices=PARTS, default="speech")
    parser.add_argument("--player", choices=("tutti", "faster-whisper"), default="tutti")
    parser.add_argument("--weights", type=Path, help="folder of faster-whisper's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--step", type=float, default=Cadence().step_s)
    parser.add_argument("--context", type=float, default=Cadence().context_beyond_s, help="0 is a whole window")
    parser.add_argument("--frames", type=float, default=0.0, help="pictures looked at a second of sound")
    parser.add_argument("--data", type=Path, help="folder of the packs, for recorded noise and music")
    given = parser.parse_args()
    given.context = given.context or None
    return given


def main() -> None:
    """Measure what is missing, and print an object a setting."""
    given = arguments()
    setting = {
        name: getattr(given, name) for name in ("part", "player", "threads", "clock", "step", "context", "frames")
    }
    rows = kept(given.out)
    ends = time.monotonic() + 60 * given.minutes
    if given.minutes:
        done = {row["key"] for row in rows if row["setting"] == setting}
        found = PARTS[given.part](given, Player(given), done)
        with given.out.open("a", encoding="utf-8") as file:
            while time.monotonic() < ends and (row := next(found, None)) is not None:
                row["setting"] = setting
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
                print(f"{given.part}: {row['key']}", file=sys.stderr)
    settings = list({json.dumps(row["setting"]): row["setting"] for row in rows}.values())
    for one in settings:
        print(json.dumps({**one, **figures([row for row in rows if row["setting"] == one])}))
    print(json.dumps({"processor": processor(), "commit": commit(), "versions": versions("torch", "faster-whisper")}))


if __name__ == "__main__":
    main()
