"""Saving: what is written is what is loaded, and nothing of others is touched."""

from __future__ import annotations

import json
import os
import resource
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from tutti import checkpoints
from tutti.checkpoints import saving
from tutti.errors import CapacityError, CheckpointError, InputError


class Mixed(nn.Module):
    """Weights of several types, two of them views of one memory, one not contiguous."""

    def __init__(self) -> None:
        super().__init__()
        base = torch.randn(4, 6)
        self.weight, self.rows = nn.Parameter(base), nn.Parameter(base[:2])
        self.turned = nn.Parameter(torch.randn(3, 5).T)
        self.register_buffer("table", torch.arange(-4, 4, dtype=torch.int8))
        self.register_buffer("steps", torch.tensor(1 << 40))
        self.register_buffer("not_kept", torch.ones(1), persistent=False)


@pytest.mark.parametrize("max_shard_bytes", [1, 4000, 5_000_000_000])
def test_what_is_saved_is_what_is_loaded(
    tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any], max_shard_bytes: int
) -> None:
    model = build()
    checkpoints.save(model, tmp_path / "a", config, files, max_shard_bytes=max_shard_bytes)
    loaded = checkpoints.load(tmp_path / "a")
    expected = model.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.model.state_dict().items())
    assert (tmp_path / "a" / "tokenizer.json").read_text() == files["tokenizer.json"]
    shards = sorted((tmp_path / "a").glob("*.safetensors"))
    assert len(shards) == {1: len(expected), 4000: 7, 5_000_000_000: 1}[max_shard_bytes]
    with safe_open(shards[0], framework="pt") as shard:
        assert shard.metadata() == {"format": "pt"}
    assert [name.name for name in tmp_path.iterdir()] == ["a"]


def test_a_shard_is_let_go_before_the_next_is_made(
    tmp_path: Path,
    config: dict[str, Any],
    files: dict[str, str],
    build: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[weakref.ref[torch.Tensor]] = []
    held = []

    def tensors(*_: Any) -> Iterator[tuple[str, torch.Tensor]]:
        for index in range(8):
            held.append(sum(one() is not None for one in made))
            tensor = torch.zeros(1000)
            made.append(weakref.ref(tensor))
            yield f"{index}", tensor
            del tensor

    monkeypatch.setattr(saving, "_tensors", tensors)
    checkpoints.save(build(), tmp_path / "a", config, files, max_shard_bytes=8000)
    assert held == [0, 1, 2, 1, 2, 1, 2, 1]


def test_the_digest_does_not_depend_on_files(
    tmp_path: Path, config: dict[str, Any], files: dict[str, str], build: Callable[..., Any]
) -> None:
    model = build()
    for name, size in (("whole", 1 << 30), ("cut", 4000)):
        checkpoints.save(model, tmp_path / name, config, files, max_shard_bytes=size)
    whole, cut = (checkpoints.inspect(tmp_path / name).digest for name in ("whole", "cut"))
    assert whole == cut
    with torch.no_grad():
        model.lm_head.weight[3, 3] += 1e-3
    checkpoints.save(model, tmp_path / "cut", config, files)
    assert checkpoints.inspect(tmp_path / "cut").digest != whole


@pytest.mark.parametrize(("dtype", "stored"), [(None, torch.float32), ("float16", torch.float16)])
def test_types_shared_memory_and_views(
    tmp_path: Path, config: dict[str, Any], dtype: str | None, stored: torch.dtype
) -> None:
    model = Mixed()
    checkpoints.save(model, tmp_path / "a", config, {}, dtype=dtype)
    tensors = load_file(tmp_path / "a" / "model.safetensors")
    assert set(tensors) == {"weight", "rows", "turned", "table", "steps"}
    for name, tensor in model.state_dict().items():
        kept = tensor.to(stored) if tensor.is_floating_point() else tensor
        assert tensors[name].dtype == kept.dtype
        assert torch.equal(tensors[name], kept)


def test_numbers_too_large_for_the_precision(tmp_path: Path, config: dict[str, Any]) -> None:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, 1e5)
    with pytest.raises(InputError) as caught:
        checkpoints.save(model, tmp_path / "a", config, {}, dtype="float16")
    assert str(caught.value) == (
        "weight holds numbers that are too large for torch.float16; store it in another precision."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_replaced_as_a_whole(folder: Path, config: dict[str, Any], build: Callable[..., Any]) -> None:
    checkpoints.save(build(), folder, config, {"README.md": "new"}, max_shard_bytes=4000)
    names = {file.name for file in folder.iterdir()}
    assert "model.safetensors" not in names
    assert "tokenizer.json" not in names
    assert {"README.md", "model.safetensors.index.json"} <= names
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_a_folder_with_only_a_model_card_is_the_place_for_one(tmp_path: Path, config: dict[str, Any]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "README.md").write_text("card")
    checkpoints.save(nn.Linear(1, 1), tmp_path / "a", config, {})
    assert (tmp_path / "a" / "config.json").exists()


@pytest.mark.parametrize("names", [["notes.txt"], ["config.json", "photo.jpg"], ["config.json", "src/x.json"]])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, config: dict[str, Any], names: list[str]) -> None:
    target = tmp_path / "mine"
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("precious")
    with pytest.raises(CheckpointError) as caught:
        checkpoints.save(nn.Linear(1, 1), target, config, {})
    assert str(caught.value) == f"{target} exists and is not a checkpoint; it is left alone: choose another folder."
    assert all((target / name).read_text() == "precious" for name in names)


def test_a_file_and_a_link_are_left_alone(folder: Path, config: dict[str, Any]) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    for target in (folder / "config.json", link):
        with pytest.raises(CheckpointError, match="exists and is not a checkpoint; it is left alone"):
            checkpoints.save(nn.Linear(1, 1), target, config, {})


@pytest.mark.parametrize("moment", ["model.safetensors", "tokenizer.json", "rename"])
def test_a_failure_leaves_what_was_there(
    folder: Path, config: dict[str, Any], files: dict[str, str], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    write, rename = Path.write_bytes, Path.rename

    def failing_write(self: Path, data: bytes) -> int:
        if self.name == moment:
            raise OSError("disk full")
        return write(self, data)

    def failing_rename(self: Path, target: Path) -> Path:
        if moment == "rename" and self.name == "new":
            raise OSError("disk full")
        return rename(self, target)

    def failing_save(*arguments: Any, **options: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", failing_write)
    monkeypatch.setattr(Path, "rename", failing_rename)
    if moment == "model.safetensors":
        monkeypatch.setattr("tutti.checkpoints.saving.save_file", failing_save)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save(nn.Linear(1, 1), folder, config, files)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_where_there_is_no_room_it_is_said(folder: Path, config: dict[str, Any], files: dict[str, str]) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(CapacityError, match=rf"Cannot write {folder}: File too large; free some and run the same"):
            checkpoints.save(nn.Linear(100, 100), folder, config, files)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]


def test_others_may_read_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    usual = (tmp_path / "plain").stat().st_mode
    assert {file.stat().st_mode for file in folder.iterdir()} == {usual}
    (tmp_path / "folder").mkdir()
    assert folder.stat().st_mode == (tmp_path / "folder").stat().st_mode


@pytest.mark.parametrize("name", ["../x.json", "a/b.json", "config.json", "x.safetensors", "x.bin", "..", ""])
def test_names_of_files_that_a_checkpoint_cannot_hold(tmp_path: Path, config: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match="A checkpoint cannot hold a further file named"):
        checkpoints.save(nn.Linear(1, 1), tmp_path / "a", config, {name: ""})
    assert os.listdir(tmp_path) == []


def test_arguments_that_are_not_there(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="dtype is 'int8'; expected one of float32, float16, bfloat16"):
        checkpoints.save(nn.Linear(1, 1), tmp_path / "a", config, {}, dtype="int8")
    with pytest.raises(InputError, match="The configuration has no model_type"):
        checkpoints.save(nn.Linear(1, 1), tmp_path / "a", {}, {})


def test_the_configuration_comes_back(folder: Path, config: dict[str, Any]) -> None:
    assert json.loads((folder / "config.json").read_text()) == config
