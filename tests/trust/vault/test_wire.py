"""Media sealed to a server: opened once, whole, in their request, and by that server alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutti.content import data_url_bytes
from tutti.errors import InputError
from tutti.trust.vault import wire
from tutti.trust.vault.wire import MediaRecipient, MediaSender, SealedHead


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recipient(clock: Clock) -> MediaRecipient:
    return MediaRecipient(bytes(range(32)), clock)


def sealed(recipient: MediaRecipient, clock: Clock, *media: bytes) -> list[bytes]:
    return [data_url_bytes(url) for url in MediaSender(recipient.public, clock).sealed(media)]


def test_what_is_sealed_opens_once(recipient: MediaRecipient, clock: Clock) -> None:
    one, two = sealed(recipient, clock, b"first", b"second")
    assert b"first" not in one
    (head, content), (other, _) = recipient.open(one), recipient.open(two)
    assert (content, head.place, head.total, other.place) == (b"first", 0, 2, 1)
    assert head.request == other.request
    with pytest.raises(InputError, match="was sent before; a request is accepted once"):
        recipient.open(one)


def test_every_cut_and_every_changed_byte_is_refused(recipient: MediaRecipient, clock: Clock) -> None:
    (blob,) = sealed(recipient, clock, b"content")
    for kept in range(len(blob)):
        with pytest.raises(InputError):
            recipient.open(blob[:kept])
    for place in range(len(blob)):
        with pytest.raises(InputError):
            recipient.open(blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :])
    with pytest.raises(InputError, match="was changed or cut"):
        recipient.open(blob[:45] + bytes(32) + blob[77:])  # a public key with which all secrets are zero
    assert recipient.open(blob)[1] == b"content"  # what was refused has not used it up


def test_what_is_old_or_of_before_the_start_is_refused(recipient: MediaRecipient, clock: Clock) -> None:
    (old,), (late,) = sealed(recipient, clock, b"x"), sealed(recipient, clock, b"y")
    clock.now += wire.WINDOW_S - 1
    assert recipient.open(late)[1] == b"y"
    again = MediaRecipient(recipient.private, clock)  # started anew with the same key, it remembers nothing
    with pytest.raises(InputError, match="before this server started"):
        again.open(late)
    clock.now += 2
    with pytest.raises(InputError, match="was made 301 s ago"):
        recipient.open(old)
    # What is remembered is remembered longer than it would be accepted.
    clock.now += 3 * wire.WINDOW_S
    with pytest.raises(InputError, match="was made"):
        recipient.open(late)


def test_another_key_is_named(recipient: MediaRecipient, clock: Clock) -> None:
    (blob,) = sealed(MediaRecipient(bytes(32), clock), clock, b"x")
    with pytest.raises(InputError, match="encrypted to another key than this server's"):
        recipient.open(blob)


def test_what_is_left_out_swapped_or_of_another_request_is_missed() -> None:
    a, b = b"a" * 16, b"b" * 16
    assert not wire.missing([]) and not wire.missing([SealedHead(a, 0, 2), SealedHead(a, 1, 2)])
    for heads in (
        [SealedHead(a, 0, 2)],
        [SealedHead(a, 1, 2), SealedHead(a, 0, 2)],
        [SealedHead(a, 0, 2), SealedHead(b, 1, 2)],
        [SealedHead(a, 0, 2), SealedHead(a, 0, 2)],
        [SealedHead(a, 0, 1), SealedHead(b, 0, 1)],
    ):
        assert wire.missing(heads)


@settings(max_examples=40, deadline=None)
@given(media=st.lists(st.binary(max_size=300), max_size=4))
def test_any_media_come_back(media: list[bytes]) -> None:
    recipient = MediaRecipient(bytes(range(32)))
    found = [recipient.open(data_url_bytes(url)) for url in MediaSender(recipient.public).sealed(media)]
    assert [content for _, content in found] == media and not wire.missing([head for head, _ in found])


def test_a_key_is_kept_in_a_file_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "media.key"
    assert MediaRecipient.read(path).fingerprint == MediaRecipient.read(path).fingerprint
    assert MediaRecipient.read().fingerprint != MediaRecipient.read().fingerprint
    path.chmod(0o644)
    with pytest.raises(InputError, match="mode 0644"):
        MediaRecipient.read(path)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="holds no key for media"):
        MediaRecipient.read(path)
