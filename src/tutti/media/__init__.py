"""Untrusted bytes to arrays within limits: images, audio, video, sensors. Knows no model."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.media.audio import Sound as Sound
    from tutti.media.audio import decode_audio as decode_audio
    from tutti.media.fetch import Fetcher as Fetcher
    from tutti.media.frames import FrameChoice as FrameChoice
    from tutti.media.frames import SceneChanges as SceneChanges
    from tutti.media.frames import UniformFrames as UniformFrames
    from tutti.media.frames import WindowEnds as WindowEnds
    from tutti.media.images import decode_image as decode_image
    from tutti.media.limits import PADDING_S as PADDING_S
    from tutti.media.limits import Limits as Limits
    from tutti.media.measuring import Size as Size
    from tutti.media.measuring import measure as measure
    from tutti.media.roots import MediaRoot as MediaRoot
    from tutti.media.sensors import decode_depth as decode_depth
    from tutti.media.sensors import decode_motion as decode_motion
    from tutti.media.sensors import decode_thermal as decode_thermal
    from tutti.media.video import Clip as Clip
    from tutti.media.video import decode_video as decode_video
    from tutti.media.workers import Workers as Workers
    from tutti.media.wrapping import wrap as wrap

_DOORS = {
    "Clip": "tutti.media.video:Clip",
    "Fetcher": "tutti.media.fetch:Fetcher",
    "FrameChoice": "tutti.media.frames:FrameChoice",
    "Limits": "tutti.media.limits:Limits",
    "PADDING_S": "tutti.media.limits:PADDING_S",
    "MediaRoot": "tutti.media.roots:MediaRoot",
    "SceneChanges": "tutti.media.frames:SceneChanges",
    "Size": "tutti.media.measuring:Size",
    "Sound": "tutti.media.audio:Sound",
    "UniformFrames": "tutti.media.frames:UniformFrames",
    "WindowEnds": "tutti.media.frames:WindowEnds",
    "Workers": "tutti.media.workers:Workers",
    "decode_audio": "tutti.media.audio:decode_audio",
    "decode_depth": "tutti.media.sensors:decode_depth",
    "decode_image": "tutti.media.images:decode_image",
    "decode_motion": "tutti.media.sensors:decode_motion",
    "decode_thermal": "tutti.media.sensors:decode_thermal",
    "decode_video": "tutti.media.video:decode_video",
    "measure": "tutti.media.measuring:measure",
    "wrap": "tutti.media.wrapping:wrap",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
