"""Bad input from end to end: each an exact sentence and exit code, nothing on stdout, nothing left behind."""

from __future__ import annotations

import io
import shutil
import struct
import tempfile
import wave
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image
from safetensors.numpy import load_file, save_file

import tutti
from tutti.cli.main import main
from tutti.media.sniff import DOCUMENTS, FILMS, PICTURES, SOUNDS

EXAMPLES = Path(__file__).parents[2] / "examples" / "media"
ASSET = Path(tutti.__file__).parent / "assets" / "tutti-mini"
UNREAD = "is not a medium that Tutti reads:"
KNOWN = f"expected {PICTURES}; {SOUNDS}; {FILMS}; or {DOCUMENTS}."


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and an empty one beside it for temporary files."""
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return work


def refused(words: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command that must fail, and look at everything it may have left."""
    before = sorted(Path.cwd().rglob("*"))
    assert main(words) == code
    captured = capsys.readouterr()
    assert captured.err == f"tutti: {sentence}\n"
    assert captured.out == ""
    assert sorted(Path.cwd().rglob("*")) == before
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def jpeg() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def silent_wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
    return file.getvalue()


def hour_of_sound() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(3600 * 1000, np.int16), 1000, format="FLAC")
    return file.getvalue()


def video_without_frames() -> bytes:
    """A whole MP4 whose tables say that its track has no samples (ISO 14496-12, section 8.7)."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        pictures = out.add_stream("libx264", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        out.mux(pictures.encode())
    content = bytearray(file.getvalue())
    for box in (b"stsz", b"stco", b"stsc", b"stts"):
        count = content.index(box) + 8 + (4 if box == b"stsz" else 0)
        content[count : count + 4] = bytes(4)
    return bytes(content)


def half(name: str) -> bytes:
    content = (EXAMPLES / name).read_bytes()
    return content[: len(content) // 2]


DAMAGED = "it is damaged or cut off; get a whole copy."
BAD: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("empty.jpg", bytes, 2, "is empty; expected a medium."),
    ("words.jpg", lambda: b"These are words, not a picture.\n", 2, f"{UNREAD} its content is plain text; {KNOWN}"),
    ("unknown.bin", lambda: bytes(range(256)), 2, f"{UNREAD} its content is of an unknown format; {KNOWN}"),
    ("cut.jpg", lambda: jpeg()[:1500], 2, f"is not a readable JPEG picture: {DAMAGED}"),
    ("cut.png", lambda: half("picture.png"), 2, f"is not a readable PNG picture: {DAMAGED}"),
    ("cut.mp4", lambda: half("video.mp4"), 2, f"is not a readable MP4 file: {DAMAGED}"),
    (
        "cut.ogg",
        lambda: half("recording.ogg"),
        2,
        "is cut off: its OGG content should go on after 9,893 bytes; get a whole copy.",
    ),
    ("silent.wav", silent_wav, 2, "holds no sound; expected a recording with samples."),
    ("frameless.mp4", video_without_frames, 2, "holds no frames; expected a video with moving pictures."),
    (
        "huge.png",
        lambda: png_header(50_000, 50_000),
        3,
        "has 50,000 x 50,000 pixels; the limit is 128,000,000 in all: make it smaller or raise TUTTI_MAX_PIXELS.",
    ),
    (
        "hour.flac",
        hour_of_sound,
        3,
        "lasts 3,600 s or more; the limit is 1,800 s: cut it or raise TUTTI_MAX_SECONDS.",
    ),
]


@pytest.mark.parametrize(("name", "make", "code", "sentence"), BAD, ids=[row[0] for row in BAD])
def test_bad_medium(
    name: str, make: Callable[[], bytes], code: int, sentence: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / name).write_bytes(make())
    # What lasts long is not refused by `ask`, which looks for moments in it.
    words = ["embed", name] if name == "hour.flac" else ["ask", "What is this?", name]
    refused(words, code, f"{name} {sentence}", capsys)


def test_missing_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["ask", "What is this?", "gone.jpg"], 2, "gone.jpg does not exist; check the path.", capsys)


def test_folder_instead_of_a_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "holiday.jpg").mkdir()
    refused(["ask", "What is this?", "holiday.jpg"], 2, "holiday.jpg is a folder; expected a file.", capsys)


def test_empty_question(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = 'The question is empty; expected words, for example: tutti ask "What is this?" photo.jpg'
    refused(["ask", "  ", str(EXAMPLES / "picture.png")], 2, sentence, capsys)


def test_more_media_than_the_model_takes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ask", "What is this?", *[str(EXAMPLES / "picture.png")] * 80]
    assert main(words) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tutti: ")
    assert captured.err.count("\n") == 1
    assert "tokens" in captured.err


def test_unknown_model(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("no-such-model", "no/such/folder"):
        assert main(["ask", "What is this?", "--model", name]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert name in captured.err
        assert captured.err.count("\n") == 1


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    """The weights that ship with the package."""
    return load_file(ASSET / "model.safetensors")


@pytest.fixture
def checkpoint(place: Path) -> Path:
    """The built-in model's folder without its weights."""
    folder = place / "mine"
    shutil.copytree(ASSET, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


def refused_checkpoint(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["ask", "What is this?", "--model", "mine"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tutti: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_missing_weight(checkpoint: Path, tensors: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    gone = min(tensors)
    save_file({name: value for name, value in tensors.items() if name != gone}, checkpoint / "model.safetensors")
    assert gone in refused_checkpoint(capsys)


def test_extra_weight(checkpoint: Path, tensors: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    save_file({**tensors, "lm_head.bias": np.zeros(3, np.float32)}, checkpoint / "model.safetensors")
    assert "lm_head.bias" in refused_checkpoint(capsys)


def test_misshapen_weight(checkpoint: Path, tensors: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    name = next(name for name in sorted(tensors) if tensors[name].ndim == 2)
    save_file({**tensors, name: tensors[name][:-1]}, checkpoint / "model.safetensors")
    assert name in refused_checkpoint(capsys)


def test_pickle(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trap = tmp_path / "executed"
    pickle = b"cos\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR."
    (checkpoint / "pytorch_model.bin").write_bytes(pickle)
    assert "pytorch_model.bin" in refused_checkpoint(capsys)
    assert not trap.exists()


def test_checkpoint_cut_off(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (ASSET / "model.safetensors").read_bytes()
    (checkpoint / "model.safetensors").write_bytes(content[: len(content) // 2])
    assert "model.safetensors" in refused_checkpoint(capsys)


def test_no_checkpoint_at_all(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mine").mkdir()
    assert "mine" in refused_checkpoint(capsys)
