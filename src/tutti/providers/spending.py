"""A limit on what may be spent, kept before anything is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tutti.errors import CapacityError


class Spending:
    """Money spent, and how much may be. Shared by models, requests and threads.

    Args:
        limit_usd: The most, in US dollars.
    """

    def __init__(self, limit_usd: float) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = 0.0
        """What finished requests have cost."""
        self._reserved = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def reserved(self, name: str, estimate_usd: float) -> Iterator[Callable[[float], None]]:
        """Set money aside for a request; what it cost in the end is told to the function that is yielded.

        A request that breaks off without telling its price is counted at the estimate, since it may have been charged.

        Raises:
            CapacityError: The limit would be passed.
        """
        with self._lock:
            free = self.limit_usd - self.spent_usd - self._reserved
            if estimate_usd > free:
                raise CapacityError(
                    f"The request to {name} would cost up to ${estimate_usd:.4f}; of the limit of "
                    f"${self.limit_usd:.4f} there is ${max(0.0, free):.4f} left: raise it, or ask for less."
                )
            self._reserved += estimate_usd
        cost = estimate_usd

        def spent(actual_usd: float) -> None:
            nonlocal cost
            cost = actual_usd

        try:
            yield spent
        finally:
            with self._lock:
                self._reserved -= estimate_usd
                self.spent_usd += cost
