"""Layouts of checkpoints that are converted and not loaded as they are, told apart by what lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tutti.checkpoints.headers import INDEX, SINGLE, read_json
from tutti.errors import CheckpointError

ForeignLayout = Literal["imagebind", "ctranslate2", "llava", "gguf"]
"""ImageBind's official file, a folder of CTranslate2's, one of LLaVA's authors, or a file of llama.cpp's."""

CTRANSLATE2_MODEL = "model.bin"
GGUF_MAGIC = b"GGUF"
OWNERS: Mapping[ForeignLayout, str] = {
    "imagebind": "ImageBind's authors",
    "ctranslate2": "CTranslate2",
    "llava": "LLaVA's authors",
    "gguf": "llama.cpp",
}
"""Whose layout it is."""


def foreign_layout(path: Path) -> ForeignLayout | None:
    """The layout of what `convert` reads; None of a folder in the Hugging Face layout, or of nothing."""
    if path.is_file():
        return "gguf" if is_gguf(path) else "imagebind"
    if not path.is_dir():
        return None
    if (path / CTRANSLATE2_MODEL).is_file() and not (path / SINGLE).is_file() and not (path / INDEX).is_file():
        return "ctranslate2"
    return "llava" if _is_authors_llava(path / "config.json") else None


def is_gguf(file: Path) -> bool:
    """Whether a file begins, or is called, as those of llama.cpp's are."""
    if file.suffix.lower() == ".gguf":
        return True
    try:
        with file.open("rb") as stream:
            return stream.read(len(GGUF_MAGIC)) == GGUF_MAGIC
    except OSError:
        return False


def _is_authors_llava(config: Path) -> bool:
    """Whether a configuration is one of LLaVA's authors: it names the tower, and the reference's does not."""
    if not config.is_file():
        return False
    try:
        values = read_json(config)
    except CheckpointError:
        return False
    return "mm_vision_tower" in values and values.get("model_type") in ("llava", "llava_llama", "llava_mistral")
