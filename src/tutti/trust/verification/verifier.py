"""The verifier: takes an answer apart into claims and asks, for each, a specialist that did not make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tutti.content import Answer, Audio, Claim, Conversation, Image, Video
from tutti.evaluate.claims import Assertion, extract
from tutti.interfaces import Embedder, TextReader, Transcriber
from tutti.media import Limits
from tutti.settings import read_settings
from tutti.trust.instructions.addressing import addressed
from tutti.trust.instructions.texts import blocks_of
from tutti.trust.verification.finding import Opinion, joined
from tutti.trust.verification.hearing import HeardWords, check_spoken, check_time, listen
from tutti.trust.verification.matching import find_text
from tutti.trust.verification.seeing import Rivals, check_colour, check_count, check_object, check_place
from tutti.trust.verification.sentences import sentence_at
from tutti.trust.verification.texts import check_number, check_text
from tutti.trust.verification.views import PictureView

_SAME_MODEL = "only the model that answered could check this, and it does not check itself"
_WHERE = {
    "text": "no picture to read it in",
    "number": "no picture to read it in",
    "spoken": "no recording, or nobody to write down what is said in it",
    "time": "no recording, or nobody to write down what is said in it",
    "object": "no picture, or no embedder beside the model that answered",
}


class CrossVerifier:
    """A `Verifier` over a reader of text, an embedder, a transcriber and measurements.

    Args:
        reader: Reads the text in pictures.
        embedder: Compares pictures with names of things; not asked about answers of its own.
        transcriber: Writes down speech; not asked about answers that rest on its own transcript.
        limits: Budgets for decoding; those of the environment when not given.
    """

    def __init__(
        self,
        *,
        reader: TextReader | None = None,
        embedder: Embedder | None = None,
        transcriber: Transcriber | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._reader, self._transcriber = reader, transcriber
        self._rivals = Rivals(embedder) if embedder is not None else None
        self._limits = limits or Limits.from_settings(read_settings())

    def verify(self, conversation: Conversation, answer: Answer) -> Answer:
        """The same answer, with its claims and what decides each as `evidence`.

        Where text that was read for it addresses the model, the answer's notes say so.

        Raises:
            InputError: A picture cannot be read.
            CapacityError: A medium is over a budget.
        """
        evidence = self._open(conversation, answer)
        claims = [evidence.claim(one) for one in _distinct(extract(answer.text, written=True), evidence)]
        return replace(answer, evidence=tuple(claims), notes=(*answer.notes, *evidence.remarks()))

    def _open(self, conversation: Conversation, answer: Answer) -> _OpenedMedia:
        media = [part for message in conversation for part in message.parts]
        media = [part for part in media if not hasattr(part, "text")]
        views = [
            PictureView(part, place, self._reader, self._limits)
            for place, part in enumerate(media)
            if isinstance(part, Image)
        ]
        rivals = self._rivals if self._rivals is not None and self._rivals.embedder.name != answer.model else None
        opened = _OpenedMedia(answer, views, rivals)
        recordings = [(place, part) for place, part in enumerate(media) if isinstance(part, (Audio, Video))]
        if recordings and self._transcriber is not None and _needs_ears(answer.text, opened):
            if _rests_on(answer, self._transcriber.name):
                opened.same_ears = True
            else:
                found = [listen(part, place, self._transcriber) for place, part in recordings]
                opened.heard = [one for one in found if one is not None]
        opened.has_sound = bool(recordings)
        return opened


@dataclass
class _OpenedMedia:
    """The media of one conversation as the specialists see them."""

    answer: Answer
    views: list[PictureView]
    rivals: Rivals | None
    heard: list[HeardWords] = field(default_factory=list)
    has_sound: bool = False
    same_ears: bool = False

    def claim(self, assertion: Assertion) -> Claim:
        """A claim with the verdict of whoever can decide it."""
        return joined(assertion, self._opinions(assertion) or [self._nobody(assertion)])

    def remarks(self) -> list[str]:
        """A sentence for each text in a picture that addresses the model: the answer may have followed it."""
        found = []
        for view in self.views:
            for block in blocks_of([seen.line for seen in view.lines] if view.was_read else []):
                reason = addressed(block.text)
                if reason is not None:
                    found.append(f"Text in {view.image.name} addresses the model: {block.text[:160]!r} ({reason}).")
        return found

    def _nobody(self, assertion: Assertion) -> Opinion:
        if self.same_ears and assertion.kind in ("spoken", "time", "text"):
            return Opinion("not_checkable", _SAME_MODEL)
        return Opinion("not_checkable", _WHERE.get(assertion.kind, "no picture to look at"))

    def _opinions(self, assertion: Assertion) -> list[Opinion]:
        match assertion.kind:
            case "text" | "spoken":
                written = [] if assertion.kind == "spoken" and self.heard else self.views
                return [
                    *(partial(check_text, assertion)(view) for view in written if view.readable),
                    *(check_spoken(assertion, heard) for heard in self.heard),
                ]
            case "number":
                sentence = sentence_at(self.answer.text, assertion.span)
                spoken = [self._number_heard(assertion, heard) for heard in self.heard]
                read = [check_number(assertion, view, sentence) for view in self.views if view.readable]
                return [*read, *spoken]
            case "time":
                return [check_time(assertion, heard) for heard in self.heard]
            case "object":
                return (
                    [] if self.rivals is None else [check_object(assertion, view, self.rivals) for view in self.views]
                )
            case "colour":
                return [check_colour(assertion, view) for view in self.views]
            case "count":
                return [check_count(assertion, view) for view in self.views]
            case "place":
                return [check_place(assertion, view) for view in self.views]

    def _number_heard(self, assertion: Assertion, heard: HeardWords) -> Opinion:
        if find_text(assertion.text, [word.text for word in heard.words]).exact:
            return check_spoken(assertion, heard)
        return Opinion("not_checkable", "this number is not heard, and may have been said in another form")


def _needs_ears(text: str, opened: _OpenedMedia) -> bool:
    kinds = {one.kind for one in extract(text, written=True)}
    return bool(kinds & {"spoken", "time"}) or (bool(kinds & {"text", "number"}) and not opened.views)


def _rests_on(answer: Answer, transcriber: str) -> bool:
    """Whether an answer was taken from a transcript of the same transcriber, or made by it."""
    return answer.model == transcriber or any(
        claim.evidence.endswith(f" by {transcriber}") for claim in answer.evidence
    )


def _distinct(found: Sequence[Assertion], opened: _OpenedMedia) -> list[Assertion]:
    """Claims in the order of the answer; of a time that is also a number, the one that the media have."""
    times = {one.span for one in found if one.kind == "time"}
    unwanted = "number" if opened.has_sound else "time"
    kept = [one for one in found if not (one.kind == unwanted and _touches(one, times))]
    return sorted(kept, key=lambda one: one.span)


def _touches(one: Assertion, spans: set[tuple[int, int]]) -> bool:
    return any(one.span[0] < end and start < one.span[1] for start, end in spans)
