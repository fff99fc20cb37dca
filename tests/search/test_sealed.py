"""An index that is encrypted: every query finds what it finds in a plain one, and the disk holds nothing readable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.search.synthetic_media import Speaker, film, picture, tone
from tutti.errors import InputError
from tutti.search import Index, index_of
from tutti.trust.vault import Vault
from tutti.trust.vault.shredding import shred

CANARY = "zanzibarquokka"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.init(tmp_path / "v", f"file:{tmp_path / 'root.key'}")


@pytest.fixture
def private(folder: Path) -> Path:
    """The folder with words to look for: in a text, a path, and a subject."""
    (folder / f"{CANARY}.txt").write_text(f"The {CANARY} lives in Berlin.")
    return folder


@pytest.fixture
def both(tmp_path: Path, private: Path, space: Speaker, vault: Vault) -> tuple[Index, Index]:
    """A plain index and an encrypted one of the same folder."""
    plain = Index(tmp_path / "plain", space)
    sealed = Index(tmp_path / "sealed", space, sealer=vault.sealer("anna"))
    for index in (plain, sealed):
        index.add(private, subject=f"subject {CANARY}")
    return plain, sealed


def holding(place: Path, what: bytes) -> list[str]:
    """Files that hold bytes, or are named so."""
    return [
        str(path)
        for path in sorted(place.rglob("*"))
        if path.is_file()
        and (what in path.read_bytes() or what.decode(errors="replace") in str(path.relative_to(place)))
    ]


def test_every_query_finds_what_it_finds_in_a_plain_index(both: tuple[Index, Index], private: Path) -> None:
    plain, sealed = both
    queries = [
        {"text": "a red thing"},
        {"text": "parrot balcony"},
        {"text": CANARY},
        {"text": "blue", "modality": "image", "top": 2},
        {"text": "green", "where": "bytes > 10 and kind = 'words'"},
        {"text": "anything", "where": f"path LIKE '%{CANARY}%'"},
        {"like": private / "0_red.png"},
        {"text": "but in blue", "like": private / "0_red.png"},
        {"text": "low", "per_item": None, "hybrid": False},
    ]
    for query in queries:
        expected = [hit.to_dict() for hit in plain.search(**query)]
        found = [hit.to_dict() for hit in sealed.search(**query)]
        assert found == expected and expected, query
    hits = plain.search("red")
    assert sealed.thumbnails(sealed.search("red")) == plain.thumbnails(hits) != {}


def test_the_disk_holds_nothing_readable(both: tuple[Index, Index], tmp_path: Path, space: Speaker) -> None:
    plain, _ = both
    rows = plain.store.table.search().to_arrow().to_pylist()
    jpeg = next(row["thumbnail"] for row in rows if row["thumbnail"])
    vector = plain.store.table.search().where("kind = 'picture'").to_arrow()["vector"].combine_chunks()
    points = vector.flatten().to_numpy()[:8].tobytes()
    for what in (CANARY.encode(), b"parrot", b"media/0_red", jpeg[:64], points, rows[0]["digest"].encode()):
        assert holding(tmp_path / "plain", what), what  # in a plain index, it is found
        assert not holding(tmp_path / "sealed", what), what


def test_a_later_run_reads_only_what_changed(both: tuple[Index, Index], private: Path, tmp_path: Path) -> None:
    _, sealed = both
    again = Index(tmp_path / "sealed", Speaker(), sealer=sealed.sealer)
    report = again.add(private)
    assert (report.added, report.replaced, report.unchanged) == (0, 0, 10)
    picture(private / "1_green.png", "red", seed=77)
    (private / "2_blue.png").unlink()
    (private / "3_yellow.png").touch()
    report = again.add(private)
    assert (report.added, report.replaced, report.unchanged, report.deleted) == (0, 1, 8, 1)
    for index in (again, Index(tmp_path / "sealed", Speaker(), sealer=sealed.sealer)):
        paths = [Path(hit.path or "").name for hit in index.search("red", modality="image", top=20)]
        assert "1_green.png" in paths[:3] and "2_blue.png" not in paths
    assert again.add(private).unchanged == 9


def test_a_feed_with_columns_of_its_own(tmp_path: Path, private: Path, vault: Vault, space: Speaker) -> None:
    feed = private / "feed.csv"
    lines = [f"{private / '0_red.png'},9.5,{CANARY}", f"{private / '2_blue.png'},60,shirt"]
    feed.write_text("\n".join(["picture,price,name", *lines]))
    Index(tmp_path / "db", space, sealer=vault.sealer("anna")).add(feed)
    index = Index(tmp_path / "db", space, sealer=vault.sealer("anna"))
    (hit,) = index.search("red", where="price < 50 AND name LIKE 'zanz%'")
    assert hit.columns == {"price": 9.5, "name": CANARY}
    assert not holding(tmp_path / "db", CANARY.encode())


def test_other_keys_and_no_key_are_refused(both: tuple[Index, Index], tmp_path: Path, vault: Vault) -> None:
    place = tmp_path / "sealed"
    with pytest.raises(InputError, match="is encrypted; name the vault that it was sealed with, as in: --vault DIR"):
        Index(place, Speaker()).search("red")
    with pytest.raises(InputError, match="is encrypted"):
        Index(place, Speaker()).add(tmp_path / "media")
    with pytest.raises(InputError, match="which tenant 'ben' has not in this vault"):
        Index(place, Speaker(), sealer=vault.sealer("ben")).search("red")
    with pytest.raises(InputError, match="was indexed without a vault and is readable"):
        Index(tmp_path / "plain", Speaker(), sealer=vault.sealer("anna")).search("red")
    with pytest.raises(InputError, match="holds no database"):
        Index(tmp_path / "none", Speaker(), sealer=vault.sealer("anna")).search("red")


def test_a_row_cannot_be_put_in_anothers_place(both: tuple[Index, Index], tmp_path: Path, vault: Vault) -> None:
    import lancedb

    table = lancedb.connect(tmp_path / "sealed/default").open_table("sealed")
    rows = table.search().to_arrow().to_pylist()
    table.update(where=f"id = '{rows[0]['id']}'", values={"content": rows[1]["content"]})
    with pytest.raises(InputError, match="put in another's place"):
        Index(tmp_path / "sealed", Speaker(), sealer=vault.sealer("anna")).search("red")


def test_a_subject_is_forgotten_and_a_tenant_shredded(both: tuple[Index, Index], tmp_path: Path, vault: Vault) -> None:
    _, sealed = both
    shutil.copytree(tmp_path / "sealed", tmp_path / "stolen")
    done = sealed.forget(f"subject {CANARY}")
    assert done.items == 10 and done.checked_bytes > 0 and sealed.store.count() == 0
    shutil.copytree(tmp_path / "stolen/default", tmp_path / "sealed/anna")
    found = shred(vault.folder, "anna", [str(tmp_path / "sealed")])
    assert found.databases == 1 and not (tmp_path / "sealed/anna").exists()
    with pytest.raises(InputError, match="was destroyed"):
        Index(tmp_path / "stolen", Speaker(), sealer=sealed.sealer).search("red")


def test_a_cached_index_of_a_film_is_sealed_and_named_by_the_key(tmp_path: Path, space: Speaker, vault: Vault) -> None:
    film(tmp_path / "film.mp4", [("red", 4.0), ("blue", 4.0)], tone("low", 8.0), rate=2)
    index = index_of(tmp_path / "film.mp4", space, sealer=vault.sealer("anna"))
    assert index.moments("red")
    plain = index_of(tmp_path / "film.mp4", space)
    (digest,) = {row["digest"] for row in plain.store.table.search().select(["digest"]).to_arrow().to_pylist()}
    names = sorted(path.name for path in (tmp_path / "cache/moments").iterdir())
    assert len(names) == 2 and digest[:32] in names
    sealed = next(path for path in (tmp_path / "cache/moments").iterdir() if path.name != digest[:32])
    assert not holding(sealed, b"film.mp4") and not holding(sealed, digest.encode())
    assert shred(vault.folder, "anna", [str(tmp_path / "cache")]).databases == 1
    assert not list(sealed.rglob("*.lance")) and plain.moments("red")


def test_the_commands(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tutti.cli import index as command
    from tutti.cli import search as searching
    from tutti.cli.main import main

    monkeypatch.setattr(command, "open_named", lambda arguments: Speaker())
    monkeypatch.setattr(searching, "open_named", lambda arguments: Speaker())
    monkeypatch.setenv("TUTTI_VAULT_KEY", f"file:{tmp_path / 'cli.key'}")
    kept, db = str(tmp_path / "cli.vault"), str(tmp_path / "cli.db")
    assert main(["vault", "init", kept]) == 0
    assert main(["index", str(private), "--into", db, "--tenant", "anna", "--vault", kept]) == 0
    capsys.readouterr()
    search = ["search", CANARY, "--in", db, "--tenant", "anna", "--json"]
    assert main([*search, "--vault", kept]) == 0
    assert CANARY in json.loads(capsys.readouterr().out.splitlines()[0])["words"]
    assert main(search) == 2
    assert not holding(tmp_path / "cli.db", CANARY.encode())
    assert main(["vault", "shred", kept, "--tenant", "anna", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["databases"] == 1
    assert main([*search, "--vault", kept]) == 2
    assert "was destroyed" in capsys.readouterr().err
