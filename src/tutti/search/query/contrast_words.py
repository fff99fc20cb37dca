"""Contrast words: names of common things that a query competes with, to estimate whether a result fits it at all."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

_WORDS = """
a dog|a cat|a horse|a cow|a sheep|a pig|a bird|a rooster|a fish|a frog|a deer|an insect|a mouse|an elephant|a bear
a person|a baby|a crowd of people|a face|a hand|an eye|a man|a woman|a child|clothes|a shirt|trousers|a dress|a hat|shoes|a bag
a car|a truck|a bus|a train|an airplane|a ship|a bicycle|a motorcycle|a helicopter|a road|a house|a tall building|a room|a kitchen
a chair|a table|a bed|a lamp|a clock|a telephone|a computer|a book|a letter|money|a key|a bottle|a cup|a knife|a ball|a toy
an apple|a banana|bread|milk|meat|vegetables|a cake|coffee|a meal|a tree|a flower|grass|a mountain|the sea|a river|the sky|snow
rain|wind|thunder|fire|the sun|the moon|night|a flag|a heart|an arrow|a number|a letter of the alphabet|a sign with words
music|a guitar|a piano|drums|a violin|a trumpet|singing|someone speaking|a crying baby|a sneeze|laughter|applause|footsteps
an engine|a siren|a bell|a chainsaw|a door|water running|a clock ticking|an explosion|silence|noise|a chest x-ray|a map|a drawing
a black screen|a colourful pattern|a plain surface
"""
BANK = tuple(words.strip() for line in _WORDS.strip().splitlines() for words in line.split("|"))
_PLAIN = {"a", "an", "the", "of", "with", "someone", "and", "in", "on"}
_NEAR = 0.75
"""Bank words with a larger cosine to the query mean the same, and are no alternative to it."""


def alternatives(text: str, query: NDArray[np.float32], bank: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which words of the bank mean something else than a query. Shapes: query (D,), bank (W, D) → (W,)."""
    own = _stems(text)
    shared = np.array([bool(_stems(words) & own) for words in BANK])
    return np.asarray(~shared & (bank @ query < _NEAR))


def _stems(text: str) -> set[str]:
    return {word.rstrip("s")[:5] for word in re.findall(r"[a-z]+", text.lower()) if word not in _PLAIN}
