"""Decoding ahead: items are made by a thread of their own while those before them are used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Full, Queue
from typing import TypeVar

NextItem = TypeVar("NextItem")


def ahead(items: Iterator[NextItem], most: int = 64) -> Iterator[NextItem]:
    """The same items, made by a thread that runs ahead by at most so many. Closing it ends the thread.

    Errors of the items are raised where they are taken.
    """
    queue: Queue[tuple[NextItem] | BaseException | None] = Queue(maxsize=most)
    closed = threading.Event()

    def put(item: tuple[NextItem] | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                queue.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        closed.set()
