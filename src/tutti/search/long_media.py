"""The index of one long film or recording, made when it is first asked about and kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

from tutti.content import Audio, Image, Video
from tutti.errors import InputError
from tutti.interfaces import Sealer, Transcriber
from tutti.media import Limits, wrap
from tutti.search.index import Index
from tutti.search.ingest.facets import VERSION
from tutti.search.ingest.run import IndexReport
from tutti.search.ingest.walk import ItemSource, stamp_of
from tutti.search.table.location import Location
from tutti.settings import read_settings


def index_of(
    path: str | PathLike[str],
    model: Any,
    told: Callable[[IndexReport, list[str]], None] | None = None,
    sealer: Sealer | None = None,
    *,
    transcriber: Transcriber | None = None,
    longest_speech_s: float | None = None,
) -> Index:
    """An index of one long medium, made once and kept by the digest of its content and of the model.

    Args:
        path: A video or a recording.
        model: As for `Index`.
        told: As for `Index.add`.
        sealer: As for `Index`.
        transcriber: As for `Index`; one made with words is kept beside one without.
        longest_speech_s: As for `Index`.

    Raises:
        InputError: It cannot be read.
    """
    part = wrap(Path(path), limits=Limits.for_streaming(read_settings()))
    if not isinstance(part, (Video, Audio, Image)):
        raise InputError(f"{path} is not a video or a recording; expected one, or the folder of a database.")
    cache = Path(read_settings().cache_folder).expanduser() / "moments"
    index = Index(cache, model, sealer=sealer, transcriber=transcriber, longest_speech_s=longest_speech_s)
    name = part.digest if index.sealer is None else index.sealer.digest(f"medium {part.digest}")
    folder, kept = Location.of(cache / name[:32]), f"{index.identity().weights[:16]}-{VERSION}"
    index.place = folder / kept
    if transcriber is not None and isinstance(part, (Audio, Video)):
        # One with words serves also where none would be made unasked.
        index.place = folder / f"{kept}-{transcriber.name.replace('/', '-')}"
        if not index.exists() and not index.tools.writes_down(part):
            index.place = folder / kept
    if not index.exists():
        try:
            item = str(Path(path).resolve())
            index.add_items([ItemSource(item=item, path=item, stamp=stamp_of(item))], told=told, name=str(path))
        except BaseException:
            shutil.rmtree(index.place.name, ignore_errors=True)
            raise
    return index
