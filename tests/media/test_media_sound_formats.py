"""RF64, BW64, Wave64, AIFF, AU and CAF; channels that cancel; lengths that codecs stretch."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tutti.content import Audio, Video
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, decode_audio, decode_video, measure, wrap
from tutti.media.mixing import Mixer
from tutti.media.sound_windows import duration_of, sound_between, sound_windows

LIMITS = Limits()
RATE = 16_000
NAMES = ["RF64", "BW64", "W64", "AIFF", "AU", "CAF", "WAV"]


def two_tones(seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return np.stack([0.4 * np.sin(2 * np.pi * 440 * times), 0.4 * np.sin(2 * np.pi * 660 * times)], 1).astype("f4")


def encoded(name: str, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    form = "RF64" if name == "BW64" else name
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return b"BW64" + file.getvalue()[4:] if name == "BW64" else file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_each_format_is_read_by_each_reader(name: str, tmp_path: Path) -> None:
    channels = two_tones()
    content, expected = encoded(name, channels), channels.mean(axis=1)
    part = wrap(content)
    assert isinstance(part, Audio)
    sound = decode_audio(part, LIMITS)
    assert (len(sound.samples), sound.sample_rate_hz) == (2 * RATE, RATE)
    assert np.abs(sound.samples - expected).max() < 1e-4
    (window,) = (window for _, window in sound_windows(part, LIMITS, rate_hz=RATE, window_s=2.0, hop_s=2.0))
    assert np.abs(window - expected).max() < 1e-4
    piece = sound_between(part, LIMITS, 0.5, 1.0, RATE)
    assert np.abs(piece - expected[RATE // 2 : RATE]).max() < 1e-4
    assert measure(part, LIMITS).seconds == pytest.approx(2.0)
    (tmp_path / "x").write_bytes(content)
    assert duration_of(str(tmp_path / "x")) == pytest.approx(2.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_is_seen(name: str) -> None:
    content = encoded(name, two_tones())
    with pytest.raises(InputError, match=r"is cut off: its .* content should go on after"):
        decode_audio(Audio(content[: len(content) * 2 // 3]), LIMITS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", range(4, 60, 5))
def test_a_header_alone_is_one_sentence(name: str, length: int) -> None:
    with pytest.raises(InputError):
        decode_audio(Audio(encoded(name, two_tones())[:length]), LIMITS)


@pytest.mark.parametrize(
    ("name", "subtype"), [("AIFF", "FLOAT"), ("AU", "ULAW"), ("CAF", "ALAC_16"), ("W64", "PCM_24")]
)
def test_other_codings(name: str, subtype: str) -> None:
    samples = decode_audio(Audio(encoded(name, two_tones(), subtype=subtype)), LIMITS).samples
    assert len(samples) == 2 * RATE or subtype == "ALAC_16"  # whose writer drops the end
    assert np.abs(samples - two_tones().mean(axis=1)[: len(samples)]).max() < 0.02


def test_a_coding_that_is_not_read_is_no_damage() -> None:
    content = bytearray(encoded("AIFF", two_tones(), subtype="FLOAT"))
    place = content.index(b"FL32")
    content[place : place + 4] = b"QDM2"
    with pytest.raises(InputError, match="AIFF coded in a way that Tutti does not read; convert it"):
        decode_audio(Audio(bytes(content)), LIMITS)


def caf_of_aac(film: bytes, rate: int) -> bytes:
    """AAC moved from an MP4 into a CAF: its description, cookie, packet table and packets."""
    with av.open(io.BytesIO(film)) as source:
        packets = [bytes(packet) for packet in source.demux(source.streams.audio[0]) if packet.size]
    place = film.index(b"esds")
    cookie = film[place + 4 : place - 4 + int.from_bytes(film[place - 4 : place], "big")]
    sizes = b"".join(
        bytes(0x80 | (len(packet) >> shift) & 0x7F for shift in (14, 7) if len(packet) >> shift)
        + bytes([len(packet) & 0x7F])
        for packet in packets
    )
    chunks = {
        b"desc": struct.pack(">d4sIIIII", rate, b"aac ", 0, 0, 1024, 1, 0),
        b"kuki": cookie,
        b"pakt": struct.pack(">qqii", len(packets), len(packets) * 1024, 0, 0) + sizes,
        b"data": bytes(4) + b"".join(packets),
    }
    return b"caff\0\1\0\0" + b"".join(name + struct.pack(">q", len(body)) + body for name, body in chunks.items())


def test_caf_of_aac_goes_through_the_container() -> None:
    content = caf_of_aac(m4a(two_tones()[:, 0].repeat(3), 48_000), 48_000)
    sound = decode_audio(Audio(content), LIMITS)
    assert sound.duration_s == pytest.approx(2.0, abs=0.1)
    assert measure(Audio(content), LIMITS).seconds == pytest.approx(2.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(sound.samples))
    assert spectrum.argmax() * sound.sample_rate_hz / len(sound.samples) == pytest.approx(440, abs=2)
    with pytest.raises(InputError, match="is cut off"):
        decode_audio(Audio(content[:-100]), LIMITS)


def test_opposed_channels_do_not_cancel() -> None:
    tone = two_tones(12.0)[:, 0]
    for content in (encoded("WAV", np.stack([tone, -0.8 * tone], 1)), encoded("CAF", np.stack([tone, -0.8 * tone], 1))):
        part = Audio(content)
        assert np.abs(decode_audio(part, LIMITS).samples - tone).max() < 1e-3
        windows = [w for _, w in sound_windows(part, LIMITS, rate_hz=RATE, window_s=4.0, hop_s=4.0)]
        assert np.abs(np.concatenate(windows) - tone).max() < 1e-3
        assert np.abs(sound_between(part, LIMITS, 5.0, 6.0, RATE) - tone[5 * RATE : 6 * RATE]).max() < 1e-3
    array = np.stack([-tone, tone], 1)
    assert np.abs(np.abs(decode_audio(Audio(array, sample_rate_hz=RATE), LIMITS).samples) - np.abs(tone)).max() < 1e-6


def test_the_same_channel_is_kept_from_block_to_block() -> None:
    tone = two_tones(4.0)[:, 0]
    mixer, wobble = Mixer(RATE), 1 + 0.1 * np.sin(np.arange(len(tone)) / 3000)
    channels = np.stack([tone, -tone * wobble.astype("f4")], 1)
    mixed = np.concatenate([mixer(channels[at : at + 1000]) for at in range(0, len(tone), 1000)])
    assert any(np.array_equal(mixed, channels[:, channel]) for channel in (0, 1))


@pytest.mark.parametrize("correlation", [1.0, 0.5, 0.0, -0.5, -0.7])
def test_what_does_not_cancel_is_the_mean_to_the_bit(correlation: float) -> None:
    rng = np.random.default_rng(0)
    left, other = rng.standard_normal((2, RATE)).astype("f4") * 0.1
    right = correlation * left + np.sqrt(1 - correlation**2) * other
    channels = np.stack([left, right.astype("f4")], 1)
    assert np.array_equal(Mixer(RATE)(channels), channels.mean(axis=1, dtype=np.float32))


def test_one_channel_of_many_is_no_opposition() -> None:
    channels = np.zeros((RATE, 6), np.float32)
    channels[:, 2] = 0.5
    assert np.array_equal(Mixer(RATE)(channels), channels.mean(axis=1))
    assert not Mixer(RATE)(np.zeros((100, 2), np.float32)).any()


def m4a(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate, frame_size=1024)
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("name", ["WAV", "MP3", "OGG", "M4A"])
def test_thirty_seconds_are_not_over_thirty(name: str, rate: int) -> None:
    samples = (np.random.default_rng(1).standard_normal(30 * rate) * 0.05).astype("f4")
    content = m4a(samples, rate) if name == "M4A" else encoded(
        name, samples, rate, {"WAV": "PCM_16", "MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}[name]
    )  # fmt: skip
    limits = Limits(max_seconds=30.0)
    assert decode_audio(Audio(content), limits).duration_s == pytest.approx(30.0, abs=0.15)
    assert measure(Audio(content), limits).seconds == pytest.approx(30.0, abs=0.15)


def test_what_is_longer_by_more_is_refused() -> None:
    for seconds in (30.2, 31.0):
        with pytest.raises(CapacityError, match="the limit is 30 s"):
            decode_audio(
                Audio(np.zeros(round(seconds * 8000), np.float32), sample_rate_hz=8000), Limits(max_seconds=30)
            )
    with pytest.raises(CapacityError):
        decode_video(Video(np.zeros((31, 2, 2, 3), np.uint8), frames_per_s=1.0), Limits(max_seconds=30))
