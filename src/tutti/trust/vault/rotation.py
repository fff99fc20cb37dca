"""A vault under another root key: every tenant's keys are wrapped anew, and nothing that they sealed is touched.

Steps, each of which is one file written whole, so that the process may end between any two and the same command goes
on: the vault names both root keys; each tenant's file is written under the new one; the vault names the new one alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tutti.errors import InputError
from tutti.media.whole_files import locked
from tutti.trust.vault import records
from tutti.trust.vault.records import TenantRecord, VaultRecord
from tutti.trust.vault.root_keys import KeySource, RootKey, age_file
from tutti.trust.vault.vault import Vault, about_key, new_root, root_of, unwrapped


def rotate(folder: Path, old: KeySource, new: KeySource, told: Callable[[int, int], None] | None = None) -> Vault:
    """Wrap all tenants' keys by another root key, or finish doing so.

    Args:
        folder: Of the vault.
        old: The root key so far.
        new: The new one; a file of it is made if there is none.
        told: Called with the tenants done and of all.

    Raises:
        InputError: One of the two is not what the vault knows, or both are the same.
    """
    if str(old) == str(new):
        raise InputError(f"The new root key is the old one, {old}; name another, as in: --to file:NEW.key")
    with locked(folder):
        sweep(folder)
        found, before, after = _both(folder, old, new)
        tenants = records.tenants_in(folder)
        for count, tenant in enumerate(tenants, start=1):
            record = TenantRecord.read(folder, tenant)
            if record.root != found.roots[-1].name:
                _rewrapped(record, before, after, found.roots[-1].name, folder).write(folder)
            if told is not None:
                told(count, len(tenants))
        replace(found, roots=found.roots[-1:]).write(folder)
        for file in folder.glob("root-*.age"):
            if file != age_file(folder, found.roots[-1].name):
                file.unlink()
    return Vault(folder, after, found.roots[-1].name)


def _both(folder: Path, old: KeySource, new: KeySource) -> tuple[VaultRecord, RootKey, RootKey]:
    """The vault with both root keys named in it."""
    found = VaultRecord.read(folder)
    if len(found.roots) == 1 and _is_root(folder, found, new):
        raise InputError(f"The vault {folder} has the root key {new} already; nothing is to be done.")
    before = root_of(folder, found.name, found.roots[0], old)
    if before is None:
        raise InputError(f"{old} is not the root key of the vault {folder}; name the one that it has with --vault-key.")
    if len(found.roots) == 2:
        after = root_of(folder, found.name, found.roots[1], new)
        if after is None:
            raise InputError(
                f"A rotation of {folder} to another key than {new} was begun; finish that one first, with its key."
            )
        return found, before, after
    record, after = new_root(folder, found.name, new)
    found = replace(found, roots=(*found.roots, record))
    found.write(folder)
    return found, before, after


def _is_root(folder: Path, found: VaultRecord, source: KeySource) -> bool:
    try:
        return root_of(folder, found.name, found.roots[0], source) is not None
    except InputError:  # there is none yet
        return False


def _rewrapped(record: TenantRecord, before: RootKey, after: RootKey, root: str, folder: Path) -> TenantRecord:
    plain = unwrapped(record, before, folder)
    keys = tuple(
        replace(key, wrapped=after.wrap(plain[bytes.fromhex(key.name)], about_key(record.tenant, key.name)))
        for key in record.keys
    )
    return replace(record, root=root, keys=keys)


def sweep(folder: Path) -> None:
    """Remove what processes left that ended while they wrote; the caller holds the lock."""
    for place in (folder, folder / "tenants"):
        for part in place.glob(".*.part"):
            with contextlib.suppress(OSError):
                part.unlink()
