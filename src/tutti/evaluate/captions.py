"""CIDEr-D: how far a caption agrees with what people wrote (Vedantam et al. 2015, sections 4 and 6).

Written here because the reference package (pycocoevalcap) is no longer kept and wants Java. It differs from that in the
tokenizer (words in lower case instead of Stanford's) and in nothing else; `tests/evaluate/test_captions.py` holds it to
values that the reference gave.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from tutti.evaluate.language import words

_LONGEST = 4
_SIGMA = 6.0
"""Width of the penalty for another length than the reference's, in words."""

_Grams = Counter[tuple[str, ...]]
_Vector = list[dict[tuple[str, ...], float]]


class Consensus:
    """Document frequencies over the references of a suite, and scores by them.

    Args:
        references: For each case, its reference captions.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        self._documents: Counter[tuple[str, ...]] = Counter()
        for captions in references:
            self._documents.update({gram for caption in captions for gram in _grams(caption)})
        self._log_size = math.log(max(len(references), 2))  # of a single document, all logarithms would be zero

    def score(self, caption: str, references: Sequence[str]) -> float:
        """CIDEr-D of a caption, from 0 to 10."""
        grams = _grams(caption)
        length = sum(count for gram, count in grams.items() if len(gram) == 1)
        vector, norms = self._vector(grams)
        total = 0.0
        for reference in references:
            other_grams = _grams(reference)
            other, other_norms = self._vector(other_grams)
            gap = length - sum(count for gram, count in other_grams.items() if len(gram) == 1)
            penalty = math.exp(-(gap**2) / (2 * _SIGMA**2))
            for n in range(_LONGEST):
                dot = sum(
                    min(weight, other[n].get(gram, 0.0)) * other[n].get(gram, 0.0) for gram, weight in vector[n].items()
                )
                if norms[n] and other_norms[n]:
                    total += penalty * dot / (norms[n] * other_norms[n])
        return 10 * total / _LONGEST / len(references)

    def _vector(self, grams: _Grams) -> tuple[_Vector, list[float]]:
        vector: _Vector = [{} for _ in range(_LONGEST)]
        for gram, count in grams.items():
            weight = count * (self._log_size - math.log(max(1, self._documents[gram])))
            vector[len(gram) - 1][gram] = weight
        return vector, [math.sqrt(sum(weight**2 for weight in part.values())) for part in vector]


def _grams(text: str) -> _Grams:
    tokens = words(text)
    return Counter(tuple(tokens[i : i + n]) for n in range(1, _LONGEST + 1) for i in range(len(tokens) - n + 1))
