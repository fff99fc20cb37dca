"""A database in an object store: the same commands, the same results, and errors that are sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.object_store import ObjectStore, object_store
from tests.search.synthetic_media import Space
from tutti.cli.main import main
from tutti.errors import InputError, ProviderError
from tutti.search import Index
from tutti.search.table.location import Location

DB = "s3://bucket/team/photos.db"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    with object_store() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def test_a_collection_in_an_object_store_is_one_like_any_other(
    store: ObjectStore, folder: Path, index: Index, space: Space
) -> None:
    here, there = index, Index(DB, space)
    assert here.add(folder).rows == there.add(folder).rows
    for query in ("red", "low", "parrot"):
        found = [[(hit.item, hit.score, hit.why) for hit in one.search(query)] for one in (here, there)]
        assert found[0] == found[1]
    assert there.thumbnails(there.search("red", top=1))
    assert {name.split("/")[1:4][-1] for name in store.objects} == {"photos.db"}

    (folder / "1_green.png").unlink()
    (folder / "0_red.png").write_bytes((folder / "2_blue.png").read_bytes())
    report = Index(DB, space).add(folder)
    assert (report.replaced, report.deleted, report.unchanged) == (1, 1, 7)
    assert there.store.count("item LIKE '%0_red.png'") == 1


def test_tenants_lie_apart_in_it(store: ObjectStore, folder: Path, space: Space) -> None:
    Index(DB, space, tenant="anna").add(folder)
    with pytest.raises(InputError, match=f"{DB} holds no database of tenant 'ben'; its tenants are: anna; make one"):
        Index(DB, space, tenant="ben").search("red")
    with pytest.raises(InputError, match="s3://bucket/other holds no database; make one"):
        Index("s3://bucket/other", space).search("red")


def test_forgetting_leaves_no_object_with_a_trace(store: ObjectStore, folder: Path, space: Space) -> None:
    index = Index(DB, space)
    index.add(folder / "deep", subject="anna")
    index.add(folder / "notes.txt")
    digests = {
        digest.encode()
        for digest in index.store.table.search().where("subject = 'anna'").to_arrow()["digest"].to_pylist()
    }
    assert any(digest in content for digest in digests for content in store.objects.values())
    done = index.forget("anna")
    assert (done.items, done.checked_bytes) == (2, sum(map(len, store.objects.values())))
    assert not any(digest in content for digest in digests for content in store.objects.values())
    assert index.search("parrot")


def test_a_store_that_fails_is_said(
    store: ObjectStore, folder: Path, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    Index(DB, space).add(folder / "deep")
    store.full = True
    with pytest.raises(ProviderError, match=f"{DB}/default cannot be reached.*check the bucket's name"):
        Index(DB, space).add(folder)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    with pytest.raises(ProviderError, match=r"cannot be reached or refuses access: .*ACCESS_DENIED"):
        Index(DB, space).search("red")


def test_another_writer_is_noticed(store: ObjectStore, folder: Path, space: Space) -> None:
    index = Index(DB, space)
    index.add(folder / "deep")
    other = Index(DB, space)
    mine = index.store
    other.add(folder / "notes.txt")
    row = {"id": "x", "item": "x", "kind": "words", "deleted": False, "vector": [0.0] * 32}
    with pytest.raises(InputError, match=r"Another process is writing to .*, too, which"):
        mine.add([row])


@pytest.mark.parametrize("named", ["az://container/db", "ftp://host/db", "s3:///"])
def test_what_is_no_place_is_said(named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("words")
    assert main(["index", str(tmp_path), "--into", named]) == 2
    said = f"tutti: {named} is no place for a database; expected a folder, or s3://BUCKET/DB or gs://BUCKET/DB.\n"
    assert capsys.readouterr().err == said


def test_a_place_is_a_path_or_an_address() -> None:
    assert Location.of("~/db").name == str(Path.home() / "db")
    assert not Location.of("~/db").remote
    assert (Location.of("s3://bucket/db/") / "anna") == Location("s3://bucket/db/anna")
