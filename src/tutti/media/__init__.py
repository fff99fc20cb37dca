"""Untrusted bytes to arrays within limits: images, audio, video, sensors. Knows no model."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.media.audio import Sound as Sound
    from tutti.media.audio import decode_audio as decode_audio
    from tutti.media.decoder import InProcess as InProcess
    from tutti.media.decoder import MediaDecoder as MediaDecoder
    from tutti.media.dicom import DicomHeader as DicomHeader
    from tutti.media.dicom import read_dicom_header as read_dicom_header
    from tutti.media.dicom_pixels import DicomPicture as DicomPicture
    from tutti.media.dicom_pixels import decode_dicom as decode_dicom
    from tutti.media.document_process import document_decoder as document_decoder
    from tutti.media.documents import Page as Page
    from tutti.media.documents import decode_document as decode_document
    from tutti.media.fetch import Fetcher as Fetcher
    from tutti.media.frame_sampling import FrameChoice as FrameChoice
    from tutti.media.frame_sampling import SceneChanges as SceneChanges
    from tutti.media.frame_sampling import UniformFrames as UniformFrames
    from tutti.media.frame_sampling import WindowEnds as WindowEnds
    from tutti.media.images import decode_image as decode_image
    from tutti.media.limits import PADDING_S as PADDING_S
    from tutti.media.limits import Limits as Limits
    from tutti.media.media_root import MediaRoot as MediaRoot
    from tutti.media.modality import wrap as wrap
    from tutti.media.probing import Size as Size
    from tutti.media.probing import measure as measure
    from tutti.media.sandbox import Sandboxed as Sandboxed
    from tutti.media.sandbox import Workers as Workers
    from tutti.media.sensors import decode_depth as decode_depth
    from tutti.media.sensors import decode_motion as decode_motion
    from tutti.media.sensors import decode_thermal as decode_thermal
    from tutti.media.video import Clip as Clip
    from tutti.media.video import decode_video as decode_video

_DOORS = {
    "Clip": "tutti.media.video:Clip",
    "DicomHeader": "tutti.media.dicom:DicomHeader",
    "DicomPicture": "tutti.media.dicom_pixels:DicomPicture",
    "MediaDecoder": "tutti.media.decoder:MediaDecoder",
    "Fetcher": "tutti.media.fetch:Fetcher",
    "FrameChoice": "tutti.media.frame_sampling:FrameChoice",
    "InProcess": "tutti.media.decoder:InProcess",
    "Limits": "tutti.media.limits:Limits",
    "PADDING_S": "tutti.media.limits:PADDING_S",
    "Page": "tutti.media.documents:Page",
    "MediaRoot": "tutti.media.media_root:MediaRoot",
    "Sandboxed": "tutti.media.sandbox:Sandboxed",
    "SceneChanges": "tutti.media.frame_sampling:SceneChanges",
    "Size": "tutti.media.probing:Size",
    "Sound": "tutti.media.audio:Sound",
    "UniformFrames": "tutti.media.frame_sampling:UniformFrames",
    "WindowEnds": "tutti.media.frame_sampling:WindowEnds",
    "Workers": "tutti.media.sandbox:Workers",
    "decode_audio": "tutti.media.audio:decode_audio",
    "decode_depth": "tutti.media.sensors:decode_depth",
    "decode_dicom": "tutti.media.dicom_pixels:decode_dicom",
    "decode_document": "tutti.media.documents:decode_document",
    "document_decoder": "tutti.media.document_process:document_decoder",
    "decode_image": "tutti.media.images:decode_image",
    "decode_motion": "tutti.media.sensors:decode_motion",
    "decode_thermal": "tutti.media.sensors:decode_thermal",
    "decode_video": "tutti.media.video:decode_video",
    "read_dicom_header": "tutti.media.dicom:read_dicom_header",
    "measure": "tutti.media.probing:measure",
    "wrap": "tutti.media.modality:wrap",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
