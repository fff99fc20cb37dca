"""Folders of pages: whose is left behind by a killed process goes, and whose is in use stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tutti.apps.page.folders import PREFIX, held_folder, remove_abandoned

HOLDING = "import sys, time; from pathlib import Path; from tutti.apps.page.folders import held_folder\n"
HOLDING += "print(held_folder(Path(sys.argv[1]))[0], flush=True); time.sleep(60)"


def test_folders_of_killed_processes_go_and_no_others(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    theirs = Path(process.stdout.readline().strip())
    (theirs / "upload.png").write_bytes(b"x")
    mine, handle = held_folder(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    later = time.time() + 3600
    try:
        assert mine.stat().st_mode & 0o077 == 0
        assert remove_abandoned(tmp_path, later) == 0
        assert theirs.exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
    assert remove_abandoned(tmp_path) == 0  # too young to be sure of
    assert remove_abandoned(tmp_path, later) == 1
    assert not theirs.exists()
    assert mine.exists() and other.exists()
    assert handle is not None
    os.close(handle)
    assert remove_abandoned(tmp_path, later) == 1
    assert not mine.exists()


def test_a_system_without_such_locks_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    folder, handle = held_folder(tmp_path)
    assert handle is None
    assert remove_abandoned(tmp_path, time.time() + 3600) == 0
    assert folder.exists()
