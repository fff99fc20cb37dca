"""`tutti index`, `tutti search`, `tutti ask --in`: what they print where, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import tutti
from tests.search.synthetic_media import Speaker, film, picture, recording, tone
from tutti.cli.main import main


@pytest.fixture(autouse=True)
def speaker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Speaker:
    speaker = Speaker()
    monkeypatch.setattr(
        tutti, "load", lambda name=None, **_: SimpleNamespace(provider=speaker, name="space"), raising=False
    )
    monkeypatch.setattr(tutti, "open_provider", lambda name=None, **_: speaker, raising=False)
    monkeypatch.setenv("TUTTI_CACHE_FOLDER", str(tmp_path / "cache"))
    return speaker


@pytest.fixture
def database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    folder = tmp_path / "media"
    folder.mkdir()
    picture(folder / "red.png", "red")
    picture(folder / "blue.png", "blue")
    recording(folder / "low.wav", "low")
    (folder / "cut.png").write_bytes((folder / "red.png").read_bytes()[:50])
    assert main(["index", str(folder), "--into", str(tmp_path / "db"), "--subject", "anna"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(
        "3 added, 0 replaced, 0 unchanged, 0 marked as deleted, 1 broken, 0 of other kinds; 3 rows"
    )
    assert "cut.png" in captured.err
    return str(tmp_path / "db")


def test_index_again_as_json(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", str(tmp_path / "media"), "--into", database, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["added"], report["unchanged"], len(report["broken"])) == (0, 3, 1)


def test_search_prints_a_table_or_json_or_a_page(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "red", "--in", database, "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["score", "fit", "what"]
    assert lines[1].endswith("red.png")
    assert main(["search", "red", "--in", database, "--json", "--html", str(tmp_path / "page.html")]) == 0
    captured = capsys.readouterr()
    hits = [json.loads(line) for line in captured.out.splitlines()]
    assert hits[0]["path"].endswith("red.png")
    assert captured.err == f"Wrote {tmp_path / 'page.html'}.\n"
    page = (tmp_path / "page.html").read_text()
    assert page.count("<li>") == len(hits) == 3
    assert "data:image/jpeg;base64," in page
    assert [f"{hit['fit']:.0%}" for hit in hits] == re.findall(r'<i style="width:([^"]+)"', page)
    assert "<script" not in page


def test_what_matches_nothing_is_said_beside_the_nearest(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "red", "--in", database]) == 0
    assert "Nothing clearly matches" not in capsys.readouterr().err
    for form in ([], ["--json"]):
        assert main(["search", "green", "--in", database, "--top", "1", *form]) == 0
        captured = capsys.readouterr()
        assert captured.out
        assert captured.err == "Nothing clearly matches these words; what is nearest to them is shown.\n"


def test_search_by_something_alike_and_in_another_colour(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    red = str(tmp_path / "media" / "red.png")
    assert main(["search", "--like", red, "--in", database, "--json", "--top", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == red
    words = ["search", "but in blue", "--like", red, "--in", database, "--modality", "image", "--json", "--top", "1"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith("blue.png")


def test_ask_over_a_database_cites(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "red", "--in", database]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["It is so [1] and.", "  [1] red.png"]
    assert captured.err == "1 relevant, 1 shown; 200 tokens of prompt, 0 of them media, 0 of answer.\n"
    assert main(["ask", "red", "--in", database, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sources"][0]["number"] == 1
    assert {"text", "usage", "found"} <= {*answer}


def test_a_long_video_is_searched_and_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = film(tmp_path / "f.mp4", [("green", 40), ("red", 6), ("green", 24)], tone("low", 1.0))
    page = tmp_path / "page.html"
    assert main(["search", "red", "--in", str(path), "--json", "--top", "1", "--html", str(page)]) == 0
    start_s = json.loads(capsys.readouterr().out)["start_s"]
    assert start_s == pytest.approx(40, abs=0.3)
    assert f'f.mp4#t={start_s:g}">' in page.read_text()  # the link begins at the moment
    assert main(["ask", "When does the red appear?", str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("the red: at 0:00:40–0:00:46 [1].")
    assert "0 tokens of prompt" in captured.err


def test_forget_says_what_was_checked(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "--into", database, "--forget", "anna"]) == 0
    assert capsys.readouterr().out.startswith(
        "Removed 3 items in 3 rows and 0 cached indexes of anna; nothing of them is left"
    )
    assert main(["index", "--into", database, "--forget", "anna"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["index", "nowhere", "--into", "db"], "tutti: nowhere does not exist; expected a folder with media"),
        (["index", "--into", "db"], "tutti: No folder was given; expected one, as in: tutti index photos/"),
        (["search", "red", "--in", "nowhere"], "tutti: nowhere does not exist; make a database with: tutti index"),
        (["search", "--in", "nowhere"], "tutti: There is nothing to search for; give words or --like"),
        (
            ["search", "--like", "nothing.jpg", "--in", "nowhere"],
            "tutti: nothing.jpg does not exist; expected the path",
        ),
        (["ask", "red", "a.jpg", "--in", "nowhere"], "tutti: Media were given beside --in;"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert captured.out == ""


def test_a_bad_condition_is_refused_before_anything_is_found(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "red", "--in", database, "--where", "price < 3"]) == 2
    assert capsys.readouterr().err.startswith("tutti: There is no column 'price'; the database has: ")
