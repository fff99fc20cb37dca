"""A tenant's table, encrypted: every row is one sealed blob on the disk, and a table of them is rebuilt in memory.

Layout: `DB/<tenant>/sealed.lance`, with columns id, item, deleted, stamp, content, thumbnail. Sealed are words, paths,
texts, transcripts, thumbnails, times, colours, a feed's columns, **and the vectors**: whoever has the vectors and the
model can ask them what a picture shows, so that readable ones would be a readable index. Readable are: how many rows
and items there are, which rows are of one item, how long each is, which are deleted, when they were written, and which
model made the vectors. `id` and `item` are digests by the tenant's key.

All queries (full text, conditions, vectors, colours) run on LanceDB's table in memory, which writes nothing to a disk.
The price is memory and the time of opening, both in proportion to the rows (docs/guides/encryption.md).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from os import PathLike
from typing import Any

import numpy as np

from tutti.errors import InputError
from tutti.interfaces import Sealer
from tutti.search.table.connection import bound_reading, connected, in_memory
from tutti.search.table.indexes import tune_words
from tutti.search.table.location import Location, arrow
from tutti.search.table.schema import COLUMNS, METADATA, Identity, Rows, metadata_of, schema_of
from tutti.search.table.store import (
    SEALED_TABLE,
    Known,
    Store,
    checked_metadata,
    holds_plain_table,
    holds_sealed_table,
    missing,
    plainly,
    quoted,
    tenant_folder,
)

_AT_ONCE = 512
"""Rows that are written, or named in a condition, together."""
_LOADED = 8192
"""Rows that are added to the table in memory together."""
_KEPT = ("content", "id", "item", "deleted")
_APART = ("vector", "thumbnail", "stamp", "deleted")


class SealedStore(Store):
    """As `Store`, over a table on disk of sealed rows.

    Args:
        disk: The sealed table, open.
        folder: The tenant's.
        identity: From its metadata.
        sealer: The tenant's.
    """

    sealed = True

    def __init__(self, disk: Any, folder: Location, identity: Identity, sealer: Sealer) -> None:
        self.disk, self._sealer = disk, sealer
        super().__init__(in_memory("items", schema_of(identity)), folder, identity)
        for rows in self._read():
            self._load(rows)
        tune_words(self)

    @classmethod
    def open_sealed(cls, named: str | PathLike[str] | Location, tenant: str, sealer: Sealer) -> SealedStore:
        """Open an existing database.

        Raises:
            InputError: There is none, it is not sealed, was sealed with another key, or is damaged.
            MissingExtra: LanceDB is not installed.
        """
        place = Location.of(named)
        folder = tenant_folder(place, tenant)
        if not holds_sealed_table(folder):
            if holds_plain_table(folder):
                raise InputError(
                    f"{place} was indexed without a vault and is readable; open it without one, or index anew into "
                    "another folder with --vault."
                )
            raise missing(place, tenant)
        with checked_metadata(place) as check:
            disk = connected(folder).open_table(SEALED_TABLE)
            identity = check(disk)
        return cls(disk, folder, identity, sealer)

    @classmethod
    def create_sealed(
        cls, named: str | PathLike[str] | Location, tenant: str, identity: Identity, sealer: Sealer
    ) -> SealedStore:
        """Make an empty database, or open the one that is there. Errors as for `open_sealed` and `Store.create`."""
        bound_reading()
        place = Location.of(named)
        folder = tenant_folder(place, tenant)
        if not holds_sealed_table(folder) and not holds_plain_table(folder):
            try:
                folder.make()
                with folder.writing(), plainly(folder):
                    connected(folder).create_table(SEALED_TABLE, schema=_sealed_schema(identity), exist_ok=True)
            except OSError as error:
                raise InputError(f"Cannot make a database in {place}: {error.strerror or error}.") from None
        store = cls.open_sealed(place, tenant, sealer)
        store.check(identity)
        return store

    def add(self, rows: Rows, replacing: Sequence[str] = ()) -> None:
        """As `Store.add`: one commit on the disk, and then the same in memory."""
        if not rows:
            return
        pa = arrow()
        with plainly(self.folder):
            schema, before = self.disk.schema, self.disk.version
            left = iter(rows)
            pieces = iter(lambda: [self._sealed(row) for row in islice(left, _AT_ONCE)], [])
            batches = pa.RecordBatchReader.from_batches(
                schema, (pa.RecordBatch.from_pylist(piece, schema) for piece in pieces)
            )
            if replacing:
                merge = self.disk.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                merge.when_not_matched_by_source_delete(f"item IN ({self._tokens('item', replacing)})").execute(batches)
            else:
                self.disk.add(batches)
            self._check_alone(self.disk, before)
        super().add([{**row, "thumbnail": None} for row in rows], replacing)

    def known(self) -> dict[str, Known]:
        """As `Store.known`; stamps are opened here, since only indexing asks for them."""
        stamps: dict[str, str] = {}
        for batch in self.disk.search().select(["item", "stamp"]).to_batches():
            stamps.update(zip(batch["item"].to_pylist(), batch["stamp"].to_pylist(), strict=True))
        return {
            item: replace(one, stamp=self._stamp_of(token, stamps[token]))
            for item, one in super().known().items()
            if (token := self._token("item", item)) in stamps
        }

    def mark(self, items: Sequence[str], *, deleted: bool) -> None:
        """As `Store.mark`."""
        for start in range(0, len(items), _AT_ONCE):
            some = self._tokens("item", items[start : start + _AT_ONCE])
            with plainly(self.folder):
                self.disk.update(where=f"item IN ({some})", values={"deleted": deleted})
        super().mark(items, deleted=deleted)

    def touch(self, item: str, stamp: str) -> None:
        """As `Store.touch`."""
        token = self._token("item", item)
        with plainly(self.folder):
            values = {"stamp": self._stamp(token, stamp), "deleted": False}
            self.disk.update(where=f"item = {quoted(token)}", values=values)
        super().touch(item, stamp)

    def delete(self, condition: str) -> None:
        """As `Store.delete`."""
        found = self.table.search().where(condition).select(["id"]).to_arrow()["id"].to_pylist()
        with plainly(self.folder):
            for start in range(0, len(found), _AT_ONCE):
                self.disk.delete(f"id IN ({self._tokens('id', found[start : start + _AT_ONCE])})")
        super().delete(condition)

    def tables(self) -> Sequence[Any]:
        """As `Store.tables`: that on the disk, and its copy in memory."""
        return self.disk, self.table

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        """As `Store.thumbnails`; they stay on the disk until they are asked for."""
        if not ids:
            return {}
        names = {self._token("id", one): one for one in ids}
        query = self.disk.search().where(f"id IN ({', '.join(map(quoted, names))})").select(["id", "thumbnail"])
        rows = query.to_arrow().to_pylist()
        return {
            names[row["id"]]: self._sealer.unseal(row["thumbnail"], f"index thumbnail {row['id']}")
            for row in rows
            if row["thumbnail"]
        }

    def name_of(self, digest: str) -> str:
        """As `Store.name_of`: a digest by the tenant's key."""
        return self._sealer.digest(f"medium {digest}")

    def traces(self, condition: str) -> set[bytes]:
        """As `Store.traces`: parts of the blobs that rows are on the disk, which no other rows have."""
        found = self.table.search().where(condition).select(["id"]).to_arrow()["id"].to_pylist()
        blobs: set[bytes] = set()
        for start in range(0, len(found), _AT_ONCE):
            some = self._tokens("id", found[start : start + _AT_ONCE])
            rows = self.disk.search().where(f"id IN ({some})").select(["content"]).to_arrow()
            blobs |= {blob[-32:] for blob in rows["content"].to_pylist()}
        return blobs

    def _sealed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        token, item = self._token("id", row["id"]), self._token("item", row["item"])
        plain = {name: value for name, value in row.items() if name not in _APART and value is not None}
        vector = b"" if row["vector"] is None else np.asarray(row["vector"], np.float32).tobytes()
        text = json.dumps(plain, ensure_ascii=False).encode(errors="surrogatepass")
        content = len(text).to_bytes(4, "little") + text + vector
        thumbnail = row["thumbnail"]
        return {
            "id": token,
            "item": item,
            "deleted": row["deleted"],
            "stamp": self._stamp(item, row["stamp"]),
            "content": self._sealer.seal(content, self._context(token, item)),
            "thumbnail": self._sealer.seal(thumbnail, f"index thumbnail {token}") if thumbnail else None,
        }

    def _unsealed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        content = self._sealer.unseal(row["content"], self._context(row["id"], row["item"]))
        size = 4 + int.from_bytes(content[:4], "little")
        plain: dict[str, Any] = json.loads(content[4:size])
        vector = np.frombuffer(content[size:], np.float32) if len(content) > size else None
        whole = {**dict.fromkeys(COLUMNS), **plain}
        return {**whole, "vector": vector, "stamp": "", "deleted": row["deleted"]}

    def _read(self) -> Iterator[list[dict[str, Any]]]:
        """The rows, many at once: each addition to the table in memory costs a commit."""
        gathered: list[dict[str, Any]] = []
        for batch in self.disk.search().select(list(_KEPT)).to_batches():
            gathered += [self._unsealed(row) for row in batch.to_pylist()]
            if len(gathered) >= _LOADED:
                yield gathered
                gathered = []
        if gathered:
            yield gathered

    def _load(self, rows: Rows) -> None:
        """Rows into the table in memory; vectors as one array, which is several times as fast as lists of numbers."""
        pa = arrow()
        self._add_columns(rows)
        schema, width = self.table.schema, self.identity.dimension
        place = schema.get_field_index("vector")
        zeros = np.zeros(width, np.float32)
        found = np.stack([zeros if row["vector"] is None else row["vector"] for row in rows])
        none = pa.array([row["vector"] is None for row in rows])
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(found.reshape(-1)), width, mask=none)
        plain = pa.RecordBatch.from_pylist([{**row, "vector": None} for row in rows], schema)
        self.table.add(pa.Table.from_batches([plain.set_column(place, schema.field("vector"), vectors)]))

    def _context(self, token: str, item: str) -> str:
        """A row belongs to its place in an index of the model that made its vector."""
        return f"index row {token} of {item} by {self.identity.weights}"

    def _stamp(self, item: str, stamp: str) -> str:
        return base64.b64encode(self._sealer.seal(stamp.encode(), f"index stamp {item}")).decode()

    def _stamp_of(self, item: str, sealed: str) -> str:
        return self._sealer.unseal(base64.b64decode(sealed), f"index stamp {item}").decode()

    def _token(self, kind: str, name: str) -> str:
        return self._sealer.digest(f"{kind} {name}")[:32]

    def _tokens(self, kind: str, names: Sequence[str]) -> str:
        return ", ".join(quoted(self._token(kind, name)) for name in names)


def _sealed_schema(identity: Identity) -> Any:
    pa = arrow()
    columns = [
        ("id", pa.string()),
        ("item", pa.string()),
        ("deleted", pa.bool_()),
        ("stamp", pa.string()),
        ("content", pa.binary()),
        ("thumbnail", pa.binary()),
    ]
    return pa.schema(columns, metadata={METADATA: metadata_of(identity)})
