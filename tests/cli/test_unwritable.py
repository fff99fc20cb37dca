"""Places that cannot be written to: one sentence and exit code 2, before anything is loaded, asked or paid for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import tutti
from tests.read_only import read_only
from tutti import errors
from tutti.cli.main import main
from tutti.content import Answer, Usage
from tutti.evaluate.reply_log import Reply, ReplyLog
from tutti.providers.answer_cache import AnswerCache
from tutti.search.table.location import Location
from tutti.search.table.schema import Identity
from tutti.search.table.store import Store


@pytest.fixture
def place(tmp_path: Path, picture: Path) -> Path:
    """A folder, with what the commands read beside it."""
    suite = '{"id": "a", "media": [], "question": "What?", "expected": "x", "metric": "exact"}\n'
    (tmp_path / "suite.jsonl").write_text(suite)
    (tmp_path / "recipe.py").write_text("PHASES = ('one',)\ndef prepare(*_, **__): raise SystemExit(7)\n")
    (tmp_path / "drafts").mkdir()
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "file").write_text("x")
    return tmp_path / "place"


FOLDERS = {
    "index": ["index", "{0}", "--into", "{1}"],
    "convert": ["convert", "tutti-mini", "--quantize", "int8", "--into", "{1}"],
    "merge": ["merge", "tutti-mini", "--adapter", "{0}", "--into", "{1}"],
    "evaluate": ["evaluate", "{0}/suite.jsonl", "--out", "{1}"],
    "train": ["train", "all", "--recipe", "{0}/recipe.py", "--data", "{0}", "--out", "{1}"],
}
FILES = {
    "cost": ["cost", "--model", "openai:gpt-4o", "--plot", "{1}"],
    "search": ["search", "dog", "--in", "{0}", "--html", "{1}"],
    "spans": ["evaluate", "{0}/suite.jsonl", "--out", "{0}/out", "--spans", "{1}"],
    "cache": ["evaluate", "{0}/suite.jsonl", "--out", "{0}/out", "--cache", "{1}"],
}


def ends_in_a_sentence(words: list[str], place: Path, goal: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([word.format(place.parent, goal) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tutti: Cannot write {goal}: "), line
    return line


@pytest.fixture(autouse=True)
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading would come too early."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded before the place was looked at")

    monkeypatch.setattr(tutti, "load", fail, raising=False)
    monkeypatch.setattr(tutti, "open_provider", fail, raising=False)
    monkeypatch.setattr(tutti.checkpoints, "shrink", fail)
    monkeypatch.setattr(tutti.checkpoints, "merge", fail)


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_a_read_only_folder(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with read_only(place):
        line = ends_in_a_sentence({**FOLDERS, **FILES}[name], place, str(place / "new"), capsys)
    assert line.endswith(f"{place} is read-only; name another place, or change its permissions.")


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
def test_a_parent_that_is_a_file(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ends_in_a_sentence({**FOLDERS, **FILES}[name], place, str(place / "file" / "new"), capsys)
    assert line.endswith(f"{place / 'file'} is a file; expected a folder.")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_in_the_place_of_a_folder(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends_in_a_sentence(FOLDERS[name], place, str(place / "file"), capsys)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ends_in_a_sentence(FILES[name], place, str(place), capsys)
    assert line.endswith("it is a folder; name a file in it.")


def test_an_index_that_has_become_read_only(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "db", "default", Identity("fake", "w", "p", 4))
    with read_only(tmp_path / "db"):
        with pytest.raises(errors.InputError, match=r"Cannot write .*db/default: Permission denied"):
            store.folder.writing().__enter__()
        assert Store.open(tmp_path / "db", "default").count() == 0


@pytest.mark.parametrize("reason", ["Permission denied (os error 13)", "Read-only file system (os error 30)"])
def test_what_lance_says_of_it(tmp_path: Path, reason: str) -> None:
    """Its threads have powers of their own, so that the fault is put in its mouth."""
    store = Store.create(tmp_path / "db", "default", Identity("fake", "w", "p", 4))

    def fail(**_: object) -> None:
        raise RuntimeError(f'lance error: LanceError(IO): {reason} at path "x", object_store.rs:1006:34')

    store.table = SimpleNamespace(update=fail)
    with pytest.raises(errors.InputError, match=r"Cannot write to .*: it is read-only"):
        store.mark(["x"], deleted=True)


def test_a_folder_in_which_no_database_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "db" / "default").mkdir(parents=True)
    with read_only(tmp_path / "db"), pytest.raises(errors.InputError, match="Permission denied"):
        Store.create(Location.of(tmp_path / "db"), "default", Identity("fake", "w", "p", 4))


def test_rooms_say_it_themselves(tmp_path: Path) -> None:
    usage = Usage()
    reply = Reply(text="x", seconds=0, first_token_s=None, usage=usage, cost_usd=0, finish_reason="stop")
    answer = Answer(text="x", model="m", finish_reason="stop", usage=usage, seconds=0)
    with read_only(tmp_path):
        with pytest.raises(errors.InputError, match=r"Cannot write .*: Permission denied"):
            ReplyLog(tmp_path / "answers.jsonl").add("d", reply)
        with pytest.raises(errors.InputError, match=r"Cannot write .*: Permission denied"):
            tutti.checkpoints.save(__import__("torch").nn.Linear(1, 1), tmp_path / "new", {"model_type": "x"}, {})
        cache = AnswerCache(tmp_path / "cache")
        cache.put("key", answer)  # a paid answer is not lost for it
        assert cache.get("key") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind"), [(28, errors.CapacityError), (27, errors.CapacityError), (30, errors.InputError)]
)
def test_the_system_s_reasons(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"Cannot write here: "), errors.writing("here"):
        raise OSError(number, "the reason")


def test_a_file_that_no_room_looked_at_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        Path("/nowhere/at/all").read_bytes()

    monkeypatch.setattr(tutti, "load", fail, raising=False)
    assert main(["ask", "What?"]) == 2
    assert capsys.readouterr().err == (
        "tutti: /nowhere/at/all cannot be used: No such file or directory; check the path and its permissions.\n"
    )
