"""Language as far as scores need it: normal forms in any script; of English, stems and answers that decline."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from tutti.evaluate.numerals import in_digits, numbers
from tutti.processing.words import folded, marks, words_of

_ARTICLES = {"a", "an", "the"}

_DECLINES = re.compile(
    r"\b(?:can ?not|can't|cannot|could not|couldn't|unable to|impossible to|not possible to|no way to|hard to)\s+"
    r"(?:\w+\s+){0,2}?(?:tell|told|say|said|see|determine|determined|know|known|answer|answered|identify|make out|read|"
    r"be told|be said|be determined|be known|be seen|be answered|be read)"
    r"|\b(?:do not|don't|does not|doesn't) (?:know|show enough|say enough)"
    r"|\bnot (?:sure|certain|visible enough|enough information|answerable)"
    r"|\b(?:unanswerable|unknown|unclear|insufficient information|no information)\b"
    r"|\bI(?:'m| am) (?:sorry|afraid)\b",
    re.IGNORECASE,
)


def abstains(answer: str) -> bool:
    """Whether an answer declines: it says that it does not know, or that the medium does not tell; or it is empty."""
    return not answer.strip() or bool(_DECLINES.search(plain(answer)))


_FRACTIONS = {
    chr(code): f"{unicodedata.numeric(chr(code)):.6g}" for code in (*range(0xBC, 0xBF), *range(0x2150, 0x215F))
}
"""½ and its like, which the compatibility form would join to the number before: 3½ to 31⁄2."""
_PLAIN_SIGNS = dict(zip(map(ord, "‘’‚‛“”„‟«»‐‑‒–—―−﹣－"), 4 * "\N{APOSTROPHE}" + 6 * '"' + 9 * "-", strict=True))
_SUPERSCRIPTS = dict(zip(map(ord, "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"), "0123456789-", strict=True))


def plain(text: str) -> str:
    """The text with typographic quotes, dashes and signs, and compatibility forms, made plain; 10³ is 10^3."""
    text = re.sub("[⁰¹²³⁴-⁹⁻]+", lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text)
    text = re.sub("([0-9]?)([¼-¾⅐-⅞])", lambda found: found[1] + _FRACTIONS[found[2]][bool(found[1]) :], text)
    return unicodedata.normalize("NFKC", text).translate(_PLAIN_SIGNS)


def normalized(text: str) -> str:
    """Caseless words without punctuation but that inside numbers, without articles, numbers in digits.

    VQA's normal form (Antol et al. 2015, and its evaluation code: github.com/GT-Vision-Lab/VQA), in any script:
    combining marks stay with their letters. Of a text that is nothing but signs and articles, the text, caseless.
    """
    shown = _western_digits(folded(plain(text)))
    kept = re.sub(
        rf"(?<!\d)[.,:](?!\d)|(?<=\d)[.,:](?!\d)|(?<!\d)[.,:](?=\d)|[^\w\s.,:%{marks()}-]"
        rf"|(?<![\w{marks()}])-(?!\d)|-(?!\w)",
        " ",
        shown.replace("'", ""),
    )
    found = re.sub(r"(?<=\d),(?=\d{3}\b)", "", kept).split()
    written = [word for word in in_digits(found) if word not in _ARTICLES]
    return " ".join(written) or " ".join(shown.split())


def holds(text: str, phrase: str) -> bool:
    """Whether a text holds a phrase as whole words; one that consists of signs, anywhere."""
    if words_of(phrase):
        return f" {normalized(phrase)} " in f" {normalized(text)} "
    return bool(phrase.strip()) and folded(plain(phrase.strip())) in folded(plain(text))


def words(text: str) -> list[str]:
    """Caseless words, hyphens and inner apostrophes kept."""
    return words_of(plain(text), "-'")


def _western_digits(text: str) -> str:
    """The text with digits of other scripts as 0 to 9."""
    return re.sub(r"\d", lambda found: str(unicodedata.decimal(found[0])), text)


_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "leaves": "leaf", "knives": "knife", "shelves": "shelf", "wolves": "wolf",
    "loaves": "loaf", "scarves": "scarf", "calves": "calf", "halves": "half", "buses": "bus", "cacti": "cactus",
}  # fmt: skip
_WITHOUT_PLURAL = set(
    "bus glass grass dress cactus gas lens jeans scissors glasses shorts pants trousers sunglasses goggles "
    "headphones series species news is was has this its his yes us octopus walrus tennis chess class cross "
    "bass mass pass moss process princess fortress mattress compass".split()
)


@lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """A noun's singular, by rules and a short list of exceptions; other words mostly pass."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _WITHOUT_PLURAL or len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + ("y" if len(word) > 4 else "ie")
    if word.endswith(("ches", "shes", "xes", "sses", "zes", "oes")):
        return word[:-2]
    return word[:-1]


def stems(text: str) -> list[str]:
    """Words in the singular."""
    return [singular(word.removesuffix("'s")) for word in words(text)]


def numbers_in(text: str) -> list[float]:
    """All numbers of a text in order, in digits or in English words."""
    return list(numbers(_western_digits(plain(text)).lower()))
