"""DICOM files: values and pictures of every way of coding that is read, and one sentence for all else."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from tests.media.dicom_files import make_coded, make_dataset, make_dicom, written
from tutti.content import Image
from tutti.errors import CapacityError, InputError, MissingExtra
from tutti.media import InProcess, Limits, Workers, decode_dicom, decode_image, measure, read_dicom_header, wrap

LIMITS = Limits()
RAMP = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
GREY = np.linspace(0, 255, 16 * 24).reshape(16, 24).astype(np.uint8)
GIVEN = make_dicom(RAMP)
SMOOTH = np.stack([GREY, GREY[::-1], np.full_like(GREY, 90)], axis=-1)


def test_a_dicom_file_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "scan"
    path.write_bytes(make_dicom(RAMP))
    part = wrap(path)
    assert isinstance(part, Image)
    pixels = decode_image(part, LIMITS)
    assert pixels.shape == (20, 30, 3)
    assert pixels[0, 0].tolist() == [0, 0, 0] and pixels[-1, -1].tolist() == [255, 255, 255]
    size = measure(part, LIMITS)
    assert (size.pixels, size.bytes) == (600, path.stat().st_size)


@pytest.mark.parametrize(
    "beginning", [b"II*\0\x08\0\0\0", b"MM\0*", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WAVE", b"ID3\4"]
)
def test_the_first_bytes_may_be_those_of_another_format(beginning: bytes) -> None:
    content = beginning.ljust(128, b"\0") + make_dicom(RAMP)[128:]
    assert np.array_equal(decode_image(Image(content), LIMITS), decode_image(Image(GIVEN), LIMITS))
    assert wrap(content).modality == "image"


OF_OTHERS = Path(pydicom.__file__).with_name("data") / "test_files"


@pytest.mark.parametrize(
    "name",
    [
        *("CT_small", "MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "MR_small_jp2klossless"),
        *("MR_small_jpeg_ls_lossless", "ExplVR_BigEnd", "JPEG2000", "examples_rgb_color"),
    ],
)
def test_files_that_others_made_are_read_as_they_read_them(name: str) -> None:
    path = OF_OTHERS / f"{name}.dcm"
    found = decode_dicom(Image(path.read_bytes()), LIMITS)
    dataset = pydicom.dcmread(path)
    stored = dataset.pixel_array
    if found.values is None:
        assert np.array_equal(found.shown[0], stored)
    else:
        slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
        assert np.allclose(found.values[0], stored * slope + intercept)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MR_truncated", "cut off"),
        ("JPEG-lossy", "JPEG Extended of 12 bits, which is not read"),
        ("SC_rgb_jpeg_gdcm", "JPEG Lossless, first-order prediction, which is not read"),
        ("image_dfl", "Deflated Explicit VR Little Endian, which is not read"),
        ("rtplan", "without pixels (modality RTPLAN)"),
        ("test-SR", "without pixels (modality SR)"),
        ("waveform_ecg", "without pixels (modality ECG)"),
        ("rtdose", "32 of 32 bits"),
        ("liver_1frame", "1 of 1 bits"),
        ("meta_missing_tsyntax", "does not say how it is coded"),
        ("badVR", "0 frames"),
    ],
)
def test_files_that_others_made_are_refused_by_what_they_are(name: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        decode_dicom(Image((OF_OTHERS / f"{name}.dcm").read_bytes()), LIMITS)


def test_a_worker_decodes_it() -> None:
    pool = Workers(1, seconds=120)
    content = make_dicom(RAMP)
    assert np.array_equal(pool.decoder(LIMITS).image(Image(content)), InProcess(LIMITS).image(Image(content)))
    pool.close()


def test_values_are_rescaled_and_shown_through_the_window() -> None:
    stored = np.array([[0, 1000, 1024, 1064, 1104, 4095]], np.int16)
    content = make_dicom(
        stored, RescaleSlope="1", RescaleIntercept="-1024", WindowCenter=["40", "300"], WindowWidth=["80", "1500"]
    )
    found = decode_dicom(Image(content), LIMITS)
    assert found.values is not None
    assert found.values.tolist() == [[[-1024, -24, 0, 40, 80, 3071]]]
    # PS3.3, C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) times the range
    assert found.shown[0, 0, :, 0].tolist() == [0, 0, 0, round(255 * (0.5 / 79 + 0.5)), 255, 255]
    assert found.header.windows == ((40.0, 80.0), (300.0, 1500.0))
    other = decode_dicom(Image(content), LIMITS, window=(0, 2))
    assert other.shown[0, 0, :, 0].tolist() == [0, 0, 255, 255, 255, 255]


@pytest.mark.parametrize(("function", "middle"), [("LINEAR_EXACT", 128), ("SIGMOID", 128)])
def test_other_functions_of_the_window(function: str, middle: int) -> None:
    content = make_dicom(RAMP, WindowCenter="300", WindowWidth="100", VOILUTFunction=function)
    shown = decode_dicom(Image(content), LIMITS).shown[0, :, :, 0].reshape(-1)
    assert abs(int(shown[300]) - middle) <= 1
    assert shown[0] == 0 and shown[-1] == 255
    low = round(255 / (1 + np.exp(1.0))) if function == "SIGMOID" else round(255 * 0.25)
    assert abs(int(shown[275]) - low) <= 1


def test_monochrome1_is_shown_inverted() -> None:
    plain, inverted = (
        decode_dicom(Image(make_dicom(GREY, PhotometricInterpretation=kind)), LIMITS)
        for kind in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.array_equal(inverted.shown, 255 - plain.shown)
    assert plain.values is not None and inverted.values is not None
    assert np.array_equal(plain.values, inverted.values)


def test_signed_12_bits_and_big_endian() -> None:
    stored = np.array([[-2048, -1, 0, 2047]], np.int16)
    made = make_dataset(stored, BitsStored=12, HighBit=11)
    little = decode_dicom(Image(written(made)), LIMITS).values
    assert little is not None and little.tolist() == [[[-2048, -1, 0, 2047]]]
    big = make_dataset(stored.astype(">i2"), BitsStored=12, HighBit=11)
    big.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    file = io.BytesIO()
    pydicom.dcmwrite(file, big, implicit_vr=False, little_endian=False, enforce_file_format=True)
    values = decode_dicom(Image(file.getvalue()), LIMITS).values
    assert values is not None and np.array_equal(values, little)


def test_frames_by_every_way_of_coding() -> None:
    several = np.stack([GREY, 255 - GREY, GREY[::-1]])
    plain = decode_dicom(Image(make_dicom(several)), LIMITS).shown
    assert plain.shape == (3, 16, 24, 3)
    rle = make_dataset(several)
    rle.compress(RLELossless)
    assert np.array_equal(decode_dicom(Image(written(rle)), LIMITS).shown, plain)
    assert np.array_equal(decode_dicom(Image(make_coded(several, "JPEG2000")), LIMITS).shown, plain)
    jpeg = decode_dicom(Image(make_coded(several, "JPEG")), LIMITS).shown
    assert np.abs(jpeg.astype(int) - plain).max() < 12
    assert len(decode_dicom(Image(written(rle)), LIMITS, first=True).shown) == 1


def test_colour_by_every_way_of_coding() -> None:
    found = decode_dicom(Image(make_dicom(SMOOTH)), LIMITS)
    assert found.values is None
    assert np.array_equal(found.shown[0], SMOOTH)
    assert np.array_equal(decode_dicom(Image(make_coded(SMOOTH, "JPEG2000")), LIMITS).shown[0], SMOOTH)
    jpeg = decode_dicom(Image(make_coded(SMOOTH, "JPEG")), LIMITS).shown[0]
    assert np.abs(jpeg.astype(int) - SMOOTH).max() < 30
    planar = make_dataset(SMOOTH)
    planar.PlanarConfiguration, planar.PixelData = 1, SMOOTH.transpose(2, 0, 1).tobytes()
    assert np.array_equal(decode_dicom(Image(written(planar)), LIMITS).shown[0], SMOOTH)


def test_a_palette_is_looked_up() -> None:
    made = make_dataset(np.array([[0, 1], [2, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for name, levels in (("Red", (255, 0, 9)), ("Green", (0, 128, 9)), ("Blue", (0, 64, 9))):
        setattr(made, f"{name}PaletteColorLookupTableDescriptor", [3, 0, 16])
        setattr(made, f"{name}PaletteColorLookupTableData", np.array(levels, np.uint16).__mul__(257).tobytes())
    shown = decode_dicom(Image(written(made)), LIMITS).shown[0]
    assert shown.tolist() == [[[255, 0, 0], [0, 128, 64]], [[9, 9, 9], [0, 128, 64]]]


def test_the_header_is_read_without_pixels() -> None:
    content = make_dicom(
        RAMP,
        Laterality="L",
        ViewPosition="PA",
        BodyPartExamined="CHEST",
        PixelSpacing=["0.2", "0.3"],
        BurnedInAnnotation="NO",
        PatientBirthDate="19700131",
    )
    header = read_dicom_header(Image(content[: len(content) - RAMP.nbytes // 2]), LIMITS)
    assert (header.modality, header.rows, header.columns, header.frames) == ("CT", 20, 30, 1)
    assert (header.laterality, header.view, header.body_part) == ("L", "PA", "CHEST")
    assert header.spacing_mm == (0.2, 0.3)
    assert header.burned_in is False and header.deidentified is False
    assert header.birth_date == "19700131"
    for secret in ("19700131", "Jane", "P-1"):
        assert secret not in repr(header)


def broken(**values: object) -> bytes:
    return make_dicom(RAMP, **values)


REFUSED = {
    "no DICOM": (b"GIF89a" + bytes(300), "not a DICOM file: its content is GIF; expected one with DICM at byte 128"),
    "no pixels": (make_dicom(None, Modality="SR"), r"without pixels \(modality SR\); expected an image"),
    "cut off": (make_dicom(RAMP)[:-100], "damaged or cut off; get a whole copy"),
    "cut in the header": (make_dicom(RAMP)[:200], "damaged or cut off|does not say how it is coded"),
    "32 bits": (make_dicom(RAMP.astype(np.uint32)), "stores 32 of 32 bits; expected 8 to 16 bits"),
    "odd colours": (broken(PhotometricInterpretation="CMYK"), "photometric interpretation 'CMYK'"),
    "samples": (broken(SamplesPerPixel=3), "3 samples a pixel as MONOCHROME2"),
    "no frames": (broken(NumberOfFrames="-3"), "announces -3 frames"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(case: str) -> None:
    content, sentence = REFUSED[case]
    with pytest.raises(InputError, match=sentence):
        decode_dicom(Image(content), LIMITS)


def test_other_transfer_syntaxes_are_refused_by_name() -> None:
    made = make_dataset(RAMP)
    made.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    made.PixelData, made["PixelData"].is_undefined_length = bytes(8), True
    made.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x04\x00\x00\x00\xff\xd8\xff\xd9"
    content = written(made)
    with pytest.raises(
        InputError, match="coded as JPEG Lossless, first-order prediction, which is not read; expected uncompressed"
    ):
        decode_dicom(Image(content), LIMITS)
    assert read_dicom_header(Image(content), LIMITS).syntax_name == "JPEG Lossless, first-order prediction"
    deflated = make_dicom(RAMP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99\0"[:20])
    unknown = make_dicom(RAMP).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.77")
    assert deflated != unknown
    with pytest.raises(InputError, match=r"coded as of UID 1\.2\.840\.10008\.1\.2\.77|damaged"):
        decode_dicom(Image(unknown), LIMITS)


def test_a_deflated_file_is_not_inflated() -> None:
    made = make_dataset(RAMP)
    file = io.BytesIO()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    made.save_as(file, enforce_file_format=True)
    with pytest.raises(InputError, match="Deflated Explicit VR Little Endian, which is not read"):
        read_dicom_header(Image(file.getvalue()), LIMITS)


def test_budgets_hold_before_anything_is_decoded() -> None:
    with pytest.raises(CapacityError, match="the limit is 599 in all"):
        decode_dicom(Image(make_dicom(RAMP)), Limits(max_pixels=599))
    with pytest.raises(CapacityError, match="bytes; the limit is 100"):
        decode_dicom(Image(make_dicom(RAMP)), Limits(max_bytes=100))
    with pytest.raises(CapacityError, match="announces 2,000,000 frames; the limit is 10,000"):
        decode_dicom(Image(broken(NumberOfFrames="2000000")), LIMITS)
    with pytest.raises(CapacityError, match="65,535 x 65,535 pixels"):
        decode_dicom(Image(broken(Rows=65535, Columns=65535)), LIMITS)


@pytest.mark.parametrize("form", ["JPEG", "JPEG2000"])
def test_frames_are_held_to_the_size_of_the_header(form: str) -> None:
    large = np.zeros((400, 500), np.uint8)
    content = make_coded(large, form, Rows=4, Columns=5)
    with pytest.raises(InputError, match="of 500 x 400 pixels; its header says 5 x 4"):
        decode_dicom(Image(content), LIMITS)


def test_rle_that_expands_too_far_is_refused() -> None:
    made = make_dataset(np.zeros((4, 4), np.uint8))
    made.compress(RLELossless)
    bomb = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x81\0" * 5000
    made.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0" + len(bomb).to_bytes(4, "little") + bomb
    made.PixelData += b"\xfe\xff\xdd\xe0\0\0\0\0"
    with pytest.raises(InputError, match="bytes as RLE; expected at most"):
        decode_dicom(Image(written(made)), LIMITS)


def test_without_pydicom_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtra, match=r"Reading DICOM files needs .* 'tutti\[privacy\]'"):
        decode_image(Image(GIVEN), LIMITS)


def test_nested_sequences_end_in_a_sentence() -> None:
    made = make_dataset(RAMP)
    inner = Dataset()
    for _ in range(200):
        outer = Dataset()
        outer.RequestAttributesSequence = [inner]
        inner = outer
    made.RequestAttributesSequence = [inner]
    content = written(made)
    try:
        decode_dicom(Image(content), LIMITS)
    except InputError as error:
        assert "damaged" in str(error)


def test_damage_anywhere_ends_in_a_picture_or_a_sentence() -> None:
    rng = np.random.default_rng(3)
    made = make_dataset(RAMP, WindowCenter="40", WindowWidth="80", RescaleSlope="1", RescaleIntercept="0")
    content = written(made)
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(132, len(content) - RAMP.nbytes, 3):
            damaged[place] = rng.integers(256)
        try:
            assert decode_dicom(Image(bytes(damaged)), Limits(max_pixels=10_000)).shown.ndim == 4
        except (InputError, CapacityError) as error:
            assert str(error).endswith(".") and len(str(error)) < 400


def test_jpeg_ls_is_read_exactly_and_a_frame_of_another_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for pixels in (RAMP, GREY, np.stack([RAMP, RAMP[::-1]])):
        made = make_dataset(pixels)
        made.compress(JPEGLSLossless)
        shown = decode_dicom(Image(written(made)), LIMITS)
        assert shown.values is not None and np.array_equal(shown.values.reshape(pixels.shape), pixels)
    made = make_dataset(RAMP)
    made.compress(JPEGLSLossless)
    made.Rows = 19
    with pytest.raises(InputError, match=r"is of 30 x 20 pixels; its header says 30 x 19: it is damaged"):
        decode_dicom(Image(written(made)), LIMITS)
    made.Rows, data = 20, bytes(made.PixelData)
    made.PixelData = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    with pytest.raises(InputError):
        decode_dicom(Image(written(made)), LIMITS)
    made.PixelData = data
    decoder = pydicom.pixels.get_decoder(JPEGLSLossless)
    monkeypatch.setattr(type(decoder), "is_available", property(lambda _: False))
    with pytest.raises(MissingExtra, match=r"tutti\[radiology\]"):
        decode_dicom(Image(written(made)), LIMITS)


def test_overlays_are_counted_and_left_out_of_the_image() -> None:
    made = make_dataset(RAMP)
    made.add_new((0x6000, 0x0010), "US", 20)
    made.add_new((0x6000, 0x0011), "US", 30)
    made.add_new((0x6000, 0x0040), "CS", "G")
    made.add_new((0x6000, 0x0050), "SS", [1, 1])
    made.add_new((0x6000, 0x0100), "US", 1)
    made.add_new((0x6000, 0x0102), "US", 0)
    made.add_new((0x6000, 0x3000), "OW", b"\xff" * 76)
    found = decode_dicom(Image(written(made)), LIMITS)
    assert found.header.overlays == 1 and decode_dicom(Image(GIVEN), LIMITS).header.overlays == 0
    assert found.values is not None and np.array_equal(found.values[0], RAMP)
