"""Letters that stand for others: look-alikes of other scripts, styled and turned letters, digits and signs.

Source of the look-alikes: a subset of Unicode Technical Standard 39 (confusables), those that look like a Latin letter
in common fonts. Styled letters that Unicode decomposes (mathematical, full width, circled) are left to NFKC.
"""

from __future__ import annotations

import unicodedata

_ALIKE = {
    "a": "аαɑᴀ∂ӑ", "b": "ƅЬьʙвβᏏ", "c": "сϲᴄⅽ", "d": "ԁɗᴅⅾժ", "e": "еєεᴇҽ℮ёəэ", "f": "ғϝꜰƒ", "g": "ɡɢԍց", "h": "һнʜհ",
    "i": "іιɪıΙїӏ", "j": "јʝᴊ", "k": "кκᴋқҝ", "l": "ⅼʟӏ", "m": "мᴍⅿ", "n": "пոɴηи", "o": "оοσᴏօ୦", "p": "рρᴘ",
    "q": "ԛգ", "r": "гʀяᴦ", "s": "ѕꜱʂ", "t": "тτᴛ", "u": "υцսᴜʋ", "v": "ѵνᴠⅴ", "w": "ԝωшᴡщ", "x": "хχⅹ",
    "y": "уγʏүў", "z": "ᴢʐ",
}  # fmt: skip
_TURNED = dict(zip("ɐqɔpǝɟƃɥıɾʞןɯuodbɹsʇnʌʍxʎzɓᴉᵷꞁ", "abcdefghijklmnopqrstuvwxyzgigl", strict=True))
"""Letters upside down, and what they are."""
_SIGNS = dict(zip("013456789@$!|+€£¢§¡", "oieasgtbgasiitelcsi", strict=True))
_SEVERAL = {"|<": "k", "()": "o", "[]": "o", "\\/": "v", "/\\": "a", "|3": "b", "|)": "d", "|-|": "h", "}{": "h"}
_BLOCKS = ((0x1F130, 26), (0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26), (0xE0061, 26))
"""Squared, circled and regional letters and tags, A to Z each, which NFKC leaves."""

LOOKALIKES: dict[int, str] = {ord(odd): plain for plain, many in _ALIKE.items() for odd in many}
"""Code point → the Latin letter that it looks like."""
BLOCKS: dict[int, str] = {first + at: chr(97 + at) for first, count in _BLOCKS for at in range(count)}
SIGNS: dict[int, str] = {ord(sign): letter for sign, letter in _SIGNS.items()}
"""Digits and signs that stand for a letter inside of a word."""
_MARKS = (
    (0x300, 0x36F),
    (0x483, 0x489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)
_ODD_TURNED = set(_TURNED) - set("abcdefghijklmnopqrstuvwxyz")


def is_mark(sign: str) -> bool:
    """Whether a character is a general combining mark, as accents are; marks that make letters of a script are not."""
    code = ord(sign)
    return any(first <= code <= last for first, last in _MARKS)


def latin_of(word: str) -> str:
    """A word with look-alikes as the Latin letters that they look like, if that makes all of its letters Latin."""
    made = word.translate(LOOKALIKES)
    return made if all(sign < "\x80" for sign in made if sign.isalpha()) else word


def signs_undone(word: str) -> str:
    """A word with digits and signs as letters, if it has a letter, or a sign that is no digit."""
    made = word
    for several, letter in _SEVERAL.items():
        made = made.replace(several, letter)
    if "(" in made and ")" not in made:
        made = made.replace("(", "c")
    core = made.rstrip("!+|¡") or made  # at the end of a word they are what they are
    if len(core) == 1:
        return core.translate(SIGNS) + made[1:]  # one of many that were pulled apart
    alone = core.isdigit() or any(ord(sign) not in SIGNS for sign in core)
    if not any(sign.isalpha() for sign in core) and alone:
        return made
    return core.translate(SIGNS) + made[len(core) :]


def upright(text: str) -> str | None:
    """A text of turned letters turned back, from its end to its beginning; None where hardly any letter is turned."""
    letters = [sign for sign in text if sign.isalpha()]
    odd = sum(sign in _ODD_TURNED for sign in letters)
    if odd < min(2, max(1, len(letters) // 4)):
        return None
    return "".join(_TURNED.get(sign, sign) for sign in reversed(text))


def unstyled(text: str) -> str:
    """A text composed, caseless, without invisible characters and without accents."""
    seen = "".join(sign for sign in text if unicodedata.category(sign) != "Cf" or ord(sign) in BLOCKS)
    wide = unicodedata.normalize("NFKD", seen.translate(BLOCKS)).casefold()
    return unicodedata.normalize("NFKC", "".join(sign for sign in wide if not is_mark(sign)))
