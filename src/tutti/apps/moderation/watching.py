"""From a medium to signs at moments: what is seen, read, said and heard, held to the policy's categories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.apps.moderation.decisions import ModerationSign
from tutti.apps.moderation.policy import ModerationPolicy, PolicyCategory
from tutti.apps.moderation.traces import traces_of
from tutti.content import Audio, Image, Modality, Part, Text, Transcript, TranscriptionOptions, Video
from tutti.errors import UnsupportedTask
from tutti.interfaces import Embedder, Sighted, TextBounded, TextReader, Transcriber
from tutti.media import Limits, decode_image
from tutti.media.sound_windows import sound_windows
from tutti.search.ingest.facets import DECODED_SIDE, LEAST_SIDE, RATE_HZ, Facet, Tools, facets
from tutti.settings import read_settings
from tutti.trust.forensics.evasion import TermFinder
from tutti.trust.forensics.hash_lists import HashList
from tutti.trust.forensics.turned_text import turned_texts

_PRINT_WINDOW_S, _PRINT_HOP_S = 10.0, 5.0
"""Stretches of sound that are looked up in lists of known sounds."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class MomentPair:
    """A picture and the words beside it, as vectors."""

    picture: NDArray[np.float32]
    words: NDArray[np.float32]
    start_s: float | None = None
    end_s: float | None = None


class _InLanguage:
    """A transcriber that is called with the policy's language."""

    def __init__(self, inner: Transcriber, language: str) -> None:
        self._inner, self._options = inner, TranscriptionOptions(language=language)
        self.name = inner.name

    def transcribe(self, medium: Any, options: Any = None, progress: Any = None) -> Transcript:
        """As the inner one, in the language."""
        return self._inner.transcribe(medium, options or self._options, progress)


class Watcher:
    """Looks at media for one policy. What the policy does not count is neither read nor written down.

    Args:
        policy: What is looked for.
        embedder: For likeness and the joint head.
        reader: Reads text in pictures; None: `words` has nothing to judge.
        transcriber: Writes down speech; None: `speech` has nothing to judge.
    """

    def __init__(
        self,
        policy: ModerationPolicy,
        embedder: Embedder,
        reader: TextReader | None = None,
        transcriber: Transcriber | None = None,
    ) -> None:
        self.policy, self.embedder = policy, embedder
        reads = policy.needs("words") or policy.needs("joint")
        self._reader = reader if reads else None
        if transcriber is not None and len(policy.languages) == 1:
            transcriber = _InLanguage(transcriber, policy.languages[0])
        settings = read_settings()
        side = embedder.picture_side if isinstance(embedder, Sighted) else None
        self._tools = Tools(
            picture_side=max(LEAST_SIDE, side) if side is not None else DECODED_SIDE,
            limits=Limits.from_settings(settings),
            streaming=Limits.for_streaming(settings),
            bounds=embedder if isinstance(embedder, TextBounded) else None,
            reader=self._reader,
            transcriber=transcriber if policy.needs("speech") or policy.needs("joint") else None,
            every_sound=True,
        )
        self._terms = {category.name: TermFinder(category.terms) for category in policy.categories if category.terms}
        self._known = {
            category.name: [HashList.read(path) for path in category.hashes] for category in policy.categories
        }
        self._examples = {
            category.name: embedder.embed([Text(text) for text in (*category.examples, *category.contrast)]).vectors
            for category in policy.categories
            if category.signals.get("likeness")
        }

    def watch(
        self, part: Part, caption: str, notes: list[str], told: Callable[[float], None] | None = None
    ) -> Iterator[ModerationSign | MomentPair]:
        """Signs and pairs in the order of their moments; what could not be judged goes to the notes.

        Args:
            part: The medium, or a text.
            caption: What was written beside it.
            notes: Takes sentences.
            told: Told how many seconds of the medium were looked at; what it raises ends the work.

        Raises:
            InputError: The medium cannot be read.
            CapacityError: It is over a budget.
        """
        yield from self._said(caption, "caption", "the caption has")
        if isinstance(part, (Audio, Video)) and self.policy.needs("hash"):
            yield from self._known_sounds(part)
        moment = _Moment(caption)
        heard = False
        for facet in facets(part, self._tools):
            if told is not None:
                told(facet.start_s or 0.0)
            heard = heard or facet.kind == "sound"
            yield from self._of(facet, moment, notes)
        if isinstance(part, Image) and self._reader is not None and self.policy.needs("words") and not moment.found:
            yield from self._turned(part, self._reader)
        yield from self._traces(part, notes)
        if isinstance(part, Video) and not heard:
            notes.append("the film has no sound, so that speech and sounds were not judged")

    def _of(self, facet: Facet, moment: _Moment, notes: list[str]) -> Iterator[ModerationSign | MomentPair]:
        if facet.kind == "words":
            yield from self._written(facet, moment)
        else:
            yield from self._sensed(facet, moment, notes)

    def _written(self, facet: Facet, moment: _Moment) -> Iterator[ModerationSign | MomentPair]:
        """What is read or said."""
        signal = {"text": "caption", "said": "speech"}.get(facet.origin, "words")
        what = {"caption": "it says", "speech": "it is said", "words": "it is written in it"}[signal]
        for sign in self._said(facet.words, signal, what):
            moment.found = moment.found or signal == "words"
            yield _placed(sign, facet)
        moment.hear(facet.words) if signal == "speech" else moment.read(facet.words)
        yield from self._pair(moment, facet)

    def _sensed(self, facet: Facet, moment: _Moment, notes: list[str]) -> Iterator[ModerationSign | MomentPair]:
        """What is seen or heard."""
        if facet.kind == "picture" and self.policy.needs("hash"):
            for sign in self._known_picture(facet.part):
                yield _placed(sign, facet)
        if not self._examples and not self.policy.needs("joint"):
            return
        try:
            vector = self.embedder.embed([facet.part]).vectors[0]
        except UnsupportedTask as error:
            if str(error) not in notes:
                notes.append(str(error))
            return
        for sign in self._alike(vector, "image" if facet.kind == "picture" else "audio"):
            yield _placed(sign, facet)
        if facet.kind == "picture":
            moment.see(vector)
            yield from self._pair(moment, facet)

    def _pair(self, moment: _Moment, facet: Facet) -> Iterator[MomentPair]:
        """The picture and the words of the moment, where there are both."""
        if moment.picture is None or not moment.words.strip() or not self.policy.needs("joint"):
            return
        text = self.embedder.shortened(moment.words) if isinstance(self.embedder, TextBounded) else moment.words
        words = self.embedder.embed([Text(text)]).vectors[0]
        yield MomentPair(picture=moment.picture, words=words, start_s=facet.start_s, end_s=facet.end_s)

    def _said(self, text: str, signal: str, what: str) -> Iterator[ModerationSign]:
        for category in self._counting(signal):
            for match in self._terms[category.name].find(text) if text.strip() else ():
                yield self._sign(category, signal, match.score, f"{what} {match.reason}", "a term of the policy")

    def _turned(self, part: Image, reader: TextReader) -> Iterator[ModerationSign]:
        for how, text in turned_texts(decode_image(part, self._tools.limits), reader):
            yield from self._said(text, "words", f"in the picture {how} is written")

    def _traces(self, part: Part, notes: list[str]) -> Iterator[ModerationSign]:
        """What its making left in the medium."""
        for found in traces_of(part, self.policy, self._tools.limits, self._tools.streaming, notes):
            for category in self._counting(found.signal):
                sign = self._sign(category, found.signal, found.score, found.reason)
                yield replace(sign, start_s=found.start_s, end_s=found.end_s)

    def _alike(self, vector: NDArray[np.float32], modality: Modality) -> Iterator[ModerationSign]:
        for category in self._counting("likeness"):
            logits = self.embedder.sharpness(modality) * (self._examples[category.name] @ vector)
            chances = np.exp(logits - logits.max())
            chances /= chances.sum()
            count = len(category.examples)
            best = int(chances[:count].argmax())
            share = float(chances[:count].sum())
            yield self._sign(category, "likeness", share, f"like “{category.examples[best]}” ({share:.2f})")

    def _known_picture(self, part: Part) -> Iterator[ModerationSign]:
        pixels = getattr(part, "source", None)
        for category in self._counting("hash"):
            for known in self._known[category.name]:
                if isinstance(pixels, np.ndarray) and (match := known.find_picture(pixels)) is not None:
                    yield self._sign(category, "hash", match.score, match.reason)

    def _known_sounds(self, part: Audio | Video) -> Iterator[ModerationSign]:
        lists = [
            (category, known)
            for category in self._counting("hash")
            for known in self._known[category.name]
            if known.sound_labels
        ]
        if not lists:
            return
        for start_s, samples in sound_windows(
            part, self._tools.streaming, rate_hz=RATE_HZ, window_s=_PRINT_WINDOW_S, hop_s=_PRINT_HOP_S
        ):
            end_s = start_s + len(samples) / RATE_HZ
            for category, known in lists:
                if (match := known.find_sound(samples)) is not None:
                    sign = self._sign(category, "hash", match.score, match.reason)
                    yield replace(sign, start_s=start_s, end_s=end_s)

    def _counting(self, signal: str) -> list[PolicyCategory]:
        return [category for category in self.policy.categories if category.signals.get(signal)]

    def _sign(
        self, category: PolicyCategory, signal: str, score: float, reason: str, hidden: str | None = None
    ) -> ModerationSign:
        """A sign; its reason quotes words only if the policy keeps them."""
        told = reason if hidden is None or self.policy.keeps_words else hidden
        return ModerationSign(category=category.name, signal=signal, score=min(1.0, score), reason=told)


def _placed(sign: ModerationSign, facet: Facet) -> ModerationSign:
    return replace(sign, start_s=facet.start_s, end_s=facet.end_s, page=facet.page)


class _Moment:
    """What is seen, read and said at the moment."""

    def __init__(self, caption: str) -> None:
        self._caption, self._read, self._said = caption, "", ""
        self.picture: NDArray[np.float32] | None = None
        self.found = False

    def see(self, picture: NDArray[np.float32]) -> None:
        """Another picture: what was read stood in the one before."""
        self.picture, self._read = picture, ""

    def read(self, words: str) -> None:
        """More words in the picture, or of a text."""
        self._read = f"{self._read} {words}".strip()

    def hear(self, words: str) -> None:
        """What is said now."""
        self._said = words

    @property
    def words(self) -> str:
        """All of it."""
        return " ".join(filter(None, (self._caption, self._read, self._said)))
