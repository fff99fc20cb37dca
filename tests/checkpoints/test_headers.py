"""Headers that lie, and files that are no safetensors at all."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from tutti.checkpoints.headers import read_folder, read_header, read_json
from tutti.errors import CheckpointError, UnsafeCheckpoint

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
Write = Callable[..., Path]


def test_a_sound_file_is_described(tmp_path: Path) -> None:
    tensors = {
        "a.b": torch.zeros(2, 3, dtype=torch.float16),
        "c": torch.ones((), dtype=torch.int8),
        "e": torch.zeros(0),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    entries = read_header(tmp_path / "x.safetensors")
    assert {name: (entry.dtype, entry.shape, entry.values) for name, entry in entries.items()} == {
        "a.b": ("F16", (2, 3), 6),
        "c": ("I8", (), 1),
        "e": ("F32", (0,), 0),
    }
    place = entries["c"]
    assert (tmp_path / "x.safetensors").read_bytes()[place.start : place.end] == b"\x01"
    assert entries["a.b"].floating
    assert not place.floating


@pytest.mark.parametrize(
    ("header", "data", "sentence"),
    [
        ({"a": ONE}, b"1234", "x has 73 bytes, but its header describes 77; it is cut off or damaged."),
        ({"a": ONE}, b"123456789", "x has 78 bytes, but its header describes 77; it is cut off or damaged."),
        (
            {"a": ONE, "b": {**ONE, "data_offsets": [4, 12]}},
            b"0" * 12,
            "x is damaged: the place of 'b' overlaps the one before it.",
        ),
        (
            {"a": ONE, "b": {**ONE, "data_offsets": [12, 20]}},
            b"0" * 20,
            "x is damaged: the place of 'b' leaves a hole before it.",
        ),
        (
            {"a": {**ONE, "shape": [3]}},
            b"0" * 8,
            "x describes 'a' as F32 of shape [3], which takes 12 bytes, in 8 bytes.",
        ),
        (
            {"a": {**ONE, "data_offsets": [8, 0]}},
            b"0" * 8,
            "x describes 'a' as F32 of shape [2], which takes 8 bytes, in -8 bytes.",
        ),
        ({"a": {**ONE, "dtype": "F31"}}, b"0" * 8, "x describes 'a' with the unknown dtype 'F31'."),
        ({"a": {**ONE, "dtype": []}}, b"0" * 8, "x describes 'a' with the unknown dtype []."),
        ({"a": {**ONE, "code": 1}}, b"", "x describes 'a' without exactly a dtype, a shape and data_offsets."),
        ({"a": 3}, b"", "x describes 'a' without exactly a dtype, a shape and data_offsets."),
        *(
            ({"a": {**ONE, key: bad}}, b"", "x describes 'a' with a shape or data_offsets that are not whole numbers.")
            for key, bad in (
                ("shape", [2.0]),
                ("shape", [True, 2]),
                ("shape", [-2]),
                ("shape", "2"),
                ("shape", [1 << 63]),
                ("shape", [1] * 99),
                ("data_offsets", [0, 8, 16]),
                ("data_offsets", [0]),
                ("data_offsets", [None, 8]),
            )
        ),
        ('{"a": {}, "a": {}}', b"", "x names 'a' twice."),
        ("[1]", b"", "x holds a JSON list; expected an object."),
        ("{", b"", "x holds no valid JSON where it should; it is damaged: fetch it again."),
        (b'{"\xff": 1}', b"", "x holds no valid JSON where it should; it is damaged: fetch it again."),
        ('{"a":' + "[" * 100_000, b"", "x holds no valid JSON where it should; it is damaged: fetch it again."),
        ('{"a": %s}' % ("9" * 5000), b"", "x holds no valid JSON where it should; it is damaged: fetch it again."),
    ],
)
def test_a_header_that_lies(tmp_path: Path, write_header: Write, header: Any, data: bytes, sentence: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_header(write_header(tmp_path / "x", header, data))
    assert str(caught.value) == sentence


def test_a_header_of_100_gigabytes(tmp_path: Path, write_header: Write) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_header(write_header(tmp_path / "x", {}, length=100_000_000_000))
    assert str(caught.value) == (
        "x claims a header of 100,000,000,000 bytes but has 10 bytes in all; "
        "it is cut off or not a safetensors file: fetch it again."
    )


def test_a_header_over_the_budget_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", 200_000_000))
        stream.truncate(300_000_000)  # a sparse file: nothing is on the disk
    with pytest.raises(CheckpointError) as caught:
        read_header(file)
    assert str(caught.value) == "x claims a header of 200,000,000 bytes; at most 100,000,000 are read."


@pytest.mark.parametrize("length", [0, 1, 7, 8, 20])
def test_a_file_that_is_cut_off(tmp_path: Path, length: int) -> None:
    save_file({"a": torch.zeros(4)}, tmp_path / "whole")
    (tmp_path / "x").write_bytes((tmp_path / "whole").read_bytes()[:length])
    with pytest.raises(CheckpointError, match="it is cut off or not a safetensors file: fetch it again"):
        read_header(tmp_path / "x")


@given(content=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda b: struct.pack("<Q", len(b)) + b)))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_random_bytes_are_refused_and_nothing_worse(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    try:
        assert read_header(tmp_path / "x") == {}
    except CheckpointError:
        return
    assert content[8:].strip() == b"{}"


@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["a", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    data=st.binary(max_size=16),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_random_headers_are_refused_and_nothing_worse(
    tmp_path: Path, write_header: Write, header: Any, data: bytes
) -> None:
    write_header(tmp_path / "x", json.dumps(header), data)
    try:
        entries = read_header(tmp_path / "x")
    except CheckpointError:
        return
    assert sum(entry.end - entry.start for entry in entries.values()) == len(data)


class TestShards:
    """The index of weights in several files."""

    @staticmethod
    def index(folder: Path, weight_map: object) -> None:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    def test_shards_are_read_as_one(self, tmp_path: Path) -> None:
        save_file({"a": torch.zeros(4)}, tmp_path / "1.safetensors")
        save_file({"b": torch.zeros(2)}, tmp_path / "2.safetensors")
        self.index(tmp_path, {"b": "2.safetensors", "a": "1.safetensors"})
        assert {name: entry.file.name for name, entry in read_folder(tmp_path).items()} == {
            "a": "1.safetensors",
            "b": "2.safetensors",
        }

    @pytest.mark.parametrize("shard", ["../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "a\\b.safetensors"])
    def test_a_shard_outside_the_folder(self, tmp_path: Path, shard: str) -> None:
        save_file({"a": torch.zeros(4)}, tmp_path / "x.safetensors")
        (tmp_path / "in").mkdir()
        self.index(tmp_path / "in", {"a": shard})
        with pytest.raises(UnsafeCheckpoint) as caught:
            read_folder(tmp_path / "in")
        assert str(caught.value) == (
            f"model.safetensors.index.json names the shard {shard!r}; expected the plain name of a safetensors file."
        )

    @pytest.mark.parametrize("shard", ["x.bin", 3, None, "..", ""])
    def test_a_shard_that_is_no_safetensors_file(self, tmp_path: Path, shard: object) -> None:
        self.index(tmp_path, {"a": shard})
        with pytest.raises(UnsafeCheckpoint, match="expected the plain name of a safetensors file"):
            read_folder(tmp_path)

    @pytest.mark.parametrize(
        ("weight_map", "sentence"),
        [
            ({}, "model.safetensors.index.json has no weight_map."),
            ([], "model.safetensors.index.json has no weight_map."),
            (
                {"a": "1.safetensors", "b": "2.safetensors"},
                "model.safetensors.index.json names 2.safetensors, which is not in the folder: fetch it.",
            ),
            (
                {"b": "1.safetensors"},
                "1.safetensors holds 'a', but model.safetensors.index.json places it in None.",
            ),
            (
                {"a": "1.safetensors", "b": "1.safetensors"},
                "model.safetensors.index.json places 'b' in 1.safetensors, which does not hold it.",
            ),
        ],
    )
    def test_an_index_that_lies(self, tmp_path: Path, weight_map: object, sentence: str) -> None:
        save_file({"a": torch.zeros(4)}, tmp_path / "1.safetensors")
        self.index(tmp_path, weight_map)
        with pytest.raises(CheckpointError) as caught:
            read_folder(tmp_path)
        assert str(caught.value) == sentence

    def test_a_tensor_in_two_shards(self, tmp_path: Path) -> None:
        for name in ("1", "2"):
            save_file({"a": torch.zeros(4)}, tmp_path / f"{name}.safetensors")
        save_file({"a": torch.zeros(4), "b": torch.zeros(1)}, tmp_path / "2.safetensors")
        self.index(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
        with pytest.raises(CheckpointError, match=r"2\.safetensors holds 'a', but .* places it in '1.safetensors'"):
            read_folder(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "model.PTH", "x.ckpt", "x.pkl"])
def test_a_pickle_is_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(UnsafeCheckpoint) as caught:
        read_folder(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds its weights as a pickle ({name}), which can run code when it is read; "
        "expected model.safetensors: ask its author for that form or convert it where you trust it."
    )


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_folder(tmp_path)
    assert (
        str(caught.value) == f"{tmp_path} has no weights; expected model.safetensors or model.safetensors.index.json."
    )


def test_a_configuration_larger_than_the_budget(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as stream:
        stream.truncate(64_000_001)
    with pytest.raises(
        CheckpointError, match=r"config\.json is larger than 64,000,000 bytes; expected a configuration"
    ):
        read_json(tmp_path / "config.json")
