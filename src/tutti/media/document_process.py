"""Where documents are decoded: in a process of their own, whoever asks."""

from __future__ import annotations

import atexit
import importlib.util
import threading

from tutti.errors import MissingExtra
from tutti.media.decoder import InProcess, MediaDecoder
from tutti.media.sandbox import Workers

_lock = threading.Lock()
_workers: list[Workers] = []


def document_decoder(decoder: MediaDecoder) -> MediaDecoder:
    """A decoder if it works in processes of its own; otherwise one that does, within the same limits.

    Raises:
        MissingExtra: The reader of documents is not installed.
    """
    if importlib.util.find_spec("pypdfium2") is None:
        raise MissingExtra("Reading PDF documents", "documents")
    if not isinstance(decoder, InProcess):
        return decoder
    with _lock:
        if not _workers:
            _workers.append(Workers(count=1))
            atexit.register(_workers[0].close)
        return _workers[0].decoder(decoder.limits)
