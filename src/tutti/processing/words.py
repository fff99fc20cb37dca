r"""What a word is, in any script: letters, digits and the combining marks that belong to them.

Marks are letters' other half in most scripts of South and South-East Asia, and in Arabic and Hebrew: in Hindi, की and
का differ in nothing else. `\w` of Python's `re` leaves them out.
Sources: Unicode Standard Annex 29 (text segmentation, WB4), Unicode chapter 3.13 (caseless matching, D145).
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

_INVISIBLE = {"Cf"}
"""Format characters: joiners, direction marks, soft hyphens. They change how a word looks, not which word it is."""
_DOTTED_I = "i\N{COMBINING DOT ABOVE}"
"""What folding makes of the Turkish capital İ; a small i has its dot already."""


@cache
def marks() -> str:
    """Combining marks that belong to words (Mn and Mc), as the inside of a class of a regular expression.

    Variation selectors, which choose a form of the character before, are not among them.
    """
    ranges: list[list[int]] = []
    for code in range(0x300, 0x1F000):
        if unicodedata.category(chr(code)) in ("Mn", "Mc") and not _is_selector(code):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ranges)


@cache
def word_pattern(inner: str = "") -> re.Pattern[str]:
    """A word: letters, digits and their marks.

    Args:
        inner: Characters that join two parts of one word, such as "-'", as the inside of a class.
    """
    letter = rf"[^\W_{marks()}][{marks()}]*"
    part = f"(?:{letter})+"
    return re.compile(f"{part}(?:[{inner}]{part})*" if inner else part)


def words_of(text: str, inner: str = "") -> list[str]:
    """The words of a text, caseless and composed; arguments as for `word_pattern`."""
    return word_pattern(inner).findall(folded(text))


def folded(text: str) -> str:
    """The text as it is compared: compatibility forms and case folded, canonically composed, nothing invisible.

    Case is folded without regard to a language: ß is ss, İ is i, and the Turkish ı, whose capital is the I of other
    languages, stays a letter of its own.
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = unicodedata.normalize("NFKC", text.replace(_DOTTED_I, "i"))
    return "".join(c for c in text if unicodedata.category(c) not in _INVISIBLE and not _is_selector(ord(c)))


def _is_selector(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0x180B <= code <= 0x180F or 0xE0100 <= code <= min(0xE01EF, sys.maxunicode)
