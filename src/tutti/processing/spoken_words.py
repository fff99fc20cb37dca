"""What of a transcript is speech, where nobody asked for one: in an index, and in answers.

Models that write down speech write something of noises and music, too: a note in brackets, one word over and over, or
words that they are not sure of. Found words must not rest on any of these.
"""

from __future__ import annotations

import re
import zlib

from tutti.content import TranscriptionOptions

SURE = TranscriptionOptions(temperatures=(0.0,), no_speech_threshold=0.0)
"""One try a window, and what is unsure is left out: words must not be guessed from a noise."""
_MOST_REPETITION = 2.4
"""Bytes of a text per byte of it compressed, above which Whisper repeats itself (Radford et al. 2022, section 4.5)."""
_ANNOTATION = re.compile(r"\W*(?:\[[^\]]*\]|\([^)]*\)|\*+[^*]*\*+|♪[^♪]*♪?)?\W*")
"""What Whisper writes of noises and music: (dog barking), [Music], ** sounds **."""


def is_speech(text: str) -> bool:
    """Whether a segment is words, and neither the name of a noise nor one word over and over, as noises become."""
    content = text.encode()
    return not _ANNOTATION.fullmatch(text) and len(content) <= _MOST_REPETITION * len(zlib.compress(content))
