"""The families of models that are known, a file each: from `model_type` to how its checkpoints are read.

A checkpoint's words are looked up here and never imported. A door is a small function with a real import inside, so
that the import contract sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutti.checkpoints.families import (
    clip,
    idefics,
    idefics3,
    imagebind,
    llama,
    llava,
    llava_next,
    mllama,
    tutti_omni,
    wav2vec2,
    whisper,
)
from tutti.checkpoints.family import Family, check_head
from tutti.errors import UnsupportedConfig

FAMILIES: dict[str, Family] = {
    "clip": clip.FAMILY,
    "idefics": idefics.FAMILY,
    "idefics3": idefics3.FAMILY,
    "imagebind": imagebind.FAMILY,
    "llama": llama.FAMILY,
    "llava": llava.FAMILY,
    "llava_next": llava_next.FAMILY,
    "mllama": mllama.FAMILY,
    "mistral": llama.FAMILY,
    "qwen2": llama.FAMILY,
    "smolvlm": idefics3.FAMILY,
    "tutti_omni": tutti_omni.FAMILY,
    "wav2vec2": wav2vec2.FAMILY,
    "whisper": whisper.FAMILY,
}
"""`model_type` → family. A further one is added by its name (`docs/guides/adding_a_family.md`)."""


def find_family(values: Mapping[str, Any]) -> Family:
    """The family that a `config.json` belongs to, by its `model_type` and the head that `architectures` names.

    Raises:
        UnsupportedConfig: It is not known, or has a head that its family does not read.
    """
    name = values.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        raise UnsupportedConfig(f"config.json is of model_type {name!r}; known are {', '.join(sorted(FAMILIES))}.")
    family = FAMILIES[name]
    check_head(family, values)
    return family
