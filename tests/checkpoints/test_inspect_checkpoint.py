"""Inspecting: what headers and configuration tell, without torch or numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tutti import checkpoints
from tutti.checkpoints.families import FAMILIES
from tutti.errors import CheckpointError, UnsafeCheckpoint

Edit = Callable[..., Path]
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
LAYER = 16 * 16 * 2 + 16 * 8 * 2 + 3 * 16 * 24 + 2 * 16


def test_what_a_checkpoint_is(folder: Path) -> None:
    (folder / "README.md").write_text("---\ntags:\n- x\nlicense: apache-2.0  # really\n---\n# Card\n")
    info = checkpoints.inspect(folder)
    values = 2 * 32 * 16 + 2 * LAYER + 16
    rows = 32 + 2 * (2 * 16 + 2 * 8 + 2 * 24 + 16)
    quantized = 512 + 2 * (LAYER - 2 * 16) + 8 * rows + 2 * 512 + 4 * 5 * 16
    assert asdict(info) == {
        "path": str(folder),
        "family": "llama",
        "supported": True,
        "reason": None,
        "parameters": values,
        "parts": {"lm_head": 512, "model.embed_tokens": 512, "model.layers": 2 * LAYER, "model.norm": 16},
        "bytes": 4 * values,
        "dtype_bytes": {"F32": 4 * values},
        "memory_bytes": {
            "float32": 4 * values,
            "float16": 2 * values,
            # Too narrow for int4. The table of words is held in 16 bits; codes have 8 bytes of scales a row.
            "int8": quantized,
            "int4": quantized,
        },
        "quantization": {"lm_head": "int8", "model.layers": "int8", "everything else": "kept"},
        "context_length": 64,
        "kv_bytes_per_token": 2 * 2 * 2 * 4 * 4,
        "tasks": ("ask",),
        "media_tokens": {},
        "media_kv_bytes": {},
        "adapter": False,
        "licence": "apache-2.0",
    }
    assert json.loads(json.dumps(asdict(info)))["parameters"] == values


def test_reads_neither_torch_nor_numpy(folder: Path) -> None:
    code = (
        "import sys; from tutti import checkpoints; info = checkpoints.inspect(sys.argv[1]); info.digest; "
        "heavy = {'torch', 'numpy', 'safetensors', 'tokenizers', 'huggingface_hub', 'PIL', 'jinja2'} & {*sys.modules}; "
        "assert info.supported and not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env=ENVIRONMENT)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "gpt5"}, f"config.json is of model_type 'gpt5'; known are {', '.join(sorted(FAMILIES))}."),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; this decoder computes 'silu' only."),
    ],
)
def test_what_cannot_be_loaded_is_still_described(edit_config: Edit, changes: dict[str, str], reason: str) -> None:
    info = checkpoints.inspect(edit_config(**changes))
    assert (info.supported, info.reason) == (False, reason)
    assert (info.tasks, info.context_length, info.kv_bytes_per_token) == ((), None, None)
    assert info.parameters == 2 * 32 * 16 + 2 * LAYER + 16


def test_what_is_unsafe_is_not(edit_config: Edit) -> None:
    with pytest.raises(UnsafeCheckpoint, match="asks to run code of the checkpoint's own"):
        checkpoints.inspect(edit_config(auto_map={"AutoModel": "evil.Model"}))


@pytest.mark.parametrize(
    ("file", "content", "licence"),
    [
        ("README.md", "# no front matter\nlicense: mit\n", None),
        ("README.md", "---\nlicense: 'mit'\n---\n", "mit"),
        ("README.md", "---\nlicense_name: x\n---\n", None),
        ("LICENSE", "\n  Apache License\n  Version 2.0\n", "Apache License"),
        ("LICENSE.txt", "\n", None),
    ],
)
def test_the_licence(folder: Path, file: str, content: str, licence: str | None) -> None:
    (folder / file).write_text(content)
    assert checkpoints.inspect(folder).licence == licence


def test_the_package_names_functions_however_it_is_imported() -> None:
    code = (
        "import tutti.checkpoints.loading, tutti.checkpoints.saving, tutti.checkpoints.inspection; "
        "from tutti import checkpoints; "
        "assert all(callable(getattr(checkpoints, name)) for name in ('load', 'save', 'inspect'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)


def test_tokens_of_media(folder: Path, omni_config: dict[str, Any], omni_settings: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(omni_config))
    (folder / "preprocessor_config.json").write_text(json.dumps(omni_settings))
    info = checkpoints.inspect(folder)
    assert info.reason is None
    # 64 / 8 = 8 a side, merged by 2; 80 frames a second, 8 x 4 of them to a token; a clip's frames merged by 4.
    assert info.media_tokens == {
        "image": {"picture": 16},
        "audio": {"second": 2.5},
        "video": {"frame": 4, "second": 2.5},
    }
    (folder / "preprocessor_config.json").unlink()
    info = checkpoints.inspect(folder)
    assert info.reason == "preprocessor_config.json cannot be read: No such file or directory."


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no model"):
        checkpoints.inspect(tmp_path / "nothing")
