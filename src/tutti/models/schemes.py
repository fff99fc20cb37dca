"""Which weights become int8 or int4, and what they take: known without torch, so that a folder can tell it unread.

The policy: a model's decoder is most of its weights and most of its time, so its linear layers take the precision asked
for. The projection onto the vocabulary takes int8 at least. What makes features from media (trunks, connectors, heads,
tables, norms) is kept, since its errors would reach every token; with "+trunks" the blocks of trunks take int8, too,
and with "+trunks4" the layers of their MLPs take int4.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tutti.errors import InputError

Scheme = Literal["int8", "int4"]

GROUPS = (128, 64, 32)
"""Columns that share a grid of int4 values; the largest that divides K is used."""
ROW_BLOCK = 64
"""The int4 kernel takes N in steps of this."""
CHOICES = ("int8", "int4", "int8+trunks", "int4+trunks", "int4+trunks4")
"""What `quantize` may be."""

_BLOCK = re.compile(r"\.\d+\.")


@dataclass(frozen=True)
class Policy:
    """Which layers take which precision."""

    decoder: Scheme
    """The linear layers of the decoder's blocks."""
    trunks: Scheme | None = None
    """The linear layers of all other blocks: all in int8, or in int4 those that widen or narrow (MLPs)."""

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read what a user asks for.

        Raises:
            InputError: It is not one of `CHOICES`.
        """
        for scheme in ("int8", "int4"):
            if text in (scheme, f"{scheme}+trunks"):
                return cls(scheme, None if text == scheme else "int8")
        if text == "int4+trunks4":
            return cls("int4", "int4")
        raise InputError(f"quantize is {text!r}; expected one of {', '.join(CHOICES)}.")

    def scheme(self, layer: str, shape: Sequence[int], blocks: Sequence[str], outputs: Sequence[str]) -> Scheme | None:
        """The precision of a linear layer; None keeps it.

        Args:
            layer: Its name.
            shape: (N, K).
            blocks: Names under which the decoder's blocks are.
            outputs: Names of projections onto the vocabulary.
        """
        if layer in outputs:
            return "int8"
        fits = shape[0] % ROW_BLOCK == 0 and shape[1] % GROUPS[-1] == 0
        if any(layer.startswith(f"{block}.") for block in blocks):
            return self.decoder if fits else "int8"
        if self.trunks is None or not _BLOCK.search(layer):
            return None
        return self.trunks if fits and shape[0] != shape[1] else "int8"


def group_size(width: int) -> int:
    """Columns a group of int4 codes has in a matrix of so many."""
    return next(group for group in GROUPS if width % group == 0)


def stored_shapes(scheme: Scheme, rows: int, width: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """What a folder keeps of a matrix (N, K), behind the name of its layer: shapes and safetensors types."""
    if scheme == "int8":
        return {"weight": ((rows, width), "I8"), "weight_scale": ((rows,), "F32")}
    groups = (rows, width // group_size(width))
    return {
        "weight": ((rows, width // 2), "U8"),
        "weight_scale": ((rows,), "F32"),
        "weight_step": (groups, "U8"),
        "weight_offset": (groups, "I8"),
    }


def bytes_in_memory(scheme: Scheme, shape: Sequence[int]) -> int:
    """What a matrix (N, K) takes when it is loaded: codes, and the scales and grids of its kernel."""
    values, rows = math.prod(shape), shape[0]
    return values + 8 * rows if scheme == "int8" else values // 2 + 4 * values // group_size(shape[1]) + 4 * rows
