"""The row of the table: every column with its type, stated here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol, get_type_hints

import numpy as np
from numpy.typing import NDArray

from tutti.search.table.location import arrow

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2
"""Version of the layout; another one is refused."""
METADATA = b"tutti"
"""Key of the schema's metadata."""
FacetKind = Literal["picture", "sound", "words"]
KINDS: tuple[FacetKind, ...] = ("picture", "sound", "words")
"""What a row is: something seen, heard or read."""
WINDOW_S, HOP_S = 5.0, 2.5
"""Sound is embedded in windows of five seconds, each half over the last: what lasts 2.5 s lies in one of them whole."""
MIDDLE = "in the middle"
"""Origin of a row of the middle square of a wide frame."""
_VECTOR = "vector"
_FEED_TYPES = {bool: "bool", int: "float64", float: "float64", str: "string"}
"""Whole numbers become floats, so that a later 9.99 fits the column of an earlier 9."""


class Column(NamedTuple):
    """How a column is kept."""

    type: str
    """Its Arrow type, with [] for a list of them."""
    queried: bool = False
    """Whether a query reads it of each candidate."""
    filtered: bool = True
    """Whether a condition may name it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A facet of an item: one thing that can be found. A feed's own columns lie beside these."""

    id: Annotated[str, Column("string", queried=True, filtered=False)]
    """Digest of item and number."""
    item: Annotated[str, Column("string", queried=True)]
    """The item's name: its path, or feed and key."""
    path: Annotated[str | None, Column("string", queried=True)]
    """The medium's file; None for words of a feed."""
    modality: Annotated[str, Column("string", queried=True)]
    """The item's: text, image, audio, video or document."""
    kind: Annotated[FacetKind, Column("string", queried=True)]
    start_s: Annotated[float | None, Column("float64", queried=True)]
    end_s: Annotated[float | None, Column("float64", queried=True)]
    shot: Annotated[int | None, Column("int32", queried=True)]
    """Number of the shot in a film."""
    page: Annotated[int | None, Column("int32", queried=True)]
    """Number of the page in a document, from 1."""
    words: Annotated[str | None, Column("string", queried=True)]
    """What full-text search reads."""
    origin: Annotated[str | None, Column("string", queried=True)]
    """Where the words come from, or `MIDDLE`."""
    lines: Annotated[str | None, Column("string", queried=True, filtered=False)]
    """Lines of text read in a picture, as JSON: text, box, confidence."""
    colours: Annotated[list[str] | None, Column("string[]", queried=True)]
    """Names of dominant colours."""
    palette: Annotated[list[float] | None, Column("float32[]", queried=True, filtered=False)]
    """Share, L*, a*, b* of each dominant colour in turn."""
    thumbnail: Annotated[bytes | None, Column("binary", filtered=False)]
    """A small JPEG."""
    digest: Annotated[str, Column("string", queried=True)]
    """Of the medium's content."""
    stamp: Annotated[str, Column("string", filtered=False)]
    """Size and time of change: as long as it is the same, the item is not read again."""
    bytes: Annotated[int, Column("int64")]
    """Size of the item's file."""
    modified: Annotated[str | None, Column("string")]
    """When the file was changed, as ISO 8601 in UTC."""
    indexed: Annotated[str, Column("string")]
    """When the row was made, as ISO 8601 in UTC."""
    subject: Annotated[str | None, Column("string", queried=True)]
    """Whose data it is."""
    deleted: Annotated[bool, Column("bool")]
    """Whether the item is gone from where it was."""
    vector: Annotated[NDArray[np.float32] | None, Column(_VECTOR, queried=True, filtered=False)]
    """(D,) float32, of length one; None where the model's vocabulary has nothing of the words."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for Arrow."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS: Mapping[str, Column] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Row, include_extras=True).items()
}
"""All of them, by name. A feed's columns may not have these names."""
QUERIED = tuple(name for name, column in COLUMNS.items() if column.queried)
UNFILTERED = frozenset(name for name, column in COLUMNS.items() if not column.filtered)


class Rows(Protocol):
    """Rows that are written together, as names → values; they can be gone through more than once."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Mapping[str, Any]]: ...


class Identity(NamedTuple):
    """Which space the vectors are points of."""

    model: str
    weights: str
    """Digest of the model's weights."""
    preprocessing: str
    """Digest of what the model's inputs are made by."""
    dimension: int


def schema_of(identity: Identity) -> pa.Schema:
    """The schema of an empty table, whose metadata state the format and the identity of the vectors."""
    pa = arrow()
    types = {name: column.type for name, column in COLUMNS.items()}
    vectors = pa.list_(pa.float32(), identity.dimension)
    columns = [(name, vectors if kind == _VECTOR else arrow_type(kind)) for name, kind in types.items()]
    return pa.schema(columns, metadata={METADATA: metadata_of(identity)})


def metadata_of(identity: Identity) -> str:
    """What a table's metadata state, as JSON."""
    return json.dumps({"format": FORMAT, **identity._asdict()})


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a name as `Column.type` has it."""
    pa = arrow()
    single = pa.type_for_alias(name.removesuffix("[]"))
    return pa.list_(single) if name.endswith("[]") else single


def feed_type(value: Any) -> pa.DataType:
    """The Arrow type of a feed's column with such values."""
    return arrow_type(_FEED_TYPES[type(value)])


def vectors_of(table: Any) -> NDArray[np.float32]:
    """The vectors of a result, zeros where a row has none. Shapes: N rows → (N, D) float32."""
    column = table[_VECTOR].combine_chunks()
    size = column.type.list_size
    found = np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(-1, size)
    if not column.null_count:
        return found
    vectors = np.zeros((len(column), size), np.float32)
    vectors[column.is_valid().to_numpy(zero_copy_only=False)] = found
    return vectors
