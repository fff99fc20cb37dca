"""Several low-rank changes beside one linear layer; each row of a batch goes through one of them, or through none.

The product with the layer's own weights, of codes or not, is one for all rows; only the narrow products beside it go by
adapter. Source: Hu et al. 2021 (LoRA), section 4.1; many adapters in one batch: Chen et al. 2023 (Punica), section 4,
and Sheng et al. 2023 (S-LoRA), section 5. We differ in: few rows go through all adapters side by side, as one product
whose parts that are another's are set to zero, and many rows through their own, stretch by stretch; compiled steps
(`decode_step`) take each row through its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

NO_ADAPTER = -1
"""The number of what goes through the model as it is."""
_SIDE_BY_SIDE = 16384
"""Rows by ranks of all adapters up to which one product of all takes less time than one of each."""


class AdapterRun(NamedTuple):
    """Neighbouring rows of one adapter."""

    adapter: int
    start: int
    stop: int


class AdapterRows:
    """Which adapter each row of a step goes through: one object for all layers of a model.

    Outside of `through` and `all_through`, rows go through none. Only one thread may be within them at a time.

    Args:
        every: An adapter that all rows go through instead, always.
    """

    def __init__(self, every: int | None = None) -> None:
        self._every = every
        self._numbers: tuple[int, ...] = ()
        self._asked: tuple[int, ...] = ()
        self._stretches: dict[int, list[AdapterRun]] = {}
        self._foreign: dict[object, Tensor] = {}

    @contextmanager
    def through(self, numbers: Sequence[int], asked: Sequence[int] | None = None) -> Iterator[None]:
        """Let rows go through adapters while the block runs.

        Args:
            numbers: Of each of the step's rows. Rows of one adapter should lie side by side.
            asked: Of those rows with which the last block goes on alone; None if there are none.
        """
        self._numbers, self._asked = tuple(numbers), tuple(asked or ())
        self._stretches = {len(some): _stretches(some) for some in (self._asked, self._numbers)}
        try:
            yield
        finally:
            self._numbers, self._asked, self._stretches, self._foreign = (), (), {}, {}

    @contextmanager
    def all_through(self, number: int) -> Iterator[None]:
        """Let all rows, however many, go through one adapter while the block runs."""
        before, self._every = self._every, number
        try:
            yield
        finally:
            self._every = before

    def stretches(self, rows: int) -> list[AdapterRun]:
        """Rows of each adapter, in order; those of none are left out.

        Raises:
            RuntimeError: There are neither as many rows in the step, nor as many that are asked for.
        """
        if self._every is not None:
            return [] if self._every == NO_ADAPTER else [AdapterRun(self._every, 0, rows)]
        if not self._numbers:
            return []
        if rows not in self._stretches:
            raise RuntimeError(f"a layer met {rows} rows in a step of {len(self._numbers)}")
        return self._stretches[rows]

    def numbers(self, rows: int) -> Tensor | None:
        """Each row's adapter, (rows,) int64, for compiled steps; None if no row has one."""
        found = self.stretches(rows)
        if not found:
            return None
        numbers = torch.full((rows,), NO_ADAPTER, dtype=torch.int64, device="cpu")
        for one in found:
            numbers[one.start : one.stop] = one.adapter
        return numbers

    def foreign(self, rows: int, ranks: tuple[int, ...], device: torch.device) -> Tensor:
        """Where a row meets what is not of its adapter, (rows, R) bool; `ranks` are the ends of each adapter's in R."""
        key = (rows, ranks, device)
        if key not in self._foreign:
            found = torch.ones(rows, ranks[-1], dtype=torch.bool, device=device)
            for one in self.stretches(rows):
                found[one.start : one.stop, ranks[one.adapter] : ranks[one.adapter + 1]] = False
            self._foreign[key] = found
        return self._foreign[key]


class LowRank(NamedTuple):
    """What one adapter adds to a layer: `up` of `down` of the input. In the precision in which it is computed."""

    down: Tensor
    """(R, K), the adapter's scale in it."""
    up: Tensor
    """(N, R)."""


class AdaptedLinear(nn.Module):
    """A linear layer with the changes of several adapters beside it; for inference.

    Args:
        base_layer: Any module that maps (…, K) to (…, N), quantized ones included.
        changes: What each adapter adds, by its number; None where it leaves the layer alone.
        rows: Says which row goes through which; the same for all layers of a model.
    """

    def __init__(self, base_layer: nn.Module, changes: Sequence[LowRank | None], rows: AdapterRows) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.rows = rows
        there = [change for change in changes if change is not None]
        self.register_buffer("down", torch.cat([one.down for one in there]), persistent=False)
        self.register_buffer("up", torch.cat([one.up.T for one in there]).contiguous(), persistent=False)
        self.down: Tensor
        """(R of all, K)."""
        self.up: Tensor
        """(R of all, N)."""
        ends = [0]
        for change in changes:
            ends.append(ends[-1] + (0 if change is None else len(change.down)))
        self.ranks = tuple(ends)
        """Ends of each adapter's rows in both, 0 first."""

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (…, K) → (…, N)."""
        return self.beside(x, self.base_layer(x))

    def beside(self, x: Tensor, base: Tensor) -> Tensor:
        """Add to what the layer itself makes of an input, in place. Shapes: x (…, K), base (…, N) → the same."""
        rows = x.reshape(-1, x.shape[-1])
        stretches = self.rows.stretches(len(rows))
        if not stretches:
            return base
        out = base.view(-1, base.shape[-1])
        rows = rows.to(self.down.dtype)
        if len(stretches) > 1 and len(rows) * self.ranks[-1] <= _SIDE_BY_SIDE:
            inner = (rows @ self.down.T).masked_fill_(self.rows.foreign(len(rows), self.ranks, rows.device), 0)
            _add(out, inner, self.up)
            return base
        for adapter, start, stop in stretches:
            first, last = self.ranks[adapter : adapter + 2]
            if first < last:
                _add(out[start:stop], rows[start:stop] @ self.down[first:last].T, self.up[first:last])
        return base

    def extra_repr(self) -> str:
        """What `print(model)` shows."""
        return f"ranks {', '.join(str(stop - start) for start, stop in pairwise(self.ranks))}"


def adapter_rows(model: object) -> AdapterRows | None:
    """What says which rows go through which adapter; None of a model without several adapters."""
    if not isinstance(model, nn.Module):
        return None
    return next((layer.rows for layer in model.modules() if isinstance(layer, AdaptedLinear)), None)


def _add(out: Tensor, inner: Tensor, up: Tensor) -> None:
    """Add inner (M, R) by up (R, N) to out (M, N); an adapter stays in float32 beside 16 bits."""
    if out.dtype == up.dtype:
        out.addmm_(inner, up)
    else:
        out.add_((inner @ up).to(out.dtype))


def _stretches(numbers: Sequence[int]) -> list[AdapterRun]:
    found: list[AdapterRun] = []
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[start]:
            if numbers[start] != NO_ADAPTER:
                found.append(AdapterRun(numbers[start], start, place))
            start = place
    return found
