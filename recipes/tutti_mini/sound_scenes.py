"""Recordings composed out of the packs: sounds one after the other or at once, spoken digits and keywords."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recipes.tutti_mini.objects import DIGITS, kin
from recipes.tutti_mini.pools import Pools
from recipes.tutti_mini.scenes import Facts, Heard, Scene
from recipes.tutti_mini.voices import MADE_SPEAKER, RATE_HZ

Wave = NDArray[np.float32]
MADE_SHARE = 0.5
"""How often a synthesizer speaks, where there is one."""


def make_sound_scene(rng: np.random.Generator, pools: Pools) -> Scene:
    """A recording of 1 to 6 seconds."""
    kind = rng.random()
    if kind < 0.3 and pools.digits:
        wave, heard = spoken_digits(rng, pools, int(rng.choice((1, 2, 3, 4), p=(0.45, 0.25, 0.2, 0.1))))
        return _recording(rng, wave, (heard,))
    if kind < 0.42 and pools.keywords:
        names = list(pools.keywords)
        name = names[int(rng.integers(len(names)))]
        options = pools.keywords[name]
        wave = _loudness(rng, _cut(rng, options[int(rng.integers(len(options)))], 3.0))
        return _recording(rng, wave, (_over("keyword", name, wave),))
    first = _any_sound(rng, pools, None)
    if kind < 0.7:
        wave = sound(rng, pools, first, rng.uniform(1.2, 5.0))
        return _recording(rng, wave, (_over("sound", first, wave),))
    second = _any_sound(rng, pools, first)
    if second is None:
        wave = sound(rng, pools, first, 3.0)
        return _recording(rng, wave, (_over("sound", first, wave),))
    in_turn = kind < 0.9
    length = rng.uniform(1.2, 2.7)
    one, two = sound(rng, pools, first, length), sound(rng, pools, second, length)
    if in_turn:
        gap = np.zeros(int(rng.uniform(0.1, 0.5) * RATE_HZ), np.float32)
        heard = _over("sound", first, one), _over("sound", second, two, (len(one) + len(gap)) / RATE_HZ)
        return _recording(rng, np.concatenate((one, gap, two)), heard, in_turn=True)
    mixed = np.zeros(max(len(one), len(two)), np.float32)
    mixed[: len(one)] += one
    mixed[: len(two)] += two
    return _recording(rng, mixed * np.float32(0.7), (Heard(kind="sound", name=first), Heard(kind="sound", name=second)))


def _over(kind: str, name: str, wave: Wave, start_s: float = 0.0) -> Heard:
    """Something heard as long as its wave lasts."""
    return Heard(kind=kind, name=name, spans=((name, start_s, start_s + len(wave) / RATE_HZ),))


def _any_sound(rng: np.random.Generator, pools: Pools, beside: str | None) -> str:
    """A sound at hand that cannot be mistaken for the one beside it."""
    kind = "environment" if rng.random() < 0.6 else "instrument"
    names = [name for name in pools.sounds_of(kind) if beside is None or not kin(name, beside)]
    names = names or [name for name in pools.sounds_of("any") if beside is None or not kin(name, beside)]
    return names[int(rng.integers(len(names)))] if names else ""


def sound(rng: np.random.Generator, pools: Pools, name: str, seconds: float) -> Wave:
    """A loud enough piece of a recording of this sound, at most so long; very short ones are played again and again."""
    options = pools.sounds[name]
    wave = _cut(rng, options[int(rng.integers(len(options)))], seconds)
    if len(wave) < 0.6 * RATE_HZ:
        gap = np.zeros(int(rng.uniform(0.15, 0.4) * RATE_HZ), np.float32)
        wave = np.tile(np.concatenate((wave, gap)), max(1, int(min(seconds, 2.0) * RATE_HZ) // (len(wave) + len(gap))))
    return _loudness(rng, wave)


def spoken_digits(rng: np.random.Generator, pools: Pools, count: int, said: tuple[str, ...] = ()) -> tuple[Wave, Heard]:
    """So many digits said by one speaker, or those given."""
    people = [name for name in pools.digits if not name.startswith(MADE_SPEAKER)]
    made = [name for name in pools.digits if name.startswith(MADE_SPEAKER)]
    speakers = made if made and rng.random() < MADE_SHARE else people
    voice = pools.digits[speakers[int(rng.integers(len(speakers)))]]
    names = said or tuple(DIGITS[int(index)] for index in rng.integers(10, size=count))
    pieces: list[Wave] = []
    spans: list[tuple[str, float, float]] = []
    at = 0.0
    for name in names:
        options = voice[name]
        pieces += [
            options[int(rng.integers(len(options)))],
            np.zeros(int(rng.uniform(0.08, 0.35) * RATE_HZ), np.float32),
        ]
        spans.append((name, at, at + len(pieces[-2]) / RATE_HZ))
        at += (len(pieces[-2]) + len(pieces[-1])) / RATE_HZ
    return _loudness(rng, np.concatenate(pieces)), Heard(kind="digits", name=" ".join(names), spans=tuple(spans))


def _cut(rng: np.random.Generator, wave: Wave, seconds: float) -> Wave:
    """At most so many seconds, from where the sound is."""
    length = int(seconds * RATE_HZ)
    if len(wave) <= length:
        return wave
    step = RATE_HZ // 20
    energy = np.square(wave[: len(wave) // step * step]).reshape(-1, step).sum(1)
    total = np.concatenate(((0.0,), np.cumsum(energy)))
    window = length // step
    held = total[window:] - total[:-window] if window < len(total) else total[-1:]
    good = np.flatnonzero(held >= 0.6 * held.max())
    start = int(good[rng.integers(len(good))]) * step
    return wave[start : start + length]


def _loudness(rng: np.random.Generator, wave: Wave) -> Wave:
    peak = float(np.abs(wave).max()) or 1.0
    return wave * np.float32(rng.uniform(0.3, 0.9) / peak)


def _recording(rng: np.random.Generator, wave: Wave, heard: tuple[Heard, ...], in_turn: bool = False) -> Scene:
    before, after = float(rng.uniform(0.0, 0.4)), float(rng.uniform(0.0, 0.4))
    padded = finish(rng, wave, before, after)
    heard = tuple(
        replace(one, spans=tuple((name, start + before, end + before) for name, start, end in one.spans))
        for one in heard
    )
    return Scene(kind="sound", sound=padded, facts=Facts(medium="recording", heard=heard, in_turn=in_turn))


def finish(rng: np.random.Generator, wave: Wave, before_s: float, after_s: float) -> Wave:
    """Silence around, a little noise over all, at least a second and at most six."""
    before = int(before_s * RATE_HZ)
    length = max(before + len(wave) + int(after_s * RATE_HZ), RATE_HZ)
    out = np.zeros(min(length, 6 * RATE_HZ), np.float32)
    kept = wave[: len(out) - before]
    out[before : before + len(kept)] = kept
    if rng.random() < 0.6:
        level = np.float32(10 ** rng.uniform(-4, -1.9))
        out += rng.standard_normal(len(out), dtype=np.float32) * level
    return np.clip(out, -1, 1)
