"""A query over a table: what it asks for, the candidates by vector and by words, and one ranking of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.content import Modality, Text
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import Embedder
from tutti.processing.words import words_of
from tutti.search.query import colours
from tutti.search.query.fusion import Direction, compose, log_odds, probability, reciprocal_rank
from tutti.search.query.hits import OF_ROW, Hit, Wanted
from tutti.search.query.reasons import HasColour, Matched, NearInSpace, Reason, SharesWords
from tutti.search.table.conditions import condition
from tutti.search.table.indexes import nearest
from tutti.search.table.schema import HOP_S, KINDS, QUERIED, WINDOW_S, FacetKind, vectors_of
from tutti.search.table.store import Store, quoted

MODALITIES = ("text", "image", "audio", "video", "document")
_SAMPLE = 1024
_MODALITY: dict[FacetKind, Modality] = {"picture": "image", "sound": "audio", "words": "text"}
_BESIDES = {"vector": "_distance", "fts": "_score"}
COLOUR_WEIGHT, OTHER_COLOUR_WEIGHT = 6.0, 10.0
"""A picture that is of the colour asked for gains so many standard deviations; the latter beside `like`, as in "this,
but in blue", where what is most alike has the wrong colour."""
_ENOUGH = 1 / 3
"""Share of a colour from which a picture counts as being of it: a subject seldom fills the frame."""
_LEAST_ODDS = -4.0
"""Lower odds count as these: otherwise "a red thing" would rank pictures by how much of a thing they show."""
_Edge: TypeAlias = tuple[str, str, float]
"""An item, whether something in it starts or ends (the name of the column), and when."""


class Searcher:
    """Answers queries over a table.

    Args:
        store: The table.
        embedder: Whose space its vectors are points of.
    """

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.store = store
        self._sharpness = {kind: _sharpness(embedder, _MODALITY[kind]) for kind in KINDS}
        self._samples: dict[FacetKind, NDArray[np.float32]] | None = None
        self._sampled_at = -1

    def search(self, wanted: Wanted) -> list[Hit]:
        """The best first.

        Raises:
            InputError: `where` or a modality is not what is expected.
        """
        prefilter = self._filter(wanted)
        rows: dict[str, dict[str, Any]] = {}
        scores: dict[str, float] = {}
        for kind in KINDS:
            direction = self._direction(kind, wanted)
            if direction is not None:
                found = self._nearest(kind, direction, wanted, prefilter)
                rows.update((row["id"], row) for row in found)
                scores.update(self._scored(found, direction, wanted))
        by_vector = sorted(scores, key=lambda key: -scores[key])
        by_words: list[str] = []
        if wanted.text and wanted.hybrid and wanted.spelled:
            found = self._by_words(wanted, prefilter)
            by_words = [row["id"] for row in found]
            rows.update((row["id"], row) for row in found if row["id"] not in rows)
        fused = reciprocal_rank([by_vector, by_words])
        kept = self._kept(fused, rows, wanted)
        return [self._hit(rows[key], fused[key], scores.get(key), key in by_words, wanted) for key in kept]

    def sample(self, kind: FacetKind) -> NDArray[np.float32]:
        """Vectors of some rows of a kind, (N, D) float32."""
        if self._samples is None or self._sampled_at != self.store.table.version:
            self._samples, self._sampled_at = self._draw(), self.store.table.version
        return self._samples[kind]

    def _draw(self) -> dict[FacetKind, NDArray[np.float32]]:
        drawn: dict[FacetKind, NDArray[np.float32]] = {}
        for kind in KINDS:
            # A random stretch, not random rows: reading a million to draw a thousand costs seconds.
            count = self.store.count(f"kind = '{kind}'")
            query = self.store.table.search().where(f"kind = '{kind}'").select(["vector", "start_s", "end_s"])
            start = int(np.random.default_rng(0).integers(0, max(1, count - _SAMPLE + 1)))
            found = query.limit(_SAMPLE).offset(start).to_arrow()
            drawn[kind] = _by_window(found) if kind == "sound" and len(found) else vectors_of(_whole(found))
        return drawn

    def _direction(self, kind: FacetKind, wanted: Wanted) -> Direction | None:
        vectors = [vector for _, vector in wanted.like]
        if wanted.text_vector is not None:
            vectors.append(wanted.text_vector)
        sample = self.sample(kind)
        return compose(vectors, [1.0] * len(vectors), sample) if vectors and len(sample) else None

    def _filter(self, wanted: Wanted) -> str:
        terms = ["NOT deleted"]
        if unknown := [modality for modality in wanted.modalities if modality not in MODALITIES]:
            raise InputError(f"There is no modality {unknown[0]!r}; expected some of: {', '.join(MODALITIES)}.")
        if wanted.modalities:
            terms.append(f"modality IN ({', '.join(map(quoted, wanted.modalities))})")
        if wanted.where is not None:
            terms.append(condition(wanted.where, self.store.columns()))
        return " AND ".join(terms)

    def _nearest(self, kind: FacetKind, direction: Direction, wanted: Wanted, prefilter: str) -> list[dict[str, Any]]:
        length = np.linalg.norm(direction.vector)
        if not length:
            return []
        found: dict[str, dict[str, Any]] = {}
        filters = [f"kind = '{kind}' AND {prefilter}"]
        if kind == "picture":  # those of the colour might all be farther off than the nearest of any colour
            filters += [f"{filters[0]} AND array_has(colours, '{wish.term}')" for wish in wanted.wishes]
        for where in filters:
            query = nearest(self.store, direction.vector / length).where(where, prefilter=True).limit(wanted.candidates)
            found.update((row["id"], row) for row in self._run(query, "vector"))
        return list(found.values())

    def _by_words(self, wanted: Wanted, prefilter: str) -> list[dict[str, Any]]:
        if not any(index.columns == ["words"] for index in self.store.table.list_indices()):
            return []
        query = self.store.table.search(wanted.text, query_type="fts", fts_columns="words")
        return self._run(query.where(prefilter, prefilter=True).limit(wanted.candidates), "fts")

    def _run(self, query: Any, kind: str) -> list[dict[str, Any]]:
        names = [*QUERIED, *self.store.feed_columns(), _BESIDES[kind]]
        try:
            table = query.select(names).to_arrow()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise InputError(
                f"The database refuses the condition: {reason}; compare columns with values of their type."
            ) from None
        vectors = vectors_of(table)
        rows: list[dict[str, Any]] = table.drop_columns(["vector"]).to_pylist()
        missing = table["vector"].is_null().to_pylist()
        for row, vector, is_missing in zip(rows, vectors, missing, strict=True):
            row["vector"] = None if is_missing else vector
        return rows

    def _scored(self, rows: Sequence[dict[str, Any]], direction: Direction, wanted: Wanted) -> dict[str, float]:
        """Deviations above the sample, odds against other words, and colour, in one sum."""
        if not rows:
            return {}
        vectors = np.stack([row["vector"] for row in rows])
        odds = self._odds(vectors, rows[0]["kind"], wanted)
        if rows[0]["kind"] == "sound" and wanted.per_item is None:
            odds = self._agreed(rows, odds, wanted)
        for row, own in zip(rows, odds.tolist(), strict=True):
            row["odds"] = own
        scores = (direction.score(vectors) + np.maximum(odds, _LEAST_ODDS)).tolist()
        weight = OTHER_COLOUR_WEIGHT if wanted.like else COLOUR_WEIGHT
        for wish in wanted.wishes:
            for place, row in enumerate(rows):
                if row["palette"]:
                    share = colours.closeness(colours.unpacked(row["palette"]), wish)
                    scores[place] += weight * min(1.0, share / _ENOUGH)
        return dict(zip((row["id"] for row in rows), scores, strict=True))

    def _agreed(self, rows: Sequence[dict[str, Any]], odds: NDArray[np.float32], wanted: Wanted) -> NDArray[np.float32]:
        """Odds of windows of sound, a third of them from the one beside that fits better.

        A sound lies in two windows, each half over the last. What only one of them hears is seldom there: the start
        of a sneeze, alone at the end of a window, passes for a rooster. At the ends of a track there is one beside,
        and what lasts longer than a window lies in several that are alike.
        """
        single = [row["end_s"] - row["start_s"] <= WINDOW_S for row in rows]
        sides = [{("end_s", row["start_s"] + HOP_S), ("start_s", row["start_s"] + HOP_S)} for row in rows]
        known = _by_edge(rows, odds)
        missing = {
            (row["item"], *side)
            for row, alone, both in zip(rows, single, sides, strict=True)
            for side in both
            if alone and (row["item"], *side) not in known
        }
        if missing and not (wanted.narrows_nothing and len(rows) < wanted.candidates):
            known |= self._odds_of_windows(missing, wanted)
        near = [
            max(known.get((row["item"], *side), own) for side in both) if alone else own
            for row, alone, both, own in zip(rows, single, sides, odds.tolist(), strict=True)
        ]
        return np.asarray((2 * odds + np.array(near, np.float32)) / 3, np.float32)

    def _odds_of_windows(self, places: Set[_Edge], wanted: Wanted) -> dict[_Edge, float]:
        """Odds of the windows of sound of an item that start, or end, at a time, where there are such."""
        where = [
            f"{side} IN ({', '.join(str(time) for time in times)})"
            for side in ("start_s", "end_s")
            if (times := sorted({time for _, own, time in places if own == side}))
        ]
        items = ", ".join(map(quoted, sorted({item for item, _, _ in places})))
        condition = f"kind = 'sound' AND NOT deleted AND item IN ({items}) AND ({' OR '.join(where)})"
        found = self.store.table.search().where(condition).select(["item", "start_s", "end_s", "vector"]).to_arrow()
        if not found.num_rows:
            return {}
        return _by_edge(found.drop_columns(["vector"]).to_pylist(), self._odds(vectors_of(found), "sound", wanted))

    def _odds(self, vectors: NDArray[np.float32], kind: FacetKind, wanted: Wanted) -> NDArray[np.float32]:
        if wanted.text_vector is None or wanted.others is None or not len(wanted.others):
            return np.zeros(len(vectors), np.float32)
        return log_odds(vectors, wanted.text_vector, wanted.others, self._sharpness[kind])

    @staticmethod
    def _kept(ranked: Iterable[str], rows: dict[str, dict[str, Any]], wanted: Wanted) -> list[str]:
        """The first of each item, or its first few."""
        counts: dict[str, int] = {}
        kept = []
        for key in ranked:
            item = rows[key]["item"]
            counts[item] = counts.get(item, 0) + 1
            if wanted.per_item is None or counts[item] <= wanted.per_item:
                kept.append(key)
            if len(kept) >= wanted.top:
                break
        return kept

    def _hit(self, row: dict[str, Any], fused: float, score: float | None, has_words: bool, wanted: Wanted) -> Hit:
        fit = None
        has_odds = row["vector"] is not None and wanted.text_vector is not None
        if has_odds and wanted.others is not None and len(wanted.others):
            odds = row["odds"] if "odds" in row else self._odds(row["vector"][None], row["kind"], wanted)[0]
            fit = probability(float(odds))
        lines = [
            line for line in json.loads(row["lines"] or "[]") if wanted.text and shares_word(line["text"], wanted.text)
        ]
        return Hit(
            **{name: row[name] for name in OF_ROW},
            score=fused,
            fit=fit,
            why=tuple(_reasons(row, score, has_words, wanted)),
            boxes=tuple(lines),
            colours=tuple(row["colours"] or ()),
            columns={name: row[name] for name in self.store.feed_columns() if row[name] is not None},
        )


def _by_edge(rows: Sequence[dict[str, Any]], odds: NDArray[np.float32]) -> dict[_Edge, float]:
    """Odds of windows of sound by where these start and where they end."""
    return {
        (row["item"], side, row[side]): own
        for row, own in zip(rows, odds.tolist(), strict=True)
        for side in ("start_s", "end_s")
    }


def _by_window(rows: Any) -> NDArray[np.float32]:
    """Vectors of rows of sound, each once per window that it covers: otherwise rare sounds would seem usual. (N, D)."""
    lasting_s = rows["end_s"].to_numpy() - rows["start_s"].to_numpy()
    until = np.cumsum(1 + np.maximum(0, np.round((lasting_s - WINDOW_S) / HOP_S)))
    places = np.linspace(0, until[-1], min(int(until[-1]), _SAMPLE), endpoint=False)
    return vectors_of(rows)[np.searchsorted(until, places, side="right")]


def _sharpness(embedder: Embedder, modality: Modality) -> float:
    try:
        return embedder.sharpness(modality)
    except UnsupportedTask:
        return 1.0  # nothing of this modality is in the table, then


def _reasons(row: dict[str, Any], score: float | None, has_words: bool, wanted: Wanted) -> Iterable[Reason]:
    matched = Matched(row["kind"], row["origin"])
    if score is not None:
        yield NearInSpace(matched, score)
    if has_words:
        yield SharesWords(matched)
    for wish in wanted.wishes:
        if row["palette"] and (share := colours.closeness(colours.unpacked(row["palette"]), wish)) >= 0.05:
            yield HasColour(wish.word, share)


def shares_word(text: str, query: str) -> bool:
    """Whether two texts have a word in common."""
    return bool(set(words_of(text)) & set(words_of(query)))


def _whole(table: Any) -> Any:
    """The rows that have a vector."""
    return table.filter(table["vector"].is_valid()) if table["vector"].null_count else table


def embed_words(embedder: Any, words: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of words, (W, D) float32."""
    return np.asarray(embedder.embed([Text(word) for word in words]).vectors, np.float32)
