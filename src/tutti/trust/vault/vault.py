"""A vault: a key for each tenant, wrapped by a root key that lies elsewhere (envelope encryption).

Layout: `vault.json`, `tenants/NAME.json`. Whoever has a copy of the folder alone has nothing; whoever has it and the
root key has all. A tenant's key is destroyed by `shred`, and then nothing that it sealed can be read by anyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from tutti.errors import InputError, writing
from tutti.interfaces import SealerOf
from tutti.media.whole_files import locked
from tutti.settings import read_settings
from tutti.trust.vault import aead, records
from tutti.trust.vault.records import KeyRecord, RootRecord, TenantRecord, VaultRecord
from tutti.trust.vault.root_keys import KeySource, RootKey, age_file, new_name
from tutti.trust.vault.tenant_sealer import KeyRing, TenantSealer


@dataclass(frozen=True, kw_only=True)
class VaultStatus:
    """What a vault holds, without any key."""

    name: str
    roots: tuple[str, ...]
    """Kinds of the root keys; two while a rotation is unfinished."""
    tenants: dict[str, int]
    """Tenant → keys it has."""
    shredded: tuple[str, ...]
    shredding: tuple[str, ...]
    """Tenants whose erasure was begun and not finished."""


class Vault:
    """An open vault. Threads may share it.

    Args:
        folder: Where it lies.
        root: The root key.
        root_name: What the vault calls it.
    """

    def __init__(self, folder: Path, root: RootKey, root_name: str) -> None:
        self.folder, self.root, self.root_name = folder, root, root_name
        self._sealers: dict[str, TenantSealer] = {}

    @classmethod
    def init(cls, folder: str | PathLike[str], key: str | None = None) -> Vault:
        """Make a vault.

        Args:
            folder: Made if it is missing.
            key: The root key, as `file:PATH` (made if it is missing), `env:NAME`, `age:IDENTITY` or `command:WORDS`;
                `TUTTI_VAULT_KEY`, or a file in the user's configuration, if None.

        Raises:
            InputError: There is a vault already, or the key is none.
            MissingExtra: The extra `vault` is not installed.
        """
        aead.check_installed()
        place = Path(folder).expanduser()
        with writing(place):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            (place / "tenants").mkdir(mode=0o700, exist_ok=True)
        with locked(place):
            if (place / "vault.json").exists():
                raise InputError(f"{place} is a vault already; open it, or name another folder.")
            name = new_name()
            record, _ = new_root(place, name, KeySource.parse(key or read_settings().vault_key))
            VaultRecord(name=name, roots=(record,)).write(place)
        return cls.open(place, key)

    @classmethod
    def open(cls, folder: str | PathLike[str], key: str | None = None) -> Vault:
        """Open a vault.

        Args:
            folder: Where it lies.
            key: As for `init`.

        Raises:
            InputError: It is no vault, or the key is lost, cut, readable by others, or another one.
            MissingExtra: The extra `vault` is not installed.
        """
        place = Path(folder).expanduser()
        source = KeySource.parse(key or read_settings().vault_key)
        found = VaultRecord.read(place)
        failed: InputError | None = None
        for record in found.roots:
            try:
                root = root_of(place, found.name, record, source)
            except InputError as error:  # during a rotation the other root may be of the same kind
                failed = error
                continue
            if root is not None:
                return cls(place, root, record.name)
        if failed is not None:
            raise failed
        expected = " or ".join(dict.fromkeys(record.kind for record in found.roots))
        raise InputError(
            f"The root key of {source} is not the one of the vault {place}, whose key comes from: {expected}; name the "
            "right one with --vault-key or TUTTI_VAULT_KEY. Nothing was read."
        )

    def sealer(self, tenant: str) -> TenantSealer:
        """What seals for a tenant, whose key is made if there is none yet.

        Raises:
            InputError: The tenant was erased, or its file of keys is damaged.
        """
        found = self._sealers.get(tenant)
        if found is None:
            if not records.tenant_file(self.folder, tenant).exists():
                self._make(tenant)
            found = TenantSealer(tenant, lambda: self._ring(tenant), lambda: self._state(tenant))
            self._sealers[tenant] = found
        return found

    def remember(self, tenant: str, place: str) -> None:
        """Note where things sealed for a tenant lie, so that `shred` finds them."""
        self.sealer(tenant)
        with locked(self.folder):
            record = TenantRecord.read(self.folder, tenant)
            if record.at(place) is not record:
                record.at(place).write(self.folder)

    def sealers_for(self, place: str) -> SealerOf:
        """From a tenant to its sealer, noting for each that things sealed for it lie in a place."""
        noted: set[str] = set()

        def sealer(tenant: str) -> TenantSealer:
            if tenant not in noted:
                self.remember(tenant, place)
                noted.add(tenant)
            return self.sealer(tenant)

        return sealer

    def renew(self, tenant: str) -> str:
        """A fresh key for what is sealed for a tenant from now on; its older ones go on opening what they sealed.

        Returns:
            The key's name.
        """
        with locked(self.folder):
            record = TenantRecord.read(self.folder, tenant)
            fresh = self._fresh(tenant)
            # Wrapped by the root that wrapped the others, which a rotation may have moved on meanwhile.
            self._check_root(record)
            replace(record, keys=(*record.keys, fresh)).write(self.folder)
        return fresh.name

    def _make(self, tenant: str) -> None:
        with locked(self.folder):
            if records.tenant_file(self.folder, tenant).exists():
                return
            for file in (records.shredded_file(self.folder, tenant), records.shredding_file(self.folder, tenant)):
                if file.exists():
                    raise self._erased(tenant)
            found = VaultRecord.read(self.folder)
            if self.root_name != found.roots[-1].name:
                raise InputError(_ROTATED.format(place=self.folder))
            TenantRecord(tenant=tenant, root=self.root_name, keys=(self._fresh(tenant),)).write(self.folder)

    def _fresh(self, tenant: str) -> KeyRecord:
        name = new_name()
        wrapped = self.root.wrap(aead.random_key(), about_key(tenant, name))
        return KeyRecord(name=name, wrapped=wrapped, made=records.now())

    def _ring(self, tenant: str) -> KeyRing:
        state = self._state(tenant)
        record = TenantRecord.read(self.folder, tenant)
        self._check_root(record)
        keys = unwrapped(record, self.root, self.folder)
        first, last = record.keys[0].name, record.keys[-1].name
        return KeyRing(state, keys, bytes.fromhex(last), keys[bytes.fromhex(first)])

    def _check_root(self, record: TenantRecord) -> None:
        if record.root != self.root_name:
            raise InputError(_ROTATED.format(place=self.folder))

    def _state(self, tenant: str) -> tuple[int, ...]:
        try:
            found = records.tenant_file(self.folder, tenant).stat()
        except OSError:
            raise self._erased(tenant) from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _erased(self, tenant: str) -> InputError:
        if records.shredded_file(self.folder, tenant).exists() or records.shredding_file(self.folder, tenant).exists():
            return InputError(
                f"The key of tenant {tenant!r} was destroyed, and what it sealed cannot be read any more; use another "
                "name for a new tenant."
            )
        return InputError(
            f"The file of keys of tenant {tenant!r} in {self.folder} is lost; restore it from your copy of the vault."
        )


_ROTATED = (
    "The root key of {place} was changed, or its rotation was not finished: run `tutti vault rotate` again with the "
    "old key and the new one, or open the vault with the new one."
)


def new_root(folder: Path, vault: str, source: KeySource) -> tuple[RootRecord, RootKey]:
    """A root key for a vault, and its record."""
    name = new_name()
    root = source.fresh(folder, name)
    return RootRecord(name=name, kind=source.kind, check=root.wrap(b"check", _about_root(vault, name))), root


def root_of(folder: Path, vault: str, record: RootRecord, source: KeySource) -> RootKey | None:
    """The root key of a source, if it is the one of a record.

    Raises:
        InputError: The source's key is lost or cut.
    """
    if source.kind != record.kind:
        return None
    if source.kind == "age" and not age_file(folder, record.name).exists():
        raise InputError(f"{age_file(folder, record.name)} is lost; restore it from your copy of the vault.")
    root = source.opened(folder, record.name)
    try:
        return root if root.unwrap(record.check, _about_root(vault, record.name)) == b"check" else None
    except ValueError:
        return None


def unwrapped(record: TenantRecord, root: RootKey, folder: Path) -> dict[bytes, bytes]:
    """A tenant's keys by their names.

    Raises:
        InputError: One was changed.
    """
    try:
        return {
            bytes.fromhex(key.name): root.unwrap(key.wrapped, about_key(record.tenant, key.name)) for key in record.keys
        }
    except ValueError:
        raise InputError(
            f"A key of tenant {record.tenant!r} in {folder} was changed or cut; restore it from your copy of the vault."
        ) from None


def status_of(folder: str | PathLike[str]) -> VaultStatus:
    """What a vault holds; needs no key.

    Raises:
        InputError: It is no vault, or is damaged.
    """
    place = Path(folder).expanduser()
    found = VaultRecord.read(place)
    gone = {ending: tuple(sorted(path.stem for path in (place / "tenants").glob(f"*.{ending}"))) for ending in _GONE}
    tenants = {tenant: len(TenantRecord.read(place, tenant).keys) for tenant in records.tenants_in(place)}
    return VaultStatus(
        name=found.name,
        roots=tuple(record.kind for record in found.roots),
        tenants=tenants,
        shredded=gone["shredded"],
        shredding=gone["shredding"],
    )


_GONE = ("shredded", "shredding")


def about_key(tenant: str, name: str) -> bytes:
    """What a tenant's key is bound to."""
    return f"tutti tenant key {name} of {tenant}".encode()


def _about_root(vault: str, name: str) -> bytes:
    return f"tutti root {name} of vault {vault}".encode()
