"""Small DICOM files made on the spot: any pixels, any values, coded in any of the ways that are read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from PIL import Image as pillow
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, generate_uid


def make_dataset(pixels: np.ndarray[Any, Any] | None, **values: Any) -> FileDataset:
    """A data set with pixels of shape (H, W), (F, H, W) or, as uint8, (H, W, 3), and further values by keyword."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.Modality, made.PatientID, made.PatientName = "CT", "P-1", "Doe^Jane"
    if pixels is not None:
        set_pixels(made, pixels)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def set_pixels(made: FileDataset, pixels: np.ndarray[Any, Any]) -> None:
    colour = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[-1] == 3
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
        made.Rows, made.Columns = pixels.shape[:2]
    else:
        made.Rows, made.Columns = pixels.shape[-2:]
        if pixels.ndim == 3:
            made.NumberOfFrames = len(pixels)
    made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.add_new("PixelData", "OB" if pixels.dtype.itemsize == 1 else "OW", pixels.tobytes() + bytes(pixels.nbytes % 2))


def written(made: FileDataset) -> bytes:
    file = io.BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def make_dicom(pixels: np.ndarray[Any, Any] | None, **values: Any) -> bytes:
    return written(make_dataset(pixels, **values))


def make_coded(pixels: np.ndarray[Any, Any], form: str, **values: Any) -> bytes:
    """8-bit frames as JPEG (lossy) or JPEG2000 (lossless)."""
    made = make_dataset(pixels, **values)
    colour = made.SamplesPerPixel == 3
    frames = [pixels] if colour or pixels.ndim == 2 else list(pixels)
    coded = []
    for frame in frames:
        file = io.BytesIO()
        options = {"quality": 95} if form == "JPEG" else {"irreversible": False, "no_jp2": True}
        pillow.fromarray(frame).save(file, form, **options)
        coded.append(file.getvalue())
    made.PixelData = encapsulate(coded)
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if form == "JPEG" else JPEG2000Lossless
    if colour:
        made.PhotometricInterpretation = "YBR_FULL_422" if form == "JPEG" else "YBR_RCT"
    return written(made)
