"""The tab Search: what is in an index, by words, by something alike, or by both."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.apps.page.models import Models
from tutti.errors import InputError
from tutti.settings import DEFAULT_TENANT

if TYPE_CHECKING:
    from tutti.search import Hit, Index

_MOST = 50
_COLUMNS = ("modality", "path", "start_s", "end_s")


@dataclass(frozen=True, kw_only=True)
class FoundItem:
    """A result, as the page shows it."""

    caption: str
    """Its name, its place in it, and why it was found."""
    modality: str
    thumbnail: bytes | None = None
    """JPEG; None of what has none, such as a recording."""
    path: str | None = None
    """Of its file, where that is on this machine."""
    start_s: float | None = None
    end_s: float | None = None


class SearchRoom:
    """Searches the indexes that the page was given.

    Args:
        indexes: Name → the database's folder. People choose by name; no other place can be searched.
        models: The first of them embeds.
    """

    def __init__(self, indexes: Mapping[str, str], models: Models) -> None:
        self.indexes, self._models = dict(indexes), models
        self._opened: dict[tuple[str, str], Index] = {}
        self._lock = threading.Lock()

    def search(
        self,
        name: str,
        words: str = "",
        *,
        like: str | None = None,
        where: str = "",
        moments: bool = False,
        top: int = 12,
        tenant: str = DEFAULT_TENANT,
        told: Callable[[float], None] | None = None,
    ) -> list[FoundItem]:
        """Search one index.

        Args:
            name: Of the index.
            words: What to look for; may be empty beside `like`.
            like: Path of a medium to be like.
            where: A condition on columns.
            moments: All moments of films and recordings, where otherwise each item comes once.
            top: Most results.
            tenant: Whose collection.
            told: Told how much is done, from 0 to 1; what it raises ends the search.

        Raises:
            InputError: There is no such index, nothing to look for, or the condition is none.
        """
        words, where = words.strip(), where.strip()
        if not words and like is None:
            raise InputError("There is nothing to search for; write words, or give something to be like.")
        index, most = self._index(name, tenant), max(1, min(top, _MOST))
        if told is not None:
            told(0.2)
        source = Path(like) if like is not None else None
        if moments and words and source is None:
            hits = index.moments(words, top=most, where=where or None)
        else:
            hits = index.search(
                words or None, like=source, where=where or None, top=most, per_item=None if moments else 1
            )
        if told is not None:
            told(0.9)
        thumbnails = index.thumbnails(hits)
        return [_found(hit, thumbnails.get(hit.id)) for hit in hits]

    def columns(self, name: str, *, tenant: str = DEFAULT_TENANT) -> list[str]:
        """What a condition may name: columns that came with feeds, and those that every index has.

        Raises:
            InputError: There is no such index.
        """
        return [*self._index(name, tenant).store.feed_columns(), *_COLUMNS]

    def _index(self, name: str, tenant: str) -> Index:
        if name not in self.indexes:
            raise InputError(
                "The page was given no index to search; start it with --index DB, of `tutti index FOLDER --into DB`."
                if not self.indexes
                else f"There is no index {name!r}; known are: {', '.join(self.indexes)}."
            )
        from tutti.search import Index

        with self._lock:
            if (name, tenant) not in self._opened:
                self._opened[name, tenant] = Index(self.indexes[name], self._models.get(), tenant=tenant)
            return self._opened[name, tenant]


def copy_for_showing(found: FoundItem, folder: Path) -> str:
    """Copy the file of a result into the page's own folder, from which alone the page sends files.

    Raises:
        InputError: The result has no file here.
    """
    if found.path is None or not Path(found.path).is_file():
        raise InputError("The file of this result is not on this machine any more, and only its thumbnail is shown.")
    place = Path(tempfile.mkdtemp(dir=folder))
    return str(shutil.copyfile(found.path, place / Path(found.path).name))


def _found(hit: Hit, thumbnail: bytes | None) -> FoundItem:
    from tutti.search.answer.answers import span

    name = Path(hit.path).name if hit.path else hit.item
    place = " ".join(filter(None, (name, span(hit))))
    fit = f"fits {hit.fit:.0%}" if hit.fit is not None else ""
    why = "; ".join(map(str, hit.why))
    columns = ", ".join(f"{column} {value}" for column, value in hit.columns.items())
    return FoundItem(
        caption=" · ".join(filter(None, (place, fit, columns, why))),
        modality=hit.modality,
        thumbnail=thumbnail,
        path=hit.path,
        start_s=hit.start_s,
        end_s=hit.end_s,
    )
