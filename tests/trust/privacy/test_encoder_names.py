"""Recordings lose the name of what encoded them, and not one sample."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile

from tutti.trust.privacy.encoder_names import remove_encoder_names

NAMES = (b"libsndfile", b"Xiph", b"libVorbis", b"LAME3", b"libFLAC")


def written(form: str) -> bytes:
    tone = 0.4 * np.sin(np.arange(3 * 44100) / 9) * np.linspace(1, 0, 3 * 44100)
    file = io.BytesIO()
    soundfile.write(file, tone, 44100, format=form)
    return file.getvalue()


def samples(content: bytes) -> np.ndarray:
    """As FFmpeg decodes them, which checks what Ogg's pages sum up to, and takes off what LAME's tag says."""
    with av.open(io.BytesIO(content), options={"err_detect": "crccheck+explode"}) as source:
        return np.concatenate([frame.to_ndarray() for frame in source.decode(audio=0)], axis=1)


@pytest.mark.parametrize(("form", "suffix"), [("FLAC", ".flac"), ("OGG", ".ogg"), ("MP3", ".mp3")])
def test_the_name_goes_and_the_samples_stay(form: str, suffix: str) -> None:
    before = written(form)
    file = io.BytesIO(before)
    remove_encoder_names(file, suffix)
    after = file.getvalue()
    assert len(after) == len(before) and after != before
    assert any(name in before for name in NAMES) and not any(name in after for name in NAMES)
    np.testing.assert_array_equal(samples(after), samples(before))
    np.testing.assert_array_equal(*(soundfile.read(io.BytesIO(one))[0] for one in (before, after)))
    with av.open(io.BytesIO(after)) as source:
        left = {**source.metadata, **source.streams.audio[0].metadata}
    assert left in ({}, {"encoder": "LAME"})


def test_a_damaged_page_is_told_by_its_checksum_as_before() -> None:
    file = io.BytesIO(written("OGG"))
    remove_encoder_names(file, ".ogg")
    content = bytearray(file.getvalue())
    place = content.find(b"\x03vorbis") + 9
    content[place] ^= 1
    with pytest.raises(av.error.FFmpegError):
        samples(bytes(content))


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3", ".wav"])
@pytest.mark.parametrize("content", [b"", b"fLaC", b"fLaC\x04\x00\x00\x30ab", b"OggS" * 9, b"LAME3.100", b"RIFF"])
def test_what_is_cut_off_or_of_another_kind_keeps_its_length(suffix: str, content: bytes) -> None:
    file = io.BytesIO(content)
    remove_encoder_names(file, suffix)
    assert len(file.getvalue()) == len(content)
