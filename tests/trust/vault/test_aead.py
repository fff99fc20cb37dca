"""XAES-256-GCM by the test vectors of its specification, and nonces that never come twice."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutti.trust.vault import aead

NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


def test_the_vectors_of_the_specification() -> None:
    found = aead.encrypted(b"\x01" * 32, NONCE, b"XAES-256-GCM", b"")
    assert found.hex() == "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
    found = aead.encrypted(b"\x03" * 32, NONCE, b"XAES-256-GCM", b"c2sp.org/XAES-256-GCM")
    assert found.hex() == "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=400), associated=st.binary(max_size=40), data=st.data())
def test_what_was_changed_cut_or_moved_does_not_open(content: bytes, associated: bytes, data: st.DataObject) -> None:
    key = aead.random_key()
    blob = aead.sealed(key, content, associated)
    assert aead.opened(key, blob, associated) == content
    place = data.draw(st.integers(0, len(blob) - 1))
    flipped = blob[:place] + bytes([blob[place] ^ 1 << data.draw(st.integers(0, 7))]) + blob[place + 1 :]
    wrong = [(key, flipped, associated), (key, blob[:place], associated), (key, blob + b"\0", associated)]
    wrong += [(key, blob, associated + b"x"), (aead.random_key(), blob, associated)]
    for one, sealed, about in wrong:
        with pytest.raises(ValueError):  # noqa: PT011 - it says no more, so that it tells an attacker nothing
            aead.opened(one, sealed, about)


def _nonces(count: int) -> list[bytes]:
    return [aead.sealed(b"k" * 32, b"", b"")[:24] for _ in range(count)]


def test_nonces_never_come_twice_over_threads_forks_and_restarts() -> None:
    """A fork has the memory of its parent, so that a counter or a generator kept there would repeat itself."""
    seen = _nonces(2000)
    fork = multiprocessing.get_context("fork")
    with fork.Pool(4) as pool:
        for some in pool.map(_nonces, [500] * 8):
            seen += some
    code = "from tutti.trust.vault import aead; print(*(aead.sealed(b'k'*32, b'', b'')[:24].hex() for _ in range(500)))"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seen += [bytes.fromhex(word) for word in done.stdout.split()]
    assert len(set(seen)) == len(seen) == 7000
    # Both halves are random: neither the derived key's part nor the nonce's own repeats.
    assert len({one[:12] for one in seen}) == len({one[12:] for one in seen}) == len(seen)
