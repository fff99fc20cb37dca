"""The official ImageBind file to a folder: numbers kept, the source named, anything but tensors refused."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity import formulas
from tutti import checkpoints
from tutti.cli.main import main
from tutti.errors import CheckpointError, InputError, UnsafeCheckpoint
from tutti.models.imagebind.config import ImageBindConfig
from tutti.models.imagebind.model import ImageBindModel
from tutti.processing.clip_vocabulary import tokenizer_json
from tutti.processing.tokenizer import Tokenizer

GOLDEN = json.loads((Path(__file__).parents[1] / "parity/golden/imagebind.json").read_text())
# Narrow trunks and a vocabulary of a few merges; the sizes of the inputs are the official ones.
VOCABULARY = 2 * 256 + len(formulas.MERGES) + 2
CONFIG = {**formulas.TINY, "text_config": {**formulas.TINY["text_config"], "vocab_size": VOCABULARY}}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """What the official file holds: weights, temperatures and the mask of texts."""
    model = ImageBindModel(ImageBindConfig.from_hf(CONFIG))
    formulas.fill(model)
    mask = torch.full((77, 77), -torch.inf).triu(1)
    return {**model.state_dict(), "modality_preprocessors.text.mask": mask}


@pytest.fixture
def place(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, tmp_path / "imagebind.pth")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    lines = "#version: 0.2\n" + "\n".join(formulas.MERGES)
    (tmp_path / "bpe_simple_vocab_16e6.txt.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path


def test_a_converted_folder_loads_to_the_same_weights(place: Path, state: dict[str, torch.Tensor]) -> None:
    done = checkpoints.convert(place / "imagebind.pth", place / "out", config=place / "config.json")
    loaded = checkpoints.load(place / "out")
    assert loaded.report.ignored == ()
    found = loaded.model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items() if not name.endswith("mask"))
    digest = hashlib.sha256((place / "imagebind.pth").read_bytes()).hexdigest()
    config = json.loads((place / "out" / "config.json").read_text())
    assert config["source"] == {"file": "imagebind.pth", "sha256": digest}
    assert (done["sha256"], done["parameters"]) == (digest, loaded.info.parameters)
    assert loaded.info.licence == "cc-by-nc-sa-4.0"
    assert loaded.info.media_tokens["video"] == {"recording": 15 * 257}
    assert loaded.processor.picture(np.zeros((30, 50, 3), np.uint8)).arrays["pixel_values"].shape == (3, 224, 224)
    assert loaded.processor.sound(formulas.waveform(3.0)).arrays["input_features"].shape == (3, 1, 128, 204)


def test_texts_get_the_tokens_of_the_official_tokenizer(place: Path) -> None:
    checkpoints.convert(place / "imagebind.pth", place / "out", config=place / "config.json")
    made = checkpoints.load(place / "out").processor.texts(formulas.TEXTS)
    for ids, mask, expected in zip(made["input_ids"], made["attention_mask"], GOLDEN["tokens"], strict=True):
        assert ids[: mask.sum()].tolist() == expected[: mask.sum()]
        assert not any(expected[mask.sum() :])


def test_a_tokenizer_of_a_clip_checkpoint_is_taken_as_it_is(place: Path) -> None:
    words = tokenizer_json(place / "bpe_simple_vocab_16e6.txt.gz")
    (place / "words.json").write_text(words)
    assert tokenizer_json(place / "words.json") == words
    assert Tokenizer.from_bytes(words.encode()).vocab_size == VOCABULARY


def test_the_command_says_what_it_did(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "bpe_simple_vocab_16e6.txt.gz").unlink()
    words = [str(place / "imagebind.pth"), "--into", str(place / "out"), "--config", str(place / "config.json")]
    assert main(["convert", *words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["vocabulary"] is None
    assert err.startswith("No vocabulary was found beside the file, so the folder embeds media but reads no text")
    assert not (place / "out" / "tokenizer.json").exists()
    assert main(["embed", "a dog", "--model", str(place / "out")]) == 2
    assert "has no tokenizer.json and so reads no text" in capsys.readouterr().err


class Evil:
    def __reduce__(self) -> Any:
        return print, ("pwned",)


def refusal(kind: type[Exception], file: Path, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        checkpoints.convert(file, file.parent / "out", **options)
    assert not (file.parent / "out").exists()
    return str(caught.value)


def test_code_in_a_file_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weights": Evil()}, tmp_path / "evil.pth")
    assert "evil.pth asks to run code when it is read; expected a file of tensors only" in refusal(
        UnsafeCheckpoint, tmp_path / "evil.pth"
    )
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Evil()))
    assert "is not in the form that torch saves in since version 1.6" in refusal(CheckpointError, tmp_path / "old.pth")
    assert "pwned" not in capsys.readouterr().out


def test_what_is_not_imagebind_is_refused(place: Path, state: dict[str, torch.Tensor]) -> None:
    file = place / "other.pth"
    torch.save({"state_dict": state}, file)
    assert "holds more than named tensors" in refusal(UnsafeCheckpoint, file)
    torch.save({"conv1.weight": torch.zeros(3)}, file)
    assert "is not of ImageBind, the only single file that is converted" in refusal(CheckpointError, file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "no tensors")
    assert "is damaged" in refusal(CheckpointError, file)
    assert "is no file; expected the official ImageBind checkpoint" in refusal(CheckpointError, place / "none.pth")


def test_other_sizes_need_a_configuration(place: Path, state: dict[str, torch.Tensor]) -> None:
    sentence = refusal(CheckpointError, place / "imagebind.pth")
    assert "differs from the configuration in" in sentence
    assert "give the config.json of its sizes with --config" in sentence
    torch.save({name: tensor for name, tensor in state.items() if "imu" not in name}, place / "five.pth")
    sentence = refusal(CheckpointError, place / "five.pth", config=place / "config.json")
    assert "modality_heads.imu.0.bias is missing, expected [16]" in sentence


def test_a_vocabulary_that_is_none(place: Path) -> None:
    (place / "words.txt.gz").write_bytes(b"not gzip")
    options = {"config": place / "config.json", "vocabulary": place / "words.txt.gz"}
    assert "cannot be read (BadGzipFile)" in refusal(InputError, place / "imagebind.pth", **options)
    (place / "words.txt.gz").write_bytes(gzip.compress(b"one\ntwo three four\n"))
    assert "is no vocabulary" in refusal(InputError, place / "imagebind.pth", **options)
