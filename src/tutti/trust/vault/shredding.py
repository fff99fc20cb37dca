"""Erasure of a tenant: its key is destroyed, and after that nothing it sealed can be read; then that is removed, too.

Steps, each of which may be the last before the process ends, after which the same command goes on: what is to be
removed is noted; the file of keys is written over and removed; databases and cached files are removed; the note says
that the tenant was erased.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutti.errors import InputError, writing
from tutti.media.whole_files import locked, sync_folder, write_whole
from tutti.trust.vault import records
from tutti.trust.vault.private_files import destroy
from tutti.trust.vault.records import TenantRecord
from tutti.trust.vault.rotation import sweep
from tutti.trust.vault.tenant_sealer import HEAD_BYTES, MAGIC


@dataclass(frozen=True, kw_only=True)
class Shredded:
    """What was destroyed and removed."""

    tenant: str
    keys: int
    databases: int
    files: int
    """Single sealed files, as caches have them."""
    elsewhere: tuple[str, ...] = ()
    """Places that this machine cannot remove, such as object stores: what lies there cannot be read any more."""


def shred(folder: Path, tenant: str, places: Sequence[str] = ()) -> Shredded:
    """Destroy a tenant's key, and remove what it sealed. Needs no root key.

    Args:
        folder: Of the vault.
        tenant: Who.
        places: Databases and folders beside those that the vault knows of.

    Raises:
        InputError: There is no such tenant, or something cannot be removed: run it again then.
    """
    with locked(folder):
        sweep(folder)
        note = records.shredding_file(folder, tenant)
        if not note.exists():
            if records.shredded_file(folder, tenant).exists():
                raise InputError(f"The tenant {tenant!r} was erased before; nothing of it is left.")
            record = TenantRecord.read(folder, tenant)
            known = list(dict.fromkeys([*record.places, *places]))
            write_whole(note, json.dumps({"places": known, "keys": [key.name for key in record.keys]}).encode())
        values = json.loads(note.read_bytes())
        names = {bytes.fromhex(name) for name in values["keys"]}
        destroy(records.tenant_file(folder, tenant))
        databases, files, elsewhere = 0, 0, []
        for place in dict.fromkeys([*values["places"], *places]):
            if "://" in place:
                elsewhere.append(place)
                continue
            databases += _remove_databases(Path(place), tenant, names)
            files += _remove_sealed(Path(place), names)
        write_whole(records.shredded_file(folder, tenant), json.dumps({"at": records.now()}).encode())
        note.unlink()
        sync_folder(note.parent)
    return Shredded(tenant=tenant, keys=len(names), databases=databases, files=files, elsewhere=tuple(elsewhere))


def _remove_databases(place: Path, tenant: str, names: set[bytes]) -> int:
    """Remove the folders of databases below a folder that some keys sealed, and empty ones of the tenant's name."""
    count = 0
    for table in list(place.rglob("sealed.lance")) if place.is_dir() else ():
        sealed_by = _sealed_by(table.parent)
        if sealed_by <= names if sealed_by else table.parent.name == tenant:
            with writing(table.parent):
                shutil.rmtree(table.parent)
            count += 1
    return count


def _sealed_by(folder: Path) -> set[bytes]:
    """The names of the keys that sealed a table; of a damaged one none, since it belongs to whoever names its place."""
    from tutti.search.table.connection import connected
    from tutti.search.table.location import Location

    try:
        table = connected(Location(str(folder))).open_table("sealed")
        blobs = table.search().select(["content"]).limit(1).to_arrow()["content"].to_pylist()
    except (ValueError, RuntimeError, OSError):
        return set()
    return {blob[len(MAGIC) : HEAD_BYTES] for blob in blobs}


def _remove_sealed(place: Path, names: set[bytes]) -> int:
    """Remove the files below a folder that were sealed with some keys."""
    count = 0
    for file in place.rglob("*.sealed") if place.is_dir() else ():
        with contextlib.suppress(FileNotFoundError), writing(file):
            with file.open("rb") as opened:
                head = opened.read(HEAD_BYTES)
            if head[: len(MAGIC)] == MAGIC and head[len(MAGIC) :] in names:
                file.unlink()
                count += 1
    return count
