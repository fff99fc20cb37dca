"""The database: one LanceDB table per tenant, one row per facet. Every change is one commit, and so survives a kill.

Layout: `DB/<tenant>/items.lance`. The schema's metadata state which model made the vectors; a lock file in the
folder allows one writing process at a time.
"""

from __future__ import annotations

import datetime
import errno
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING, Any

from tutti.errors import CapacityError, InputError
from tutti.search.table.connection import bound_reading, connected, freed_at_once
from tutti.search.table.location import Location, arrow, reached
from tutti.search.table.schema import COLUMNS, FORMAT, METADATA, UNFILTERED, Identity, Rows, feed_type, schema_of

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 512
_TABLE = "items"
SEALED_TABLE = "sealed"
"""Of a database that is encrypted: `tutti.search.table.sealed_store`."""
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_READ_ONLY = ("Permission denied", "os error 13", "Read-only file system", "os error 30")


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of an item."""

    stamp: str
    digest: str
    deleted: bool


class Store:
    """A tenant's table.

    Args:
        table: Open.
        folder: The tenant's.
        identity: From the table's metadata.
    """

    sealed = False
    """Whether it is encrypted on the disk."""

    def __init__(self, table: Any, folder: Location, identity: Identity) -> None:
        self.table, self.folder, self.identity = table, folder, identity

    @classmethod
    def open(cls, named: str | PathLike[str] | Location, tenant: str) -> Store:
        """Open an existing database.

        Raises:
            InputError: There is none, it is damaged or of another version.
            MissingExtra: LanceDB is not installed.
        """
        place = Location.of(named)
        folder = tenant_folder(place, tenant)
        if holds_sealed_table(folder):
            raise InputError(f"{place} is encrypted; name the vault that it was sealed with, as in: --vault DIR")
        if not holds_plain_table(folder):
            raise missing(place, tenant)
        with checked_metadata(place) as check:
            table = connected(folder).open_table(_TABLE)
            identity = check(table)
        return cls(table, folder, identity)

    @classmethod
    def create(cls, named: str | PathLike[str] | Location, tenant: str, identity: Identity) -> Store:
        """Make an empty database, or open the one that is there.

        Raises:
            InputError: It cannot be written there, or the one there was made by another model.
            MissingExtra: LanceDB is not installed.
        """
        bound_reading()
        place = Location.of(named)
        folder = tenant_folder(place, tenant)
        if not holds_table(folder):
            schema = schema_of(identity)
            try:
                folder.make()
                with folder.writing(), plainly(folder):
                    connected(folder).create_table(_TABLE, schema=schema, exist_ok=True)
            except OSError as error:
                raise InputError(f"Cannot make a database in {place}: {error.strerror or error}.") from None
        store = cls.open(place, tenant)
        store.check(identity)
        return store

    def check(self, identity: Identity) -> None:
        """Refuse another model than the one that made the vectors.

        Raises:
            InputError: Weights or preprocessing differ.
        """
        own = self.identity
        for name in ("weights", "preprocessing", "dimension"):
            if getattr(own, name) != getattr(identity, name):
                had, given = str(getattr(own, name))[:12], str(getattr(identity, name))[:12]
                raise InputError(
                    f"This database was made with {own.model} ({name} {had}), and {identity.model} ({name} {given}) "
                    "was given; name the first with --model, or index anew."
                )

    def columns(self) -> dict[str, pa.DataType]:
        """Columns that a condition may name, with their types."""
        return {field.name: field.type for field in self.table.schema if field.name not in UNFILTERED}

    def feed_columns(self) -> list[str]:
        """The columns that came with feeds."""
        return [field.name for field in self.table.schema if field.name not in COLUMNS]

    def count(self, condition: str | None = None) -> int:
        """How many rows there are."""
        return int(self.table.count_rows(condition))

    def known(self) -> dict[str, Known]:
        """What is there, by item."""
        rows = self.table.search().select(["item", "stamp", "digest", "deleted"]).to_batches()
        found: dict[str, Known] = {}
        for batch in rows:
            for item, stamp, digest, deleted in zip(*(column.to_pylist() for column in batch.columns[:4]), strict=True):
                found[item] = Known(stamp, digest, deleted)
        return found

    def add(self, rows: Rows, replacing: Sequence[str] = ()) -> None:
        """Write rows in one commit; those of the items that they replace go in the same one.

        Raises:
            CapacityError: The disk is full.
            InputError: A feed's column has another type than before.
        """
        if not rows:
            return
        with plainly(self.folder):
            self._add_columns(rows)
            batches = self._batches(rows)
            before = self.table.version
            if not replacing:
                self.table.add(batches, on_bad_vectors="null")
                self._check_alone(self.table, before)
                return
            old = " , ".join(map(quoted, replacing))
            merge = self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            merge.when_not_matched_by_source_delete(f"item IN ({old})").execute(batches, on_bad_vectors="null")
            self._check_alone(self.table, before)

    def _batches(self, rows: Rows) -> pa.RecordBatchReader:
        """Rows as Arrow's, a few hundred at a time."""
        pa, schema, left = arrow(), self.table.schema, iter(rows)
        pieces = iter(lambda: list(islice(left, _ROWS_AT_ONCE)), [])
        return pa.RecordBatchReader.from_batches(schema, (pa.RecordBatch.from_pylist(p, schema) for p in pieces))

    def _check_alone(self, table: Any, before: int) -> None:
        """Report another writer: a folder has a lock, an object store only a version that has moved on."""
        if self.folder.remote and table.version != before + 1:
            raise InputError(
                f"Another process is writing to {self.folder}, too, which an object store cannot keep out; wait until "
                "it has ended, then run the command again."
            )

    def _add_columns(self, rows: Iterable[Mapping[str, Any]]) -> None:
        have = {field.name for field in self.table.schema}
        fresh: dict[str, Any] = {}
        for row in rows:
            for name, value in row.items():
                if name not in have and value is not None:
                    fresh.setdefault(name, feed_type(value))
        if fresh:
            self.table.add_columns([arrow().field(name, kind) for name, kind in fresh.items()])

    def refresh(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Give items new values in some columns, in one commit; their other columns and vectors stay.

        Args:
            rows: Each with `item` and the same columns of a feed.
        """
        with plainly(self.folder):
            self._add_columns(rows)
            types = {field.name: field.type for field in self.table.schema}
            names = [name for name in rows[0] if name in types]
            schema = arrow().schema([(name, types[name]) for name in names])
            fresh = arrow().Table.from_pylist([{name: row[name] for name in names} for row in rows], schema)
            self.table.merge_insert("item").when_matched_update_all().execute(fresh)

    def mark(self, items: Sequence[str], *, deleted: bool) -> None:
        """Mark items as gone, or as there again."""
        for start in range(0, len(items), 500):
            some = ", ".join(map(quoted, items[start : start + 500]))
            with plainly(self.folder):
                self.table.update(where=f"item IN ({some})", values={"deleted": deleted})

    def touch(self, item: str, stamp: str) -> None:
        """Note that an item with a new time of change has its old content."""
        with plainly(self.folder):
            self.table.update(where=f"item = {quoted(item)}", values={"stamp": stamp, "deleted": False})

    def delete(self, condition: str) -> None:
        """Take rows out, and every trace of them: old versions and the files that hold them go, too."""
        with plainly(self.folder):
            self.table.delete(condition)
            self.compact(keep=datetime.timedelta(microseconds=1))

    def compact(self, keep: datetime.timedelta = datetime.timedelta(minutes=10)) -> None:
        """Join small files, bring indexes up to date, and drop versions older than a time."""
        with warnings.catch_warnings(), freed_at_once():
            warnings.simplefilter("ignore", UserWarning)  # it warns of readers of old versions; ours read the latest
            for table in self.tables():
                table.optimize(cleanup_older_than=keep, delete_unverified=keep < datetime.timedelta(minutes=1))

    def tables(self) -> Sequence[Any]:
        """LanceDB's tables that hold the rows."""
        return (self.table,)

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Thumbnails of rows, as JPEG by id, where there are any."""
        if not ids:
            return {}
        query = self.table.search().where(f"id IN ({', '.join(map(quoted, ids))})").select(["id", "thumbnail"])
        return {row["id"]: row["thumbnail"] for row in query.to_arrow().to_pylist() if row["thumbnail"]}

    def name_of(self, digest: str) -> str:
        """What folders of cached indexes of a medium are named by: its digest."""
        return digest

    def traces(self, condition: str) -> set[bytes]:
        """Bytes whose presence on the disk shows that rows are left, beside digests and vectors."""
        return set()


def tenant_folder(place: Location, tenant: str) -> Location:
    """Where a tenant's table lies.

    Raises:
        InputError: The name could leave the database's folder, or the database's place is a file.
    """
    if not _TENANT.fullmatch(tenant):
        raise InputError(f"The tenant {tenant!r} was named; expected up to 64 letters, digits, dots, - and _.")
    if place.is_file():
        raise InputError(f"{place} is a file; expected the folder of a database.")
    return place / tenant


def holds_table(folder: Location) -> bool:
    """Whether a tenant's folder has a table, encrypted or not."""
    return holds_plain_table(folder) or holds_sealed_table(folder)


def holds_plain_table(folder: Location) -> bool:
    """Whether a tenant's folder has a table that is not encrypted."""
    return (folder / f"{_TABLE}.lance").is_folder()


def holds_sealed_table(folder: Location) -> bool:
    """Whether a tenant's folder has a table that is encrypted."""
    return (folder / f"{SEALED_TABLE}.lance").is_folder()


def missing(place: Location, tenant: str) -> InputError:
    """What to raise where a tenant has no table."""
    others = tenants(place)
    hint = f"; its tenants are: {', '.join(others)}" if others else ""
    what = f"{place} holds no database of tenant {tenant!r}{hint}" if others else f"{place} holds no database"
    return InputError(f"{what}; make one with: tutti index FOLDER --into {place}")


@contextmanager
def checked_metadata(place: Location) -> Iterator[Callable[[Any], Identity]]:
    """Read which model made a table's vectors, with damage as a sentence.

    Raises:
        InputError: It is damaged or of another version.
    """

    def check(table: Any) -> Identity:
        metadata = json.loads((table.schema.metadata or {})[METADATA])
        if metadata.get("format") != FORMAT:
            raise InputError(
                f"{place} has format {metadata.get('format')}; this version reads format {FORMAT}: index it anew."
            )
        return Identity(*(metadata[name] for name in Identity._fields))

    try:
        yield check
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        raise InputError(f"{place} is not a database that Tutti wrote: {_first_line(error)}; index it anew.") from None


def tenants(place: Location) -> list[str]:
    """The tenants of a database."""
    return [name for name in place.folders() if holds_table(place / name)]


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def plainly(folder: Location) -> Iterator[None]:
    """Turn the database's errors into sentences."""
    pa = arrow()
    try:
        with reached(folder, besides=(pa.ArrowInvalid, pa.ArrowTypeError)):
            yield
    except (OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        text = str(error)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        if full or any(sign in text for sign in ("No space left", "os error 28", "File too large", "os error 27")):
            raise CapacityError(
                f"There is no room left to write to {folder}; free some and run the same command again: "
                "what was reported as indexed is safe."
            ) from None
        if any(sign in text for sign in _READ_ONLY):
            raise InputError(
                f"Cannot write to {folder}: it is read-only; change its permissions, or index into another folder."
            ) from None
        if isinstance(error, (pa.ArrowInvalid, pa.ArrowTypeError)):
            raise InputError(f"A column of the feed has another type than before: {_first_line(error)}.") from None
        raise


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
