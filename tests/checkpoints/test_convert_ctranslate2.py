"""Whisper folders of CTranslate2 to the Hugging Face layout: numbers and settings kept, broken files refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.checkpoints.ctranslate2_writer import content, name, save_ct2, stored_as, variable, variables_of, worst
from tests.parity.tiny_whisper import VARIANTS, Saved, noise, save_theirs
from tutti import checkpoints
from tutti.checkpoints.ctranslate2 import read_contents
from tutti.cli.main import main
from tutti.content import Audio
from tutti.errors import CheckpointError, TuttiError, UnsupportedConfig
from tutti.model import load


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_theirs(tmp_path_factory.mktemp("whisper") / "theirs", {})


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_converted_folder_holds_the_same_weights(variant: str, tmp_path: Path) -> None:
    saved = save_theirs(tmp_path / "theirs", VARIANTS[variant])
    folder = save_ct2(saved, tmp_path / "ct2", "float32")
    done = checkpoints.convert(folder, tmp_path / "ours")
    loaded, reference = checkpoints.load(tmp_path / "ours"), checkpoints.load(saved.folder)
    theirs = reference.model.state_dict()
    ours = loaded.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert loaded.model.config == reference.model.config
    assert done["parameters"] == loaded.info.parameters
    assert loaded.report.bytes == reference.report.bytes
    same = ("start", "end", "no_timestamps", "previous", "languages", "tasks", "suppress", "begin_suppress")
    for key in same:
        assert getattr(loaded.processor.tokens, key) == getattr(reference.processor.tokens, key), key
    assert loaded.processor.sounds == reference.processor.sounds


@pytest.mark.parametrize(
    ("precision", "most"),
    [("float16", 2**-11), ("int8", 0.51 / 127), ("int8_float16", 0.51 / 127), ("int16", 1 / 1024)],
)
def test_every_precision_is_read(plain: Saved, precision: str, most: float, tmp_path: Path) -> None:
    checkpoints.convert(save_ct2(plain, tmp_path / "ct2", precision), tmp_path / "ours")
    found = worst(
        checkpoints.load(tmp_path / "ours").model.state_dict(), checkpoints.load(plain.folder).model.state_dict()
    )
    assert 0 < found <= most
    stored = set(checkpoints.inspect(tmp_path / "ours").dtype_bytes)
    assert stored == {"F16" if precision == "float16" else "F32"}


def test_a_converted_folder_transcribes_the_same_and_says_where_it_came_from(tmp_path: Path) -> None:
    # CTranslate2 keeps no latest time of the first words: converted folders have that of all published checkpoints.
    plain = save_theirs(tmp_path / "theirs", {})
    plain.model.generation_config.max_initial_timestamp_index = 50
    plain.model.generation_config.save_pretrained(plain.folder)
    folder = save_ct2(plain, tmp_path / "ct2", "float32")
    done = checkpoints.convert(folder, tmp_path / "ours")
    sound = Audio(noise(1.7), sample_rate_hz=16_000)
    options: dict[str, Any] = {"language": "fr", "temperatures": 0.0, "logprob_threshold": None}
    ours = load(tmp_path / "ours").transcribe(sound, **options)
    theirs = load(plain.folder).transcribe(sound, **options)
    assert (ours.text, ours.segments) == (theirs.text, theirs.segments)
    assert ours.text
    assert done["sha256"] in (tmp_path / "ours" / "README.md").read_text()
    assert checkpoints.inspect(tmp_path / "ours").licence == "mit"


def test_one_command_converts_and_quantizes(plain: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_ct2(plain, tmp_path / "ct2")
    assert main(["convert", str(folder), "--quantize", "int8+trunks", "--into", str(tmp_path / "small"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["quantization"]["model.decoder"] == "int8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct2", "small"]
    assert main(["convert", str(folder), "--into", str(tmp_path / "plain")]) == 0
    assert "SHA-256" in capsys.readouterr().err


def test_a_folder_of_ctranslate2_is_not_loaded_and_the_remedy_is_said(plain: Saved, tmp_path: Path) -> None:
    folder = save_ct2(plain, tmp_path / "ct2")
    with pytest.raises(CheckpointError, match=r"layout of CTranslate2.*tutti convert"):
        checkpoints.load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no tokenizer.json.*--vocabulary"):
        checkpoints.convert(folder, tmp_path / "ours")
    done = checkpoints.convert(folder, tmp_path / "ours", vocabulary=plain.folder / "tokenizer.json")
    assert done["vocabulary"] == str(plain.folder / "tokenizer.json")


def changed(plain: Saved, tmp_path: Path, **changes: np.ndarray | None) -> Path:
    folder = save_ct2(plain, tmp_path / "ct2", "float32")
    variables, aliases = variables_of(plain.model)
    for key, values in changes.items():
        if values is None:
            variables.pop(key)
        else:
            variables[key] = values
    (folder / "model.bin").write_bytes(content(variables, aliases))
    return folder


KEYS = "decoder/layer_0/self_attention/linear_0/bias"


@pytest.mark.parametrize(
    ("key", "values", "found"),
    [
        ("decoder/activation", np.array(0, np.int8), "has decoder/activation 0; this model computes 3"),
        ("decoder/pre_norm", np.zeros(2, np.int8), r"decoder/pre_norm as I8 \[2\]; expected one number"),
        ("decoder/rotary", np.zeros((2, 2), np.float32), "has the variable decoder/rotary"),
        (KEYS, np.ones(96, np.float32), "has a bias of keys"),
        ("encoder/num_heads", None, "lacks encoder/num_heads"),
        ("encoder/conv1/weight", None, r"lacks model\.encoder\.conv1\.weight"),
        ("encoder/layer_1/ffn/linear_1/bias", None, r"fc2\.bias is missing"),
        ("encoder/conv2/weight", np.zeros((32, 32, 3), np.int8), "without a scale that fits"),
        ("encoder/conv2/bias", np.zeros(31, np.float32), r"conv2\.bias is \[31\], expected \[32\]"),
    ],
)
def test_what_is_not_computed_is_refused_by_name(
    plain: Saved, key: str, values: np.ndarray | None, found: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=found):
        checkpoints.convert(changed(plain, tmp_path, **{key: values}), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_scales_must_be_numbers_to_divide_by(plain: Saved, tmp_path: Path) -> None:
    folder = save_ct2(plain, tmp_path / "ct2")
    variables, aliases = variables_of(plain.model)
    stored = stored_as(variables, "int8")
    stored["encoder/conv1/weight_scale"] = np.zeros(32, np.float32)
    (folder / "model.bin").write_bytes(content(stored, aliases))
    with pytest.raises(CheckpointError, match="not a positive number"):
        checkpoints.convert(folder, tmp_path / "ours")


def test_other_models_of_ctranslate2_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(content({"x": np.zeros(2, np.float32)}, {}, "TransformerSpec"))
    with pytest.raises(UnsupportedConfig, match="is a TransformerSpec of CTranslate2"):
        checkpoints.convert(tmp_path, tmp_path / "ours")


# Files that are cut off, or lie.

SMALL = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(1, np.int16)}


def refusal(tmp_path: Path, whole: bytes) -> str:
    (tmp_path / "model.bin").write_bytes(whole)
    with pytest.raises(TuttiError) as raised:
        read_contents(tmp_path / "model.bin")
    return str(raised.value)


def test_a_file_that_ends_anywhere_else_is_refused(tmp_path: Path) -> None:
    whole = content(SMALL, {"c": "a"})
    (tmp_path / "model.bin").write_bytes(whole)
    found = read_contents(tmp_path / "model.bin")
    assert (found.specification, found.revision, found.aliases) == ("WhisperSpec", 3, {"c": "a"})
    assert {key: (entry.dtype, entry.shape) for key, entry in found.variables.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("I16", ()),
    }
    for end in range(len(whole)):
        refusal(tmp_path, whole[:end])
    assert "has 1 bytes behind its end" in refusal(tmp_path, whole + b"\0")


def lying(*variables: bytes, count: int | None = None, aliases: bytes = struct.pack("<I", 0)) -> bytes:
    head = (
        struct.pack("<I", 6) + name("WhisperSpec") + struct.pack("<II", 3, len(variables) if count is None else count)
    )
    return head + b"".join(variables) + aliases


def head(shape: tuple[int, ...], kind: int, size: int) -> bytes:
    return name("a") + struct.pack(f"<B{len(shape)}I", len(shape), *shape) + struct.pack("<BI", kind, size)


@pytest.mark.parametrize(
    ("whole", "found"),
    [
        (struct.pack("<I", 5), "is of version 5"),
        (lying(count=2**32 - 1), "claims 4,294,967,295 variables"),
        (lying(head((2**31,), 1, 2**31)), "has 4 of the 2,147,483,648 bytes"),
        (lying(head((2**32 - 1,) * 8, 0, 8)), "in 8"),
        (lying(head((1,) * 9, 0, 4) + bytes(4)), "with 9 axes"),
        (lying(head((1,), 9, 4) + bytes(4)), "unknown type 9"),
        (lying(variable("a", SMALL["a"]), variable("a", SMALL["b"])), "names 'a' twice"),
        (lying(aliases=struct.pack("<I", 1) + name("b") + name("a")), "which cannot be"),
        (lying(struct.pack("<H", 3) + b"abc"), "where a name should be"),
        (lying(struct.pack("<H", 3) + b"a\xff\0"), "where a name should be"),
    ],
)
def test_a_file_that_lies_is_refused_before_anything_is_read(whole: bytes, found: str, tmp_path: Path) -> None:
    assert found in refusal(tmp_path, whole)


def test_settings_that_are_no_token_ids_are_refused(plain: Saved, tmp_path: Path) -> None:
    folder = save_ct2(plain, tmp_path / "ct2")
    (folder / "config.json").write_text(json.dumps({"suppress_ids": [1, 10**9]}))
    with pytest.raises(CheckpointError, match=r"suppress_ids.*expected token ids"):
        checkpoints.convert(folder, tmp_path / "ours")
