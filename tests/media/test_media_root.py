"""Paths in requests: each way out of the folder is shown to lead out by plain opening, and to fail through the root."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import pytest

from tutti.errors import CapacityError, InputError
from tutti.media import Limits, MediaRoot

SECRET = b"not for you"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A root with a picture in it, a secret beside it, and links that lead out."""
    root = tmp_path / "root"
    (root / "cats").mkdir(parents=True)
    (root / "cats/a.png").write_bytes(b"a picture")
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "root-of-others").mkdir()
    (tmp_path / "root-of-others/secret.txt").write_bytes(SECRET)
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "out").symlink_to(tmp_path)
    (root / "cats/up").symlink_to("../..")
    os.mkfifo(root / "pipe")
    return root


def test_files_below_the_root_are_read(folder: Path) -> None:
    root = MediaRoot(folder, Limits())
    for address in ("cats/a.png", f"{folder}/cats/a.png", f"file://{folder}/cats/a.png", "file:cats/a.png"):
        assert root.read(address) == b"a picture"
    (folder / "cats/a b.png").write_bytes(b"spaced")
    assert root.read(f"file://{folder}/cats/a%20b.png") == b"spaced"


WAYS_OUT = [
    "../secret.txt",
    "cats/../../secret.txt",
    "{root}/../secret.txt",
    "{root}-of-others/secret.txt",
    "link.txt",
    "out/secret.txt",
    "cats/up/secret.txt",
    "{root}/link.txt",
    "{tmp}/secret.txt",
]
OTHER_WAYS = [
    "file://{tmp}/secret.txt",
    "file://{root}/../secret.txt",
    "file://{root}/%2e%2e/secret.txt",
    "file://{root}/%2e%2e%2fsecret.txt",
    "file://elsewhere{root}/cats/a.png",
    "FILE://{root}/../secret.txt",
    "/etc/passwd",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "~/.ssh/id_rsa",
    "cats/a.png\0.txt",
    "..%2fsecret.txt",
    "..\\secret.txt",
    "cats",
    "cats/",
    "cats//a.png",
    "./cats/a.png",
    "",
    "/",
    ".",
    "/dev/zero",
    "/proc/self/environ",
    "pipe",
    "a" * 5000,
    "missing.png",
    "cats/a.png/b",
    "ftp://x/y",
]


@pytest.mark.parametrize("way", WAYS_OUT)
def test_ways_out_lead_out_where_nobody_looks_and_nowhere_through_the_root(folder: Path, way: str) -> None:
    address = way.format(root=folder, tmp=folder.parent)
    assert (folder / address).read_bytes() == SECRET
    with pytest.raises(InputError, match="no such file below the media root"):
        MediaRoot(folder, Limits()).read(address)


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_whatever_is_not_a_plain_file_below_the_root_is_refused_alike(folder: Path, way: str) -> None:
    with pytest.raises(InputError, match="no such file below the media root"):
        MediaRoot(folder, Limits()).read(way.format(root=folder, tmp=folder.parent))


def test_a_link_put_in_the_way_meanwhile_leads_nowhere(folder: Path) -> None:
    """The race between checking a path and opening it: a folder is swapped for a link, over and over."""
    root = MediaRoot(folder, Limits())
    decoy, real = folder / "swap", folder / "kept"
    real.mkdir()
    (real / "secret.txt").write_bytes(b"a picture")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            real.rename(decoy)
            decoy.rename(real)
            decoy.symlink_to(folder.parent)
            decoy.unlink()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(2000):
            with contextlib.suppress(InputError):
                assert root.read("swap/secret.txt") == b"a picture"
    finally:
        stop.set()
        thread.join()


def test_the_budget_of_bytes_holds(folder: Path) -> None:
    with pytest.raises(CapacityError, match="the limit is 5"):
        MediaRoot(folder, Limits(max_bytes=5)).read("cats/a.png")


def test_a_root_that_is_no_folder_is_refused(folder: Path) -> None:
    for path in (folder / "none", folder / "cats/a.png"):
        with pytest.raises(InputError, match="media root"):
            MediaRoot(path, Limits())
