"""An index over a collection: bring it up to date, search it, ask it, and delete a person's data from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Media, Part, Source, Text
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import (
    Embedder,
    EmbeddingModel,
    Fingerprinted,
    Provider,
    Responder,
    Sealer,
    Sighted,
    TextBounded,
    TextReader,
    Transcriber,
)
from tutti.media import Limits, wrap
from tutti.search.answer.answers import (
    RELEVANT,
    SourcedAnswer,
    answer_from,
    asks_how_often,
    asks_when,
    sense_asked_for,
    thing_asked_for,
)
from tutti.search.answer.evidence import evidence_of
from tutti.search.answer.moments import joined, times_answer
from tutti.search.ingest.facets import DECODED_SIDE, LEAST_SIDE, Tools, facets
from tutti.search.ingest.feed import is_feed, read_feed
from tutti.search.ingest.ray_cluster import Cluster, SpreadRun, WorkerSetup
from tutti.search.ingest.run import IndexReport, Run
from tutti.search.ingest.walk import Broken, ItemSource, stamp_of, walk
from tutti.search.query.contrast_words import BANK, alternatives
from tutti.search.query.hits import Hit, Wanted, only_colour
from tutti.search.query.rerank import rerank
from tutti.search.query.searcher import Searcher, embed_words
from tutti.search.table.erasure import Forgotten, forget
from tutti.search.table.indexes import tune
from tutti.search.table.location import Location
from tutti.search.table.schema import KINDS, FacetKind, Identity
from tutti.search.table.sealed_store import SealedStore
from tutti.search.table.store import Store, holds_table
from tutti.settings import DEFAULT_TENANT, read_settings


class Index:
    """A collection that can be searched.

    Args:
        path: The database's folder, or an address in an object store: s3://bucket/db.
        model: What embeds, and answers where it can: a `tutti.Model`, or any `Embedder`.
        tenant: Whose collection; tenants lie in folders of their own and never see one another.
        reader: Reads text in pictures while indexing.
        transcriber: Writes down speech while indexing.
        longest_speech_s: Recordings and films that are longer are not written down; None is any.
        sealer: Encrypts the database: the tenant's, of a `tutti.trust.vault.Vault`; that of the model if None.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        model: Provider | EmbeddingModel,
        *,
        tenant: str = DEFAULT_TENANT,
        reader: TextReader | None = None,
        transcriber: Transcriber | None = None,
        longest_speech_s: float | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        if isinstance(model, EmbeddingModel):
            sealer, model = sealer or model.sealer, model.embedder()
        if not isinstance(model, Embedder):
            raise UnsupportedTask(f"{model.name} does not embed", "embed")
        self.sealer = sealer
        settings = read_settings()
        self.place, self.tenant, self.embedder = Location.of(path), tenant, model
        side = model.picture_side if isinstance(model, Sighted) else None
        self.tools = Tools(
            picture_side=max(LEAST_SIDE, side) if side is not None else DECODED_SIDE,
            limits=Limits.from_settings(settings),
            streaming=Limits.for_streaming(settings),
            bounds=bounds_of(model),
            reader=reader,
            transcriber=transcriber,
            longest_speech_s=longest_speech_s,
        )
        self._searcher: Searcher | None = None
        self._bank: NDArray[np.float32] | None = None

    @property
    def store(self) -> Store:
        """The table.

        Raises:
            InputError: There is none, or it was made by another model.
        """
        return self._opened().store

    def add(
        self,
        source: str | PathLike[str],
        *,
        subject: str | None = None,
        media_column: str | None = None,
        key_column: str | None = None,
        subject_column: str | None = None,
        told: Callable[[IndexReport, list[str]], None] | None = None,
        cluster: Cluster | None = None,
    ) -> IndexReport:
        """Bring the collection up to date with a folder, a file, or a CSV, JSONL or Parquet feed.

        Args:
            source: The folder, file or feed.
            subject: Whose data all of it is, for `forget`.
            media_column: The feed's column that names the medium; guessed when not given.
            key_column: The feed's column that tells rows apart; guessed when not given.
            subject_column: The feed's column that says whose data a row is.
            told: Called after each commit with the report so far and the items that are now safe.
            cluster: Where files are read and embedded, if not here.

        Raises:
            InputError: There is no such source, it holds nothing to index, or another model made the database.
            CapacityError: The disk is full.
        """
        path, notes = Path(source).expanduser(), list[str]()
        if is_feed(path):
            items: Iterable[ItemSource | Broken] = read_feed(
                path,
                media_column=media_column,
                key_column=key_column,
                subject_column=subject_column,
                remark=notes.append,
            )
            within = f"{path.resolve()}#"
        elif path.is_file():
            items, within = (
                [
                    ItemSource(
                        item=str(path.resolve()),
                        path=str(path.resolve()),
                        stamp=stamp_of(fspath(path)),
                        subject=subject,
                    )
                ],
                None,
            )
        else:
            items, within = walk(path, subject), f"{path.resolve()}/"
        report = self.add_items(items, within, told, name=str(source), cluster=cluster)
        report.notes += notes
        return report

    def add_items(
        self,
        items: Iterable[ItemSource | Broken],
        within: str | None = None,
        told: Callable[[IndexReport, list[str]], None] | None = None,
        name: str = "The collection",
        cluster: Cluster | None = None,
    ) -> IndexReport:
        """As `add`, for items that the caller lists."""
        items = iter(items)
        first = next(items, None)
        if first is None and not self.exists():
            raise InputError(f"{name} holds no files; expected media: pictures, recordings, videos or texts.")
        if cluster is not None and self.sealer is not None:
            raise InputError("A cluster's workers would write rows unencrypted; index with a vault on this machine.")
        store = self._made()
        with store.folder.writing():
            if cluster is not None:
                run: Run = SpreadRun(cluster, self.worker_setup(), store, told)
            else:
                run = Run(store, self.embedder, self.tools, told)
            report = run.bring_up_to_date(chain([first], items) if first is not None else (), within)
            tune(store)
        self._searcher = None
        if not store.count():
            reason = f": {report.broken[0].reason}" if report.broken else "."
            raise InputError(f"{name} holds no file that can be indexed{reason}")
        return report

    def search(
        self,
        text: str | None = None,
        *,
        like: Media | Source | Sequence[Media | Source] | None = None,
        where: str | None = None,
        modality: str | Sequence[str] | None = None,
        top: int = 10,
        hybrid: bool = True,
        per_item: int | None = 1,
        reranked: bool = False,
    ) -> list[Hit]:
        """Find things in any modality from any modality, the best first.

        Args:
            text: Words; a colour in them is also compared with the measured colours of pictures.
            like: A medium, or several, to be like; together with `text`: like this, but as the words say.
            where: A condition on columns, as in `price < 50 and stock > 0`.
            modality: Only items of these modalities.
            top: Most results.
            hybrid: Search the words of texts and transcripts by full text, too.
            per_item: Most results of one item; None for all of its moments.
            reranked: Let the model look at each result, and put those first of which it says that they fit.

        Raises:
            InputError: Nothing to search for, a condition that is not one, or no database.
        """
        wanted = self._wanted(text, like, where, modality, top, hybrid, per_item)
        hits = self._opened().search(wanted)
        if reranked:
            if not isinstance(self.embedder, Responder) or not text:
                raise UnsupportedTask("Reranking needs words and a model that answers", "ask")
            hits = rerank(self.embedder, text, hits, lambda hit: evidence_of(hit, self.tools))
        return hits

    def moments(self, text: str, *, top: int = 10, fitting: float = 0.0, **options: Any) -> list[Hit]:
        """Where something is in long media: hits that touch in time are one. Options as for `search`.

        Args:
            text: Words.
            top: Most moments.
            fitting: Least probability that a moment fits the words.
            options: Of `search`.
        """
        hits = self.search(text, top=max(100, 10 * top), per_item=None, **options)
        hits = [hit for hit in hits if (hit.fit or 0.0) >= fitting or hit.shares_words]
        return joined(hits)[:top]

    def ask(
        self,
        question: str,
        *,
        top: int = 4,
        budget_tokens: int | None = None,
        responder: Responder | None = None,
        **options: Any,
    ) -> SourcedAnswer:
        """Answer a question over the collection, with numbered sources.

        Args:
            question: In words. "When …" and "How often …" are answered by the times of moments.
            top: Most results that the model is shown.
            budget_tokens: Most tokens of the prompt.
            responder: Who answers; the index's own model when not given.
            options: Of `search`.

        Raises:
            UnsupportedTask: The model does not answer.
        """
        begun = time.perf_counter()
        thing = thing_asked_for(question)
        if asks_when(question) or asks_how_often(question):
            sense = sense_asked_for(question)
            moments = self.moments(thing, top=50, fitting=RELEVANT, **options)
            moments = [moment for moment in moments if sense is None or moment.kind in (sense, "words")]
            took = time.perf_counter() - begun
            return times_answer(thing, moments, self.embedder.name, took, count=asks_how_often(question))
        answering = responder or self.embedder
        if not isinstance(answering, Responder):
            raise UnsupportedTask(f"{self.embedder.name} does not answer questions", "ask")
        hits = self.search(thing, top=4 * top, **options)
        relevant = [hit for hit in hits if (hit.fit or 0.0) >= RELEVANT or hit.shares_words]
        return answer_from(answering, question, relevant[:top], self.tools, budget_tokens)

    def thumbnails(self, hits: Sequence[Hit]) -> dict[str, bytes]:
        """The small pictures of results, as JPEG by id; sounds and words have none."""
        return self.store.thumbnails([hit.id for hit in hits]) if hits else {}

    def forget(self, subject: str) -> Forgotten:
        """Remove all of a subject: rows, vectors, thumbnails, what was cached of its media. And check that it is gone.

        Raises:
            InputError: There is nothing of the subject.
        """
        store = self._found()
        with store.folder.writing():
            done = forget(store, subject, Path(read_settings().cache_folder).expanduser())
        self._searcher = None
        return done

    def _wanted(
        self,
        text: str | None,
        like: Media | Source | Sequence[Media | Source] | None,
        where: str | None,
        modality: str | Sequence[str] | None,
        top: int,
        hybrid: bool,
        per_item: int | None,
    ) -> Wanted:
        if not (text and text.strip()) and like is None:
            raise InputError('There is nothing to search for; give words or a medium: tutti search "red shoes" --in DB')
        if top < 1:
            raise InputError(f"top is {top}; expected at least 1.")
        liked = [like] if not isinstance(like, (list, tuple)) else list(like)
        vectors = tuple(found for medium in liked if medium is not None for found in self._likeness(medium))
        text_vector = None
        if text and text.strip() and not (vectors and only_colour(text)):
            text_vector = self._text_vector(text)
        spelled = bool(text and text.strip()) and not (vectors and only_colour(text or ""))
        if spelled and text_vector is None and not vectors and not hybrid:
            raise InputError(f"Nothing of {text!r} is in the vocabulary of {self.embedder.name}; leave hybrid on.")
        modalities = (modality,) if isinstance(modality, str) else tuple(modality or ())
        return Wanted(
            text=text,
            text_vector=text_vector,
            others=self._alternatives(text, text_vector) if text and text_vector is not None else None,
            like=vectors,
            spelled=spelled,
            where=where,
            modalities=modalities,
            top=top,
            hybrid=hybrid,
            per_item=per_item,
        )

    def _text_vector(self, text: str) -> NDArray[np.float32] | None:
        """Where words stand; None where the model's vocabulary has none of them, so that only full text finds them."""
        bounds = self.tools.bounds
        if bounds is not None and bounds.text_size(text).says_nothing:
            return None
        return np.asarray(embed_words(self.embedder, [text])[0], np.float32)

    def _likeness(self, medium: Any) -> list[tuple[FacetKind, NDArray[np.float32]]]:
        """One vector for what is seen in a medium, and one for what is heard: the mean over it."""
        part: Part = wrap(medium)
        found = list(facets(part, self.tools))
        vectors = []
        for kind in KINDS:
            alike = [facet.part for facet in found if facet.kind == kind]
            if alike and (kind != "words" or isinstance(part, Text)):
                mean = self.embedder.embed(alike).vectors.mean(axis=0)
                vectors.append((kind, np.asarray(mean / np.linalg.norm(mean), np.float32)))
        return vectors

    def _alternatives(self, text: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._bank is None:
            self._bank = embed_words(self.embedder, BANK)
        return self._bank[alternatives(text, vector, self._bank)]

    def _opened(self) -> Searcher:
        if self._searcher is None:
            store = self._found()
            store.check(self.identity())
            self._searcher = Searcher(store, self.embedder)
        return self._searcher

    def _found(self) -> Store:
        if self.sealer is None:
            return Store.open(self.place, self.tenant)
        return SealedStore.open_sealed(self.place, self.tenant, self.sealer)

    def _made(self) -> Store:
        if self.sealer is None:
            return Store.create(self.place, self.tenant, self.identity())
        return SealedStore.create_sealed(self.place, self.tenant, self.identity(), self.sealer)

    def exists(self) -> bool:
        """Whether there is a database of the tenant."""
        return holds_table(self.place / self.tenant)

    def worker_setup(self) -> WorkerSetup:
        """What a worker of a cluster needs to index as this index does."""
        return WorkerSetup(self.embedder, self.tools, self.identity())

    def identity(self) -> Identity:
        """Which space the vectors are points of."""
        embedder = self.embedder
        weights, preprocessing = embedder.fingerprint() if isinstance(embedder, Fingerprinted) else (embedder.name, "")
        dimension = embedder.embed([Text("a")]).vectors.shape[1]
        return Identity(embedder.name, weights, preprocessing, dimension)


def bounds_of(embedder: Embedder) -> TextBounded | None:
    """What states how much text an embedder reads, where it does."""
    if not isinstance(embedder, TextBounded):
        return None
    try:
        return embedder if embedder.max_text_tokens else None
    except UnsupportedTask:  # it reads no text at all
        return None
