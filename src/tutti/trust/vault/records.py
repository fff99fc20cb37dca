"""What a vault's folder holds: `vault.json` with its root keys, `tenants/NAME.json` with a tenant's wrapped keys.

Nothing in these files is secret without a root key; what they hold is checked before it is used.
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tutti.errors import InputError
from tutti.media.whole_files import write_whole
from tutti.trust.vault.root_keys import KINDS

FORMAT = 1
TENANT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Names of tenants, as `tutti serve --keys` and databases have them."""
_NAME = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class RootRecord:
    """A root key, as the vault knows it."""

    name: str
    kind: str
    """Where it comes from: file, env, age or command; which file or command is not kept."""
    check: bytes
    """Wrapped by it, so that another key is recognised as another."""


@dataclass(frozen=True, kw_only=True)
class VaultRecord:
    """The vault: two roots while a rotation is under way, the second of them the new one."""

    name: str
    roots: tuple[RootRecord, ...]

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        write_whole(folder / "vault.json", _text({"format": FORMAT, **asdict(self)}))

    @classmethod
    def read(cls, folder: Path) -> VaultRecord:
        """Read it.

        Raises:
            InputError: There is none, or it is damaged.
        """
        values = _values(folder / "vault.json", f"{folder} is no vault", "make one with: tutti vault init")
        try:
            roots = tuple(
                RootRecord(name=_name(one["name"]), kind=_kind(one["kind"]), check=_bytes(one["check"]))
                for one in values["roots"]
            )
            if not 1 <= len(roots) <= 2:
                raise ValueError
            return cls(name=_name(values["name"]), roots=roots)
        except (KeyError, TypeError, ValueError):
            raise _damaged(folder / "vault.json") from None


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """A tenant's key, wrapped."""

    name: str
    wrapped: bytes
    made: str
    """When, as ISO 8601 in UTC."""


@dataclass(frozen=True, kw_only=True)
class TenantRecord:
    """A tenant's keys, the oldest first: the last one seals, all of them open."""

    tenant: str
    root: str
    """The root key that they are wrapped by."""
    keys: tuple[KeyRecord, ...]
    places: tuple[str, ...] = field(default=())
    """Databases and folders that hold what they seal, so that `shred` finds it."""

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        write_whole(tenant_file(folder, self.tenant), _text({"format": FORMAT, **asdict(self)}))

    def at(self, place: str) -> TenantRecord:
        """The same with one more place."""
        return self if place in self.places else replace(self, places=(*self.places, place))

    @classmethod
    def read(cls, folder: Path, tenant: str) -> TenantRecord:
        """Read it.

        Raises:
            InputError: There is none, or it is damaged.
        """
        path = tenant_file(folder, tenant)
        values = _values(path, f"The vault has no key of tenant {tenant!r}", "restore it from your copy of the vault")
        try:
            keys = tuple(
                KeyRecord(name=_name(one["name"]), wrapped=_bytes(one["wrapped"]), made=str(one["made"]))
                for one in values["keys"]
            )
            if not keys or values["tenant"] != tenant:
                raise ValueError
            places = tuple(map(str, values["places"]))
            return cls(tenant=tenant, root=_name(values["root"]), keys=keys, places=places)
        except (KeyError, TypeError, ValueError):
            raise _damaged(path) from None


def tenant_file(folder: Path, tenant: str) -> Path:
    """Where a tenant's keys lie.

    Raises:
        InputError: It is no name of a tenant.
    """
    return _of_tenant(folder, tenant, "json")


def shredding_file(folder: Path, tenant: str) -> Path:
    """Where it is noted what an erasure that has begun still has to remove."""
    return _of_tenant(folder, tenant, "shredding")


def shredded_file(folder: Path, tenant: str) -> Path:
    """Where it is noted that a tenant was erased."""
    return _of_tenant(folder, tenant, "shredded")


def tenants_in(folder: Path) -> list[str]:
    """The tenants that have keys."""
    return sorted(
        path.name.removesuffix(".json") for path in (folder / "tenants").glob("*.json") if path.name[0] != "."
    )


def now() -> str:
    """The time, as ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _of_tenant(folder: Path, tenant: str, ending: str) -> Path:
    if not TENANT.fullmatch(tenant) or tenant[0] == ".":
        raise InputError(f"{tenant!r} is no name of a tenant; expected up to 64 letters, digits, '_', '-' and '.'.")
    return folder / "tenants" / f"{tenant}.{ending}"


def _text(values: dict[str, Any]) -> bytes:
    return json.dumps(values, indent=1, default=lambda value: base64.b64encode(value).decode()).encode() + b"\n"


def _values(path: Path, missing: str, hint: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{missing} ({path} is not there); {hint}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(values, dict):
        raise _damaged(path)
    if values.get("format") != FORMAT:
        raise InputError(f"{path} has format {values.get('format')!r}; this version reads {FORMAT}.")
    return values


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged or cut; restore it from your copy of the vault: nothing was read from it.")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError
    return value


def _kind(value: Any) -> str:
    if value not in KINDS:
        raise ValueError
    return str(value)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)
