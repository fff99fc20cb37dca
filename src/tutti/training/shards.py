"""WebDataset shards: tar archives whose neighbouring members of one stem make an example (cat1.jpg, cat1.txt).

Format: https://github.com/webdataset/webdataset, "The WebDataset Format". Read front to back, nothing is unpacked to
disk, and entries that only a pickle could hold are refused.
"""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tutti.content import Media
from tutti.errors import CapacityError, InputError
from tutti.media import Limits, wrap
from tutti.media.text_files import decoded
from tutti.training.data import Example, object_entry

MEDIA = frozenset(
    "jpg jpeg png webp gif bmp tif tiff avif heic heif wav flac ogg opus mp3 m4a aac mp4 mov webm mkv".split()
)
TEXTS = frozenset({"txt", "text", "caption"})
CLASSES = frozenset({"cls", "label"})
PICKLES = frozenset({"pkl", "pickle", "pyd", "pth", "pt", "npy", "npz"})
MOST_MEMBERS = 64
"""Members of one example."""


def read_shards(shards: Iterable[Path], limits: Limits | None = None) -> Iterator[Example]:
    """Yield the examples of tar archives (plain, gz, bz2 or xz), in order.

    Members become media (told apart by content), texts (`.txt`), the label (`.cls`) and attributes (`.json`, an object;
    a text under its key "caption" or "text" joins the texts).

    Args:
        shards: The archives.
        limits: Budgets of a member; the defaults when not given.

    Yields:
        Examples whose key is the shard's name and the members' stem.

    Raises:
        InputError: A shard cannot be read, ends too early, repeats a key, or holds a kind of entry that is not known.
        CapacityError: A member has more bytes than allowed, or an example more members.
    """
    limits = limits or Limits()
    for shard in shards:
        seen: set[str] = set()
        for stem, entries in _groups(Path(shard), limits):
            if stem in seen:
                raise InputError(
                    f"{shard} has members of {stem!r} in two places; expected all members of an example side by side: "
                    "sort the files before packing them (tar --sort=name)."
                )
            seen.add(stem)
            yield _example(f"{Path(shard).name}/{stem}", entries, limits)


def _groups(shard: Path, limits: Limits) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    stem, entries = "", list[tuple[str, bytes]]()
    for name, content in _members(shard, limits):
        folder, _, base = name.rpartition("/")
        first, _, extension = base.partition(".")
        found = f"{folder}/{first}" if folder else first
        if entries and found != stem:
            yield stem, entries
            entries = []
        stem = found
        entries.append((extension.lower(), content))
        if len(entries) > MOST_MEMBERS:
            raise CapacityError(f"{shard} has more than {MOST_MEMBERS} members of {stem!r}; split the example.")
    if entries:
        yield stem, entries


def _members(shard: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    name = "its beginning"
    try:
        with tarfile.open(shard, "r|*") as archive:
            for member in archive:
                if member.isfile() and not PurePosixPath(member.name).name.startswith("."):
                    name = member.name
                    _check_kind(shard, name)
                    limits.check_bytes(f"{name} in {shard}", member.size)
                    file = archive.extractfile(member)
                    yield name, file.read() if file else b""
    except OSError as error:
        # tarfile's own errors are OSErrors in part: a truncated compressed stream is an EOFError or OSError
        raise InputError(f"Cannot read {shard} after {name}: {error.strerror or error}.") from None
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InputError(f"{shard} is damaged after {name} ({error}); copy the shard again.") from None


def _check_kind(shard: Path, name: str) -> None:
    extension = PurePosixPath(name).name.partition(".")[2].lower()
    last = extension.rpartition(".")[2]
    if last in PICKLES:
        raise InputError(
            f"{shard} holds {name}, which may contain code; expected media, .txt, .cls and .json: leave it out."
        )
    if last not in MEDIA | TEXTS | CLASSES | {"json"}:
        raise InputError(
            f"{shard} holds {name}, a kind of entry that is not known; expected media, .txt, .cls and .json."
        )


def _example(key: str, entries: list[tuple[str, bytes]], limits: Limits) -> Example:
    media: list[Media] = []
    texts: list[str] = []
    label: str | None = None
    attributes: dict[str, Any] = {}
    for extension, content in entries:
        kind = extension.rpartition(".")[2]
        try:
            if kind in MEDIA:
                part = wrap(content, limits=limits)
                if isinstance(part, Media):
                    media.append(part)
            elif kind == "json":
                attributes |= object_entry(json.loads(decoded(content, "the entry")), "the entry")
            elif kind in TEXTS:
                texts.append(decoded(content, "the entry").strip())
            else:
                label = decoded(content, "the entry").strip()
        except (InputError, ValueError) as error:
            raise InputError(f"{key}.{extension}: {error}") from None
    texts += [attributes[name] for name in ("caption", "text") if isinstance(attributes.get(name), str)]
    return Example(key=key, media=tuple(media), texts=tuple(texts), label=label, attributes=attributes)
