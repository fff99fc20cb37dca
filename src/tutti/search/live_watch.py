"""A stream that is watched while it runs: things that were asked for, and the last minutes as points with their times.

Sound is looked at in overlapping windows, pictures where they show something new; each is embedded once. Whether a
thing is there are the odds of its words against names of common things, as in search.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow

from tutti.content import Audio, FinalWords, Image, LiveAlert, LiveEvent, Part
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import Embedder
from tutti.search.query import colours
from tutti.search.query.contrast_words import BANK, alternatives
from tutti.search.query.fusion import log_odds, probability
from tutti.search.query.searcher import embed_words

Vectors = NDArray[np.float32]
RATE_HZ = 16_000
WINDOW_S, HOP_S = 2.5, 1.25
"""A window of sound that is looked at, and from the start of one to the start of the next."""
SURE = 0.5
"""Fit from which on a thing is there; below half of it, it is gone."""
GONE_S = 3.0
"""What was gone for so long is reported again."""
KEPT_S, MOST_KEPT = 300.0, 600
"""How far back pictures are held, and how many at most."""
_CHANGE, _SHOT = 0.02, 0.10
"""Mean change between thumbnails, as a share of the full range, that makes a new picture, and a new shot."""
_QUIET = 1e-3
"""Root mean square below which a window holds nothing to be heard: 60 dB below full scale."""
_LEAST_COLOUR = 0.05
"""Share of a picture that has the colour of a thing that was asked for with its colour."""
_QUOTED = re.compile(r"[\"“”']([^\"“”']+)[\"“”']")


@dataclass(frozen=True, eq=False, kw_only=True)
class Glimpse:
    """A picture that is held."""

    at_s: float
    until_s: float
    """When something else was seen."""
    shot: int
    vector: Vectors
    jpeg: bytes

    @property
    def picture(self) -> Image:
        """It, to be asked about."""
        return Image(self.jpeg)


@dataclass(eq=False)
class _Watched:
    """A thing that is watched for."""

    thing: str
    vector: Vectors
    others: Vectors
    wishes: Sequence[colours.ColourWish]
    phrases: tuple[str, ...]
    """Words that are to be said."""
    seen_s: dict[str, float]
    """Sense → when it was last there."""


class LiveWatch:
    """Watches one stream.

    Args:
        embedder: Places pictures, sounds and words in one space; what it does not take is not watched.
        alerts: Things that are reported when they come, in words: "a dog barks", "the red card". What stands in
            quotation marks is to be said: 'somebody says "help"'.

    Raises:
        InputError: An alert is empty.
    """

    def __init__(self, embedder: Embedder, alerts: Sequence[str] = ()) -> None:
        self.embedder = embedder
        if any(not alert.strip() for alert in alerts):
            raise InputError('An alert is empty; expected what to watch for, such as "a dog barks".')
        self.glimpses: deque[Glimpse] = deque(maxlen=MOST_KEPT)
        self._bank = embed_words(embedder, BANK)
        self._watched = [self._watch(alert.strip()) for alert in alerts]
        self._samples: NDArray[np.float32] = np.zeros(0, np.float32)
        self._start_s = 0.0
        self._thumbnail: NDArray[np.int16] | None = None
        self._words: deque[tuple[str, float, float]] = deque(maxlen=40)
        self._takes = {"audio": True, "image": True}

    def odds(self, text: str, vectors: Vectors, modality: Literal["audio", "image"]) -> Vectors:
        """How much rather pictures or sounds are something than common things. Shapes: (N, D) → (N,)."""
        one = self._watch(text)
        return log_odds(vectors, one.vector, one.others, self.embedder.sharpness(modality))

    def hear(self, samples: NDArray[np.float32]) -> list[LiveAlert]:
        """Take the next samples, (S,) float32 mono at `RATE_HZ`; what of the alerts is heard in them."""
        if not self._watched or not self._takes["audio"]:
            return []
        self._samples = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        found: list[LiveAlert] = []
        window, hop = round(WINDOW_S * RATE_HZ), round(HOP_S * RATE_HZ)
        while len(self._samples) >= window and self._takes["audio"]:
            now, at_s = self._samples[:window], self._start_s
            self._samples, self._start_s = self._samples[hop:].copy(), at_s + HOP_S
            if float(np.sqrt(np.square(now).mean())) < _QUIET:
                continue
            vector = self._placed(Audio(now, sample_rate_hz=RATE_HZ), "audio")
            if vector is not None:
                found += self._there(vector, "audio", at_s, at_s + WINDOW_S)
        return found

    def see(self, picture: NDArray[np.uint8], at_s: float) -> list[LiveAlert]:
        """Take a picture, (H, W, 3) uint8, and when it was taken; what of the alerts is seen in it, if it is new."""
        small = np.asarray(pillow.fromarray(picture).resize((16, 16), pillow.Resampling.BOX), np.int16)
        change = 1.0 if self._thumbnail is None else float(np.abs(small - self._thumbnail).mean()) / 255
        if change < _CHANGE or not self._takes["image"]:
            self._held_until(at_s)
            return []
        self._thumbnail = small
        vector = self._placed(Image(picture), "image")
        if vector is None:
            return []
        shot = self.glimpses[-1].shot + (change >= _SHOT) if self.glimpses else 0
        jpeg = _as_jpeg(picture)
        self._held_until(at_s)
        self.glimpses.append(Glimpse(at_s=at_s, until_s=at_s, shot=shot, vector=vector, jpeg=jpeg))
        while self.glimpses and self.glimpses[0].until_s < at_s - KEPT_S:
            self.glimpses.popleft()
        return list(self._there(vector, "image", at_s, at_s, picture))

    def said(self, events: Iterable[LiveEvent]) -> list[LiveAlert]:
        """Take what was written down; what of the alerts was said in it."""
        found: list[LiveAlert] = []
        for event in events:
            if not isinstance(event, FinalWords):
                continue
            for word in event.words:
                self._words.append((_plain(word.text), word.start_s, word.end_s))
                found += self._spoken()
        return found

    def _spoken(self) -> Iterator[LiveAlert]:
        said = [word for word, _, _ in self._words]
        end_s = self._words[-1][2]
        for one in self._watched:
            for phrase in one.phrases:
                words = phrase.split()
                if said[-len(words) :] == words:
                    start_s = self._words[-len(words)][1]
                    yield LiveAlert(thing=one.thing, sense="said", start_s=start_s, end_s=end_s, fit=1.0)

    def _watch(self, thing: str) -> _Watched:
        (vector,) = embed_words(self.embedder, [thing])
        others = self._bank[alternatives(thing, vector, self._bank)]
        phrases = tuple(_plain(phrase) for phrase in _QUOTED.findall(thing))
        return _Watched(thing, vector, others, colours.wishes(thing), tuple(filter(None, phrases)), {})

    def _placed(self, part: Part, modality: str) -> Vectors | None:
        """A point; None, from then on without trying, where the model does not take such media."""
        try:
            return np.asarray(self.embedder.embed([part]).vectors[0], np.float32)
        except UnsupportedTask:
            self._takes[modality] = False
            return None

    def _there(
        self,
        vector: Vectors,
        modality: Literal["audio", "image"],
        start_s: float,
        end_s: float,
        picture: NDArray[np.uint8] | None = None,
    ) -> Iterator[LiveAlert]:
        palette = None
        for one in self._watched:
            if one.phrases:
                continue
            sharpness = self.embedder.sharpness(modality)
            fit = probability(float(log_odds(vector[None], one.vector, one.others, sharpness)[0]))
            if fit >= SURE and picture is not None and one.wishes:
                palette = palette or colours.dominant(picture)
                shares = [colours.closeness(palette, wish) for wish in one.wishes]
                fit = fit if min(shares) >= _LEAST_COLOUR else 0.0
            last_s = one.seen_s.get(modality)
            if fit >= SURE and (last_s is None or start_s - last_s > GONE_S):
                sense: Literal["seen", "heard"] = "seen" if modality == "image" else "heard"
                yield LiveAlert(thing=one.thing, sense=sense, start_s=start_s, end_s=end_s, fit=fit)
            if fit >= SURE / 2 and (fit >= SURE or last_s is not None):
                one.seen_s[modality] = end_s

    def _held_until(self, at_s: float) -> None:
        """What was seen until now is still seen."""
        if self.glimpses:
            self.glimpses.append(replace(self.glimpses.pop(), until_s=at_s))


def _as_jpeg(picture: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    pillow.fromarray(picture).save(out, "JPEG", quality=90)
    return out.getvalue()


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[\w]+", text.casefold()))
