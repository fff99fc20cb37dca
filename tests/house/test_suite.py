"""The suite's own rules hold: no quiet skips, no network, warnings are errors."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

MIXED = """
import pytest

def test_passes():
    pass

def test_leaves():
    pytest.skip("not today")

@pytest.mark.skip
def test_marked():
    pass

@pytest.mark.xfail
def test_known():
    assert False
"""
ABSENT = "import pytest\npytest.importorskip('no_such_module')\n"


def test_a_skip_is_a_failure(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "test_mixed.py").write_text(MIXED)
    (tmp_path / "test_absent.py").write_text(ABSENT)
    words = ["-q", "--continue-on-collection-errors", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1].startswith("1 failed, 1 passed, 1 xfailed, 2 errors in ")
    assert "test_leaves skipped itself" in done.stdout
    assert "test_marked skipped itself" in done.stdout
    assert "test_absent.py skipped itself" in done.stdout


def test_the_network_is_out_of_reach() -> None:
    with socket.socket() as line, pytest.raises(RuntimeError, match=r"tried to reach \('192\.0\.2\.1', 80\)"):
        line.connect(("192.0.2.1", 80))


def test_this_machine_is_within_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as line:
        line.connect(server.getsockname())
        server.accept()[0].close()


def test_a_warning_is_an_error() -> None:
    with pytest.raises(UserWarning, match="careful"):
        warnings.warn("careful", stacklevel=1)
