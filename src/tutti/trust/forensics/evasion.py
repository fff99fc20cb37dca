"""Find terms in words that were disguised: invisible and look-alike letters, leet, spacing, stretching, turning.

Texts are not rewritten but matched, since one sign may stand for several letters. What is found says by which way, so
that a person can judge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tutti.trust.forensics.lookalikes import latin_of, signs_undone, unstyled, upright

_LEAST_REVERSED = 5
"""Letters; shorter words read backwards are other words too often, as live is."""
_INNER = re.compile(r"(?<=[^\W_])[._\-~·'’`,:;/\\]+(?=[^\W_])")
_TOKEN = re.compile(r"[^\s\"“”«»„,;:?#%&=~^`]+")
_EDGES = "._-~·'’`/\\()[]{}<>!+|…—–"
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
"""Scripts that put no spaces between words: Japanese, Chinese, Thai."""
_CERTAIN = {"plain": 1.0, "disguised": 0.95, "spaced": 0.9, "masked": 0.8, "turned": 0.9, "reversed": 0.7}
"""How sure each way is, as the score that a match has."""
_WINDOW = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class TermMatch:
    """A term that was found."""

    term: str
    found: str
    """The words as they stand in the text."""
    way: str
    """`plain`, `disguised` (invisible or look-alike letters, leet, stretched), `spaced`, `masked` (with `*`), `turned`
    (upside down) or `reversed`."""

    @property
    def score(self) -> float:
        """How sure it is, from 0 to 1."""
        return _CERTAIN[self.way]

    @property
    def reason(self) -> str:
        """The same for people."""
        return f"“{self.term}”" if self.way == "plain" else f"“{self.found}”, which is “{self.term}” {self.way}"


@dataclass(frozen=True, slots=True)
class _Token:
    shown: str
    plain: str
    skeleton: str


class TermFinder:
    """Finds terms in texts.

    Args:
        terms: Words or phrases, in any script.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms = [(term, _Pattern(term)) for term in terms]

    def find(self, text: str) -> list[TermMatch]:
        """Each term that is there, once, by the surest way. A text that is not changed costs one pass."""
        tokens = _tokens(text)
        turned = upright(text)
        found = []
        for term, pattern in self._terms:
            match = pattern.find(term, text, tokens)
            if match is None and turned is not None:
                match = _as(pattern.find(term, turned, _tokens(turned)), text, "turned")
            if match is None and pattern.letters >= _LEAST_REVERSED:
                match = _as(pattern.find(term, text[::-1], _tokens(text[::-1])), text, "reversed")
            if match is not None:
                found.append(match)
        return found


def _as(match: TermMatch | None, text: str, way: str) -> TermMatch | None:
    return None if match is None else TermMatch(term=match.term, found=text.strip()[:_WINDOW], way=way)


class _Pattern:
    """One term as it may be written."""

    def __init__(self, term: str) -> None:
        tokens = _tokens(term)
        self.words = [token.plain for token in tokens]
        self.compact = "".join(token.skeleton for token in tokens)
        self.letters = len(self.compact)
        self.whole = unstyled(term)
        self.unspaced = bool(_UNSPACED.search(self.whole))
        self.shape = re.compile("".join(_run(sign, len(list(run))) for sign, run in groupby(self.compact)))

    def find(self, term: str, text: str, tokens: Sequence[_Token]) -> TermMatch | None:
        """The surest match."""
        if not self.compact:
            return None
        if self.unspaced:
            there = self.whole in re.sub(r"\s+", "", unstyled(text))
            return TermMatch(term=term, found=term, way="plain") if there else None
        best: TermMatch | None = None
        for first in range(len(tokens)):
            match = self._at(term, tokens, first)
            if match is not None and (best is None or match.score > best.score):
                best = match
        return best

    def _at(self, term: str, tokens: Sequence[_Token], first: int) -> TermMatch | None:
        """The term from one token on."""
        count = len(self.words)
        if [token.plain for token in tokens[first : first + count]] == self.words:
            shown = " ".join(token.shown for token in tokens[first : first + count])
            return TermMatch(term=term, found=shown, way="plain")
        joined, parts = "", []
        for token in tokens[first:]:
            joined += token.skeleton
            parts.append(token)
            if len(joined) > 4 * self.letters + 8:
                return None
            if len(joined) < self.letters or not self.shape.fullmatch(joined):
                continue
            return self._judged(term, joined, parts)
        return None

    def _judged(self, term: str, joined: str, parts: Sequence[_Token]) -> TermMatch | None:
        stars = joined.count("*")
        if stars > self.letters // 2:
            return None
        own = len(parts) == len(self.words) or len(parts) == 1
        if not own and not _is_spaced([part.skeleton for part in parts]):
            return None
        way = "masked" if stars else "disguised" if own else "spaced"
        return TermMatch(term=term, found=" ".join(part.shown for part in parts), way=way)


def _is_spaced(parts: Sequence[str]) -> bool:
    """Whether pieces look like one word pulled apart, and not like words that happen to meet, as in "pen is"."""
    return all(len(part) <= 2 for part in parts) or min(map(len, parts)) == 1


def _run(sign: str, count: int) -> str:
    """A letter, masked or stretched: stretched letters stand three times or more, so that "as" is not "ass"."""
    one = re.escape(sign)
    return f"(?:{one}(?:{one}{{2,}})?|\\*)" if count == 1 else f"(?:[{one}*]{{{count}}}|{one}{{{count},}})"


def _tokens(text: str) -> list[_Token]:
    return list(_each_token(text))


def _each_token(text: str) -> Iterator[_Token]:
    plain = unstyled(text)
    for found in _TOKEN.finditer(plain):
        shown = found.group()
        word = shown.strip(_EDGES + "*") or shown
        edge = _skeleton(shown)
        if edge:
            yield _Token(shown, word, edge)


def _skeleton(shown: str) -> str:
    """A word's letters; those that one sign stands for are one: l is i."""
    letters = signs_undone(latin_of(shown))
    letters = _INNER.sub("", letters).strip(_EDGES).replace("vv", "w")
    return "".join(
        "i" if sign == "l" else sign for sign in letters if sign.isalnum() or sign == "*" or ord(sign) > 0x7F
    )
