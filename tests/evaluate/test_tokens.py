"""Rules of tokens, on the worked examples that the providers publish."""

from __future__ import annotations

import pytest

from tutti.errors import InputError
from tutti.evaluate.tokens import area, crops, image_tokens, patches, text_tokens, tiles


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
    """The same guide's examples, before the model's factor."""
    assert patches(width, height, multiplier=1.0) == tokens


def test_openai_patches_never_pass_their_most() -> None:
    assert all(patches(w, h, multiplier=1.0) <= 1536 for w in range(100, 9000, 611) for h in range(100, 9000, 577))


@pytest.mark.parametrize(
    ("width", "height", "tokens"), [(200, 200, 54), (1000, 1000, 1334), (1092, 1092, 1590), (4000, 3000, 1600)]
)
def test_anthropic_area(width: int, height: int, tokens: int) -> None:
    """Guide "Vision", its table of sizes; the last is a picture that is scaled down to the most."""
    assert area(width, height, pixels=750, max_edge=1568, max_tokens=1600) == tokens


@pytest.mark.parametrize(("width", "height", "tokens"), [(384, 384, 258), (960, 540, 1548), (385, 100, 516)])
def test_google_crops(width: int, height: int, tokens: int) -> None:
    """Guide "Understand and count tokens": one tile up to 384; its example of 960 x 540 is six crops of 360."""
    assert crops(width, height, tokens=258) == tokens


def test_rules_by_name() -> None:
    assert image_tokens({"rule": "tiles", "base": 85, "tile": 170}, 1024, 1024) == 765
    for rule in ({"rule": "magic"}, {}, {"rule": "tiles", "base": 85}, {"rule": "crops", "tokens": 1, "more": 2}):
        with pytest.raises(InputError, match="is not known; expected one of tiles, patches, area, crops"):
            image_tokens(rule, 10, 10)
    assert text_tokens("12345") == 2
