"""Make, rotate and destroy the keys that encrypt indexes and caches."""

from __future__ import annotations

import argparse
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.options import add_json, note, print_json
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.trust.vault import TenantSealer, Vault

_EPILOG = """examples:
  tutti vault init keys.vault                             root key: a file in ~/.config/tutti, mode 0600; copy it away
  tutti vault init keys.vault --vault-key age:me.key      or env:NAME, or command:WORDS of a KMS
  tutti index photos/ --into photos.db --vault keys.vault
  tutti search "a dog" --in photos.db --vault keys.vault
  tutti vault status keys.vault
  tutti vault rotate keys.vault --to file:new.key         another root key; what is encrypted stays as it is
  tutti vault rotate keys.vault --tenant anna             a fresh key for what is encrypted for anna from now on
  tutti vault shred keys.vault --tenant anna --yes        destroy anna's key, then her rows

A vault has one key a tenant, wrapped by the root key, which lies elsewhere. Without the root key nothing can be read,
by you neither: keep a copy. rotate and shred may end at any point; the same command goes on.
"""


def add_vault(parser: argparse.ArgumentParser, what: str) -> None:
    """Add `--vault` and `--vault-key` to a command that keeps or reads something."""
    parser.add_argument("--vault", metavar="DIR", help=f"{what} with the tenant's key of this vault (extra: vault)")
    _add_key(parser)


def opened(arguments: argparse.Namespace) -> Vault | None:
    """The vault that `--vault` names, if it names one.

    Raises:
        InputError: It is none, or its key is not the one.
        MissingExtra: The extra is not installed.
    """
    if getattr(arguments, "vault", None) is None:
        if getattr(arguments, "vault_key", None) is not None:
            raise InputError("--vault-key was given without --vault; name the vault that it opens.")
        return None
    from tutti.trust.vault import Vault

    leave_no_core()
    return Vault.open(arguments.vault, arguments.vault_key)


def leave_no_core() -> None:
    """Have the system write no core file of this process, which would hold keys and what they encrypt."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def sealer_of(arguments: argparse.Namespace, place: str) -> TenantSealer | None:
    """What seals for `--tenant` where `--vault` names a vault, which notes the place for `shred`. Errors: `opened`."""
    vault = opened(arguments)
    if vault is None:
        return None
    vault.remember(arguments.tenant, _absolute(place))
    return vault.sealer(arguments.tenant)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=("init", "status", "rotate", "shred"), help="what to do")
    parser.add_argument("vault", metavar="DIR", help="folder of the vault")
    _add_key(parser)
    parser.add_argument("--tenant", metavar="NAME", help="with rotate and shred: whose key")
    parser.add_argument("--to", metavar="KEY", help="with rotate: the new root key, as --vault-key names it")
    parser.add_argument(
        "--in",
        dest="places",
        action="append",
        default=[],
        metavar="DB",
        help="with shred: a database or folder of caches beside those that the vault knows; may be repeated",
    )
    parser.add_argument("--yes", action="store_true", help="with shred: do it; otherwise it is only said what would go")
    add_json(parser)


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vault-key",
        metavar="KEY",
        help="root key: file:PATH (mode 0600), env:NAME (base64 of 32 bytes), age:IDENTITY_FILE, or command:WORDS, run "
        "with wrap or unwrap (default: TUTTI_VAULT_KEY, else file:~/.config/tutti/vault.key)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Do it.

    Raises:
        InputError: There is no such vault or tenant, or the key is not the one.
    """
    {"init": _init, "status": _status, "rotate": _rotate, "shred": _shred}[arguments.action](arguments)


def _init(arguments: argparse.Namespace) -> None:
    from tutti.settings import read_settings
    from tutti.trust.vault import Vault

    Vault.init(arguments.vault, arguments.vault_key)
    key = arguments.vault_key or read_settings().vault_key
    if arguments.json:
        print_json({"vault": arguments.vault, "key": key})
        return
    print(f"Made the vault {arguments.vault}; its root key is {key}.")
    note("Keep a copy of the root key elsewhere: without it, nothing that is encrypted can be read again.")


def _status(arguments: argparse.Namespace) -> None:
    from tutti.trust.vault.vault import status_of

    found = status_of(arguments.vault)
    if arguments.json:
        print_json(asdict(found))
        return
    print(f"Root key from: {' -> '.join(found.roots)}{' (rotation unfinished)' if len(found.roots) > 1 else ''}")
    for tenant, keys in found.tenants.items():
        print(f"  {tenant}: {keys} key{'s' if keys > 1 else ''}")
    for tenant in found.shredding:
        print(f"  {tenant}: erasure begun; run `tutti vault shred` again")
    for tenant in found.shredded:
        print(f"  {tenant}: erased")


def _rotate(arguments: argparse.Namespace) -> None:
    from tutti.settings import read_settings
    from tutti.trust.vault import Vault
    from tutti.trust.vault.root_keys import KeySource
    from tutti.trust.vault.rotation import rotate

    if (arguments.to is None) == (arguments.tenant is None):
        raise InputError("rotate takes either --to KEY, a new root key, or --tenant NAME, whose key is made anew.")
    if arguments.tenant is not None:
        name = Vault.open(arguments.vault, arguments.vault_key).renew(arguments.tenant)
        print_json({"tenant": arguments.tenant, "key": name}) if arguments.json else print(
            f"{arguments.tenant} has a fresh key; what the older ones encrypted stays readable by them."
        )
        return
    old = KeySource.parse(arguments.vault_key or read_settings().vault_key)
    rotate(Path(arguments.vault).expanduser(), old, KeySource.parse(arguments.to), _told)
    if arguments.json:
        print_json({"vault": arguments.vault, "key": arguments.to})
        return
    print(f"The root key of {arguments.vault} is {arguments.to} now.")
    note("Name it with --vault-key or TUTTI_VAULT_KEY. Copies of the vault from before still open with the old one.")


def _told(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done:,} of {total:,} tenants", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _shred(arguments: argparse.Namespace) -> None:
    from tutti.trust.vault.records import TenantRecord, shredding_file
    from tutti.trust.vault.shredding import shred

    if arguments.tenant is None:
        raise InputError("shred takes --tenant NAME: whose key is destroyed.")
    folder = Path(arguments.vault).expanduser()
    if not arguments.yes:
        if not shredding_file(folder, arguments.tenant).exists():
            record = TenantRecord.read(folder, arguments.tenant)
            places = ", ".join([*record.places, *arguments.places]) or "none that the vault knows of"
            keys = _counted(len(record.keys), "key")
            note(f"{keys} of {arguments.tenant} would be destroyed; rows and files in: {places}.")
        raise InputError("Nothing was destroyed; this cannot be undone: run it again with --yes.")
    done = shred(folder, arguments.tenant, [_absolute(place) for place in arguments.places])
    if arguments.json:
        print_json(asdict(done))
        return
    removed = f"{_counted(done.databases, 'database')} and {_counted(done.files, 'file')}"
    by = "it" if done.keys == 1 else "them"
    print(f"Destroyed {_counted(done.keys, 'key')} of {done.tenant}, and removed {removed} encrypted by {by}.")
    for place in done.elsewhere:
        note(f"{place} cannot be removed from here; what is in it cannot be read any more.")
    note("Copies of the vault from before still hold the key, wrapped: remove them, too, or rotate the root key.")


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).expanduser().resolve())
