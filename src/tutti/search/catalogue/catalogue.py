"""A catalogue on disk, in an index: brought up to date with a feed, and opened as an assortment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.content import Image
from tutti.errors import InputError, TuttiError
from tutti.media import decode_image
from tutti.search.catalogue.assortment import Appearance, Assortment, stated_lab
from tutti.search.catalogue.feed_rows import FeedRow, feed_rows
from tutti.search.catalogue.products import (
    REFRESHED,
    Product,
    product_of,
    product_of_row,
    row_of_product,
)
from tutti.search.index import Index
from tutti.search.ingest.run import IndexReport
from tutti.search.ingest.walk import Broken, ItemSource, stamp_of
from tutti.search.looks.product_look import look_of_product
from tutti.search.table.schema import vectors_of
from tutti.search.table.store import Known, Store, holds_table
from tutti.settings import DEFAULT_TENANT

_PREFIX = "product:"
_LOOK = ("look_l", "look_a", "look_b", "look_pattern", "look_finish")


@dataclass(kw_only=True)
class CatalogueReport:
    """What an update did. Counts are of products."""

    added: int = 0
    replaced: int = 0
    """Embedded again, as words or picture have changed."""
    refreshed: int = 0
    """Prices, stock or sizes changed without embedding again."""
    unchanged: int = 0
    withdrawn: int = 0
    """No longer in the feed, so no longer offered."""
    without_picture: int = 0
    """Whose picture is an address: they are found by their words and by the colour that the feed states."""
    broken: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Catalogue:
    """A tenant's catalogue.

    Args:
        path: Folder of the database, made by the first update; or an address in an object store.
        model: What embeds: a `tutti.Model`, or any `Embedder`.
        tenant: Whose; tenants never see one another.
    """

    def __init__(self, path: str | PathLike[str], model: Any, *, tenant: str = DEFAULT_TENANT) -> None:
        self.index = Index(path, model, tenant=tenant)
        if self.index.sealer is not None:
            raise InputError("A catalogue cannot lie in an encrypted database; open it without a sealer.")
        self._opened: tuple[int, Assortment] | None = None

    def update(
        self,
        source: str | PathLike[str],
        *,
        currency: str | None = None,
        partial: bool = False,
        told: Callable[[IndexReport, list[str]], None] | None = None,
    ) -> CatalogueReport:
        """Bring the catalogue up to date with a feed. What has the same words and picture is not embedded again.

        Args:
            source: CSV, TSV, JSONL or Parquet, or Google Merchant's feed as TSV or XML; paths of pictures are relative
                to it.
            currency: Of prices that name none, as ISO 4217.
            partial: Products that the feed lacks stay as they are; otherwise they are no longer offered.
            told: Called after each commit.

        Raises:
            InputError: The feed cannot be read, or holds no product.
            CapacityError: The disk is full.
        """
        path = Path(source).expanduser()
        if not path.is_file():
            raise InputError(f"{source} is not a file; expected a feed of products as CSV, TSV, JSONL, Parquet or XML.")
        reading = _Reading(path, currency, self._known(), self.index)
        items = reading.items()
        first = next(items, None)
        if first is None:
            reason = f": {reading.broken[0].item}: {reading.broken[0].reason}" if reading.broken else "."
            raise InputError(f"{source} holds no product that can be offered{reason}")
        within = None if partial else _PREFIX
        report = self.index.add_items(_and(first, items, reading), within, told, name=str(source))
        refreshed = self._refresh(reading.facts)
        if reading.cut and not partial:
            reading.notes.append("The feed is cut off, so products that it lacks were kept as they are.")
        return CatalogueReport(
            added=report.added,
            replaced=report.replaced,
            refreshed=refreshed,
            unchanged=report.unchanged - refreshed,
            withdrawn=report.deleted,
            without_picture=reading.addresses,
            broken=[*reading.broken, *report.broken],
            notes=[*reading.notes, *report.notes],
            seconds=report.seconds,
        )

    def assortment(self) -> Assortment:
        """All that is offered, from memory as long as the catalogue has not changed.

        Raises:
            InputError: There is no catalogue, or another model made it.
        """
        index = self.index
        if not holds_table(index.place / index.tenant):  # named here, as the store's own words name other tenants
            raise InputError(
                f"The tenant {index.tenant!r} has no catalogue; make one with: tutti shop update FEED --in DB"
            )
        store = index.store
        store.table.checkout_latest()
        if self._opened is None or self._opened[0] != store.table.version:
            self._opened = store.table.version, _assortment(store)
        return self._opened[1]

    def _known(self) -> Mapping[str, Known]:
        index = self.index
        return index.store.known() if holds_table(index.place / index.tenant) else {}

    def _refresh(self, facts: Mapping[str, Mapping[str, Any]]) -> int:
        """Write changed prices, stock and the like; every run compares, so that a killed one is completed."""
        store = self.index.store
        have = [name for name in REFRESHED if name in store.columns()]
        known = store.table.search().where("NOT deleted").select(["item", *have]).to_arrow().to_pylist()
        before = {row["item"]: row for row in known}
        changed = [
            {"item": item, **own}
            for item, own in facts.items()
            if item in before and any(before[item].get(name) != own[name] for name in REFRESHED)
        ]
        if changed:
            with store.folder.writing():
                store.refresh(changed)
        return len(changed)


class _Reading:
    """One reading of a feed: its rows as items, what is broken, and the facts of what is known already."""

    def __init__(self, path: Path, currency: str | None, known: Mapping[str, Known], index: Index) -> None:
        self.path, self.currency, self.known, self.index = path, currency, known, index
        self.broken: list[Broken] = []
        self.notes: list[str] = []
        self.facts: dict[str, dict[str, Any]] = {}
        self.addresses = 0
        self.cut = False

    def items(self) -> Iterator[ItemSource]:
        seen: set[str] = set()
        for row in feed_rows(self.path):
            try:
                product = self._product(row)
                if product.id in seen:
                    raise InputError(f"The id {product.id!r} stands in the feed twice; ids tell products apart.")
                source = self._source(product)
            except TuttiError as error:
                self.broken.append(Broken(_name(row), str(error)))
                self.cut = self.cut or (row.fault is not None and "breaks off" in row.fault)
                continue
            seen.add(product.id)
            yield source

    def _product(self, row: FeedRow) -> Product:
        if row.fault is not None:
            raise InputError(row.fault)
        return product_of(row.cells, self.currency)

    def _source(self, product: Product) -> ItemSource:
        item, medium = f"{_PREFIX}{product.id}", None
        if product.image is not None and "://" in product.image:
            self.addresses += 1
        elif product.image is not None:
            medium = self._inside(product.image)
        stamp = product.stamp + (f"/{stamp_of(medium)}" if medium else "")
        columns = row_of_product(product)
        known = self.known.get(item)
        if known is None or known.stamp != stamp:
            columns |= self._look(product, medium)
        else:
            self.facts[item] = {name: columns[name] for name in REFRESHED}
        return ItemSource(item=item, path=medium, stamp=stamp, words=product.words, columns=columns)

    def _inside(self, image: str) -> str:
        folder = self.path.parent.resolve()
        medium = (folder / image).resolve()
        if not medium.is_relative_to(folder):
            raise InputError(f"The picture {image[:80]!r} lies outside of the feed's folder; put it beside the feed.")
        return str(medium)

    def _look(self, product: Product, medium: str | None) -> dict[str, Any]:
        if medium is None:
            return {}
        look = look_of_product(decode_image(Image(medium), self.index.tools.limits, at_least=256))
        return dict(zip(_LOOK, (*map(float, look.lab), look.pattern, look.finish), strict=True))


def _and(first: ItemSource, rest: Iterator[ItemSource], reading: _Reading) -> Iterator[ItemSource]:
    """All items; of a feed that is cut off, those that are known and were not read, too, as they are."""
    seen = {first.item}
    yield first
    for source in rest:
        seen.add(source.item)
        yield source
    if reading.cut:
        for item, known in reading.known.items():
            if item.startswith(_PREFIX) and item not in seen and not known.deleted:
                yield ItemSource(item=item, path=None, stamp=known.stamp)


def _name(row: FeedRow) -> str:
    key = next((str(row.cells[name]) for name in ("id", "sku", "product_id") if row.cells.get(name)), None)
    return f"row {row.number}" + (f" ({key[:60]})" if key else "")


def _assortment(store: Store) -> Assortment:
    names = [name for name in store.feed_columns() if name.startswith(("shop_", "look_"))]
    if "shop_id" not in names:
        raise InputError("The database holds no catalogue; make one with: tutti shop update FEED --in DB")
    found = store.table.search().where("NOT deleted").select(["item", "kind", "vector", *names]).to_arrow()
    vectors = vectors_of(found)
    rows = found.drop_columns(["vector"]).to_pylist()
    places: dict[str, int] = {}
    products: list[Product] = []
    looks: list[Appearance] = []
    which: dict[str, list[tuple[int, int]]] = {"picture": [], "words": []}
    for number, row in enumerate(rows):
        if row["shop_id"] is None:
            continue
        place = places.setdefault(row["item"], len(products))
        if place == len(products):
            products.append(product_of_row(row))
            looks.append(_appearance(products[-1], row))
        which[row["kind"]].append((place, number))
    return Assortment(products, looks, *(_rows(vectors, which[kind], len(products)) for kind in ("picture", "words")))


def _rows(vectors: NDArray[np.float32], pairs: list[tuple[int, int]], count: int) -> NDArray[np.float32]:
    """One vector a product; of several passages, the first."""
    gathered = np.zeros((count, vectors.shape[1]), np.float32)
    for place, number in reversed(pairs):
        gathered[place] = vectors[number]
    return gathered


def _appearance(product: Product, row: Mapping[str, Any]) -> Appearance:
    """What the feed states goes before what was measured."""
    stated, measured = stated_lab(product), row.get("look_l") is not None
    lab = stated or ((row["look_l"], row["look_a"], row["look_b"]) if measured else None)
    return Appearance(
        lab=lab,
        pattern=product.pattern or row.get("look_pattern"),
        finish=product.finish or row.get("look_finish"),
        measured=measured and stated is None,
    )
