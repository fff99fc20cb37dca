"""All pictures of a film, grey and tiny, for what is told from how a film changes; a fraction of the cost of colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tutti.content import Video
from tutti.media.containers import container
from tutti.media.frame_sampling import TimedFrame
from tutti.media.key_frames import film_format
from tutti.media.limits import Limits
from tutti.media.sources import opened
from tutti.media.video_stream import pictures_of, size_of


def grey_pictures(
    part: Video, limits: Limits, *, width: int, height: int, per_second: float, zero_s: float
) -> Iterator[TimedFrame]:
    """The pictures of a film at most so many times a second, as (seconds from zero, (height, width) uint8 grey).

    The form of the film is not kept, nor is it turned upright: what changes where is all that is told.

    Args:
        part: A video file in a container.
        limits: Budgets; `Limits.for_streaming` lets it be long.
        width: Of what is given, in pixels.
        height: Likewise.
        per_second: Frames that come sooner than so are passed over.
        zero_s: The container's time that counts as zero.

    Raises:
        InputError: It is damaged, or of another format.
        CapacityError: It lasts longer, or its frames are larger, than allowed.
    """
    with opened(part, limits) as file, container(file, film_format(file, part), part.name) as film:
        stream = pictures_of(film, part.name, limits)
        stream.thread_type = "AUTO"
        due_s = 0.0
        for frame in film.decode(stream):
            if frame.time is None or frame.time - zero_s + 1e-6 < due_s:
                continue
            at_s = frame.time - zero_s
            limits.check_seconds(part.name, at_s)
            size_of(frame, stream, part.name, limits)
            due_s = at_s + 0.9 / per_second
            grey = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
            yield at_s, np.asarray(grey.to_ndarray(), np.uint8)
