"""Rules of tokens, on the worked examples that the providers publish."""

from __future__ import annotations

import pytest

from tutti.errors import InputError
from tutti.pricing.tokens import crops, fixed, image_tokens, patches, text_tokens, tiles, visual


@pytest.mark.parametrize(
    ("width", "height", "detail", "tokens"),
    [(1024, 1024, "high", 765), (2048, 4096, "high", 1105), (4096, 8192, "low", 85), (128, 64, "high", 255)],
)
def test_openai_tiles(width: int, height: int, detail: str, tokens: int) -> None:
    """Guide "Images and vision", "Calculating costs"; the last as OpenAI's community measured (267 with 12 of text).

    The community's table has 8,512 for gpt-4o-mini, again with 12 of text: 2,833 + 5,667.
    """
    assert tiles(width, height, base=85, tile=170, detail=detail) == tokens
    if detail == "high" and width == 128:
        assert tiles(width, height, base=2833, tile=5667) == 8500


@pytest.mark.parametrize(("width", "height", "tokens"), [(1024, 1024, 1024), (1800, 2400, 1452)])
def test_openai_patches(width: int, height: int, tokens: int) -> None:
    """The guide's examples of 2025, before the model's factor, with the limit of that time."""
    assert patches(width, height, multiplier=1.0, most=1536) == tokens


@pytest.mark.parametrize(("side", "tokens"), [(1024, 1229), (2048, 3000)])
def test_openai_patches_within_two_limits(side: int, tokens: int) -> None:
    """The guide's examples of 2026: gpt-5.4 at high detail, 2,048 pixels a side, 2,500 patches, times 1.2."""
    assert patches(side, side, multiplier=1.2, most=2500, max_edge=2048) == tokens


def test_openai_patches_without_a_limit() -> None:
    """The provider's calculator page: 6000 x 6000 is 35,344 patches at gpt-6-astra, and 2,500 at high detail."""
    assert patches(6000, 6000, multiplier=1.0) == 35_344
    assert patches(6000, 6000, multiplier=1.0, most=2500, max_edge=2048) == 2500


def test_openai_patches_never_pass_their_most() -> None:
    sizes = [(w, h) for w in range(100, 9000, 611) for h in range(100, 9000, 577)]
    assert all(patches(w, h, multiplier=1.0, most=1536) <= 1536 for w, h in sizes)


@pytest.mark.parametrize(
    ("width", "height", "standard", "high"),
    [
        (200, 200, 64, 64),
        (1000, 1000, 1296, 1296),
        (1092, 1092, 1521, 1521),
        (1920, 1080, 1560, 2691),
        (2000, 1500, 1564, 3888),
        (3840, 2160, 1560, 4784),
        (1075, 1520, 33 * 47, 39 * 55),  # as 924 x 1307 on the standard tier
    ],
)
def test_anthropic_visual_tokens(width: int, height: int, standard: int, high: int) -> None:
    """Guide "Vision", its table of sizes on both tiers; the last is the example of "Coordinates and bounding boxes"."""
    assert visual(width, height, max_edge=1568, max_tokens=1568) == standard
    assert visual(width, height, max_edge=2576, max_tokens=4784) == high
    assert visual(height, width, max_edge=1568, max_tokens=1568) == standard


@pytest.mark.parametrize(("width", "height", "tokens"), [(384, 384, 258), (960, 540, 1548), (385, 100, 516)])
def test_google_crops(width: int, height: int, tokens: int) -> None:
    """Guide "Understand and count tokens": one tile up to 384; its example of 960 x 540 is six crops of 360."""
    assert crops(width, height, tokens=258) == tokens


def test_gemini_3_counts_every_picture_alike() -> None:
    """Guide "Media resolution", its table of Gemini 3 models."""
    assert fixed(100, 4000, tokens=1120) == 1120


def test_rules_by_name() -> None:
    assert image_tokens({"rule": "tiles", "base": 85, "tile": 170}, 1024, 1024) == 765
    for rule in ({"rule": "magic"}, {}, {"rule": "tiles", "base": 85}, {"rule": "crops", "tokens": 1, "more": 2}):
        with pytest.raises(InputError, match="is not known; expected one of tiles, patches, visual, crops, fixed"):
            image_tokens(rule, 10, 10)
    assert text_tokens("12345") == 2
