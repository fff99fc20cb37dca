"""Each checkpoint that docs/families.md names is a case of the published configurations, and each case is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints.published import DECODERS, PUBLISHED
from tests.models.test_clip import PUBLISHED as CLIPS
from tests.models.test_published_speech import WAV2VEC2S, WHISPERS
from tests.parity.test_idefics_parity import SHAPES as IDEFICS
from tests.parity.test_mllama_parity import SHAPES as MLLAMAS
from tutti.checkpoints.families import FAMILIES, find_family
from tutti.models.imagebind.config import huge

PAGE = (Path(__file__).parents[2] / "docs/families.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`\w+`.*?) \| (.*?) \| (.*?) \|$", PAGE.partition("| family |")[2], re.MULTILINE)
TABLES: tuple[dict[str, Any], ...] = (CLIPS, PUBLISHED, MLLAMAS, IDEFICS, WHISPERS, WAV2VEC2S, DECODERS)
CASES: dict[str, dict[str, Any]] = {name: case[0] for table in TABLES for name, case in table.items()}
CASES["imagebind_huge"] = huge()


def spelled_out(text: str) -> Iterator[str]:
    """`a{b,c}` as `ab` and `ac`, from left to right."""
    if found := re.search(r"\{([^{}]*)\}", text):
        for one in found[1].split(","):
            yield from spelled_out(text[: found.start()] + one + text[found.end() :])
    else:
        yield text


def ids(row: tuple[str, str, str]) -> list[str]:
    """The checkpoints of a row; commas within braces part no checkpoints."""
    named = row[1].removesuffix(", through `tutti convert`")
    return [name for part in re.split(r", (?![^{}]*\})", named) for name in spelled_out(part)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_is_named_is_covered(row: tuple[str, str, str]) -> None:
    families = re.findall(r"`(\w+)`", row[0])
    seen = set()
    for name in ids(row):
        values = CASES[name]
        find_family(values).config(values)
        seen.add(values["model_type"])
    assert seen == set(families)


def test_every_case_and_family_is_named() -> None:
    assert {name for row in ROWS for name in ids(row)} == set(CASES)
    assert {name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])} == FAMILIES.keys() - {"tutti_omni"}
