"""A verified answer as one HTML file: the pictures with boxes beside the sentences with marks; nothing is fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image as pillow

from tutti.content import Answer, Audio, Claim, Conversation, Evidence, Image, Video
from tutti.media import Limits, decode_image
from tutti.settings import read_settings
from tutti.trust.verification.sentences import sign_of, word_of

_LONGEST = 1400
"""Pictures are shown with at most so many pixels a side."""
_STYLE = """
:root { color-scheme: light dark; --supported: #1a7f37; --contradicted: #cf222e; --unreadable: #9a6700;
  --not_checkable: #6e7781; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
main { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 2rem; align-items: start; }
@media (max-width: 52rem) { main { grid-template-columns: 1fr; } }
figure { margin: 0 0 1.5rem; } figure svg { width: 100%; height: auto; display: block; border-radius: 6px; }
figcaption { color: #6e7781; font-size: .85rem; }
.supported { --tone: var(--supported); } .contradicted { --tone: var(--contradicted); }
.unreadable { --tone: var(--unreadable); } .not_checkable { --tone: var(--not_checkable); }
rect { fill: none; stroke: var(--tone); } svg text { fill: #fff; font: 600 1px system-ui, sans-serif; }
svg .tag { fill: var(--tone); stroke: none; }
mark { background: none; color: inherit; border-bottom: 3px solid var(--tone); }
mark sup, li b { color: var(--tone); font-weight: 700; }
ol { padding-left: 1.5rem; } li { margin: .5rem 0; } li small { display: block; color: #6e7781; }
.notes { color: #6e7781; font-size: .9rem; }
"""


def write_page(path: str | Path, conversation: Conversation, answer: Answer, limits: Limits | None = None) -> None:
    """Write the page.

    Raises:
        OSError: It cannot be written.
        TuttiError: A picture cannot be read.
    """
    Path(path).write_text(page(conversation, answer, limits), encoding="utf-8")


def page(conversation: Conversation, answer: Answer, limits: Limits | None = None) -> str:
    """The page's HTML."""
    limits = limits or Limits.from_settings(read_settings())
    shown = [claim for claim in answer.evidence if claim.verdict is not None]
    media = [part for message in conversation for part in message.parts if not hasattr(part, "text")]
    figures = [
        _figure(part, place, shown, limits) if isinstance(part, Image) else _sound(part.name, place, shown)
        for place, part in enumerate(media)
        if isinstance(part, (Image, Audio, Video))
    ]
    notes = "".join(f"<p class=notes>{escape(note)}</p>" for note in answer.notes)
    claims = "".join(_item(claim) for claim in shown) or "<li>The answer asserts nothing that could be checked.</li>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Verified answer</title><style>{_STYLE}</style><h1>Verified answer</h1>"
        f"<p class=notes>{escape(answer.model)}: {_summary(shown)}</p><main><section>{''.join(figures)}</section>"
        f"<section><p>{_marked(answer, shown)}</p>{notes}<h2>Claims</h2><ol>{claims}</ol></section></main></html>"
    )


def _summary(shown: Sequence[Claim]) -> str:
    counts = {word: sum(word_of(claim) == word for claim in shown) for word in map(word_of, shown)}
    return escape(", ".join(f"{count} {word}" for word, count in counts.items()) or "no claims")


def _marked(answer: Answer, shown: Sequence[Claim]) -> str:
    html, done = [], 0
    placed = [(number, claim) for number, claim in enumerate(shown, 1) if claim.span is not None]
    for number, claim in sorted(placed, key=lambda one: one[1].span or (0, 0)):
        start, end = claim.span or (0, 0)
        if start < done:
            continue
        sign = f"<sup>{sign_of(claim)}{number}</sup>"
        html.append(escape(answer.text[done:start]))
        html.append(f'<mark class="{claim.verdict}">{escape(answer.text[start:end])}{sign}</mark>')
        done = end
    return "".join(html).replace("\n", "<br>") + escape(answer.text[done:]).replace("\n", "<br>")


def _item(claim: Claim) -> str:
    instead = f" Instead: {escape(claim.contradicted_by)}." if claim.contradicted_by else ""
    sources = "; ".join(dict.fromkeys(_source(one) for one in claim.found))
    return (
        f'<li class="{claim.verdict}"><b>{sign_of(claim)} {word_of(claim)}</b> {escape(claim.text)}'
        f"<small>{escape(claim.evidence)}.{instead}{' ' + escape(sources) if sources else ''}</small></li>"
    )


def _source(one: Evidence) -> str:
    sure = f", {one.confidence:.0%} sure" if one.confidence is not None else ""
    time = f", {one.start_s:.1f} to {one.end_s:.1f} s" if one.start_s is not None and one.end_s is not None else ""
    return f"{one.source}{time}{sure}"


def _figure(image: Image, place: int, shown: Sequence[Claim], limits: Limits) -> str:
    pixels = decode_image(image, limits)
    height, width = pixels.shape[:2]
    small = pillow.fromarray(pixels)
    small.thumbnail((_LONGEST, _LONGEST))
    stored = io.BytesIO()
    small.save(stored, "JPEG", quality=88)
    data = base64.b64encode(stored.getvalue()).decode()
    unit = max(width, height) / 100
    boxes = [
        _rectangle(evidence, number, claim, unit)
        for number, claim in enumerate(shown, 1)
        for evidence in claim.found
        if evidence.box is not None and evidence.medium == place
    ]
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(image.name)}">'
        f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}"/>{"".join(boxes)}</svg>'
        f"<figcaption>{escape(image.name)}</figcaption></figure>"
    )


def _rectangle(evidence: Evidence, number: int, claim: Claim, unit: float) -> str:
    left, top, right, bottom = evidence.box or (0, 0, 0, 0)
    tag = 2.6 * unit
    return (
        f'<g class="{claim.verdict}"><rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
        f'height="{bottom - top:.1f}" stroke-width="{0.4 * unit:.2f}"/>'
        f'<rect class="tag" x="{left:.1f}" y="{top - tag:.1f}" width="{tag:.1f}" height="{tag:.1f}"/>'
        f'<text x="{left + 0.3 * tag:.1f}" y="{top - 0.25 * tag:.1f}" style="font-size:{0.75 * tag:.1f}px">{number}'
        f"</text></g>"
    )


def _sound(name: str, place: int, shown: Sequence[Claim]) -> str:
    heard = [(number, one) for number, claim in enumerate(shown, 1) for one in claim.found if one.medium == place]
    rows = "".join(
        f"<li>{number}: {one.start_s:.1f} to {one.end_s:.1f} s, {escape(one.text)}</li>"
        for number, one in heard
        if one.start_s is not None and one.end_s is not None
    )
    return f"<figure><figcaption>{escape(name)}</figcaption><ul>{rows}</ul></figure>"
