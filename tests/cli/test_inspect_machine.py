"""`tutti inspect --machine`: which kernels multiply by quantized weights here."""

from __future__ import annotations

import json

import pytest

from tutti.cli.main import main
from tutti.models.layers.dispatch import int8_sums


def test_the_machine_tells_its_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--machine", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["int8"] == int8_sums().name
    assert found["kernels"][found["int8"]] == "right"
    assert {"processor", "torch", "kind", "activation_levels", "int4_rows"} <= found.keys()
    assert main(["inspect", "--machine"]) == 0
    assert int8_sums().name in capsys.readouterr().out


@pytest.mark.parametrize("words", [["tutti-mini", "--machine"], []])
def test_a_checkpoint_or_the_machine(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *words]) == 2
    assert "give either a checkpoint or --machine" in capsys.readouterr().err
