"""The files of a folder, and what their copies are called: a name can identify as well as a face."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tutti.media.sniff import sniff
from tutti.trust.privacy.identifiers import find_identifiers
from tutti.trust.privacy.redaction import RECORD_ENDING


def copies_of(source: Path, out: Path, names: Sequence[str] = ()) -> Iterator[tuple[Path, Path, str]]:
    """The files below a folder, in the order of their names: each, the folder of its copy, and the copy's name.

    Hidden files, links to folders, records and what lies in `out` are left out.

    Args:
        source: The folder.
        out: Where copies go.
        names: People's names that no name of a file may hold.
    """
    number = 0
    taken: set[Path] = set()
    for place, folders, files in os.walk(source):
        here = Path(place)
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and (here / one).resolve() != out.resolve()
        )
        relative = here.relative_to(source)
        for file in sorted(files):
            if file.startswith(".") or file.endswith(RECORD_ENDING) or not (here / file).is_file():
                continue
            number += 1
            folder = out.joinpath(*(plain_name(part, names, 0) for part in relative.parts))
            name = plain_name(Path(file).stem, names, number)
            if folder / name in taken:  # photo.jpg beside photo.png
                name = f"{name}-{Path(file).suffix.lstrip('.')}"
            taken.add(folder / name)
            yield here / file, folder, name


def is_medium(path: Path) -> bool:
    """Whether a file begins as a picture, film or recording does; one that cannot be opened may be one."""
    try:
        with path.open("rb") as file:
            found = sniff(file)
    except OSError:
        return True
    return found is not None and found.modality in ("image", "audio", "video")


def plain_name(name: str, names: Sequence[str], number: int) -> str:
    """A name of a file or folder, or another one where it identifies.

    Args:
        name: Without its ending.
        names: As for `find_identifiers`.
        number: Of the file, for its other name; 0 is a folder.
    """
    words = name.replace("_", " ").replace("-", " ")
    identifies = any(find_identifiers(text, names, ("email", "iban", "phone", "name")) for text in (name, words))
    return (f"redacted-{number:04d}" if number else "redacted") if identifies else name


def is_there(folder: Path, name: str) -> bool:
    """Whether a copy of a name, and its record, lie in a folder."""
    if not folder.is_dir():
        return False
    return any(
        one.name.endswith(RECORD_ENDING)
        and Path(one.name[: -len(RECORD_ENDING)]).stem == name
        and one.with_name(one.name[: -len(RECORD_ENDING)]).exists()
        for one in folder.iterdir()
    )
