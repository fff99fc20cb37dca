"""What loads when: the heavy libraries wait until something is asked of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numpy", "PIL", "av", "soundfile", "soxr", "tokenizers", "jinja2", "matplotlib", "transformers")
SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"}


def loaded_after(code: str, among: tuple[str, ...] = HEAVY) -> set[str]:
    """Which of some libraries a fresh Python has loaded after running some code."""
    report = f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return {*among} & {*json.loads(done.stderr.splitlines()[-1])}


def write_checkpoint(folder: Path) -> None:
    header = json.dumps({"lm_head.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(24))
    config = {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 11,
    }
    (folder / "config.json").write_text(json.dumps(config))


def test_probe_sees_what_is_loaded() -> None:
    assert loaded_after("import numpy") == {"numpy"}


@pytest.mark.parametrize(
    "code",
    [
        "import tutti; dir(tutti)",
        "import tutti; tutti.Image('a.jpg'); tutti.Message.user('hello')",
        "import tutti.interfaces, tutti.settings, tutti.errors",
        "from tutti.cli.main import main; assert main(['--help']) == 0",
        "from tutti.cli.main import main; assert main([]) == 0",
        "from tutti.cli.main import main; assert main(['ask', '--help']) == 0",
        "from tutti.cli.main import main; assert main(['train', '--help']) == 0",
        "from tutti.cli.main import main; assert main(['index', '--help']) == 0",
        "from tutti.cli.main import main; assert main(['search', '--help']) == 0",
        "from tutti.cli.main import main; assert main(['ask', '   ']) == 2",
        "from tutti.cli.main import main; assert main(['models']) == 0",
    ],
)
def test_light_doors_load_nothing_heavy(code: str) -> None:
    assert loaded_after(code) == set()


def test_inspect_loads_nothing_heavy(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    assert loaded_after(f"from tutti.cli.main import main; assert main(['inspect', {str(tmp_path)!r}]) == 0") == set()


def test_media_and_processing_load_no_torch() -> None:
    rooms = ("tutti.media", "tutti.processing", "tutti.search", "tutti.evaluate", "tutti.trust")
    assert "torch" not in loaded_after(f"import {', '.join(rooms)}; from tutti.media import decode_image, wrap")


def test_answering_loads_no_compiler() -> None:
    """torch._dynamo costs a second of a cold start and leaves a folder among the temporary files.

    Some operations on the meta device import it without a word: `normal_`, and arithmetic.
    """
    code = "import tutti; tutti.load().embed(['a dog'])"
    assert loaded_after(code, ("torch", "torch._dynamo", "torch._inductor")) == {"torch"}


def test_module_and_script_are_one() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tutti", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": SOURCE},
    )
    import tutti

    assert done.stdout == f"tutti {tutti.__version__}\n"
