"""What was reported as indexed survives a kill at any point and a full disk, and nothing is there twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.search.synthetic_media import COLOURS, Space, picture
from tutti.search import Index

ROOT = Path(__file__).parents[2]
COUNT = 120


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        picture(folder / f"{number:03}.png", list(COLOURS)[number % 4], seed=number, size=24)
    return folder


def started(folder: Path, database: Path, *more: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.search.killed", str(folder), str(database), *more]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)


def kept(database: Path) -> Counter[str]:
    return Counter(Index(database, Space()).store.table.search().select(["item"]).to_arrow()["item"].to_pylist())


def kill_at_random(folder: Path, database: Path, dice: random.Random) -> set[str]:
    """Start indexing, kill it after some reports and a moment more, and return what was reported."""
    running = started(folder, database)
    assert running.stdout is not None
    reported = {
        line.strip() for line in (running.stdout.readline() for _ in range(dice.randrange(1, COUNT // 3))) if line
    }
    time.sleep(dice.random() * 0.05)
    running.kill()
    rest = running.stdout.read()  # not communicate(), which loses what readline() has read ahead
    running.communicate()
    # A line that the kill cut in two was not reported.
    return reported | set(rest.rpartition("\n")[0].splitlines())


def check_kills(folder: Path, tmp_path: Path, times: int, seed: int) -> None:
    dice = random.Random(seed)
    interrupted = 0
    for turn in range(times):
        database = tmp_path / f"db{turn // 3}"  # three kills in a row hit the same database
        reported = kill_at_random(folder, database, dice)
        there = kept(database)
        assert reported <= there.keys()
        assert set(there.values()) <= {1}
        interrupted += len(there) < COUNT
    assert interrupted  # else nothing was killed on the way
    report = Index(database, Space()).add(folder)
    assert report.unchanged == len(there)
    assert kept(database) == Counter(str(path) for path in folder.iterdir())


def test_a_kill_loses_nothing_that_was_reported(pictures: Path, tmp_path: Path) -> None:
    check_kills(pictures, tmp_path, times=2, seed=0)


@pytest.mark.slow
def test_fifty_kills_lose_nothing_that_was_reported(pictures: Path, tmp_path: Path) -> None:
    check_kills(pictures, tmp_path, times=50, seed=1)


def test_a_full_disk_is_said_and_the_database_opens(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture(folder / "a.png", "red")
    first = started(folder, tmp_path / "db")
    assert first.communicate()[0].split() == [str(folder / "a.png")]
    for number in range(40):
        picture(folder / f"b{number}.png", "blue", seed=number, size=160)
    full = started(folder, tmp_path / "db", "12000")
    _, said = full.communicate()
    assert full.returncode == 3
    assert said.startswith("There is no room left to write to ")
    assert kept(tmp_path / "db")[str(folder / "a.png")] == 1
    assert Index(tmp_path / "db", Space()).add(folder).added + len(kept(tmp_path / "db")) >= 41
