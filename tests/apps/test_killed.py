"""A run over a folder and an update of a catalogue are killed: what was told is kept, and the rest is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.apps.test_moderation import RED, policy_in
from tests.search.synthetic_media import Space, picture
from tutti.apps.moderation import Moderator, read_policy
from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.labels import files_in
from tutti.apps.moderation.running import run_over
from tutti.apps.shop import Shop

ROOT = Path(__file__).parents[2]
MODERATES = """
import sys
from pathlib import Path
from tests.search.synthetic_media import Space
from tutti.apps.moderation import Moderator, read_policy
from tutti.apps.moderation.journal import DecisionJournal
from tutti.apps.moderation.labels import files_in
from tutti.apps.moderation.running import run_over
moderator = Moderator(read_policy(sys.argv[2]), Space())
for values, new in run_over(moderator, files_in(Path(sys.argv[1])), DecisionJournal(Path(sys.argv[3]))):
    print(values["id"], flush=True)
"""
UPDATES = """
import sys
from tests.search.synthetic_media import Space
from tutti.apps.shop import Shop
class Slow(Space):
    def embed(self, parts):
        print("embedding", flush=True)
        return super().embed(parts)
Shop(sys.argv[1], Slow()).catalogue.update(sys.argv[2])
"""


def killed_after(lines: int, program: str, *words: str) -> list[str]:
    """What a program printed that was killed (SIGKILL) once it had printed so many lines."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().split("\n")[:-1]
    assert process.returncode == -signal.SIGKILL
    return told


def test_moderation_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for number in range(60):
        picture(uploads / f"{number:02}.png", ("red", "blue")[number % 2], seed=number)
    policy = str(policy_in(tmp_path, text=RED))
    told = killed_after(4, MODERATES, str(uploads), policy, str(tmp_path / "out"))
    journal = DecisionJournal(tmp_path / "out")
    assert 4 <= len(told) < 60 and set(told) <= set(journal.decided())  # what was told is on the disk
    before = len(journal.decided())
    rows = list(run_over(Moderator(read_policy(policy), Space()), files_in(uploads), journal))
    assert len(rows) == 60 and sum(new for _, new in rows) == 60 - before
    assert [row["event"] for row in journal.read()].count("decided") == len(journal.decided()) == 60


def test_an_update_of_a_catalogue_that_was_killed_is_done_again(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"P{number}",
            "title": f"{colour} bag {number}",
            "price": f"{number + 5}.00 EUR",
            "availability": "in stock",
        }
        for number, colour in enumerate(["red", "blue", "green", "yellow"] * 60)
    ]
    feed = tmp_path / "feed.jsonl"
    feed.write_text("\n".join(map(json.dumps, rows)))
    killed_after(1, UPDATES, str(tmp_path / "db"), str(feed))
    shop = Shop(tmp_path / "db", Space())
    shop.catalogue.update(feed)
    answer = shop.ask("bags under 8")
    assert {offer.id for offer in answer.offers} <= {"P0", "P1", "P2"} and answer.offers
