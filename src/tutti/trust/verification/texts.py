"""Quoted words and written numbers against the text that is read in a picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tutti.content import Evidence
from tutti.evaluate.claims import Assertion
from tutti.trust.legibility import LEGIBLE
from tutti.trust.verification.finding import Opinion
from tutti.trust.verification.matching import NEAR, Match, find_number, find_text, numbers_of
from tutti.trust.verification.views import PictureView, SeenLine

_WRITTEN = re.compile(
    r"\b(?:says?|said|reads?|written|printed|prints?|labell?ed|titled|total|subtotal|sum|amount|price|costs?|tax|vat|tip"
    r"|change|date|dated|phone|telephone|tel|call|number|no|plate|code|serial|invoice|receipt|order|check|table|page"
    r"|room|address|speed|limit|km/h|mph|year|score|time|opens?|closes?|expires?|gate|bus|route|channel|shows?)\b|[€$£¥%#]",
    re.IGNORECASE,
)
_FILLER = frozenset("the a an is are was of it its and at on in for to be says reads that this picture sign".split())
_MOST_LOOKS = 3
"""Pieces that are looked at again for one claim."""
_SAME_PLACE = 0.7
"""Share of characters from which a text stands in the place of the claimed one; two numbers are soon half alike."""
_RATIO = 0.55
"""Width of a letter over its height, on average; the range of what a line may hold is wide around it."""

Find = Callable[[str, Sequence[str]], Match]


def check_text(assertion: Assertion, view: PictureView) -> Opinion:
    """Whether quoted words are written in a picture."""
    return _check(view, find_text, assertion.text)


def check_number(assertion: Assertion, view: PictureView, sentence: str) -> Opinion:
    """Whether a number is written in a picture, where the sentence speaks of what is written."""
    opinion = _check(view, find_number, assertion.text)
    if opinion.verdict == "supported":
        return _at_label(opinion, view, sentence, assertion.text)
    if assertion.rough or not (assertion.unit or _WRITTEN.search(sentence) or len(assertion.text) > 3):
        return Opinion("not_checkable", "nothing says that this number is written in the picture")
    if opinion.verdict == "contradicted":
        return _instead_by_label(opinion, view, sentence, assertion.text)
    return opinion


def _check(view: PictureView, find: Find, wanted: str) -> Opinion:
    if not view.readable:
        return Opinion("not_checkable", "no reader of text; install it with: pip install 'tutti[ocr]'")
    lines = view.lines
    match = find(wanted, [seen.line.text for seen in lines])
    if match.exact:
        return _supported(match, lines, view)
    trusted = view.trusted
    nearest = find(wanted, [seen.line.text for seen in trusted])
    if nearest.exact:
        return _supported(nearest, trusted, view)
    looked = _second_look(find, wanted, view, match, lines)
    if looked is not None:
        return looked
    if nearest.similarity >= NEAR:
        return _contradicted(nearest, trusted, view)
    faint = find(wanted, [seen.line.text for seen in view.faint])
    if faint.exact:
        return _supported(faint, view.faint, view)
    hidden = [seen for seen in (*view.doubtful, *view.faint) if not seen.trusted and _could_hold(seen, wanted)]
    if hidden or (not trusted and (view.doubtful or view.may_hide_text())):
        return _unreadable(hidden or view.doubtful, view)
    return _contradicted(nearest, trusted, view)


def _second_look(find: Find, wanted: str, view: PictureView, match: Match, lines: Sequence[SeenLine]) -> Opinion | None:
    """What enlarged pieces say: that it stands there after all, or that the reader reads something else each time."""
    likely = [lines[place] for place in match.lines] if match.similarity >= NEAR else []
    likely += [seen for seen in view.doubtful if seen not in likely and _could_hold(seen, wanted)]
    boxes = [[seen.line.box for seen in likely[: len(match.lines)]]] if match.similarity >= NEAR else []
    boxes += [[seen.line.box] for seen in likely[len(boxes[0]) if boxes else 0 :]]
    for place, group in enumerate(boxes[:_MOST_LOOKS]):
        found = view.again(group)
        again = find(wanted, [line.text for line in found])
        if again.exact:
            read = Evidence(
                source="reader of text, enlarged",
                text=again.text,
                medium=view.medium,
                box=found[again.lines[0]].box,
                confidence=min(found[line].confidence for line in again.lines),
            )
            return Opinion("supported", f"read in the enlarged picture: {again.text}", found=(read,))
        if place == 0 and min(match.similarity, again.similarity) >= NEAR and not _agree(match, again):
            return Opinion(
                "unreadable",
                f"read as {match.text!r}, and enlarged as {again.text!r}: the reader is not sure",
                found=tuple(_evidence(seen, view) for seen in likely[: len(match.lines)]),
            )
    return None


def _agree(one: Match, other: Match) -> bool:
    """Whether two readings of a place are one."""
    return find_text(one.text, [other.text]).exact


def _could_hold(seen: SeenLine, wanted: str) -> bool:
    """Whether a line that was not read well is about as long as the text that is looked for."""
    left, top, right, bottom = seen.line.box
    width, height = max(right - left, bottom - top), max(1.0, min(right - left, bottom - top))
    letters = width / height / _RATIO
    return letters >= 0.5 * len(wanted)


def _supported(match: Match, lines: Sequence[SeenLine], view: PictureView) -> Opinion:
    found = tuple(_evidence(lines[place], view) for place in match.lines)
    return Opinion("supported", f"written: {match.text}", found=found)


def _contradicted(nearest: Match, trusted: Sequence[SeenLine], view: PictureView) -> Opinion:
    if nearest.similarity >= NEAR:
        found = tuple(_evidence(trusted[place], view) for place in nearest.lines)
        what = "what is written there" if nearest.similarity >= _SAME_PLACE else "what is written and nearest to it"
        return Opinion("contradicted", f"{what} is: {nearest.text}", nearest.text, found)
    if not trusted:
        return Opinion("contradicted", "no text was found in the picture", "no text")
    shown = " / ".join(seen.line.text for seen in trusted[:3])
    found = tuple(_evidence(seen, view) for seen in trusted[:3])
    return Opinion("contradicted", f"not among the {len(trusted)} lines that were read", shown, found)


def _instead_by_label(opinion: Opinion, view: PictureView, sentence: str, wanted: str) -> Opinion:
    """The number that stands beside the words that the sentence calls this one, where there is one."""
    for seen in view.trusted:
        if not _is_label(seen, sentence):
            continue
        for other in (seen, *(line for line in view.trusted if line is not seen and _beside(seen, line))):
            numbers = [number for number in numbers_of(other.line.text) if number != wanted]
            if numbers:
                label = f"{seen.line.text} {other.line.text}" if other is not seen else seen.line.text
                found = tuple(dict.fromkeys((_evidence(seen, view), _evidence(other, view))))
                return Opinion("contradicted", f"what is written there is: {label}", label, found)
    return opinion


def _at_label(opinion: Opinion, view: PictureView, sentence: str, wanted: str) -> Opinion:
    """The same with the place beside the words that the sentence calls the number, where it is written there, too."""
    for seen in view.lines:
        if not find_number(wanted, [seen.line.text]).exact:
            continue
        row = (seen, *(other for other in view.lines if other is not seen and _beside(other, seen)))
        label = next((one for one in row if _is_label(one, sentence)), None)
        if label is not None:
            found = tuple(dict.fromkeys((_evidence(seen, view), _evidence(label, view))))
            shown = seen.line.text if label is seen else f"{label.line.text} {seen.line.text}"
            return Opinion("supported", f"written: {shown}", found=found)
    return opinion


def _is_label(seen: SeenLine, sentence: str) -> bool:
    """Whether a line holds a word by which a sentence may call a number."""
    words = [word for word in re.findall(r"[a-z]{3,}", sentence.casefold()) if word not in _FILLER]
    return any(re.search(rf"\b{word}\b", seen.line.text.casefold()) for word in words)


def _beside(one: SeenLine, other: SeenLine) -> bool:
    """Whether a line stands to the right of another one, in the same row."""
    (left, top, _, bottom), (left2, top2, _, bottom2) = one.line.box, other.line.box
    return left2 > left and min(bottom, bottom2) - max(top, top2) > 0.5 * min(bottom - top, bottom2 - top2)


def _unreadable(hidden: Sequence[SeenLine], view: PictureView) -> Opinion:
    if not hidden:
        return Opinion("unreadable", "the picture is too blurred or too small to show such text")
    worst = min(hidden, key=lambda seen: seen.legibility)
    why = f"legibility {worst.legibility:.2f}"
    if worst.legibility >= LEGIBLE:
        why = f"read with a confidence of {min(seen.line.confidence for seen in hidden):.2f}"
    lines = "1 line" if len(hidden) == 1 else f"{len(hidden)} lines"
    reason = f"{lines} cannot be made out ({why}), and it may be {'that' if len(hidden) == 1 else 'one of them'}"
    return Opinion("unreadable", reason, found=tuple(_evidence(seen, view) for seen in hidden[:3]))


def _evidence(seen: SeenLine, view: PictureView) -> Evidence:
    return Evidence(
        source="reader of text",
        text=seen.line.text,
        medium=view.medium,
        box=seen.line.box,
        confidence=seen.line.confidence,
    )
