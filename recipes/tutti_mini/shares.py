"""How often each pack is drawn from, phase by phase, and how its media are cut."""

from __future__ import annotations

PICTURE_SHARES = (*(0.36, 0.11, 0.01, 0.10, 0.03, 0.01), *(0.12, 0.13, 0.13))
"""Of `PHOTOS`, then of `EMOJI`."""
SOUND_SHARES = (0.08, 0.28, 0.13, 0.07, 0.18, 0.09, 0.07, 0.0, 0.1)
"""Of `SOUNDS`; coffee orders wait for a model that transcribes."""

HEAD_SHARES = {
    "image": (*(0.15, 0.08, 0.02, 0.14, 0.03, 0.01), *(0.19, 0.19, 0.19)),
    "audio": (0.10, 0.24, 0.16, 0.10, 0.16, 0.07, 0.08, 0.0, 0.09),
}
"""The same for the heads alone."""
COLOUR = 2.0
"""Light and colours vary more than shapes, so that a style that was not seen is known by its shapes."""
LOOK_SHARES = (*(0.22, 0.10, 0.01, 0.17, 0.03, 0.01), *(0.15, 0.155, 0.155))
"""`look` goes on with more of the packs that have many names."""
LISTEN_SHARES = (0.03, 0.12, 0.08, 0.05, 0.27, 0.12, 0.11, 0.0, 0.22)
LISTEN_S = 1.28
"""`listen` goes on with short recordings, most of them words."""
TUNE_SHARES = {
    "image": (*(0.20, 0.08, 0.01, 0.14, 0.02, 0.01), *(0.18, 0.18, 0.18)),
    "audio": (0.05, 0.18, 0.10, 0.06, 0.24, 0.10, 0.09, 0.0, 0.18),
}
"""`tune-image` and `tune-audio` go on with what is still hard: emoji and groceries; words."""
TUNE_LENGTHS_S = {1.28: 0.75, 2.56: 0.15, 5.12: 0.1}
LONGEST_CAPTION = 16
"""Tokens, for the heads alone: with few long captions among many, the text trunk would take most of the step."""
