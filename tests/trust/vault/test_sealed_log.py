"""A log of sealed lines: nothing is lost, whoever adds while lines are removed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tutti.errors import InputError
from tutti.trust.vault.sealed_log import SealedLog
from tutti.trust.vault.vault import Vault


def test_what_is_added_while_lines_are_removed_stays(tmp_path: Path) -> None:
    log = SealedLog(tmp_path / "log.jsonl", "test line")

    def add(first: int) -> None:
        for number in range(first, first + 60):
            log.add({"number": number})

    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for number in range(30):
        log.keep(lambda row, gone=number: row["number"] != gone)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    left = [row["number"] for row in log.read() if row is not None]
    assert len(set(left)) == len(left)
    assert {1000 + number for number in range(60)} | {2000 + number for number in range(60)} <= set(left)
    assert set(range(30, 60)) <= set(left)


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    log = SealedLog(tmp_path / "log.jsonl", "test line")
    log.add({"number": 1})
    with log.file.open("ab") as file:
        file.write(b'{"number": 2, "cut')
    log.add({"number": 3})
    assert list(log.read()) == [{"number": 1}, None, {"number": 3}]
    assert log.keep(lambda row: row["number"] > 1) == 1
    assert list(log.read()) == [None, {"number": 3}]


def test_lines_of_another_key_are_an_error_or_passed_over(tmp_path: Path) -> None:
    vault = Vault.init(tmp_path / "keys.vault", f"file:{tmp_path / 'root.key'}")
    file = tmp_path / "log.jsonl"
    SealedLog(file, "test line", vault.sealer("anna")).add({"number": 1})
    with pytest.raises(InputError):
        list(SealedLog(file, "test line", vault.sealer("bob")).read())
    passing = SealedLog(file, "test line", vault.sealer("bob"), skip_foreign=True)
    assert list(passing.read()) == [None]
    assert passing.keep(lambda row: False) == 0
    assert list(SealedLog(file, "test line").read()) == [None]
    assert list(SealedLog(file, "test line", vault.sealer("anna")).read()) == [{"number": 1}]
