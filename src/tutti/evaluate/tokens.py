"""How many tokens a medium becomes, by the rule that its provider publishes.

- tiles: OpenAI, guide "Images and vision", "Calculating costs": within 2048 x 2048, then the short side down to 768,
  then a base and so many tokens for each square of 512.
- patches: the same guide, for the small models: squares of 32, at most 1536 of them (larger pictures are scaled down to
  a whole number of patches), times a factor.
- area: Anthropic, guide "Vision": width x height / 750 after scaling down to a longest edge and a most of tokens.
- crops: Google, guide "Understand and count tokens" and its cookbook: 258 for a picture of up to 384 x 384, else 258
  for each crop, of a side of two thirds of the short side between 256 and 768. Sound and video go by the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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


def patches(width: int, height: int, *, multiplier: float, most: int = 1536) -> int:
    """OpenAI's patches of 32 x 32."""
    if math.ceil(width / 32) * math.ceil(height / 32) > most:
        scale = math.sqrt(32**2 * most / (width * height))
        # Shrunk further, so that the side that fits worse ends on a whole patch.
        scale *= min(math.floor(side * scale / 32) / (side * scale / 32) for side in (width, height))
        width, height = round(width * scale), round(height * scale)
    return math.ceil(math.ceil(width / 32) * math.ceil(height / 32) * multiplier)


def area(width: int, height: int, *, pixels: int, max_edge: int, max_tokens: int) -> int:
    """Anthropic's pixels a token."""
    scale = min(1.0, max_edge / max(width, height), math.sqrt(max_tokens * pixels / (width * height)))
    return min(max_tokens, math.ceil(round(width * scale * height * scale / pixels, 6)))


def crops(width: int, height: int, *, tokens: int) -> int:
    """Google's crops."""
    if max(width, height) <= 384:
        return tokens
    side = min(768, max(256, math.floor(min(width, height) / 1.5)))
    return tokens * math.ceil(width / side) * math.ceil(height / side)


RULES: Mapping[str, Callable[..., int]] = {"tiles": tiles, "patches": patches, "area": area, "crops": crops}


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
    except (KeyError, TypeError):
        raise InputError(f"The rule {dict(rule)!r} is not known; expected one of {', '.join(RULES)}.") from None


def text_tokens(text: str) -> int:
    """About so many tokens: four characters each, as OpenAI and Google say of English. The only estimate in here."""
    return math.ceil(len(text) / 4)
