"""Indexing on a Ray cluster finds the same as on one machine, and loses nothing with a worker."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.search.synthetic_media import COLOURS, Space, picture
from tutti.cli import main
from tutti.errors import InputError, MissingExtra
from tutti.search import Index
from tutti.search.ingest.ray_cluster import Cluster, Worker
from tutti.search.ingest.walk import walk

ROOT = Path(__file__).parents[2]
OURS = ("id", "item", "kind", "modality", "words", "colours", "palette", "thumbnail", "digest", "stamp", "vector")


def rows(index: Index) -> list[dict[str, Any]]:
    found = index.store.table.search().select(list(OURS)).to_arrow().to_pylist()
    return sorted(found, key=lambda row: row["id"])


def test_a_worker_gathers_what_a_run_writes(folder: Path, index: Index, tmp_path: Path) -> None:
    report = index.add(folder)
    worker = Worker(lambda: Index(tmp_path / "other", Space()).worker_setup())
    sources = [source for source in walk(folder) if not hasattr(source, "reason")]
    gathered = pickle.loads(pickle.dumps(worker.gather(sources, {}, index.identity())))
    assert gathered.report.added == report.added
    assert gathered.report.broken == report.broken
    assert sorted(row["id"] for row in gathered.rows) == [row["id"] for row in rows(index)]
    known = index.store.known()
    os.utime(folder / "0_red.png", (1, 1))
    picture(folder / "1_green.png", "blue", seed=77)
    sources = [source for source in walk(folder) if not hasattr(source, "reason")]
    later = worker.gather(sources, known, index.identity())
    assert [Path(item).name for item, _ in later.touched] == ["0_red.png"]
    assert [Path(item).name for item in later.replacing] == ["1_green.png"]
    assert not later.rows


def test_a_worker_with_another_model_is_refused(folder: Path, index: Index, tmp_path: Path) -> None:
    worker = Worker(lambda: Index(tmp_path / "other", Space(weights="w2")).worker_setup())
    with pytest.raises(InputError, match="other weights"):
        worker.gather(list(walk(folder)), {}, index.identity())  # type: ignore[arg-type]


def test_without_the_extra_it_is_named(folder: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="ray"):
        index.add(folder, cluster=Cluster(make=index.worker_setup))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "spark"], "--on spark was given; expected ray"),
        (["--workers", "2"], "--workers was given without --on"),
        (["--on", "ray", "--workers", "0"], "--workers is 0; expected at least 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], said: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["index", str(folder), "--into", str(tmp_path / "db"), *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_local_cluster_finds_the_same_although_a_worker_dies(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(150):
        picture(folder / f"{number}.png", list(COLOURS)[number % 4], seed=number)
    (folder / "broken.png").write_bytes(b"x")
    words = [sys.executable, "-m", "tests.search.clustered", str(folder), str(tmp_path / "db"), str(tmp_path / "died")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "150 1 150", done.stderr  # Ray prints above it that a worker died
    assert (tmp_path / "died").exists()
    alone = Index(tmp_path / "alone", Space())
    assert alone.add(folder).added == 150
    assert rows(Index(tmp_path / "db", Space())) == rows(alone)
