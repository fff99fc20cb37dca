"""Numbers in a text: in digits of any script, with signs, groups and exponents, and in English words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_UNITS += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL = {word: float(value) for value, word in enumerate(_UNITS)}
_SMALL |= {word: float(10 * value) for value, word in enumerate(_TENS, 2)}
_SMALL |= {f"{ten}-{unit}": _SMALL[ten] + _SMALL[unit] for ten in _TENS for unit in _UNITS[1:10]}
_HUNDRED, _AND = {"hundred"}, {"and"}
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
COLLECTIVES = {"dozen": 12.0, "couple": 2.0, "pair": 2.0}
"""Words for so many of a thing; "two dozen" is 24."""

_WHOLE = r"\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)|\d{1,3}(?:'\d{3})+(?!\d)|\d+"
_EXPONENT = r"(?:e[-+]?\d+(?!\w)|\s?[x×*]\s?10\^[-+]?\d+)"
NUMBER = rf"(?:(?<![\w.%)])[-+])?(?:(?:{_WHOLE})(?:\.\d+)?|\.\d+){_EXPONENT}?"
"""A number in digits, as a regular expression over plain text in lower case."""
_NUMBER = re.compile(NUMBER)
_TOKEN = re.compile(
    rf"(?P<power>\b10\^[-+]?\d+)|(?P<raised>\^[-+]?\d+)|(?P<number>{NUMBER})|(?P<word>[^\W\d_]+(?:-[^\W\d_]+)*)"
)


class _Run(NamedTuple):
    """Words that together are one number."""

    value: float
    end: int
    """Index of the word behind them."""


def number_of(text: str) -> float | None:
    """The number that a text in lower case is, in digits or in words ("two hundred"); None if it is none."""
    if _NUMBER.fullmatch(text.removesuffix("%")):
        return _of_digits(text.removesuffix("%"))
    tokens = text.split()
    run = _run(tokens, 0)
    return run.value if run is not None and run.end == len(tokens) else None


def numbers(text: str) -> Iterator[float]:
    """All numbers of a plain text in lower case, in order."""
    tokens: list[str] = []
    for found in _TOKEN.finditer(text):
        if found["power"]:
            tokens.append(f"1e{found['power'][3:]}")
        elif not found["raised"]:
            tokens.append(found[0])
    place = 0
    while place < len(tokens):
        run = _run(tokens, place)
        if run is not None:
            yield -run.value if place and tokens[place - 1] in ("minus", "negative") else run.value
        place = run.end if run is not None else place + 1


def in_digits(words: Sequence[str]) -> list[str]:
    """The words with each number among them in digits, where it is spelled; collectives ("a dozen") stay."""
    written: list[str] = []
    place = 0
    while place < len(words):
        run = _run(words, place, collectives=False)
        if run is None or (run.end == place + 1 and words[place][0].isdigit()):
            written.append(words[place])
            place += 1
            continue
        written.append(str(int(run.value)) if run.value.is_integer() else f"{run.value:.10g}")
        place = run.end
    return written


def number_runs(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each token starts and ends, of which those that together are one number are one: the end is excluded."""
    place = 0
    while place < len(tokens):
        run = _run(tokens, place, collectives=False)
        end = run.end if run is not None else place + 1
        yield place, end
        place = end


def _of_digits(text: str) -> float | None:
    mantissa, _, exponent = re.sub(r"\s?[x×*]\s?10\^", "e", text).partition("e")
    try:
        value = float(re.sub(r"[,' ]", "", mantissa) + (f"e{exponent}" if exponent else ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _value(token: str) -> float | None:
    if token in _SMALL:
        return _SMALL[token]
    return _of_digits(token.removesuffix("%")) if _NUMBER.fullmatch(token.removesuffix("%")) else None


def _run(tokens: Sequence[str], start: int, *, collectives: bool = True) -> _Run | None:
    """The number that begins at a token, as long as it gets."""
    total, group, below, place = 0.0, None, math.inf, start
    room = math.inf
    """What is added next must be smaller: 10 after "twenty", 100 after "hundred", 1 where nothing may follow."""
    while place < len(tokens):
        token = tokens[place]
        value = _value(token)
        if value is not None:
            spelled = token in _SMALL
            if group is not None and not (spelled and 0 < value < room):
                break
            if group is None and total and not (spelled and value < below):
                break
            group = (group or 0.0) + value
            room = 10 if spelled and value >= 20 and not value % 10 else 1
        elif token in _HUNDRED and (group is None or 0 < group < 100) and room != 100:
            group, room = (1.0 if group is None else group) * 100, 100
        elif token in _SCALES and _SCALES[token] < below and (group is not None or not total):
            below = _SCALES[token]
            total, group, room = total + (1.0 if group is None else group) * below, None, math.inf
        elif token in _AND and _goes_on(tokens, place, total, room):
            pass
        else:
            break
        place += 1
    if place == start:
        return _Run(COLLECTIVES[tokens[start]], start + 1) if collectives and tokens[start] in COLLECTIVES else None
    return _with_tail(tokens, _Run(total + (group or 0.0), place), collectives)


def _goes_on(tokens: Sequence[str], place: int, total: float, room: float) -> bool:
    """Whether an "and" is part of a number: "one hundred and five", but not "two and five"."""
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    return (room == 100 or (total > 0 and room == math.inf)) and 0 < _SMALL.get(after, 0.0) < 100


def _with_tail(tokens: Sequence[str], run: _Run, collectives: bool) -> _Run:
    """A number with the tenths, the half or the dozen that follows it."""
    rest = list(tokens[run.end : run.end + 3])
    if rest[:1] == ["point"] and len(rest) > 1 and _SMALL.get(rest[1], 10.0) < 10:
        end, decimals = run.end + 1, ""
        while end < len(tokens) and _SMALL.get(tokens[end], 10.0) < 10:
            decimals += str(int(_SMALL[tokens[end]]))
            end += 1
        return _Run(run.value + float(f"0.{decimals}"), end)
    if rest == ["and", "a", "half"]:
        return _Run(run.value + 0.5, run.end + 3)
    if collectives and rest[:1] == ["dozen"]:
        return _Run(run.value * 12, run.end + 1)
    return run
