"""Roughly how many tokens a request takes: for admission only, before a tokenizer has seen it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tutti.content import SamplingOptions

_BYTES_A_TOKEN = 3
"""Of text."""


def text_tokens(texts: Iterable[str]) -> int:
    """Roughly how many tokens texts take."""
    return sum(1 + len(text.encode(errors="replace")) // _BYTES_A_TOKEN for text in texts)


def tool_tokens(options: SamplingOptions) -> int:
    """Roughly how many tokens the descriptions of tools take."""
    return text_tokens(json.dumps(tool.to_function()) for tool in options.offered)
