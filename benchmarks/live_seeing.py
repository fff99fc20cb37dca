"""A stream that is watched: spoken questions about what is shown, and alerts on what is heard and seen.

    python -m benchmarks.live_seeing --data PACKS --part questions --out asked.jsonl [--films 20] [--clock cpu]
    python -m benchmarks.live_seeing --data PACKS --part heard --out heard.jsonl [--streams 20]
    python -m benchmarks.live_seeing --data PACKS --part seen --out seen.jsonl [--streams 20]

Made streams with known truth, of photographs and recordings that were not trained on. A film for questions shows five
photographs for six seconds each, wide, and a made voice (espeak-ng) asks what is shown; delay counts from the end of
the question to the answer on the clock of `benchmarks.live`. The same question is typed about the same picture, too,
which tells what hearing loses from what seeing loses. Streams for alerts have a bed of ambient sound or
photographs of other things; one in three alerts asked for never comes. A report within the event or two seconds behind
it is right, any other is false.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from PIL import ImageOps

from benchmarks.live import BLOCK_S, CLOCKS, RATE_HZ, kept
from benchmarks.machine import commit, processor
from tutti.content import Image, LiveAlert
from tutti.errors import InputError
from tutti.search.live_questions import LiveQuestions
from tutti.search.live_watch import LiveWatch
from tutti.training.packs import PackReader
from tutti.trust.fairness.rates import wilson

QUESTIONS = ("What is this?", "What do you see now?", "What is shown here?", "Tell me what this is.")
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m3")
SHOWN_S, SIZE = 6.0, (426, 240)
EVENTS = {
    "dog": "a dog barks", "rooster": "a rooster crows", "rain": "rain", "sea waves": "sea waves",
    "crackling fire": "a crackling fire", "crying baby": "a baby cries", "sneezing": "somebody sneezes",
    "clock tick": "a clock ticks", "helicopter": "a helicopter", "chainsaw": "a chainsaw",
}  # fmt: skip
"""Label of ESC-10 → how somebody would ask for it."""
LATE_S = 2.0


def speak(text: str, voice: str) -> Any:
    """A made voice, (S,) float32 at `RATE_HZ`."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise InputError("This benchmark needs the program espeak-ng.")
    done = subprocess.run(
        [program, "-v", voice, "-s", "150", "--stdin", "--stdout"], input=text.encode(), capture_output=True, check=True
    )
    samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    return soxr.resample(samples, rate_hz, RATE_HZ).astype(np.float32) * 0.7


def photographs(data: Path, packs: tuple[str, ...] = ("photos_caltech101", "photos_openimages")) -> list[Any]:
    """(label, what opens the picture) of photographs that were not trained on."""
    from recipes.tutti_mini.packs import open_picture

    found: list[Any] = []
    for name in packs:
        pack = PackReader(data / name)
        kept_out = [row for row in pack.rows if row["split"] != "train"]
        found += [(row["label"], partial(open_picture, pack, row)) for row in kept_out]
    return found


def wide(picture: Any) -> Any:
    """As a frame of a film. Shapes: (240, 426, 3) uint8."""
    return np.asarray(ImageOps.fit(picture.convert("RGB"), SIZE))


def bed(seconds: float, rng: np.random.Generator, quiet: float = 1e-3) -> Any:
    """Faint noise of a room."""
    return (quiet * rng.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def played(
    samples: Any, pictures: list[tuple[float, Any]], take: Callable[[Any, list[tuple[float, Any]]], list[Any]],
    clock: Callable[[], float],
) -> Iterator[tuple[float, Any]]:  # fmt: skip
    """What a stream brings, each with when it came on the stream's clock, to which computing is added."""
    given, now_s, place = 0, 0.0, 0
    while given < len(samples):
        now_s = max(now_s, given / RATE_HZ + BLOCK_S)
        due = min(len(samples), round(now_s * RATE_HZ))
        shown = []
        while place < len(pictures) and pictures[place][0] <= due / RATE_HZ:
            shown.append(pictures[place])
            place += 1
        begun = clock()
        found = take(samples[given:due], shown)
        now_s += clock() - begun
        given = due
        yield from ((now_s, one) for one in found)


def names_of(label: str) -> tuple[str, ...]:
    """A label and other names that are right."""
    from recipes.tutti_mini.objects import SYNONYMS

    return (label, *SYNONYMS.get(label, ()))


def questions(given: argparse.Namespace, done: set[str]) -> Iterator[dict[str, Any]]:
    """Films in which is asked what is shown."""
    import tutti

    model, ears, photos = tutti.load(given.model), tutti.load("whisper-base"), photographs(given.data)
    for number in range(given.films):
        if str(number) in done:
            continue
        rng = np.random.default_rng((7, number))
        sound, pictures, asked = [], [], []
        for place, index in enumerate(rng.choice(len(photos), 5, replace=False)):
            label, opened = photos[index]
            question = QUESTIONS[int(rng.integers(len(QUESTIONS)))]
            spoken = speak(question, VOICES[int(rng.integers(len(VOICES)))])
            piece = bed(SHOWN_S, rng)
            piece[RATE_HZ : RATE_HZ + len(spoken)] += spoken
            frame = wide(opened())
            pictures += [(place * SHOWN_S + tick / 2, frame) for tick in range(round(2 * SHOWN_S))]
            typed = model.ask(question, Image(frame)).text
            asked.append((place * SHOWN_S + 1 + len(spoken) / RATE_HZ, label, typed))
            sound.append(piece)
        live = ears.live(language="en")
        watch = LiveWatch(model.embedder())
        answering = LiveQuestions(model.responder(), watch, model.name)

        def take(block: Any, shown: Any, live: Any = live, watch: Any = watch, answering: Any = answering) -> list[Any]:
            events = live.feed(block)
            for at_s, picture in shown:
                watch.see(picture, at_s)
            return list(answering.heard(events))

        answers = [(now_s, one) for now_s, one in played(np.concatenate(sound), pictures, take, CLOCKS[given.clock])]
        rows = []
        for end_s, label, typed in asked:
            own = next(((now, one) for now, one in answers if end_s - 1.5 <= one.asked_s <= end_s + 3.0), None)
            said = own[1].answer.text if own else None
            right, typed_right = (
                one is not None and any(name in one for name in names_of(label)) for one in (said, typed)
            )
            delay_s = own[0] - end_s if own else None
            rows.append(
                {
                    "label": label,
                    "heard": own[1].question if own else None,
                    "said": said,
                    "right": right,
                    "typed": typed,
                    "typed_right": typed_right,
                    "delay_s": delay_s,
                }
            )
        yield {"key": str(number), "asked": rows}


def watched(
    model: Any, sound: Any, pictures: list[Any], alerts: list[str], clock: Callable[[], float]
) -> tuple[list[tuple[float, LiveAlert]], float]:
    """The alerts of a stream, with when they came, and the seconds of computing."""
    watch = LiveWatch(model.embedder(), alerts)
    busy = [0.0]

    def take(block: Any, shown: Any) -> list[Any]:
        begun = clock()
        found = [alert for at_s, picture in shown for alert in watch.see(picture, at_s)]
        found += watch.hear(block)
        busy[0] += clock() - begun
        return found

    return list(played(sound, pictures, take, clock)), busy[0]


def judged(found: list[tuple[float, LiveAlert]], events: list[tuple[str, float, float]], seconds: float) -> Any:
    """Which events were reported, how late, and which reports are false."""
    rows = []
    used: set[int] = set()
    for thing, start_s, end_s in events:
        mine = [
            (place, now_s)
            for place, (now_s, one) in enumerate(found)
            if one.thing == thing and one.end_s >= start_s and one.start_s < end_s + LATE_S
        ]
        used |= {place for place, _ in mine}
        rows.append({"thing": thing, "delay_s": mine[0][1] - start_s if mine else None})
    false = [one.thing for place, (_, one) in enumerate(found) if place not in used]
    return {"events": rows, "false": false, "seconds": seconds}


def heard(given: argparse.Namespace, done: set[str]) -> Iterator[dict[str, Any]]:
    """Two minutes of ambience, with sounds that were asked for."""
    import tutti
    from recipes.tutti_mini.packs import HOLD_OUT

    model = tutti.load(given.model)
    esc, ambient = PackReader(given.data / "sound_esc10"), PackReader(given.data / "sound_ambient")
    part = [row for row in esc.rows if HOLD_OUT["sound_esc10"](row) != given.dev]
    beds = [row for row in ambient.rows if not any(word in row["label"] for word in ("rain", "wave", "fire", "storm"))]
    for number in range(given.streams):
        if str(number) in done:
            continue
        rng = np.random.default_rng((8, number, given.dev))
        seconds = 120.0
        base = _sound(ambient, beds[int(rng.integers(len(beds)))])
        base = np.resize(base, round(seconds * RATE_HZ)) * (0.03 / max(1e-6, float(np.sqrt(np.mean(base**2)))))
        labels = list(rng.permutation(sorted(EVENTS)))
        wanted, events, at_s = labels[:6], [], 6.0
        for label in labels[:4]:  # four of six that are asked for come
            rows = [row for row in part if row["label"] == label]
            clip = _sound(esc, rows[int(rng.integers(len(rows)))])[: 5 * RATE_HZ]
            clip = clip * (0.15 / max(1e-6, float(np.sqrt(np.mean(clip**2)))))
            loud = np.flatnonzero(np.abs(clip) > 0.1 * np.abs(clip).max())
            start = round(at_s * RATE_HZ)
            base[start : start + len(clip)] += clip
            times = (at_s + loud[0] / RATE_HZ, at_s + loud[-1] / RATE_HZ)
            events.append((EVENTS[label], *times))
            at_s += 5 + float(rng.uniform(10, 22))
        found, busy_s = watched(
            model, np.clip(base, -1, 1), [], [EVENTS[label] for label in wanted], CLOCKS[given.clock]
        )
        yield {"key": str(number), **judged(found, events, seconds), "busy_s": busy_s, "asked": len(wanted)}


def seen(given: argparse.Namespace, done: set[str]) -> Iterator[dict[str, Any]]:
    """Two minutes of photographs, each for four seconds, of which some were asked for."""
    import tutti
    from recipes.tutti_mini.pairs import article

    model, photos = tutti.load(given.model), photographs(given.data)
    for number in range(given.streams):
        if str(number) in done:
            continue
        rng = np.random.default_rng((9, number, given.dev))
        picked = [photos[index] for index in rng.choice(len(photos), 30, replace=False)]
        labels = sorted({label for label, _ in picked})
        shown = list(rng.choice(labels, 4, replace=False))
        others = sorted({label for label, _ in photos} - set(labels))
        wanted = [*shown, *rng.choice(others, 2, replace=False)]
        pictures, events = [], []
        for place, (label, opened) in enumerate(picked):
            frame, start_s = wide(opened()), place * 4.0
            pictures += [(start_s + tick / 2, frame) for tick in range(8)]
            if label in shown:
                events.append((article(label), start_s, start_s + 4.0))
        sound = np.zeros(round(120.0 * RATE_HZ), np.float32)
        found, busy_s = watched(model, sound, pictures, [article(one) for one in wanted], CLOCKS[given.clock])
        yield {"key": str(number), **judged(found, events, 120.0), "busy_s": busy_s, "asked": len(wanted)}


def _sound(pack: PackReader, row: Any) -> Any:
    samples, rate_hz = soundfile.read(io.BytesIO(pack.content(row["file"])), dtype="float32")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    return mono if rate_hz == RATE_HZ else soxr.resample(mono, rate_hz, RATE_HZ).astype(np.float32)


PARTS = {"questions": questions, "heard": heard, "seen": seen}


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the rows of one part say together."""
    if "events" not in rows[0]:
        asked = [one for row in rows for one in row["asked"]]
        delays = sorted(one["delay_s"] for one in asked if one["delay_s"] is not None)
        return {
            "asked": len(asked),
            "answered": round(len(delays) / len(asked), 3),
            **_share("right", sum(one["right"] for one in asked), len(asked)),
            **_share("typed_right", sum(one["typed_right"] for one in asked), len(asked)),
            "delay_s_median_p95": _spread(delays),
        }
    events = [one for row in rows for one in row["events"]]
    delays = sorted(one["delay_s"] for one in events if one["delay_s"] is not None)
    hours = sum(row["seconds"] for row in rows) / 3600
    return {
        "events": len(events),
        **_share("reported", len(delays), len(events)),
        "false_an_hour_of_six_alerts": round(sum(len(row["false"]) for row in rows) / hours, 1),
        "delay_s_median_p95": _spread(delays),
        "load": round(sum(row["busy_s"] for row in rows) / sum(row["seconds"] for row in rows), 3),
    }


def _share(name: str, right: int, count: int) -> dict[str, Any]:
    low, high = wilson(right, count)
    return {name: round(right / count, 3), f"{name}_95": [round(low, 3), round(high, 3)]}


def _spread(delays: list[float]) -> list[float]:
    return [round(statistics.median(delays), 2), round(delays[int(0.95 * len(delays))], 2)] if delays else []


def main() -> None:
    """Measure what is missing, and print the figures of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=PARTS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="measurements, a line each; goes on where it stopped")
    parser.add_argument("--model", default="tutti-mini")
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--dev", action="store_true", help="the part that constants were chosen on")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    given = parser.parse_args()
    done = {row["key"] for row in kept(given.out)}
    with given.out.open("a") as out:
        for row in PARTS[given.part](given, done):
            out.write(json.dumps(row) + "\n")
            out.flush()
    print(json.dumps({"commit": commit(), "processor": processor(), **figures(kept(given.out))}, indent=1))


if __name__ == "__main__":
    main()
