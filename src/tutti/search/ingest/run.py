"""The run that brings a database up to date: what changed is decoded, embedded in batches, written in commits.

An item is reported as indexed once its commit has returned, and never before. A run that was killed is continued by
the next: what it wrote is found by its stamp and passed over.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tutti.content import Text
from tutti.errors import InputError, TuttiError, UnsupportedTask
from tutti.interfaces import Embedder
from tutti.search.ingest.facets import Facet, Tools
from tutti.search.ingest.items import Item, read_item
from tutti.search.ingest.row_buffer import RowBuffer
from tutti.search.ingest.rows import row_of
from tutti.search.ingest.walk import Broken, ItemSource, stamp_of
from tutti.search.table.schema import Rows
from tutti.search.table.store import Known

BATCH = 64
"""Facets that are embedded at once."""
_COMMIT_ITEMS, _COMMIT_S = 256, 3.0
"""A commit is made after so many items, or so many seconds."""
_COMPACT_COMMITS = 64
"""The first compaction is after so many commits, each later one after twice as many as the last: it writes all anew."""


@dataclass(kw_only=True)
class IndexReport:
    """What a run did. Counts are of items: files, or rows of a feed."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Marked, as they are no longer there."""
    other: int = 0
    """Files of no kind that can be indexed."""
    rows: int = 0
    """Facets written."""
    bytes: int = 0
    """Of the files that were read."""
    seconds: float = 0.0
    wordless: int = 0
    """Facets of which the model's vocabulary has no word: they have no vector, and are found by their words only."""
    broken: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What should be known beside that, such as a column of prices that holds text."""

    @property
    def done(self) -> int:
        """Items written."""
        return self.added + self.replaced


class Keeper(Protocol):
    """Where a run writes: a `Store`, or what gathers rows for one elsewhere. Methods as `Store` has them."""

    def known(self) -> Mapping[str, Known]: ...  # noqa: D102

    def add(self, rows: Rows, replacing: Sequence[str] = ()) -> None: ...  # noqa: D102

    def touch(self, item: str, stamp: str) -> None: ...  # noqa: D102

    def mark(self, items: Sequence[str], *, deleted: bool) -> None: ...  # noqa: D102

    def compact(self) -> None: ...  # noqa: D102


class Run:
    """One run of indexing.

    Args:
        store: Where to write; the caller holds its lock.
        embedder: Makes the vectors.
        tools: What decoding may use.
        told: Called after each commit with the report so far and the items that are now safe.
        threads: How many decode at once.
    """

    def __init__(
        self,
        store: Keeper,
        embedder: Embedder,
        tools: Tools,
        told: Callable[[IndexReport, list[str]], None] | None = None,
        threads: int | None = None,
    ) -> None:
        self.store, self.embedder, self.tools, self.told = store, embedder, tools, told
        self._sealed = bool(getattr(store, "sealed", False))
        self.threads = threads or min(8, os.cpu_count() or 1)
        self.report = IndexReport()
        self._known: Mapping[str, Known] = {}
        self._batch: list[tuple[Item, Facet]] = []
        self._ready: list[Item] = []
        self._committed_s = time.monotonic()
        self._commits = 0
        self._compact_at = _COMPACT_COMMITS
        self._refused: dict[str, str] = {}
        """Kinds of facet that the model does not take → its sentence."""

    def bring_up_to_date(self, sources: Iterable[ItemSource | Broken], within: str | None = None) -> IndexReport:
        """Index what is new or changed.

        Args:
            sources: What is there.
            within: Known items whose name starts so, and that are not among the sources, are marked as deleted.
        """
        begun = time.monotonic()
        self._known = self.store.known()
        seen: set[str] = set()
        self._bring(self._changed(sources, seen))
        if within is not None:
            gone = [item for item, known in self._known.items() if item.startswith(within) and not known.deleted]
            gone = [item for item in gone if item not in seen]
            self.store.mark(gone, deleted=True)
            self.report.deleted = len(gone)
        if self._commits:
            self.store.compact()
        self.report.seconds = time.monotonic() - begun
        return self.report

    def _bring(self, sources: Iterator[ItemSource]) -> None:
        """Index what has changed."""
        for item in self._opened(sources):
            self._take(item)
        self._embed()
        self._commit()

    def _changed(self, sources: Iterable[ItemSource | Broken], seen: set[str]) -> Iterator[ItemSource]:
        """The sources whose stamp is not the known one."""
        back: list[str] = []
        for source in sources:
            seen.add(source.item)
            if isinstance(source, Broken):
                self.report.broken.append(source)
                continue
            known = self._known.get(source.item)
            if known is None or known.stamp != source.stamp:
                yield source
                continue
            self.report.unchanged += 1
            if known.deleted:
                back.append(source.item)
        self.store.mark(back, deleted=False)

    def _opened(self, sources: Iterator[ItemSource]) -> Iterator[Item]:
        """Items in order, read and decoded by threads that run ahead; long media are decoded when they are taken."""
        with ThreadPoolExecutor(self.threads) as pool:
            running: deque[tuple[ItemSource, Future[Item | None]]] = deque()
            try:
                for source in sources:
                    running.append((source, pool.submit(read_item, source, self.tools, self._digest_of(source))))
                    if len(running) >= 8 * self.threads:
                        yield from self._result(*running.popleft())
                while running:
                    yield from self._result(*running.popleft())
            finally:
                for _, future in running:
                    future.cancel()

    def _result(self, source: ItemSource, future: Future[Item | None]) -> Iterator[Item]:
        try:
            item = future.result()
        except TuttiError as error:
            self.report.broken.append(Broken(source.item, str(error)))
            return
        if item is None:
            self.report.other += 1
            return
        self.report.bytes += item.size
        if item.digest == self._digest_of(source):
            self.store.touch(source.item, source.stamp)
            self.report.unchanged += 1
            return
        item.rows.spilling = not self._sealed
        yield item

    def _digest_of(self, source: ItemSource) -> str | None:
        """What the database holds of a source, where that content alone makes its rows."""
        known = self._known.get(source.item)
        return known.digest if known is not None and not source.columns else None

    def _take(self, item: Item) -> None:
        """Queue an item's facets for embedding."""
        try:
            for facet in item.facets:
                if facet.kind in self._refused:
                    continue
                item.waiting += 1
                self._batch.append((item, facet))
                if len(self._batch) >= BATCH:
                    self._embed()
        except TuttiError as error:
            item.error = str(error)
        item.whole = True
        if not item.waiting:
            self._finish(item)

    def _embed(self) -> None:
        """Embed what is queued, and finish the items that are then whole."""
        batch, self._batch = self._batch, []
        batch = [(item, facet) for item, facet in batch if item.error is None]
        for kind in dict.fromkeys(facet.kind for _, facet in batch):
            self._embed_alike(kind, [pair for pair in batch if pair[1].kind == kind])
        for item in dict.fromkeys(item for item, _ in batch):
            if item.whole and not item.waiting:
                self._finish(item)
        if len(self._ready) >= _COMMIT_ITEMS or time.monotonic() - self._committed_s > _COMMIT_S:
            self._commit()

    def _embed_alike(self, kind: str, pairs: list[tuple[Item, Facet]]) -> None:
        for item, _ in pairs:
            item.waiting -= 1
        pairs = self._with_words(pairs)
        if not pairs:
            return
        try:
            vectors = self.embedder.embed([facet.part for _, facet in pairs]).vectors
        except UnsupportedTask as error:
            self._refused[kind] = str(error)
            return
        except TuttiError as error:
            if len(pairs) == 1:
                pairs[0][0].error = str(error)
                return
            for item, facet in pairs:  # one of them spoils it for all: find out which
                item.waiting += 1
                self._embed_alike(kind, [(item, facet)])
            return
        for (item, facet), vector in zip(pairs, vectors, strict=True):
            if item.error is None:
                self._keep(item, facet, vector)

    def _with_words(self, pairs: list[tuple[Item, Facet]]) -> list[tuple[Item, Facet]]:
        """The facets that can be embedded; texts of which the vocabulary has nothing get rows without a vector."""
        bounds, left = self.tools.bounds, []
        for item, facet in pairs:
            text = facet.part.text if isinstance(facet.part, Text) else None
            if bounds is None or text is None or not bounds.text_size(text).says_nothing:
                left.append((item, facet))
            elif item.error is None:
                self._keep(item, facet, None)
                self.report.wordless += 1
        return left

    @staticmethod
    def _keep(item: Item, facet: Facet, vector: NDArray[np.float32] | None) -> None:
        item.rows.append(row_of(item.source, item.part, item.digest, item.size, facet, len(item.rows), vector))

    def _finish(self, item: Item) -> None:
        if item.error is None and not item.rows:
            refused = next(iter(self._refused.values()), None)
            item.error = refused or f"{item.source.item} holds nothing that can be found."
        if (
            item.error is None
            and item.source.path is not None
            and not item.source.stamp.endswith(_stamp_or_none(item.source.path))
        ):
            item.error = f"{item.source.path} changed while it was read; run the command again."
        if item.error is not None:
            self.report.broken.append(Broken(item.source.item, item.error))
        else:
            self._ready.append(item)

    def _commit(self) -> None:
        """Write the finished items and tell of them."""
        ready, self._ready = self._ready, []
        self._committed_s = time.monotonic()
        if not ready:
            return
        fresh = [item for item in ready if item.source.item not in self._known]
        changed = [item for item in ready if item.source.item in self._known]
        self.store.add(RowBuffer((row for item in fresh for row in item.rows), spilling=not self._sealed))
        rows = RowBuffer((row for item in changed for row in item.rows), spilling=not self._sealed)
        self.store.add(rows, [item.source.item for item in changed])
        self.report.added += len(fresh)
        self.report.replaced += len(changed)
        self.report.rows += sum(len(item.rows) for item in ready)
        self._safe([item.source.item for item in ready])

    def _safe(self, items: list[str]) -> None:
        """Tell of items that a commit has just written."""
        self._commits += 1
        if self.told is not None:
            self.told(self.report, items)
        if self._commits == self._compact_at:
            self.store.compact()
            self._compact_at *= 2


def _stamp_or_none(path: str) -> str:
    try:
        return stamp_of(path)
    except InputError:
        return "gone"
