"""How many tokens a medium becomes, by the rule that its provider publishes.

- tiles: OpenAI, guide "Images and vision", "Calculating costs": within 2048 x 2048, then the short side down to 768,
  then a base and so many tokens for each square of 512.
- patches: the same guide, for the other models: squares of 32, at most so many a side or in all where the model has
  such a limit (larger pictures are scaled down to a whole number of patches), times a factor.
- visual: Anthropic, guide "Vision": squares of 28, in the largest size of the same shape that keeps within a longest
  edge and a most of tokens ("How Claude resizes and pads images").
- crops: Google, guide "Understand and count tokens" and its cookbook: 258 for a picture of up to 384 x 384, else 258
  for each crop, of a side of two thirds of the short side between 256 and 768. Sound and video go by the second.
- fixed: Google, guide "Media resolution", for Gemini 3: the same for every picture, which is said there to be the most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tutti.errors import InputError


def tiles(width: int, height: int, *, base: int, tile: int, detail: str = "high") -> int:
    """OpenAI's tiles; a picture of low detail costs the base alone."""
    if detail == "low":
        return base
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    across, down = (math.ceil(round(side * scale, 6) / 512) for side in (width, height))
    return base + tile * across * down


def patches(width: int, height: int, *, multiplier: float, most: int | None = None, max_edge: int | None = None) -> int:
    """OpenAI's patches of 32 x 32; without limits, all that the picture has."""
    if max_edge is not None and max(width, height) > max_edge:
        scale = max_edge / max(width, height)
        width, height = round(width * scale), round(height * scale)
    if most is not None and math.ceil(width / 32) * math.ceil(height / 32) > most:
        scale = math.sqrt(32**2 * most / (width * height))
        # Shrunk further, so that the side that fits worse ends on a whole patch.
        scale *= min(math.floor(side * scale / 32) / (side * scale / 32) for side in (width, height))
        width, height = (math.floor(round(side * scale, 6)) for side in (width, height))
    return math.ceil(round(math.ceil(width / 32) * math.ceil(height / 32) * multiplier, 6))


def visual(width: int, height: int, *, max_edge: int, max_tokens: int) -> int:
    """Anthropic's visual tokens of 28 x 28 pixels."""
    long, short = max(width, height), min(width, height)
    for edge in range(min(long, max_edge), 0, -1):
        tokens = math.ceil(edge / 28) * math.ceil(max(1, round(short * edge / long)) / 28)
        if tokens <= max_tokens:
            return tokens
    raise ValueError(f"no size of {width} x {height} keeps within {max_tokens} tokens")


def crops(width: int, height: int, *, tokens: int) -> int:
    """Google's crops."""
    if max(width, height) <= 384:
        return tokens
    side = min(768, max(256, math.floor(min(width, height) / 1.5)))
    return tokens * math.ceil(width / side) * math.ceil(height / side)


def fixed(_width: int, _height: int, *, tokens: int) -> int:
    """Google's, where the size does not matter."""
    return tokens


RULES: Mapping[str, Callable[..., int]] = {
    "tiles": tiles,
    "patches": patches,
    "visual": visual,
    "crops": crops,
    "fixed": fixed,
}


def image_tokens(rule: Mapping[str, Any], width: int, height: int) -> int:
    """Tokens of a picture by a rule with its parameters.

    Args:
        rule: `rule` names one of `RULES`; the rest are its parameters.
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.

    Raises:
        InputError: There is no such rule, or its parameters are others.
    """
    parameters = {key: value for key, value in rule.items() if key != "rule"}
    try:
        return RULES[rule["rule"]](width, height, **parameters)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"The rule {dict(rule)!r} is not known; expected one of {', '.join(RULES)}.") from None


_CHARACTERS, _BYTES = 4, 3
"""Of a token of text: what OpenAI and Google say of English; and fewer, so that other scripts are not undercounted."""


def text_tokens(text: str) -> int:
    """About so many tokens, for a price before a request is sent."""
    return math.ceil(len(text) / _CHARACTERS)


def reserved_tokens(texts: Iterable[str]) -> int:
    """Tokens to reserve for texts that no tokenizer has seen yet: for admission, rather too many than too few."""
    return sum(1 + len(text.encode(errors="replace")) // _BYTES for text in texts)
