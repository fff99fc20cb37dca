"""What classes of configurations fill in, and what they write, in every release of `transformers` at hand.

Made `tests/parity/golden/config_defaults.json`. In an environment of its own per release (`transformers` and numpy are
enough; classes that a release has not are left out):

    python -m venv V && V/bin/pip install transformers==4.47.1 numpy
    V/bin/python tests/parity/provenance/config_defaults.py one > 4.47.1.json

and then, in any of them:

    python tests/parity/provenance/config_defaults.py join *.json > tests/parity/golden/config_defaults.json
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

CLASSES = {
    "clip": ("CLIPConfig", "CLIPTextConfig", "CLIPVisionConfig"),
    "idefics": ("IdeficsConfig", "IdeficsPerceiverConfig", "IdeficsVisionConfig"),
    "idefics3": ("Idefics3Config", "Idefics3VisionConfig"),
    "llama": ("LlamaConfig",),
    "llava": ("LlavaConfig",),
    "llava_next": ("LlavaNextConfig",),
    "mistral": ("MistralConfig",),
    "mllama": ("MllamaConfig", "MllamaTextConfig", "MllamaVisionConfig"),
    "smolvlm": ("SmolVLMConfig", "SmolVLMVisionConfig"),
    "wav2vec2": ("Wav2Vec2Config",),
    "whisper": ("WhisperConfig",),
}
"""Family → its classes, the first of which is that of the whole file."""
SEPARATOR = "/"


def find(family: str, name: str) -> Any:
    """A class of the installed release; None if it has none of that name."""
    try:
        module = importlib.import_module(f"transformers.models.{family}.configuration_{family}")
    except ImportError:
        return None
    return getattr(module, name, None)


def defaults(kind: Any, base: dict[str, Any]) -> dict[str, Any]:
    """Every field of a class that is made without arguments, but for those that all classes have and fill in so."""
    values: dict[str, Any] = json.loads(json.dumps(kind().to_dict(), default=str))

    def own(part: dict[str, Any]) -> dict[str, Any]:
        return {
            key: own(value) if key.endswith("_config") and isinstance(value, dict) else value
            for key, value in part.items()
            if key != "transformers_version" and not (key in base and base[key] == value)
        }

    return own(values)


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """{"text_config": {"a": 1}} → {"text_config/a": 1}; only parts are entered."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key.endswith("_config") and isinstance(value, dict):
            found |= {f"{above}{key}": {}} | flat(value, f"{above}{key}{SEPARATOR}")
        else:
            found[f"{above}{key}"] = value
    return found


def written(kind: Any, case: dict[str, Any]) -> dict[str, Any] | None:
    """How a file that is written after `case` was read differs from it: what it leaves out, and what it sets.

    None of a release that is too old for the file.
    """
    try:
        made = kind.from_dict(json.loads(json.dumps(case))).to_diff_dict()
    except ValueError:
        return None
    made.pop("transformers_version", None)
    now, before = flat(json.loads(json.dumps(made, default=str))), flat(case)
    return {
        "leaves_out": sorted(before.keys() - now.keys()),
        "sets": {key: value for key, value in sorted(now.items()) if key not in before or before[key] != value},
    }


def one() -> dict[str, Any]:
    """All of the installed release."""
    import transformers

    found = {name: find(family, name) for family, names in CLASSES.items() for name in names}
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from tests.checkpoints.published import one_of_each_kind

    cases = one_of_each_kind()
    wholes = {name: find(case["model_type"], CLASSES[case["model_type"]][0]) for name, case in cases.items()}
    base = getattr(transformers, "PretrainedConfig", None) or transformers.PreTrainedConfig
    common = json.loads(json.dumps(base().to_dict(), default=str))
    files = {name: written(kind, cases[name]) for name, kind in wholes.items() if kind is not None}
    return {
        "version": transformers.__version__,
        "defaults": {name: defaults(kind, common) for name, kind in found.items() if kind is not None},
        "written": {name: form for name, form in files.items() if form is not None},
    }


def join(files: list[str]) -> dict[str, Any]:
    """Releases in order; of every class and every file each form once, with the releases that have it."""
    releases = [json.loads(Path(file).read_text(encoding="utf-8")) for file in files]
    releases.sort(key=lambda release: tuple(map(int, release["version"].split("."))))
    joined: dict[str, Any] = {"releases": [release["version"] for release in releases]}
    for part in ("defaults", "written"):
        joined[part] = {}
        for name in sorted({name for release in releases for name in release[part]}):
            forms: dict[str, list[str]] = {}
            for release in releases:
                if name in release[part]:
                    forms.setdefault(json.dumps(release[part][name], sort_keys=True), []).append(release["version"])
            joined[part][name] = [{"releases": these, part: json.loads(form)} for form, these in forms.items()]
    return joined


def lines(values: dict[str, Any]) -> str:
    """JSON with a line per form."""
    parts = [f' "releases": {json.dumps(values["releases"])}']
    for part in ("defaults", "written"):
        named = []
        for name, forms in values[part].items():
            rows = ",\n".join(f"   {json.dumps(form, sort_keys=True)}" for form in forms)
            named.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
        parts.append(f' "{part}": {{\n' + ",\n".join(named) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    warnings.simplefilter("ignore")
    if sys.argv[1] == "one":
        print(json.dumps(one()))
    else:
        print(lines(join(sys.argv[2:])), end="")
