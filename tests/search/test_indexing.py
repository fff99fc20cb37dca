"""Indexing: what is new, changed, gone, broken; what the database remembers; what is refused."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.search.synthetic_media import Space, Speaker, film, picture, recording, tone
from tutti.content import Media, Text
from tutti.errors import CapacityError, InputError
from tutti.media import Limits
from tutti.search import Index
from tutti.search.ingest import facets, run
from tutti.search.ingest.facets import Tools
from tutti.search.ingest.row_buffer import RowBuffer
from tutti.search.ingest.walk import ItemSource
from tutti.search.table.schema import Identity
from tutti.search.table.store import Known, Store
from tutti.settings import read_settings

ROOT = Path(__file__).parents[2]


def names(index: Index, condition: str = "NOT deleted") -> list[str]:
    rows = index.store.table.search().where(condition).select(["item"]).to_arrow()["item"].to_pylist()
    return sorted(Path(item).name for item in rows)


def test_a_folder_is_indexed_once(folder: Path, index: Index, space: Speaker) -> None:
    report = index.add(folder)
    assert (report.added, report.unchanged, report.other) == (9, 0, 1)
    assert [Path(one.item).name for one in report.broken] == ["broken.png"]
    assert "damaged or cut off" in report.broken[0].reason
    space.calls.clear()
    again = index.add(folder)
    assert (again.added, again.replaced, again.unchanged) == (0, 0, 9)
    assert space.calls == [1]  # the one that tells the dimension
    assert len(names(index)) == 9


def test_changed_is_replaced_gone_is_marked_and_back_is_back(folder: Path, index: Index) -> None:
    index.add(folder)
    picture(folder / "0_red.png", "blue", seed=77)
    (folder / "1_green.png").rename(folder.parent / "away.png")
    report = index.add(folder)
    assert (report.added, report.replaced, report.deleted) == (0, 1, 1)
    assert "1_green.png" not in names(index)
    assert names(index, "deleted") == ["1_green.png"]
    assert all(hit.path != str(folder / "1_green.png") for hit in index.search("green", top=50))
    best = {hit.path for hit in index.search("blue", top=3, modality="image")}
    assert best == {str(folder / name) for name in ("0_red.png", "2_blue.png", "5_blue.png")}
    (folder.parent / "away.png").rename(folder / "1_green.png")
    assert index.add(folder).deleted == 0
    assert "1_green.png" in names(index)


def test_a_file_with_a_new_time_and_its_old_content_is_not_embedded_again(
    folder: Path, index: Index, space: Speaker
) -> None:
    index.add(folder)
    os.utime(folder / "0_red.png", (1, 1))
    space.calls.clear()
    report = index.add(folder)
    assert (report.replaced, report.unchanged) == (0, 9)
    assert space.calls == [1]
    assert index.add(folder).unchanged == 9


def test_no_file_is_decoded_twice(folder: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in a run nor in a later one, for whose sake files are looked at, or read to compare their digest."""
    film(folder / "film.mp4", (("red", 3.0), ("blue", 3.0)), tone("high", 6.0))
    shutil.copy(folder / "0_red.png", folder / "copy.png")
    decoded: Counter[tuple[str, str]] = Counter()

    def counting(name: str) -> None:
        decode = getattr(facets, name)

        def counted(part: Media, *arguments: Any, **options: Any) -> Any:
            decoded[Path(part.name).name, name] += 1
            return decode(part, *arguments, **options)

        monkeypatch.setattr(facets, name, counted)

    for name in ("decode_image", "decode_video", "sampled_frames", "sound_windows"):
        counting(name)
    pictures = {*(path.name for path in folder.glob("*.png") if not path.name.startswith(".")), "copy.png"}
    ways = {
        **dict.fromkeys(pictures, ("decode_image",)),
        **dict.fromkeys(("low.wav", "high.wav"), ("sound_windows",)),
        "film.mp4": ("sampled_frames", "sound_windows"),
    }

    def once(names: Iterable[str]) -> Counter[tuple[str, str]]:
        return Counter((name, way) for name in names for way in ways[name])

    assert index.add(folder).added == 11
    assert decoded == once(ways)
    decoded.clear()
    for name in ("1_green.png", "film.mp4", "deep/low.wav"):
        os.utime(folder / name, (1, 1))  # another time, the same content
    picture(folder / "2_blue.png", "green", seed=88)
    recording(folder / "deep" / "high.wav", "middle")
    report = index.add(folder)
    assert (report.added, report.replaced, report.unchanged) == (0, 2, 9)
    assert decoded == once(("2_blue.png", "high.wav", "broken.png"))


class Sighted(Space):
    """Says how large pictures have to be."""

    picture_side: int | None = None


@pytest.mark.parametrize(("side", "decoded"), [(None, 600), (64, 300), (224, 300), (336, 600), (1000, 1200)])
def test_jpegs_are_decoded_no_larger_than_the_model_takes(
    side: int | None, decoded: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (1600, 1200), "red").save(tmp_path / "red.jpg")
    space = Sighted()
    space.picture_side = side
    given = []
    place = space._place
    monkeypatch.setattr(space, "_place", lambda part: (given.append(part), place(part))[1])
    Index(tmp_path / "db", space).add(tmp_path / "red.jpg")
    assert [part.source.shape[0] for part in given if part.modality == "image"] == [decoded]


def test_a_file_that_changes_while_it_is_read_is_not_indexed(
    folder: Path, index: Index, space: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = space.embed

    def meanwhile(parts: list) -> object:
        picture(folder / "0_red.png", "green", seed=99)
        return embed(parts)

    monkeypatch.setattr(space, "embed", meanwhile)
    report = index.add(folder)
    assert any(
        one.reason.endswith("0_red.png changed while it was read; run the command again.") for one in report.broken
    )
    assert "0_red.png" not in names(index)


def test_what_the_model_does_not_take_is_said(folder: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "db", Space(hears=False))
    report = index.add(folder)
    assert report.added == 7
    assert "space takes text and image, and was given audio." in {one.reason for one in report.broken}


def test_a_batch_with_a_spoiled_part_loses_only_that_part(
    folder: Path, index: Index, space: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = space._place

    def picky(part: object) -> object:
        if getattr(part, "modality", "") == "text" and "parrot" in part.text:  # type: ignore[attr-defined]
            raise InputError("No parrots.")
        return place(part)  # type: ignore[arg-type]

    monkeypatch.setattr(space, "_place", picky)
    report = index.add(folder)
    assert report.added == 8
    assert "No parrots." in {one.reason for one in report.broken}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: None, "does not exist; expected a folder with media"),
        (lambda at: at.mkdir(), "holds no files; expected media"),
        (lambda at: (at.mkdir(), (at / "a.bin").write_bytes(bytes(9))), "holds no file that can be indexed"),
        (
            lambda at: (at.mkdir(), (at / "a.jpg").write_bytes(bytes(9))),
            "holds no file that can be indexed: .*a.jpg is not a",
        ),
    ],
)
def test_nothing_to_index_is_said(make: object, said: str, tmp_path: Path, index: Index) -> None:
    make(tmp_path / "source")  # type: ignore[operator]
    with pytest.raises(InputError, match=said):
        index.add(tmp_path / "source")


def test_a_database_of_another_model_is_refused(folder: Path, tmp_path: Path, index: Index) -> None:
    index.add(folder)
    other = Index(tmp_path / "db", Space(name="other", weights="w2"))
    for attempt in (lambda: other.search("red"), lambda: other.add(folder)):
        with pytest.raises(
            InputError, match=r"^This database was made with space \(weights w1\), and other \(weights w2\)"
        ):
            attempt()


def test_a_database_of_another_version_is_refused(
    folder: Path, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(folder)
    monkeypatch.setattr("tutti.search.table.store.FORMAT", 3)
    for attempt in (lambda later: later.search("red"), lambda later: later.add(folder)):
        with pytest.raises(InputError, match="db has format 2; this version reads format 3: index it anew"):
            attempt(Index(tmp_path / "db", Speaker()))


def test_what_may_not_be_read_is_listed_and_the_rest_indexed(folder: Path, tmp_path: Path) -> None:
    (folder / "0_red.png").chmod(0)
    (folder / "deep").chmod(0)
    program = (
        "import sys; from tests.search.synthetic_media import Space; from tutti.search import Index\n"
        "report = Index(sys.argv[2], Space()).add(sys.argv[1])\n"
        "print(report.added, *(one.reason for one in report.broken), sep='\\n')"
    )

    def without_override() -> None:
        """Root reads all; a program that starts without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH does not."""
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP; others than root have neither

    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(tmp_path / "db")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        preexec_fn=without_override,
        check=True,
    )
    (folder / "deep").chmod(0o700)
    added, *reasons = done.stdout.splitlines()
    assert added == "6"  # five pictures and a text
    assert f"Cannot read {folder / 'deep'}: Permission denied." in reasons
    assert any(reason.startswith("Cannot read") and "0_red.png" in reason for reason in reasons), reasons


def test_no_database_and_a_foreign_one(folder: Path, tmp_path: Path, index: Index) -> None:
    with pytest.raises(InputError, match=r"holds no database; make one with: tutti index FOLDER --into"):
        index.search("red")
    index.add(folder)
    with pytest.raises(InputError, match=r"holds no database of tenant 'anna'; its tenants are: default;"):
        Index(tmp_path / "db", Speaker(), tenant="anna").search("red")
    shutil.rmtree(tmp_path / "db" / "default" / "items.lance" / "_versions")
    with pytest.raises(InputError, match="is not a database that Tutti wrote"):
        Index(tmp_path / "db", Speaker()).search("red")


def test_one_process_writes_at_a_time(folder: Path, index: Index) -> None:
    index.add(folder)
    store = Store.open(index.place, "default")
    with store.folder.writing(), pytest.raises(InputError, match="Another process is writing to"):
        index.add(folder)


@pytest.mark.parametrize("tenant", ["../other", "", "a/b", ".hidden", "x" * 65])
def test_a_tenant_cannot_leave_the_database(tenant: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was named; expected up to 64 letters"):
        Index(tmp_path / "db", Speaker(), tenant=tenant).search("red")


def test_tenants_never_see_one_another(folder: Path, tmp_path: Path) -> None:
    one, other = (Index(tmp_path / "db", Speaker(), tenant=name) for name in ("one", "other"))
    one.add(folder)
    (tmp_path / "else").mkdir()
    recording(tmp_path / "else" / "x.wav", "middle")
    other.add(tmp_path / "else")
    assert [Path(hit.item).name for hit in other.search("red", top=50)] == ["x.wav"]
    assert all("else" not in hit.item for hit in one.search("middle", top=50))


def test_forgetting_leaves_no_trace(folder: Path, tmp_path: Path, index: Index) -> None:
    index.add(folder)
    (tmp_path / "case").mkdir()
    picture(tmp_path / "case" / "secret.png", "yellow", seed=123)
    index.add(tmp_path / "case", subject="case-17")
    secret = str(tmp_path / "case" / "secret.png").encode()
    files = [file for file in (tmp_path / "db").rglob("*") if file.is_file()]
    assert any(secret in file.read_bytes() for file in files)  # else the check below could not fail
    done = index.forget("case-17")
    assert (done.items, done.rows) == (1, 1)
    assert done.checked_bytes > 0
    assert not any(secret in file.read_bytes() for file in (tmp_path / "db").rglob("*") if file.is_file())
    assert len(names(index)) == 9
    with pytest.raises(InputError, match="There is nothing of the subject 'case-17'"):
        index.forget("case-17")


def test_compactions_become_rarer_as_a_run_grows(space: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each writes the whole table anew, so that one every so many commits would cost the square of the files."""
    compacted = []

    class Memory:
        rows = 0

        def known(self) -> dict[str, Known]:
            return {}

        def add(self, rows: Sequence[Mapping[str, Any]], replacing: Sequence[str] = ()) -> None:
            self.rows += len(rows)

        def touch(self, item: str, stamp: str) -> None: ...

        def mark(self, items: Sequence[str], *, deleted: bool) -> None: ...

        def compact(self) -> None:
            compacted.append(self.rows)

    for name in ("BATCH", "_COMMIT_ITEMS"):
        monkeypatch.setattr(run, name, 1)
    monkeypatch.setattr(run, "_COMPACT_COMMITS", 4)
    limits = Limits.from_settings(read_settings())
    words = (ItemSource(item=str(number), path=None, stamp="", words="a word") for number in range(40))
    run.Run(Memory(), space, Tools(limits=limits, streaming=limits)).bring_up_to_date(words)
    assert compacted == [4, 8, 16, 32, 40]


def peak_of_a_film(count: int, tmp_path: Path) -> int:
    """Bytes that a run holds at most while it takes a film of so many facets."""
    space, place = Space(), tmp_path / f"db{count}"
    zero = np.zeros(32, np.float32)
    zero[0] = 1.0
    space._place = lambda part: zero  # type: ignore[method-assign]
    limits = Limits.from_settings(read_settings())
    source = ItemSource(item="film", path=None, stamp="1")
    shown = (facets.Facet(kind="picture", part=Text("x"), thumbnail=os.urandom(4000)) for _ in range(count))
    item = run.Item(source=source, part=None, digest="d", size=0, facets=shown)
    making = run.Run(
        Store.create(place, "default", Identity("space", "w1", "p1", 32)), space, Tools(limits=limits, streaming=limits)
    )
    tracemalloc.start()
    making._take(item)
    making._embed()
    making._commit()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert making.report.rows == making.store.count() == count
    return peak


def test_memory_does_not_grow_with_the_length_of_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutti.search.ingest.row_buffer._IN_MEMORY", 100)
    monkeypatch.setattr("tutti.search.table.store._ROWS_AT_ONCE", 100)
    short, long = (peak_of_a_film(count, tmp_path) for count in (500, 2500))
    assert long < 1.2 * short


def test_a_full_disk_for_rows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutti.search.ingest.row_buffer.tempfile.TemporaryFile", partial(Path("/dev/full").open, "r+b"))
    with pytest.raises(CapacityError, match=r"^There is no room for the rows of a long medium in .*: No space left"):
        RowBuffer({"number": number} for number in range(1000))
