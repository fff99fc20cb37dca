"""The table of commands, exit codes, and what goes to which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tutti
from tutti import errors
from tutti.cli.main import COMMANDS, main


def test_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, (_, help_line) in COMMANDS.items():
        assert f"{name} {help_line}" in text


def test_no_words_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    bare = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == bare


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"examples:\n  tutti {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tutti {tutti.__version__}\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["aks", "hello"], "There is no command 'aks', perhaps you meant 'ask'; `tutti --help` lists them."),
        (["xyzzy"], "There is no command 'xyzzy'; `tutti --help` lists them."),
        (["--debug"], "No command was given; `tutti --help` shows what is expected."),
        (["ask"], "The following arguments are required: QUESTION; `tutti ask --help` shows what is expected."),
        (
            ["ask", "what?", "--max-tokens", "0"],
            "Argument --max-tokens: 0 is not above zero; `tutti ask --help` shows what is expected.",
        ),
        (
            ["ask", "what?", "--seed", "x"],
            "Argument --seed: invalid int value: 'x'; `tutti ask --help` shows what is expected.",
        ),
    ],
)
def test_misuse_is_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if not line.startswith(("Traceback", "  ", "tutti.errors"))]
    if words != ["--debug"]:
        assert captured.err == f"tutti: {sentence}\n"
    else:
        assert lines[-1] == f"tutti: {sentence}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("Bad."), 2),
        (errors.UnsupportedTask("Bad."), 2),
        (errors.MissingWeights("Bad."), 2),
        (errors.UnsafeCheckpoint("Bad."), 2),
        (errors.MissingExtra("Reading DICOM files", "medical"), 2),
        (errors.TrainingError("Bad."), 2),
        (errors.CapacityError("Bad."), 3),
        (errors.ProviderError("Bad."), 4),
        (errors.RateLimited("Bad."), 4),
    ],
)
def test_errors_become_exit_codes(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(tutti, "load", fail, raising=False)
    assert main(["ask", "what?"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"tutti: {error}\n"


def test_a_bug_of_ours_is_1_and_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tutti, "load", lambda *_, **__: 1 // 0, raising=False)
    assert main(["ask", "what?"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("tutti: this is a bug of ours: ZeroDivisionError: ")
    assert err.endswith("Run it again with --debug for the traceback.\n")
    assert "Traceback" not in err
    assert main(["ask", "what?", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tutti, "load", interrupt, raising=False)
    assert main(["ask", "what?"]) == 130


def test_a_closed_pipe_is_quiet() -> None:
    source = str(Path(__file__).parents[2] / "src")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tutti", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": source},
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


def test_models_prints_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "tutti-mini" in [row["name"] for row in rows]
