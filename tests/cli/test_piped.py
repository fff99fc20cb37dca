"""`-`, /dev/stdin, FIFOs and process substitution as input of ask, classify, transcribe and embed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.fake_model import FakeModel
from tutti.cli.main import main

ROOT = Path(__file__).parents[2]
COMMANDS = [
    ["ask", "What?", "INPUT"],
    ["classify", "INPUT", "--labels", "a,b"],
    ["transcribe", "INPUT"],
    ["embed", "INPUT", "--json"],
    ["search", "--in", "DB", "--like", "INPUT"],
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "utf-8"))


def words_for(command: list[str], name: str) -> list[str]:
    return [name if word == "INPUT" else word for word in command]


@pytest.fixture
def taken(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The sources of all media that any command was given."""
    from types import SimpleNamespace

    from tutti.cli import search

    found: list[object] = []
    ask, embed, classify, transcribe = model.ask, model.embed, model.classify, model.transcribe
    note = lambda part: found.append(part.source)  # noqa: E731
    monkeypatch.setattr(model, "ask", lambda q, *m, **o: [note(p) for p in m] and ask(q, *m, **o))
    monkeypatch.setattr(model, "embed", lambda parts, **o: [note(p) for p in parts] and embed(parts, **o))
    monkeypatch.setattr(model, "classify", lambda part, labels: note(part) or classify(part, labels))
    monkeypatch.setattr(model, "transcribe", lambda part, **o: note(part) or transcribe(part, **o))
    index = SimpleNamespace(search=lambda _, like, **__: found.extend(like) or [])
    monkeypatch.setattr(search, "open_within", lambda _: (index, False))
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_dash_is_standard_input(
    command: list[str], taken: list[object], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, picture.read_bytes())
    assert main(words_for(command, "-")) == 0
    assert taken == [picture.read_bytes()]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_fifo_is_read_once(command: list[str], taken: list[object], picture: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    content = picture.read_bytes()
    writer = threading.Thread(target=lambda: fifo.write_bytes(content))
    writer.start()
    assert main(words_for(command, str(fifo))) == 0
    writer.join()
    assert taken == [content]


def test_standard_input_is_read_once(
    model: FakeModel, picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, picture.read_bytes())
    assert main(["ask", "What?", "-", "-"]) == 2
    assert "can be read only once" in capsys.readouterr().err


def test_words_come_through_a_pipe(
    model: FakeModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, "ein Hund – über\n".encode())
    assert main(["embed", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["modality"] == "text"


def test_what_is_neither_is_refused(
    model: FakeModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, b"\xff\xfe\x00\x01" * 20)
    assert main(["embed", "-"]) == 2
    assert "is not a medium that Tutti reads" in capsys.readouterr().err


def test_nothing_a_terminal_and_too_much(
    model: FakeModel, picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin(monkeypatch, b"")
    assert main(["ask", "What?", "-"]) == 2
    assert capsys.readouterr().err.startswith("tutti: Standard input gave nothing; ")
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert main(["ask", "What?", "-"]) == 2
    assert capsys.readouterr().err.startswith("tutti: Standard input is a terminal; ")
    monkeypatch.setenv("TUTTI_MAX_BYTES", "10")
    stdin(monkeypatch, picture.read_bytes())
    assert main(["ask", "What?", "-"]) == 3
    assert "gives more than 10 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "<(cat {file})", "/dev/fd/0"])
def test_from_the_shell(name: str, picture: Path) -> None:
    code = "import tutti; from tests.cli.fake_model import FakeModel; tutti.load = lambda *_, **__: FakeModel(); "
    code += "from tutti.cli.main import run; run()"
    command = f"cat {picture} | {sys.executable} -c '{code}' classify {name.format(file=picture)} --labels a,b"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout.split()[-1]) == (0, "a"), done.stderr
