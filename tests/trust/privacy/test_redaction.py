"""Files redacted: nothing found afterwards, no metadata, a record without identifiers, and no half file anywhere."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image as pillow
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.trust.privacy.doubles import FACE, Caption, RedFaces, Says, tools
from tutti.cli.main import main
from tutti.content import Audio, Image, Video
from tutti.errors import InputError
from tutti.media import Limits, decode_audio, decode_image, decode_video
from tutti.media.frame_sampling import EveryFrame
from tutti.trust.privacy import RedactionSteps, Redactor
from tutti.trust.privacy.folders import copies_of

CANARY = "CANARY-0815"
RATE = 16000


def scene(face: bool = True) -> np.ndarray:
    pixels = np.tile(np.linspace(30, 200, 120).astype(np.uint8)[None, :, None], (90, 1, 3))
    if face:
        pixels[20:50, 40:65] = FACE
    return pixels


def exif() -> pillow.Exif:
    made = pillow.Exif()
    made[0x010F], made[0x0112], made[0x9286] = CANARY, 6, CANARY
    made.get_ifd(0x8825)[1], made.get_ifd(0x8825)[2] = "N", (52.0, 31.0, 12.0)
    made.get_ifd(0x8769)[0x927C] = CANARY.encode()
    return made


def picture_with_metadata(form: str) -> bytes:
    file = io.BytesIO()
    options: dict[str, object] = {"exif": exif()}
    if form == "PNG":
        info = PngInfo()
        info.add_text("Comment", CANARY)
        info.add_itxt("XML:com.adobe.xmp", f"<x>{CANARY}</x>")
        options["pnginfo"] = info
    elif form in ("JPEG", "WEBP"):
        options["xmp"] = f"<x:xmpmeta>{CANARY}</x:xmpmeta>".encode()
    if form == "JPEG":
        options["comment"] = CANARY.encode()
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        options["icc_profile"] = profile.tobytes()
    pillow.fromarray(scene()).save(file, form, **options)
    content = file.getvalue()
    if form == "JPEG":  # Photoshop's segment, which holds IPTC
        iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x10\x1c\x02\x50\0\x0b" + CANARY.encode() + b"\0"
        content = content[:2] + b"\xff\xed" + (len(iptc) + 2).to_bytes(2, "big") + iptc + content[2:]
    return content


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_lose_faces_words_and_metadata(form: str, tmp_path: Path) -> None:
    given = picture_with_metadata(form)
    assert CANARY.encode() in given
    path = tmp_path / f"photo.{form.lower()}"
    path.write_bytes(given)
    upright = decode_image(Image(path), Limits())
    box = (2, 70, 60, 84)
    redactor = Redactor(RedactionSteps(), tools(RedFaces(), Caption("jane@example.org", box)))
    done = redactor.redact(path, tmp_path / "out", "photo")
    assert done.path is not None
    content = done.path.read_bytes()
    for token in (CANARY.encode(), b"Exif", b"http://", b"ICC_PROFILE", b"iCCP", b"tEXt", b"eXIf", b"8BIM", b"xmp"):
        assert token not in content, token
    pixels = decode_image(Image(done.path), Limits())
    assert pixels.shape == upright.shape
    assert RedFaces().faces(pixels) == []
    assert pixels[74:80, 6:56].std() < 4
    assert np.abs(pixels[:15].astype(int) - upright[:15]).mean() < 4
    assert done.record.count("face") == 1 and done.record.count("email") == 1
    names = {one.what for one in done.record.findings if one.what.startswith("metadata:")}
    assert {"metadata:EXIF", "metadata:GPS"} <= names or form == "TIFF"


def test_the_record_holds_no_identifier(tmp_path: Path) -> None:
    (tmp_path / "Jane Doe.jpg").write_bytes(picture_with_metadata("JPEG"))
    steps = RedactionSteps(names=("Jane Doe",))
    redactor = Redactor(steps, tools(RedFaces(), Caption("Jane Doe, jane@example.org", (2, 70, 90, 84))))
    ((file, folder, name),) = copies_of(tmp_path, tmp_path / "out", steps.names)
    done = redactor.redact(file, folder, name)
    assert done.path == tmp_path / "out" / "redacted-0001.jpg"
    record = (tmp_path / "out" / "redacted-0001.jpg.redaction.json").read_text()
    for secret in ("Jane", "Doe", "jane", "example.org", CANARY, str(tmp_path)):
        assert secret not in record
    told = json.loads(record)
    assert told["steps"]["names"] == 1 and told["tools"] == {"faces": "red 1", "words": "Caption"}
    assert {one["what"] for one in told["findings"]} >= {"face", "name", "email", "metadata:GPS"}


def test_nothing_is_written_over_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pillow.fromarray(scene()).save(path)
    redactor, out = Redactor(RedactionSteps(words=()), tools(RedFaces())), tmp_path / "out"
    dry = redactor.redact(path, out, "a", dry_run=True)
    assert dry.path is None and dry.record.count("face") == 1 and not out.exists()
    first = redactor.redact(path, out, "a").path
    assert first is not None
    before = first.read_bytes()
    with pytest.raises(InputError, match=r"a\.png exists, and nothing is written over"):
        redactor.redact(path, out, "a")
    assert first.read_bytes() == before
    assert {one.name for one in out.iterdir()} == {"a.png", "a.png.redaction.json"}


def test_a_folder_with_other_files_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    pillow.fromarray(scene(face=False)).save(holiday / "a.png")
    (holiday / "notes.txt").write_text("hello")
    soundfile.write(holiday / "sea.wav", np.zeros(800), 8000)
    command = ["redact", str(holiday), "--out", str(tmp_path / "safe"), "--no-faces", "--no-words"]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert "notes.txt: not copied" in told and f"{holiday / 'sea.wav'}: Speech was not looked into" in told
    assert "2 redacted, 0 failed, 0 there already and left alone, 1 of other kinds not copied." in told
    assert not list((tmp_path / "safe").glob("notes*"))
    (holiday / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(40))
    assert main(command) == 2  # what begins as a picture and cannot be read is one
    assert "0 redacted, 1 failed, 2 there already" in capsys.readouterr().err


class Stubborn(RedFaces):
    """Finds a face whatever is done."""

    def faces(self, pixels: np.ndarray, *, quick: bool = False) -> list:  # type: ignore[override]
        red = np.zeros_like(pixels)
        red[5:25, 5:25] = FACE
        return super().faces(red)


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pillow.fromarray(scene()).save(path)
    with pytest.raises(InputError, match="still shows faces or words after they were covered 6 times"):
        Redactor(RedactionSteps(words=()), tools(Stubborn())).redact(path, tmp_path / "out", "a")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"cut off|damaged"):
        Redactor(RedactionSteps(words=()), tools(RedFaces())).redact(path, tmp_path / "out", "a")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_profile_is_applied(tmp_path: Path) -> None:
    """A profile whose red and green are swapped: pixels come out swapped, and no profile is left."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    table = {
        bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)
    }
    red, green = table[b"rXYZ"] + 4, table[b"gXYZ"] + 4
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    path = tmp_path / "a.png"
    pillow.fromarray(np.full((20, 20, 3), (200, 40, 90), np.uint8)).save(path, icc_profile=bytes(profile))
    done = Redactor(RedactionSteps(faces=False, words=()), tools()).redact(path, tmp_path / "out", "a")
    assert done.path is not None and done.record.notes == (
        "Colours were brought to sRGB, and the profile was left out.",
    )
    assert np.abs(decode_image(Image(done.path), Limits())[0, 0].astype(int) - (40, 200, 90)).max() <= 3


def film(path: Path, form: str, codec: str, sound: str, frames: int = 50) -> None:
    """A face that walks to the right, with tags everywhere."""
    with av.open(str(path), "w", form) as output:
        output.metadata.update({"title": CANARY, "location": "+52.5+013.4/", "comment": CANARY})
        stream = output.add_stream(codec, rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.metadata["title"] = CANARY
        track = output.add_stream(sound, rate=48000, layout="mono")
        track.metadata["title"] = CANARY
        rng = np.random.default_rng(0)
        ground = np.kron(rng.integers(40, 160, (15, 20, 1), np.uint8), np.ones((8, 8, 3), np.uint8))
        for place in range(frames):
            pixels = ground.copy()
            left = 10 + 2 * place
            pixels[40:70, left : left + 24] = FACE
            pixels[48:52, left + 5 : left + 9] = 250
            pixels[48:52, left + 15 : left + 19] = 250
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = place
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        samples = (0.3 * np.sin(np.arange(frames * 1920) / 20)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        context = track.codec_context
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=48000, frame_size=context.frame_size or 1024
        )
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(track.encode(block))
        output.mux(track.encode(None))


@pytest.mark.parametrize(("form", "codec", "sound"), [("mp4", "libx264", "aac"), ("matroska", "libx264", "libopus")])
def test_films_are_covered_in_every_frame(form: str, codec: str, sound: str, tmp_path: Path) -> None:
    path = tmp_path / "walk.film"
    film(path, form, codec, sound)
    assert CANARY.encode() in path.read_bytes()
    detector = RedFaces(missed=[2])
    steps = RedactionSteps(words=(), speech=True)
    said = Says((0.4, 0.8, "write to jane at example dot com"))
    done = Redactor(steps, tools(detector, None, said)).redact(path, tmp_path / "out", "walk")
    assert done.path == tmp_path / "out" / "walk.mp4"
    clip = decode_video(Video(done.path), Limits(), EveryFrame())
    assert len(clip.frames) == 50 and abs(clip.duration_s - 2.0) < 0.05
    check = RedFaces()
    assert [index for index, frame in enumerate(clip.frames) if check.faces(frame)] == []
    assert detector.looks < 12
    content = done.path.read_bytes()
    for token in (CANARY.encode(), b"udta", b"meta", b"Lavf", b"Lavc", b"x264", b"\xa9", b"+52.5"):
        assert token not in content or token == b"\xa9", token
    assert b"\xa9too" not in content and b"\xa9xyz" not in content
    assert done.record.count("face") >= 1
    assert clip.sound is not None


def test_speech_that_identifies_is_silenced(tmp_path: Path) -> None:
    tone = np.stack([0.5 * np.sin(np.arange(9 * RATE) / 9), 0.25 * np.cos(np.arange(9 * RATE) / 7)], 1)
    path = tmp_path / "call.wav"
    with soundfile.SoundFile(str(path), "w", RATE, 2, "PCM_16") as file:
        file.comment = CANARY
        file.artist = CANARY
        file.write(tone)
    assert CANARY.encode() in path.read_bytes()
    said = Says((0.0, 2.5, "My name is"), (3.0, 4.0, "Jane"), (4.0, 5.0, "Doe."), (6.0, 9.0, "Nice weather."))
    done = Redactor(RedactionSteps(names=("Jane Doe",), speech=True), tools(None, None, said)).redact(
        path, tmp_path / "o", "c"
    )
    assert done.path is not None and done.path.suffix == ".wav"
    assert CANARY.encode() not in done.path.read_bytes() and b"LIST" not in done.path.read_bytes()
    samples, rate = soundfile.read(str(done.path))
    assert samples.shape == tone.shape and rate == RATE
    assert np.abs(samples[int(2.5 * RATE) : int(5.5 * RATE)]).max() == 0
    assert np.abs(samples[: int(2.4 * RATE)] - tone[: int(2.4 * RATE)]).max() < 1e-3
    assert np.abs(samples[int(5.6 * RATE) :] - tone[int(5.6 * RATE) :]).max() < 1e-3
    assert [one.what for one in done.record.findings] == ["speech:name", "speech:name"]


def tagged_sound(form: str, path: Path) -> None:
    tone = 0.4 * np.sin(np.arange(2 * 44100) / 9)
    if form in ("FLAC", "OGG", "MP3", "AIFF"):
        with soundfile.SoundFile(str(path), "w", 44100, 1, format=form) as file:
            file.title = file.artist = file.comment = CANARY
            file.write(tone)
        return
    with av.open(str(path), "w", form) as output:
        output.metadata.update({"title": CANARY, "artist": CANARY})
        track = output.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], "flt", "mono")
        frame.sample_rate, frame.pts = 44100, 0
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=44100, frame_size=1024)
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(track.encode(block))
        output.mux(track.encode(None))


@pytest.mark.parametrize("form", ["FLAC", "OGG", "MP3", "AIFF", "ipod"])
def test_recordings_lose_their_tags(form: str, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    tagged_sound(form, path)
    assert CANARY.encode() in path.read_bytes()
    done = Redactor(RedactionSteps(faces=False, words=()), tools()).redact(path, tmp_path / "out", "sound")
    assert done.path is not None
    content = done.path.read_bytes()
    for token in (CANARY.encode(), b"ID3", b"udta", b"Lavf", b"TITLE", b"ARTIST", b"TAG"):
        assert token not in content, token
    before, after = (decode_audio(Audio(one), Limits()) for one in (path, done.path))
    assert before.sample_rate_hz == after.sample_rate_hz
    assert abs(before.duration_s - after.duration_s) < 0.1
    assert done.record.notes == ("Speech was not looked into: what is said is as it was.",)
