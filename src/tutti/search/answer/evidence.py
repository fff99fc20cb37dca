"""What was found, as parts that a model can be shown: the picture, the frame, the stretch of sound, the words."""

from __future__ import annotations

import numpy as np

from tutti.content import Audio, Document, Image, Part, Text, Video
from tutti.media import InProcess, SceneChanges, decode_video, document_decoder
from tutti.media.documents import PAGE_SIDE
from tutti.media.key_frames import frame_at
from tutti.media.sound_windows import sound_between
from tutti.search.ingest.facets import RATE_HZ, Tools, is_animation
from tutti.search.query.hits import Hit


def evidence_of(hit: Hit, tools: Tools) -> list[Part]:
    """The parts that show a result.

    Raises:
        InputError: The medium is gone, or cannot be read any more.
    """
    if hit.kind == "words":
        return [Text(hit.words or "")]
    if hit.path is None:
        return []
    if hit.kind == "sound":
        part = Video(hit.path) if hit.modality == "video" else Audio(hit.path)
        samples = sound_between(part, tools.streaming, hit.start_s or 0.0, hit.end_s or 0.0, RATE_HZ)
        return [Audio(samples, sample_rate_hz=RATE_HZ)]
    if hit.modality == "video":
        film = Video(hit.path)
        if not is_animation(film, tools.streaming):
            return [Image(frame_at(film, tools.streaming, hit.start_s or 0.0))]
        clip = decode_video(film, tools.limits, SceneChanges(8))
        return [Image(clip.frames[max(0, int(np.searchsorted(clip.times_s, hit.start_s or 0.0, "right")) - 1)])]
    if hit.page is not None:
        (page,) = document_decoder(InProcess(tools.limits)).document(Document(hit.path), [hit.page], side=PAGE_SIDE)
        return [Image(page.picture)] if page.picture is not None else []
    return [Image(hit.path)]
