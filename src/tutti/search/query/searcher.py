"""A query over a table: what it asks for, the candidates by vector and by words, and one ranking of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutti.content import Modality, Text
from tutti.errors import InputError, UnsupportedTask
from tutti.interfaces import Embedder
from tutti.processing.words import words_of
from tutti.search.query import colours
from tutti.search.query.fusion import Direction, compose, log_odds, probability, reciprocal_rank
from tutti.search.query.reasons import HasColour, Matched, NearInSpace, Reason, SharesWords, as_values
from tutti.search.table.conditions import condition
from tutti.search.table.indexes import nearest
from tutti.search.table.schema import COLUMNS, HOP_S, KINDS, QUERIED, WINDOW_S, Kind, vectors_of
from tutti.search.table.store import Store, quoted

MODALITIES = ("text", "image", "audio", "video")
_SAMPLE = 1024
_MODALITY: dict[Kind, Modality] = {"picture": "image", "sound": "audio", "words": "text"}
_BESIDES = {"vector": "_distance", "fts": "_score"}
COLOUR_WEIGHT, OTHER_COLOUR_WEIGHT = 6.0, 10.0
"""A picture that is of the colour asked for gains so many standard deviations; the latter beside `like`, as in "this,
but in blue", where what is most alike has the wrong colour."""
_ENOUGH = 1 / 3
"""A picture with so much of a colour is of it: what is shown seldom fills the frame."""
_LEAST_ODDS = -4.0
"""What fits words less is all the same misfit: else "a red thing" would rank by how much of a thing it is."""
_Edge: TypeAlias = tuple[str, str, float]
"""An item, whether something in it starts or ends (the name of the column), and when."""
_BUT = re.compile(r"\b(this|that|it|but|and|in|like|the|a|an|one|colou?r|more|with|similar|same|as|only|of)\b")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A query with its vectors."""

    text: str | None = None
    text_vector: NDArray[np.float32] | None = None
    """(D,); None where the text only names a colour beside `like`, or the model's vocabulary has none of it."""
    spelled: bool = True
    """Whether the text is looked for as it is spelled, too."""
    like: tuple[tuple[Kind, NDArray[np.float32]], ...] = ()
    """Kind and (D,) vector of each thing to be like."""
    where: str | None = None
    others: NDArray[np.float32] | None = None
    """(W, D): words that mean something else than the text."""
    modalities: tuple[str, ...] = ()
    top: int = 10
    hybrid: bool = True
    per_item: int | None = 1
    """Most results of one item; None for all of its moments."""

    @property
    def wishes(self) -> list[colours.ColourWish]:
        """The colours it names."""
        return colours.wishes(self.text) if self.text else []

    @property
    def candidates(self) -> int:
        """Most rows of a kind that are looked at."""
        return max(100, 4 * self.top)

    @property
    def narrows_nothing(self) -> bool:
        """Whether all rows of a kind are candidates, if there are not too many."""
        return self.where is None and not self.modalities


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Something found."""

    id: str
    item: str
    path: str | None
    modality: str
    kind: Kind
    """Which part matched: what is seen, heard, or read."""
    score: float
    """From the fused ranks: 1 is first in every ranking."""
    why: tuple[Reason, ...]
    """Reasons; `str` of one is a sentence for people."""
    fit: float | None = None
    """Probability that it fits the words of the query rather than others; None without words."""
    start_s: float | None = None
    end_s: float | None = None
    words: str | None = None
    boxes: tuple[dict[str, Any], ...] = ()
    """Lines of text read in the picture that hold a word of the query: text, box in pixels, confidence."""
    colours: tuple[str, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def shares_words(self) -> bool:
        """Whether full text found words of the query in it."""
        return any(isinstance(reason, SharesWords) for reason in self.why)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON: `why` in sentences, `reasons` as values."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.__dict__.items()}
        return values | {"why": [str(reason) for reason in self.why], "reasons": [as_values(one) for one in self.why]}


_OF_ROW = [part.name for part in fields(Hit) if part.name in COLUMNS and part.name != "colours"]
"""What a hit takes over from its row as it is."""


def only_colour(text: str) -> bool:
    """Whether a text says nothing but a colour, as in "this, but in blue"."""
    named = {wish.word for wish in colours.wishes(text)}
    rest = [word for word in re.findall(r"[a-z]+", _BUT.sub(" ", text.lower())) if word not in named]
    return bool(named) and not rest


class Searcher:
    """Answers queries over a table.

    Args:
        store: The table.
        embedder: Whose space its vectors are points of.
    """

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self.store = store
        self._sharpness = {kind: _sharpness(embedder, _MODALITY[kind]) for kind in KINDS}
        self._samples: dict[Kind, NDArray[np.float32]] | None = None
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

    def sample(self, kind: Kind) -> NDArray[np.float32]:
        """Vectors of some rows of a kind, (N, D) float32."""
        if self._samples is None or self._sampled_at != self.store.table.version:
            self._samples, self._sampled_at = self._draw(), self.store.table.version
        return self._samples[kind]

    def _draw(self) -> dict[Kind, NDArray[np.float32]]:
        drawn: dict[Kind, NDArray[np.float32]] = {}
        for kind in KINDS:
            # A random stretch, not random rows: reading a million to draw a thousand costs seconds.
            count = self.store.count(f"kind = '{kind}'")
            query = self.store.table.search().where(f"kind = '{kind}'").select(["vector", "start_s", "end_s"])
            start = int(np.random.default_rng(0).integers(0, max(1, count - _SAMPLE + 1)))
            found = query.limit(_SAMPLE).offset(start).to_arrow()
            drawn[kind] = _by_window(found) if kind == "sound" and len(found) else vectors_of(_whole(found))
        return drawn

    def _direction(self, kind: Kind, wanted: Wanted) -> Direction | None:
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

    def _nearest(self, kind: Kind, direction: Direction, wanted: Wanted, prefilter: str) -> list[dict[str, Any]]:
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

    def _odds(self, vectors: NDArray[np.float32], kind: Kind, wanted: Wanted) -> NDArray[np.float32]:
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
            **{name: row[name] for name in _OF_ROW},
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
    """Vectors of rows of sound, each as often as it stands for a window: else what is rare would seem usual. (N, D)."""
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
