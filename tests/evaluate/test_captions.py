"""CIDEr-D, held to what the reference implementation gives."""

from __future__ import annotations

import pytest

from tutti.evaluate.captions import Consensus

REFERENCES = [
    ["a man riding a wave on top of a surfboard", "a surfer rides a large wave in the ocean"],
    ["a plate of food with rice and vegetables", "a white plate topped with rice and broccoli"],
    ["two dogs play with a ball in the park", "two brown dogs chase a red ball on the grass"],
]
CAPTIONS = ["a man riding a wave on a surfboard in the ocean", "a plate of rice and meat", "two cats sleep on a bed"]


def test_as_the_reference_implementation() -> None:
    """Golden values of pycocoevalcap 1.2's CiderScorer on the lines above, as printed by `tools/cider_golden.py`."""
    consensus = Consensus(REFERENCES)
    scores = [consensus.score(caption, some) for caption, some in zip(CAPTIONS, REFERENCES, strict=True)]
    assert scores == pytest.approx(GOLDEN, abs=1e-6)


GOLDEN = [3.664407, 2.539088, 0.440583]


def test_a_reference_itself_is_best() -> None:
    consensus = Consensus(REFERENCES)
    assert consensus.score(REFERENCES[0][0], REFERENCES[0][:1]) == pytest.approx(10)
    assert consensus.score("", REFERENCES[0]) == 0
