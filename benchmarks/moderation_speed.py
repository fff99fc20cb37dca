"""How fast moderation decides, by what a policy counts: pictures a second, and films against their own length.

    python benchmarks/moderation_speed.py --data DIR [--pictures 24] [--films 2]

Pictures are photographs of the packs, enlarged to 640 pixels as uploads have at the least; films are drawn by
`sounding_films.py` and enlarged to 640 × 360. One process; beside the wall clock stands the processor time of all its
threads, which a busy machine changes less. The first medium of each kind is not counted. A folder that is decided again
is answered from the journal, which is measured, too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sounding_films as films
from machine import commit, processor, versions
from PIL import Image as pillow

import tutti
from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.moderator import Moderator
from tutti.apps.moderation.opening import transcriber_for
from tutti.apps.moderation.policy import read_policy
from tutti.apps.moderation.running import run_over
from tutti.trust.reading import shipped_reader

FIELDS = {
    "likeness": 'examples = ["a photo of a dog"]\ncontrast = ["a photo of a cat", "a photo of food"]',
    "words": 'terms = ["heroin", "buy pills"]',
    "speech": 'terms = ["heroin", "buy pills"]',
}
ON_PICTURES = ("likeness", "words", "copied", "pasted", "resampled")
ON_FILMS = ("likeness", "words", "speech", "background", "cut", "sync")


def policy_of(folder: Path, signals: tuple[str, ...]) -> Path:
    fields = "\n".join(dict.fromkeys(FIELDS[name] for name in signals if name in FIELDS))
    counted = "\n".join(f"{name} = 1.0" for name in signals)
    path = folder / f"{'_'.join(signals)}.toml"
    path.write_text(f'[[category]]\nname = "x"\nthreshold = 0.9\n{fields}\n[category.signals]\n{counted}\n')
    return path


def pictures(data: Path, folder: Path, count: int) -> list[Path]:
    material, rng = films.Material(data, True), np.random.default_rng(0)
    made = []
    for number in range(count + 1):
        made.append(folder / f"{number}.jpg")
        material.picture(rng, (640, 480)).save(made[-1], quality=88)
    return made


def clips(data: Path, folder: Path, count: int) -> list[Path]:
    material, made = films.Material(data, True), []
    for number in range(count + 1):
        scene = films.scene(material, films.KINDS[number % len(films.KINDS)], number)
        large = np.stack([np.asarray(pillow.fromarray(each).resize((640, 360))) for each in scene.frames])
        made.append(films.write_film(folder / f"{number}.mp4", large, scene.frames_per_s, scene.heard()))
    return made


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    begun, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--films", type=int, default=2)
    given = parser.parse_args()
    print(processor(), commit(), versions(), flush=True)
    model, reader = tutti.open_provider("tutti-mini"), shipped_reader()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = {
            "pictures": pictures(given.data, folder, given.pictures),
            "films": clips(given.data, folder, given.films),
        }
        for kind, signals in (("pictures", ON_PICTURES), ("films", ON_FILMS)):
            first, *rest = media[kind]
            for counted in (*((signal,) for signal in signals), signals):
                policy = read_policy(policy_of(folder, counted))
                moderator = Moderator(policy, model, reader, transcriber_for(policy))
                journal = DecisionJournal(folder / f"{kind} {'_'.join(counted)}")
                list(run_over(moderator, [first], journal))
                clock, used = timed(lambda m=moderator, j=journal, r=rest: list(run_over(m, r, j)))
                again, _ = timed(lambda m=moderator, j=journal, r=rest: list(run_over(m, r, j)))
                told = "all of them" if counted == signals else counted[0]
                if kind == "pictures":
                    print(
                        f"  {told:12} {len(rest) / clock:6.1f} pictures/s, {len(rest) / used:6.1f} a second of one "
                        f"processor; known again {len(rest) / again:,.0f} a second",
                        flush=True,
                    )
                else:
                    length = films.SECONDS * len(rest)
                    print(
                        f"  {told:12} {length / clock:6.1f} x real time, {length / used:6.1f} x on one processor",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
