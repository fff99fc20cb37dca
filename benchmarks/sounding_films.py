"""Films in which what is seen makes what is heard, drawn from photographs and recordings, with known truth.

Five kinds of scenes. `mouth`: an opening in a picture follows the loudness of speech. `bounce`: a thing falls and
sounds where it lands. `flash`: a light goes on with a sound. `strike`: a bar swings down and sounds at its lowest.
`shake`: a thing trembles while a recording sounds. In each, other things move and nothing makes them sound, the camera
trembles, and there is noise. Everything is synthetic, and says nothing about films that people made.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageDraw, ImageOps

from tutti.training.packs import PackReader

RATE_HZ = 16_000
SECONDS, MARGIN_S = 8.0, 4.0
"""Of a film, and of sound that there is before and after it, so that a shift leaves no silence."""
SIZE = (224, 126)
KINDS = ("mouth", "bounce", "flash", "strike", "shake")
Sound: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """A film before it is encoded."""

    kind: str
    frames: NDArray[np.uint8]
    """(F, H, W, 3)."""
    frames_per_s: int
    sound: Sound
    """(S,) at 16 kHz, with `MARGIN_S` before and after."""

    def heard(self, shift_s: float = 0.0) -> Sound:
        """The sound of the film, later by so many seconds."""
        begin = round((MARGIN_S - shift_s) * RATE_HZ)
        return self.sound[begin : begin + round(SECONDS * RATE_HZ)]


class Material:
    """Photographs and recordings of one half of the packs; the halves share no file."""

    def __init__(self, data: Path, held_out: bool) -> None:
        self.held_out = held_out
        self._pictures = self._rows(data, "photos_caltech101"), PackReader(data / "photos_caltech101")
        self._short = self._rows(data, "sound_instruments_cc0"), PackReader(data / "sound_instruments_cc0")
        self._long = self._rows(data, "sound_esc10"), PackReader(data / "sound_esc10")
        self._speech = self._rows(data, "speech_intents"), PackReader(data / "speech_intents")
        self._bed = self._rows(data, "sound_ambient"), PackReader(data / "sound_ambient")

    def _rows(self, data: Path, pack: str) -> list[Any]:
        """Every third file by name is held out, so that both halves have enough of every kind."""
        rows = sorted(PackReader(data / pack).rows, key=lambda row: row["file"])
        kinds = {"tabla drum", "drum", "bass drum", "percussion", "snare drum", "hi-hat", "glitch sound"}
        if pack == "sound_instruments_cc0":
            rows = [row for row in rows if row["label"] in kinds]
        if pack == "sound_esc10":
            rows = [row for row in rows if row["label"] in {"dog", "rooster", "crying baby", "sneezing"}]
        return [row for at, row in enumerate(rows) if (at % 3 == 0) == self.held_out]

    def picture(self, rng: np.random.Generator, size: tuple[int, int]) -> Any:
        rows, pack = self._pictures
        picture = pillow.open(io.BytesIO(pack.content(rows[rng.integers(len(rows))]["file"]))).convert("RGB")
        return ImageOps.fit(picture, size)

    def _sound(self, rng: np.random.Generator, source: Any) -> Sound:
        rows, pack = source
        samples, rate_hz = soundfile.read(
            io.BytesIO(pack.content(rows[rng.integers(len(rows))]["file"])), dtype="float32"
        )
        assert rate_hz == RATE_HZ
        mono = samples if samples.ndim == 1 else samples.mean(1)
        return np.asarray(mono / max(1e-4, float(np.abs(mono).max())), np.float32)

    def hit(self, rng: np.random.Generator) -> Sound:
        """A short sound that begins at once."""
        sound = self._sound(rng, self._short)
        first = int(np.argmax(np.abs(sound) > 0.1))
        cut = sound[max(0, first - 80) : first + RATE_HZ // 2].copy()
        cut[-800:] *= np.linspace(1, 0, 800, dtype=np.float32)
        return cut

    def stretch(self, rng: np.random.Generator, which: str, seconds: float) -> Sound:
        """Recordings one after the other, with pauses."""
        source = {"speech": self._speech, "long": self._long, "bed": self._bed}[which]
        made: list[Sound] = []
        while sum(map(len, made)) < seconds * RATE_HZ:
            made.append(self._sound(rng, source))
            if which != "bed":
                made.append(np.zeros(round(rng.uniform(0.1, 0.7) * RATE_HZ), np.float32))
        return np.concatenate(made)[: round(seconds * RATE_HZ)]


def scene(material: Material, kind: str, seed: int) -> Scene:
    """A film of a kind."""
    rng = np.random.default_rng([seed, KINDS.index(kind), int(material.held_out)])
    whole_s = SECONDS + 2 * MARGIN_S
    rate = int(rng.choice([15, 25, 30]))
    if kind == "mouth":
        sound = material.stretch(rng, "speech", whole_s)
        level = _level(sound, rate)
    elif kind == "shake":
        sound = material.stretch(rng, "long", whole_s)
        level = _level(sound, rate)
    else:
        times = _times(rng, kind, whole_s)
        sound = np.zeros(round(whole_s * RATE_HZ), np.float32)
        one = material.hit(rng)
        for time_s in times:
            hit = one if rng.random() < 0.7 else material.hit(rng)
            begin = round(time_s * RATE_HZ)
            room = min(len(hit), len(sound) - begin)
            sound[begin : begin + room] += hit[:room] * rng.uniform(0.5, 1)
        level = _swings(np.asarray(times), kind, whole_s, rate)
    bed = material.stretch(rng, "bed", whole_s)
    sound = sound + bed * np.sqrt(np.mean(sound**2) / max(1e-9, np.mean(bed**2))) * 10 ** (-rng.uniform(8, 25) / 20)
    late = rng.uniform(-0.06, 0.06)  # as recorders have it
    sound = np.roll(sound, round(late * RATE_HZ))
    begin = round(MARGIN_S * rate)
    frames = _drawn(material, rng, kind, level[begin : begin + round(SECONDS * rate)], rate)
    return Scene(
        kind=kind, frames=frames, frames_per_s=rate, sound=(0.5 * sound / np.abs(sound).max()).astype(np.float32)
    )


def _times(rng: np.random.Generator, kind: str, whole_s: float) -> list[float]:
    """When something sounds: a bounce comes sooner after each landing, others at uneven times."""
    times, now = [], 0.3
    while now < whole_s - 0.6:
        times.append(now)
        if kind == "bounce":
            apart = 0.9
            while apart > 0.35 and now < whole_s - 1.5 and rng.random() < 0.9:
                now += apart
                times.append(now)
                apart *= rng.uniform(0.65, 0.9)
        now += rng.uniform(0.5, 1.8)
    return [time_s for time_s in times if time_s < whole_s - 0.6]


def _level(sound: Sound, rate: int) -> NDArray[np.float64]:
    """Loudness at each frame, from 0 to 1, as a muscle would follow it."""
    hop = RATE_HZ / rate
    power = [
        float(np.sqrt(np.mean(sound[int(at * hop) : int((at + 1) * hop)] ** 2) + 1e-9))
        for at in range(int(len(sound) / hop))
    ]
    level = np.clip(np.asarray(power) / np.quantile(power, 0.95), 0, 1) ** 0.6
    return np.convolve(level, [0.25, 0.5, 0.25], "same")


def _swings(times: NDArray[np.float64], kind: str, whole_s: float, rate: int) -> NDArray[np.float64]:
    """Height of what lands or strikes, or light of what flashes, at each frame."""
    at = np.arange(round(whole_s * rate)) / rate
    if kind == "flash":
        since = at[:, None] - times[None]
        return np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.12), 0).max(1)
    after = np.searchsorted(times, at, "right")
    ends = np.concatenate([[times[0] - 0.5], times, [times[-1] + 0.5]])
    begin, end = ends[after], ends[after + 1]
    share = np.clip((at - begin) / (end - begin), 0, 1)
    if kind == "bounce":
        return np.minimum(1.0, (end - begin) ** 2 * 1.2) * 4 * share * (1 - share)
    near = np.minimum(at - begin, end - at)
    return np.clip(near / 0.2, 0, 1)


def _drawn(
    material: Material, rng: np.random.Generator, kind: str, level: NDArray[np.float64], rate: int
) -> NDArray[np.uint8]:
    wide, high = SIZE
    ground = material.picture(rng, (wide + 8, high + 8))
    thing = material.picture(rng, (int(rng.integers(36, 70)),) * 2)
    other = material.picture(rng, (int(rng.integers(20, 44)),) * 2)
    left, top = int(rng.integers(10, wide - 90)), int(rng.integers(48, high - 70))
    path = rng.uniform([20, 20, 0.1, 0.1], [wide - 60, high - 60, 0.6, 0.6])
    tremble = rng.uniform(0, 1.2)
    made = []
    for number, value in enumerate(level):
        frame = ground.copy()
        t = number / rate
        x = path[0] + 40 * np.sin(2 * np.pi * path[2] * t)
        frame.paste(other, (int(x), int(path[1] + 30 * np.cos(2 * np.pi * path[3] * t))))
        draw = ImageDraw.Draw(frame)
        if kind == "mouth":
            frame.paste(thing, (left, top))
            centre, half = left + thing.width // 2, thing.width // 5
            reach = 1 + value * thing.width / 6
            draw.ellipse(
                (centre - half, top + 0.72 * thing.height - reach, centre + half, top + 0.72 * thing.height + reach),
                fill=(60, 12, 16),
            )
        elif kind == "bounce":
            frame.paste(thing, (left, int(top - 60 * value)))
        elif kind == "strike":
            angle = value * 1.1
            reach = 60
            draw.line(
                (left, top, left + reach * np.cos(angle), top - reach * np.sin(angle) + 10), fill=(90, 60, 30), width=9
            )
        elif kind == "flash":
            light = pillow.new("L", thing.size, int(220 * value))
            frame.paste(thing, (left, top))
            frame.paste(pillow.new("RGB", thing.size, (255, 250, 220)), (left, top), light)
        else:
            shake = rng.normal(0, 1 + 5 * value * (value > 0.15), 2) * (value > 0.05)
            frame.paste(thing, (left + int(shake[0]), top + int(shake[1])))
        dx, dy = np.clip(4 + rng.normal(0, tremble, 2), 0, 8).astype(int)
        made.append(np.asarray(frame.crop((dx, dy, dx + wide, dy + high))))
    return np.stack(made)


def write_film(
    path: Path, frames: NDArray[np.uint8], frames_per_s: int, sound: Sound | None, quality: int = 27
) -> Path:
    """An MP4 of H.264 and AAC."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream(
            "libx264", rate=frames_per_s, options={"crf": str(quality), "preset": "ultrafast", "threads": "1"}
        )
        pictures.height, pictures.width, pictures.pix_fmt = *frames.shape[1:3], "yuv420p"
        heard = out.add_stream("aac", rate=RATE_HZ, layout="mono") if sound is not None else None
        for each in frames:
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(each, format="rgb24")))
        out.mux(pictures.encode())
        if heard is not None and sound is not None:
            for at in range(0, len(sound), 1024):
                block = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = RATE_HZ, at, Fraction(1, RATE_HZ)
                out.mux(heard.encode(block))
            out.mux(heard.encode())
    return path
