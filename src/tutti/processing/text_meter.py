"""How much text a model embeds: counted in its own tokens, refused where it is more, shortened where that is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tutti.content import TextSize
from tutti.errors import ContextOverflow, InputError
from tutti.processing.tokenizer import Tokenizer


class TextMeter:
    """Measures texts as a model reads them.

    Args:
        tokenizer: The model's.
        max_tokens: Longest text in tokens, without those that the model puts around it.
        read: What the model makes of a text before its tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, read: Callable[[str], str] = str) -> None:
        self.max_tokens = max_tokens
        self._tokenizer, self._read = tokenizer, read
        self._unknown = tokenizer.unknown_id

    def size(self, text: str) -> TextSize:
        """Tokens of a text.

        Raises:
            InputError: The text is not Unicode.
        """
        ids = self._tokenizer.encode(self._read(text))
        return TextSize(len(ids), ids.count(self._unknown) if self._unknown is not None else 0)

    def check(self, texts: Sequence[str]) -> list[TextSize]:
        """Sizes of texts that can be embedded.

        Raises:
            ContextOverflow: One is longer than the model reads.
            InputError: Of one, nothing is in the model's vocabulary.
        """
        sizes = [self.size(text) for text in texts]
        for text, size in zip(texts, sizes, strict=True):
            if size.tokens > self.max_tokens:
                raise ContextOverflow(
                    f"The text {first_words(text)!r} takes {size.tokens:,} tokens; this model embeds at most "
                    f"{self.max_tokens} at a time: cut it into passages, or have it shortened with truncate."
                )
            if size.says_nothing:
                raise InputError(
                    f"Nothing of the text {first_words(text)!r} is in this model's vocabulary, so its vector would "
                    "be that of any other such text; expected words in a language of the model, or another model."
                )
        return sizes

    def shortened(self, text: str) -> str:
        """The longest first_words of a text that the model reads, up to the end of a word where that is possible."""
        if self.size(text).tokens <= self.max_tokens:
            return text
        ends = [found.end() for found in re.finditer(r"\S+", text)]
        cut = self._longest(text, ends)
        return text[: cut or self._longest(text, range(1, len(text)))]

    def _longest(self, text: str, ends: Sequence[int]) -> int:
        """The last of some places, in order, up to which the model reads a text; 0 if it reads up to none."""
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high) // 2
            if self.size(text[: ends[middle]]).tokens <= self.max_tokens:
                low = middle + 1
            else:
                high = middle
        return ends[low - 1] if low else 0


def first_words(text: str, most: int = 40) -> str:
    """The first characters of a text, for messages."""
    return text if len(text) <= most else text[: most - 1] + "…"
