"""Digits spoken by voices that a synthesizer makes: the pack of spoken digits has three speakers to train on.

The program `espeak-ng` (GPL-3.0, Debian's package of that name; written for 1.51) is a tool of this recipe and never of
the runtime.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.tutti_mini.objects import DIGITS
from tutti.errors import InputError
from tutti.media.audio import Sound

Row = dict[str, Any]
"""Of a pack's index, or made here."""
RATE_HZ = 16_000
MADE_SPEAKER = "espeak "
"""What the names of made speakers begin with."""
SPEAKERS = 240
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029")
_THROATS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt3 klatt4 croak adam Alex Andy Annie anika belinda "
    "benjamin caleb david ed edward Gene grandma grandpa iven Jacky john linda Mario max Michael Mike norbert pablo "
    "paul quincy rob robert shelby steph travis victor"
).split()
_QUIET = 0.01
"""Of the loudest sample: what is below it before and after the word is cut off."""


def make_rows() -> list[Row]:
    """Who speaks what: each speaker has an accent, a throat, a pitch (0 to 99) and a speed (words a minute)."""
    rng = np.random.default_rng(0)
    out: list[Row] = []
    for _ in range(SPEAKERS):
        voice = f"{_ACCENTS[int(rng.integers(len(_ACCENTS)))]}+{_THROATS[int(rng.integers(len(_THROATS)))]}"
        speaker = f"{MADE_SPEAKER}{voice} -p {int(rng.integers(15, 80))} -s {int(rng.integers(105, 200))}"
        out += [{"label": digit, "text": [digit], "speaker": speaker} for digit in DIGITS]
    return out


def speak(row: Row) -> NDArray[np.float32]:
    """A row of `make_rows` as mono samples at 16 kHz, cut to the word.

    Raises:
        InputError: The program is not installed.
    """
    import soundfile

    program = shutil.which("espeak-ng")
    if not program:
        raise InputError(
            "There is no program espeak-ng, which speaks digits for training; install it: apt install espeak-ng."
        )
    options = row["speaker"].removeprefix(MADE_SPEAKER).split()
    said = subprocess.run([program, "--stdout", "-v", *options, row["label"]], capture_output=True, check=True)
    wave, rate_hz = soundfile.read(io.BytesIO(said.stdout), dtype="float32")
    loud = np.flatnonzero(np.abs(wave) > _QUIET * np.abs(wave).max())
    return Sound(wave[loud[0] : loud[-1] + 1], rate_hz).resampled(RATE_HZ).samples
