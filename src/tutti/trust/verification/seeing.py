"""Objects, colours, counts and places in a picture, by measurement and by an embedder among rivals.

What each kind may decide was set by measurement (`benchmarks/verification.py`, decision 0130): where a verdict was
right less often than in 9 of 10 cases, the answer is "not checkable".
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tutti.content import Evidence, Text
from tutti.evaluate.claims import Assertion
from tutti.evaluate.objects import lexicon
from tutti.interfaces import Embedder
from tutti.search.query.colours import dominant, names_of, share_of_term, wishes
from tutti.trust.pieces import Box
from tutti.trust.verification.blobs import Blob, alike, blobs_of, ground_of
from tutti.trust.verification.finding import Opinion
from tutti.trust.verification.matching import find_text
from tutti.trust.verification.views import PictureView

SURE_RANK = 0.005
"""An object among this share of the likeliest rivals is supported."""
LOST_RANK = 0.75
"""One behind this share of them is contradicted."""
COLOUR_SHOWN = 0.3
"""Share of what is seen, the ground left out, from which a colour is supported."""
COLOUR_ABSENT = 0.004
"""Share of the picture up to which a colour is contradicted."""
_LARGE = 0.10
_MOST_COUNTED = 12


class Rivals:
    """Names of things as points of an embedder's space, embedded once.

    Args:
        embedder: Of texts and pictures.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.names = _names()
        self._vectors: NDArray[np.float32] | None = None
        self._last: tuple[str, NDArray[np.float32]] | None = None

    def ranks(self, name: str, view: PictureView) -> tuple[float, str]:
        """The share of rivals that fit a picture better than an object does, and the one that fits best.

        Kinds of the object, and objects of its kind where it is one, are no rivals.
        """
        if self._vectors is None:
            self._vectors = self._texts(self.names)
        picture = self._picture(view)
        own = float(self._texts([name])[0] @ picture)
        kin = lexicon().closure(name)
        rivals = [n for n, other in enumerate(self.names) if other not in kin and name not in lexicon().closure(other)]
        scores = self._vectors[rivals] @ picture
        return float((scores > own).mean()), self.names[rivals[int(scores.argmax())]]

    def _picture(self, view: PictureView) -> NDArray[np.float32]:
        digest, last = view.image.digest, self._last
        if last is None or last[0] != digest:
            last = self._last = digest, self.embedder.embed([view.image]).vectors[0]
        return last[1]

    def _texts(self, names: list[str]) -> NDArray[np.float32]:
        return self.embedder.embed([Text(f"{'an' if name[0] in 'aeiou' else 'a'} {name}") for name in names]).vectors


@lru_cache(maxsize=1)
def _names() -> list[str]:
    return sorted(set(lexicon().names.values()))


def check_object(assertion: Assertion, view: PictureView, rivals: Rivals) -> Opinion:
    """Whether an object is seen, by its rank among other things."""
    share, best = rivals.ranks(assertion.text, view)
    found = (Evidence(source=rivals.embedder.name, text=best, medium=view.medium, confidence=1 - share),)
    if share <= SURE_RANK:
        return Opinion("supported", f"fits the picture better than {1 - share:.1%} of other things", found=found)
    if share >= LOST_RANK:
        reason = f"{share:.0%} of other things fit the picture better, {best} best"
        return Opinion("contradicted", reason, best, found)
    return Opinion(
        "not_checkable", f"{share:.1%} of other things fit the picture better: too near to tell", found=found
    )


def check_colour(assertion: Assertion, view: PictureView) -> Opinion:
    """Whether a colour is seen, by measuring the picture's colours."""
    wish = next(iter(wishes(assertion.text)), None)
    if wish is None:
        return Opinion("not_checkable", f"{assertion.text} is not among the colours that are measured")
    palette = dominant(view.pixels)
    present = share_of_term(view.pixels, wish.term)
    ground = ground_of(view.pixels)
    if ground is not None and assertion.subject is not None and share_of_term(ground, wish.term) == 1:
        return Opinion("not_checkable", f"{wish.term} is the colour of the ground; of what else, is not told")
    large, named = names_of(palette, COLOUR_SHOWN), ", ".join(names_of(palette, _LARGE)) or "none that is large"
    found = (Evidence(source="measured colours", text=named, medium=view.medium, confidence=min(1.0, present)),)
    if large[:1] == [wish.term]:
        return Opinion("supported", f"the colour that is seen most, of: {', '.join(large)}", found=found)
    if present <= COLOUR_ABSENT:
        return Opinion("contradicted", f"{present:.1%} of the picture is of this colour", named, found)
    return Opinion(
        "not_checkable", f"{present:.1%} of the picture is of this colour; of what, is not told", found=found
    )


def check_count(assertion: Assertion, view: PictureView) -> Opinion:
    """Whether there are so many things, where they lie apart on a plain ground."""
    blobs = blobs_of(view.pixels)
    if blobs is None or not alike(blobs) or len(blobs) > _MOST_COUNTED:
        return Opinion("not_checkable", "things are only counted where they lie apart on a plain ground")
    found = tuple(Evidence(source="counter", text="a thing", medium=view.medium, box=blob.box) for blob in blobs)
    if assertion.value == len(blobs):
        return Opinion("supported", f"{len(blobs)} separate things", found=found)
    return Opinion("contradicted", f"{len(blobs)} separate things", str(len(blobs)), found)


def check_place(assertion: Assertion, view: PictureView) -> Opinion:
    """Whether words, or the one thing on a plain ground, lie where they are said to lie."""
    box = _box_of(assertion.subject, view)
    if box is None:
        return Opinion("not_checkable", "only words, and one thing on a plain ground, are placed")
    height, width = view.pixels.shape[:2]
    across, down = (box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height
    seen = (Evidence(source="measured place", text=place_of(across, down), medium=view.medium, box=box),)
    fits = [_fit(word, across, down) for word in assertion.text.split()]
    if all(fit > 0 for fit in fits):
        return Opinion("supported", f"it lies at the {place_of(across, down)}", found=seen)
    if any(fit < 0 for fit in fits):
        instead = place_of(across, down)
        return Opinion("contradicted", f"it lies at the {instead}", instead, seen)
    return Opinion("not_checkable", "it lies on the border of that place", found=seen)


def _box_of(subject: str | None, view: PictureView) -> Box | None:
    if subject is None:
        return None
    trusted = view.trusted if view.readable else []
    match = find_text(subject, [seen.line.text for seen in trusted])
    if match.exact:
        return trusted[match.lines[0]].line.box
    blobs: list[Blob] | None = blobs_of(view.pixels)
    return blobs[0].box if blobs is not None and len(blobs) == 1 else None


def _fit(word: str, across: float, down: float) -> int:
    """1 where a place is right, -1 where it is wrong, 0 on the border."""
    value = {"left": 1 - across, "right": across, "top": 1 - down, "bottom": down}.get(word)
    if value is None:  # the centre
        far = max(abs(across - 0.5), abs(down - 0.5))
        return 1 if far < 0.17 else -1 if far > 0.25 else 0
    return 1 if value > 0.55 else -1 if value < 0.45 else 0


def place_of(across: float, down: float) -> str:
    """A place of the picture in words: thirds across and down."""
    row = "top" if down < 1 / 3 else "bottom" if down > 2 / 3 else ""
    column = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    return " ".join(filter(None, (row, column))) or "centre"
