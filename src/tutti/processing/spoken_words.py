"""What of a transcript is speech, where nobody asked for one: in an index, and in answers.

Models that write down speech write something of noises and music, too: a note in brackets, one word over and over, or
words that they are not sure of. Found words must not rest on any of these.
"""

from __future__ import annotations

import re
import zlib

from tutti.content import Segment, TranscriptionOptions

SURE = TranscriptionOptions(temperatures=(0.0,), no_speech_threshold=0.0)
"""One try a window, and what is unsure is left out: words must not be guessed from a noise."""
_MOST_REPETITION = 2.4
"""Bytes of a text per byte of it compressed, above which Whisper repeats itself (Radford et al. 2022, section 4.5)."""
_SILENT, _UNSURE = 0.6, -0.5
"""Probability that nobody speaks and mean logarithm of tokens' probabilities: words beyond both are a guess. Harps,
drums and tones became "you" at .63 to .94 and -1.0 to -.77 (a cello at .48); of 95 recordings of speech the shortest,
a digit of .2 s, was at .56. Chosen on Debian's asterisk-core-sounds-en-wav, alsa-utils and tuxpaint-data, and on
validation rows of the packs."""
_ANNOTATION = re.compile(r"\W*(?:\[[^\]]*\]|\([^)]*\)|\*+[^*]*\*+|♪[^♪]*♪?)?\W*")
"""What Whisper writes of noises and music: (dog barking), [Music], ** sounds **."""


def is_speech(segment: Segment) -> bool:
    """Whether a segment is words: no name of a noise, no guess at one, and no word over and over."""
    content, scores = segment.text.encode(), segment.scores
    guessed = scores is not None and scores.no_speech > _SILENT and scores.mean_log_probability < _UNSURE
    repeated = len(content) > _MOST_REPETITION * len(zlib.compress(content))
    return not (guessed or repeated or _ANNOTATION.fullmatch(segment.text))
