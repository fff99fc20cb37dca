"""Standard streams that are narrow, full, closed or left: every command ends as the streams allow, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.every_command import CONDITIONS, REFUSED, WORDS, commands
from tutti.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONIOENCODING": "utf-8"}
NAMES = list(commands(Path()))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    """Condition → command → how it ended."""
    folder = tmp_path_factory.mktemp("streams")
    Image.new("RGB", (8, 6)).save(folder / "picture.png")
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.every_command", str(folder), *CONDITIONS],
        capture_output=True, text=True, env=ENVIRONMENT, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_each_command_is_tried() -> None:
    assert {name.split()[0] for name in NAMES} == set(COMMANDS)


def expected_code(name: str) -> int:
    return 2 if name in REFUSED else 0


@pytest.mark.parametrize("name", NAMES)
def test_it_does_what_it_should(outcomes: Any, name: str) -> None:
    plain = outcomes["plain"][name]
    assert plain["code"] == expected_code(name), plain
    assert plain["out"] if plain["code"] == 0 else plain["err"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("condition", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_spelled(outcomes: Any, name: str, condition: str) -> None:
    narrow, plain = outcomes[condition][name], outcomes["plain"][name]
    assert narrow["code"] == plain["code"], narrow
    (narrow["out"] + narrow["err"]).encode(condition)
    assert narrow["out"].count("\n") == plain["out"].count("\n")


@pytest.mark.parametrize("name", ["ask --json", "search --json"])
@pytest.mark.parametrize("condition", ["plain", "ascii", "latin-1"])
def test_json_stays_json(outcomes: Any, name: str, condition: str) -> None:
    found = json.loads(outcomes[condition][name]["out"].encode("latin-1").decode())
    assert WORDS in (found.get("text"), found.get("item"))


def test_our_own_signs_have_near_ones(outcomes: Any) -> None:
    assert outcomes["ascii"]["transcribe"]["out"].startswith('[    0.00 -     1.00]  Gr\\u00f6\\u00dfe - 5 x 4 "ok" ')
    assert "\\ud83d\\udc15" in outcomes["ascii"]["ask"]["out"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("condition", ["stdout closed", "stderr closed", "stdin closed", "stderr full", "stderr gone"])
def test_what_nobody_reads_ends_nothing(outcomes: Any, name: str, condition: str) -> None:
    found, plain = outcomes[condition][name], outcomes["plain"][name]
    assert found["code"] == plain["code"], found
    assert "bug" not in found["err"]
    if not condition.startswith("stdout"):
        assert found["out"] == plain["out"] or name in ("bench", "index", "serve")  # times, a process


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_one_sentence(outcomes: Any, name: str) -> None:
    found = outcomes["stdout full"][name]
    assert found["code"] == 2, found
    lines = found["err"].splitlines()
    if expected_code(name) == 0:
        assert lines[-1].startswith("tutti: Standard output cannot be written: No space left on device; ")
    assert "Traceback" not in found["err"]
    assert "Exception" not in found["err"]


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_that_left_is_no_error(outcomes: Any, name: str) -> None:
    found = outcomes["stdout gone"][name]
    assert found["code"] == (141 if expected_code(name) == 0 else 2), found
    assert "tutti: " not in found["err"] or expected_code(name)


@pytest.mark.parametrize(
    ("redirect", "code", "said"),
    [
        (">&-", 0, ""),
        ("2>&-", 0, ""),
        (">&- 2>&- <&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full", 2, "tutti: Standard output cannot be written: No space left on device;"),
    ],
)
def test_from_the_shell(redirect: str, code: int, said: str) -> None:
    words = f"{sys.executable} -m tutti models {redirect}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=ENVIRONMENT)
    assert (done.returncode, done.stderr[: len(said)]) == (code, said), done.stderr


def test_a_closed_stream_s_number_is_not_given_to_a_file() -> None:
    """Else what a library prints would be written into the next file that is opened."""
    code = "from tutti.cli import streams; streams.set_up(); import os; os._exit(os.open('/dev/null', os.O_RDONLY))"
    done = subprocess.run(["bash", "-c", f'{sys.executable} -c "{code}" >&- 2>&- <&-'], env=ENVIRONMENT)
    assert done.returncode > 2
