"""A place without a network: what runs in it reaches this machine's own loopback, and which names it looks up is kept.

    unshare --map-root-user --net --mount --propagation private python -m ...

gives a process network and mounts of its own (Linux); `entered` brings its loopback up and answers its look-ups.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ALONE = ("unshare", "--map-root-user", "--net", "--mount", "--propagation", "private")
"""What a command is run by."""
_FAILED = b"\x81\x82"
"""Flags of an answer that there is no answer (RFC 1035, 4.1.1: SERVFAIL), as where no network is."""
_HEADER = 12


def name_of(query: bytes) -> str:
    """The name that a DNS query asks for (RFC 1035, 4.1.2).

    Raises:
        IndexError: It is cut off.
    """
    labels, at = [], _HEADER
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    return ".".join(labels)


def refusal(query: bytes) -> bytes:
    """The answer that there is none."""
    end = query.index(0, _HEADER) + 5
    return query[:2] + _FAILED + query[4:6] + bytes(6) + query[_HEADER:end]


@contextlib.contextmanager
def entered(folder: Path) -> Iterator[Counter[str]]:
    """The names that are looked up, with their number of look-ups, as long as this lasts. Only in such a place.

    Args:
        folder: Where a resolver's settings may be written.
    """
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    settings = folder / "resolv.conf"
    settings.write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", str(settings), "/etc/resolv.conf"], check=True)
    asked: Counter[str] = Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 53))

        def answer() -> None:
            while True:
                query, sender = line.recvfrom(4096)
                with contextlib.suppress(IndexError, ValueError):
                    asked[name_of(query)] += 1
                    line.sendto(refusal(query), sender)

        threading.Thread(target=answer, daemon=True).start()
        yield asked
