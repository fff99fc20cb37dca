"""`--device` and `--dtype`: every command that loads a model has them and hands them on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

import tutti
from tests.cli.fake_model import FakeModel
from tutti.cli import ask, bench, classify, embed, evaluate, index, search, serve, shop, transcribe
from tutti.cli.main import main

COMMANDS = (ask, bench, classify, embed, evaluate, index, search, serve, shop, transcribe)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__.rpartition(".")[2])
def test_every_command_that_loads_a_model_has_it(command: Any) -> None:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    assert {"--device", "--dtype"} <= set(parser._option_string_actions)


def test_it_reaches_loading(monkeypatch: pytest.MonkeyPatch, picture: Path) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(tutti, "load", lambda name=None, **more: given.update(more) or FakeModel(), raising=False)
    assert main(["ask", "What?", str(picture), "--device", "cuda:1", "--dtype", "float16"]) == 0
    assert (given["device"], given["dtype"]) == ("cuda:1", "float16")


def test_a_device_that_is_none_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What?", "--device", "gpu"]) == 2
    assert "device is 'gpu'; expected auto, cpu, cuda or cuda:N." in capsys.readouterr().err
