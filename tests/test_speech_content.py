"""Transcripts as values: plain values for JSON, and captions that players read."""

from __future__ import annotations

import json

from tutti.content import Segment, Transcript

SPOKEN = Transcript(
    text="Hello there. 1 < 2 --> so it is",
    segments=(
        Segment(start_s=0.0, end_s=1.5, text="Hello\n\nthere."),
        Segment(start_s=3661.0005, end_s=3662.9996, text="1 < 2 --> so & so"),
    ),
    model="m",
    language="en",
    task="transcribe",
    duration_s=3700.0,
    seconds=0.5,
)


def test_plain_values() -> None:
    values = json.loads(json.dumps(SPOKEN.to_dict()))
    first = {"start_s": 0.0, "end_s": 1.5, "text": "Hello\n\nthere.", "tokens": [], "scores": None}
    assert values["segments"][0] == first
    assert set(values) == {"text", "segments", "model", "language", "task", "duration_s", "seconds", "words"}
    assert str(SPOKEN) == SPOKEN.text


def test_captions() -> None:
    assert SPOKEN.to_srt() == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n01:01:01,000 --> 01:01:03,000\n1 < 2 -> so & so\n\n"
    )
    # WebVTT takes "<" for a tag and "&" for an escape.
    assert SPOKEN.to_vtt() == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n\n"
        "01:01:01.000 --> 01:01:03.000\n1 &lt; 2 --&gt; so &amp; so\n\n"
    )
