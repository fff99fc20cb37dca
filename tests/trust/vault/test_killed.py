"""A process that is ended with SIGKILL at every step of a rotation or an erasure: the same command goes on from there.

The steps are what the system is asked for (files opened, renamed, removed), as Python's audit hooks report them.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tutti.errors import InputError
from tutti.trust.vault import Vault
from tutti.trust.vault.records import tenant_file
from tutti.trust.vault.root_keys import KeySource
from tutti.trust.vault.rotation import rotate
from tutti.trust.vault.shredding import shred
from tutti.trust.vault.vault import status_of

TENANTS = ("anna", "ben", "cleo")


CLEAN = multiprocessing.get_context("forkserver")
"""Children of a process without threads: after a fork of one with some, locks that nobody holds stay shut."""
CLEAN.set_forkserver_preload([__name__])


def killed_at(step: int, within: Path, act: Callable[..., object], *given: object) -> bool:
    """Run something in a child that is killed before its `step`-th change of a file; whether it came so far."""
    child = CLEAN.Process(target=_ended_at, args=(step, within, act, given))
    child.start()
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def _ended_at(step: int, within: Path, act: Callable[..., object], given: tuple[object, ...]) -> None:
    left = step

    def hook(event: str, about: tuple[object, ...]) -> None:
        nonlocal left
        changes = event in ("os.rename", "os.remove", "os.rmdir") or (
            event == "open" and isinstance(about[2], int) and about[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if changes and (event == "os.rmdir" or str(within) in str(about[0]) or "part" in str(about[0])):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    act(*given)
    os._exit(0)


def _rotated(folder: Path, old: str, new: str) -> None:
    rotate(folder, KeySource.parse(old), KeySource.parse(new))


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, str, dict[str, bytes]]:
    key = f"file:{tmp_path / 'old.key'}"
    vault = Vault.init(tmp_path / "v", key)
    return vault.folder, key, {name: vault.sealer(name).seal(name.encode(), "c") for name in TENANTS}


def all_open(vault: Vault, sealed: dict[str, bytes]) -> bool:
    return all(vault.sealer(name).unseal(blob, "c") == name.encode() for name, blob in sealed.items())


def test_a_rotation_goes_on_wherever_it_was_killed(made: tuple[Path, str, dict[str, bytes]], tmp_path: Path) -> None:
    folder, old, sealed = made
    shutil.copytree(folder, tmp_path / "kept")
    step = 0
    while True:
        step += 1
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "kept", folder)
        new = f"file:{tmp_path / f'new{step}.key'}"
        killed = killed_at(step, tmp_path, _rotated, folder, old, new)
        if not killed:
            break
        # No tenant is lost at any moment: each is opened by the one key or the other, or its file says what to do.
        for name in TENANTS:
            ways = []
            for key in (old, new):
                try:
                    ways.append(Vault.open(folder, key).sealer(name).unseal(sealed[name], "c") == name.encode())
                except InputError as error:
                    assert "rotation" in str(error) or "not the one" in str(error) or "No such file" in str(error)
            assert ways == [True]
        try:
            rotate(folder, KeySource.parse(old), KeySource.parse(new))
        except InputError as error:
            assert "has the root key" in str(error)  # it was through
        assert all_open(Vault.open(folder, new), sealed)
        assert len(status_of(folder).roots) == 1
        assert not list(folder.rglob("*.part"))
    assert step > 10  # vault.json twice and three tenants, in two steps each, and what is around them
    assert all_open(Vault.open(folder, new), sealed)


def test_an_erasure_goes_on_wherever_it_was_killed(made: tuple[Path, str, dict[str, bytes]], tmp_path: Path) -> None:
    folder, key, sealed = made
    wrapped = tenant_file(folder, "anna").read_bytes()
    shutil.copytree(folder, tmp_path / "kept")
    step = 0
    while True:
        step += 1
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "kept", folder)
        if not killed_at(step, tmp_path, shred, folder, "anna"):
            break
        if tenant_file(folder, "anna").exists():
            assert len(tenant_file(folder, "anna").read_bytes()) == len(wrapped)  # as it was, or written over
        else:
            with pytest.raises(InputError, match="was destroyed"):
                Vault.open(folder, key).sealer("anna")
        try:
            shred(folder, "anna")
        except InputError as error:
            assert "was erased before" in str(error)
        found = status_of(folder)
        assert (found.shredded, found.shredding, sorted(found.tenants)) == (("anna",), (), ["ben", "cleo"])
        assert Vault.open(folder, key).sealer("ben").unseal(sealed["ben"], "c") == b"ben"
        assert not any(b"wrapped" in path.read_bytes() for path in folder.rglob("*anna*"))
    assert step > 5
