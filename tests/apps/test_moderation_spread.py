"""Moderation on a cluster decides as one machine does, once on each medium, and keeps what is there already."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.apps.test_moderation import RED, policy_in
from tests.search.synthetic_media import Space, picture
from tutti.apps.moderation import Moderator, read_policy, spreading
from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.labels import files_in
from tutti.apps.moderation.running import run_over
from tutti.apps.moderation.spreading import ModerationWorker, run_spread
from tutti.cli import main
from tutti.errors import InputError, MissingExtra
from tutti.search.ingest.ray_cluster import Cluster

ROOT = Path(__file__).parents[2]


def made(policy: str) -> Moderator:
    return Moderator(read_policy(policy), Space())


def here(cluster: Cluster, worker: type[Any], groups: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """What Ray does, in this process: a worker is made once, and what it takes and gives is pickled."""
    one = worker(pickle.loads(pickle.dumps(cluster.make)))
    for group in groups:
        yield pickle.loads(pickle.dumps(one.gather(*group)))


def media(folder: Path) -> Path:
    uploads = folder / "uploads"
    uploads.mkdir()
    for number in range(20):
        picture(uploads / f"{number:02}.png", ("red", "blue")[number % 2], seed=number)
    (uploads / "20.png").write_bytes((uploads / "00.png").read_bytes())
    (uploads / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return uploads


def actions(journal: DecisionJournal) -> dict[str, str]:
    return {row["id"]: row["action"] for row in journal.decided().values()}


def test_a_cluster_decides_as_one_machine_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "spread", here)
    uploads, policy = media(tmp_path), str(policy_in(tmp_path, text=RED))
    alone, spread = DecisionJournal(tmp_path / "alone"), DecisionJournal(tmp_path / "spread")
    cluster = Cluster(make=partial(made, policy))
    one_by_one = list(run_over(made(policy), files_in(uploads), alone))
    together = list(run_spread(made(policy), files_in(uploads), spread, cluster))
    assert sorted((row["file"], new) for row, new in together) == sorted((row["file"], new) for row, new in one_by_one)
    assert len(together) == 22 and [new for _, new in together].count(False) == 1  # one medium is there twice
    assert actions(spread) == actions(alone) and len(actions(alone)) == 21
    again = list(run_spread(made(policy), files_in(uploads), spread, cluster))
    assert len(again) == 22 and not any(new for _, new in again)


def test_a_machine_with_another_policy_is_refused(tmp_path: Path) -> None:
    policy = str(policy_in(tmp_path, text=RED))
    version = made(policy).version
    policy_in(tmp_path, text=RED.replace("0.8", "0.7"))
    with pytest.raises(InputError, match=f"and {version} was asked for"):
        ModerationWorker(partial(made, policy)).gather([], version)


def test_without_the_extra_it_is_named_and_options_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, uploads = str(policy_in(tmp_path, text=RED)), media(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="ray"):
        list(
            run_spread(made(policy), files_in(uploads), DecisionJournal(tmp_path), Cluster(make=partial(made, policy)))
        )
    assert main.main(["moderate", str(uploads), "--policy", policy, "--workers", "2"]) == 2
    assert "--workers was given without --on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_local_cluster_decides(tmp_path: Path) -> None:
    uploads, policy = media(tmp_path), str(policy_in(tmp_path, text=RED))
    words = [sys.executable, "-m", "tests.apps.test_moderation_spread", str(uploads), policy, str(tmp_path / "spread")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    alone = DecisionJournal(tmp_path / "alone")
    list(run_over(made(policy), files_in(uploads), alone))
    assert actions(DecisionJournal(tmp_path / "spread")) == actions(alone)


if __name__ == "__main__":
    given_uploads, given_policy, into = sys.argv[1:]
    cluster = Cluster(make=partial(made, given_policy), workers=2)
    list(run_spread(made(given_policy), files_in(Path(given_uploads)), DecisionJournal(Path(into)), cluster))
