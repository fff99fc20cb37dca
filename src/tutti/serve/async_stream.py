"""From blocking iterators on threads to one asynchronous iterator, with back-pressure and cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

T = TypeVar("T")
_AHEAD = 64
"""Events that a thread may be ahead of its reader."""


class Stream(Generic[T]):
    """Several blocking iterators, each on a thread of its own, as one asynchronous iterator of (number, item).

    Any thread that waits for its next token runs the engine's next step, so there is no coordinating thread. A thread
    whose reader is slow blocks; the engine continues for the others. Leaving the iterator early closes all iterators:
    each thread closes its own after the item that it is waiting for.

    Args:
        executor: Where the threads are.
        starts: Each makes an iterator, on the thread.
    """

    def __init__(self, executor: Executor, starts: Sequence[Callable[[], Iterator[T]]]) -> None:
        self._executor, self._starts = executor, starts
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[tuple[int, T | Exception | None]] = asyncio.Queue()
        self._room = [threading.Semaphore(_AHEAD) for _ in starts]
        self._closed = threading.Event()

    async def events(self) -> AsyncGenerator[tuple[int, T], None]:
        """Items as they come.

        Raises:
            Exception: Whatever an iterator raised; the others are closed then.
        """
        futures = [self._executor.submit(self._run, number) for number in range(len(self._starts))]
        left = len(futures)
        try:
            while left:
                number, item = await self._arrived.get()
                self._room[number].release()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    left -= 1
                else:
                    yield number, item
        finally:
            self._closed.set()
            for room, future in zip(self._room, futures, strict=True):
                room.release()
                future.cancel()

    def _run(self, number: int) -> None:
        try:
            items = self._starts[number]()
            try:
                for item in items:
                    self._room[number].acquire()
                    if self._closed.is_set():
                        return
                    self._post(number, item)
            finally:
                close = getattr(items, "close", None)
                if close is not None:
                    close()
        except Exception as error:  # noqa: BLE001 - the reader handles it
            self._post(number, error)
        else:
            self._post(number, None)

    def _post(self, number: int, item: T | Exception | None) -> None:
        if not self._closed.is_set():
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, (number, item))
