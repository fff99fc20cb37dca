"""Speech: where in a recording something was said that identifies, and the transcript without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tutti.content import Transcript
from tutti.trust.privacy.identifiers import IDENTIFIER_KINDS, IdentifierKind, find_identifiers
from tutti.trust.privacy.record import Finding
from tutti.trust.privacy.sounds import SILENCED_AROUND_S


def redact_text(
    text: str, names: Sequence[str] = (), kinds: Sequence[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[str, list[IdentifierKind]]:
    """A text in which what identifies is replaced by its kind in brackets, and the kinds in their order.

    Args:
        text: Any text.
        names: As for `find_identifiers`.
        kinds: As for `find_identifiers`.
    """
    found = find_identifiers(text, names, kinds)
    made, place = [], 0
    for one in found:
        made += [text[place : one.start], f"[{one.kind}]"]
        place = one.end
    return "".join([*made, text[place:]]), [one.kind for one in found]


def redact_transcript(
    transcript: Transcript, names: Sequence[str] = (), kinds: Sequence[IdentifierKind] = IDENTIFIER_KINDS
) -> tuple[Transcript, list[Finding]]:
    """A transcript without what identifies, and the spans in which that was said.

    A span is that of each segment that says a part of it, with as much around as times may err: with segments of single
    words it is narrow, with Whisper's it is that of a sentence. What goes over the end of a segment is found, too.
    """
    text = " ".join(segment.text for segment in transcript.segments)
    found = find_identifiers(text, names, kinds)
    spans, segments, place = [], [], 0
    for segment in transcript.segments:
        start, end = place, place + len(segment.text)
        place = end + 1
        within = [one for one in found if one.start < end and start < one.end]
        made, at = [], start
        for one in within:
            made += [text[at : max(at, one.start)], f"[{one.kind}]"]
            at = min(end, one.end)
        segments.append(replace(segment, text="".join([*made, text[at:end]])))
        spans += [
            Finding(
                what=f"speech:{one.kind}",
                start_s=max(0.0, segment.start_s - SILENCED_AROUND_S),
                end_s=segment.end_s + SILENCED_AROUND_S,
            )
            for one in within
        ]
    whole, _ = redact_text(transcript.text, names, kinds)
    return replace(transcript, text=whole, segments=tuple(segments)), spans
