"""English as far as scores need it: normal forms, word stems, numbers, and answers that decline to answer."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ARTICLES = {"a", "an", "the"}
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_UNITS += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBERS = {word: float(value) for value, word in enumerate(_UNITS)}
NUMBERS |= {word: float(10 * value) for value, word in enumerate(_TENS, 2)}
NUMBERS |= {"dozen": 12.0, "hundred": 100.0, "thousand": 1000.0, "couple": 2.0, "pair": 2.0}
_COUNTS = {word: str(int(value)) for word, value in NUMBERS.items() if word in {*_UNITS, *_TENS}}

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


def plain(text: str) -> str:
    """The text with typographic quotes and compatibility forms made plain."""
    text = unicodedata.normalize("NFKC", text)
    return text.translate(str.maketrans("‘’‚‛“”„‟«»–—", '\'\'\'\'""""""--'))


def normalized(text: str) -> str:
    """Lower case, no punctuation but that inside numbers, no articles, number words as digits (VQA's normal form).

    Antol et al. 2015, and its evaluation code: github.com/GT-Vision-Lab/VQA.
    """
    text = plain(text).lower().replace("'", "")
    text = re.sub(r"(?<!\d)[.,:](?!\d)|(?<=\d)[.,:](?!\d)|(?<!\d)[.,:](?=\d)|[^\w\s.,:%-]|(?<!\w)-|-(?!\w)", " ", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return " ".join(_COUNTS.get(word, word) for word in text.split() if word not in _ARTICLES)


def words(text: str) -> list[str]:
    """Words in lower case, hyphens and inner apostrophes kept."""
    return re.findall(r"[a-z0-9]+(?:[-'][a-z0-9]+)*", plain(text).lower())


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


def number_of(word: str) -> float | None:
    """The number that a word is, in digits or in letters; else None."""
    if word in NUMBERS:
        return NUMBERS[word]
    tens, _, unit = word.partition("-")
    if tens in _TENS and unit in _UNITS[1:10]:
        return NUMBERS[tens] + NUMBERS[unit]
    try:
        return float(word.replace(",", "").rstrip("%"))
    except ValueError:
        return None


_NUMBER = re.compile(r"(?:(?<![\w.])[-+])?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?:(?<![\w.])[-+])?\d+(?:\.\d+)?|\.\d+")


def numbers_in(text: str) -> list[float]:
    """All numbers of a text in order, in digits or in letters."""
    found: list[float] = []
    for token in re.findall(rf"{_NUMBER.pattern}|[a-z]+(?:-[a-z]+)?", plain(text).lower()):
        value = number_of(token)
        if value is not None:
            found.append(value)
    return found
