"""What a file leaves out counts as in the reference's class of the same name, in every release of `transformers`.

Releases differ in what they write: some leave out of a part whatever equals the defaults of its class, so that another
default of ours would give other logits without an error. `golden/config_defaults.json` holds what 17 releases fill in
and write; its script is in `provenance`. The installed release is asked itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints.published import one_of_each_kind
from tests.parity.provenance import config_defaults
from tutti.checkpoints.families import find_family
from tutti.models.config_keys import own_fields

_FILE = Path(config_defaults.__file__).parents[1] / "golden" / "config_defaults.json"
GOLDEN: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
PARTS = {
    "CLIPTextConfig": "text_config",
    "CLIPVisionConfig": "vision_config",
    "IdeficsPerceiverConfig": "perceiver_config",
    "IdeficsVisionConfig": "vision_config",
    "Idefics3VisionConfig": "vision_config",
    "LlamaConfig": "text_config",
    "MistralConfig": "text_config",
    "MllamaTextConfig": "text_config",
    "MllamaVisionConfig": "vision_config",
    "SmolVLMVisionConfig": "vision_config",
}
"""Class of a part → the name of the part."""
BORROWERS = {"LlamaConfig": ("llava", "llava_next", "idefics3", "smolvlm"), "MistralConfig": ("llava", "llava_next")}
BORROWERS["CLIPVisionConfig"] = ("clip", "llava")
"""Class of a part → the families that have such a part, if it is not only its own."""
MORE: dict[str, dict[str, Any]] = {
    "idefics": {"use_resampler": True},  # or the resampler's fields would not matter
    "idefics3": {"scale_factor": 7},  # the classes' own 2 does not divide their own 7 patches a side
    "smolvlm": {"scale_factor": 7},
}
"""Family → what makes the sizes that its class fills in a model that can be computed."""
FAMILIES = {name: family for family, names in config_defaults.CLASSES.items() for name in names}


def read(values: Mapping[str, Any]) -> Any:
    return find_family(values).config(values)


def wholes(name: str, fields: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Files that give all fields of a class, and the same without them."""
    family = FAMILIES[name]
    more = MORE.get(family, {})
    if name not in PARTS or name in ("LlamaConfig", "MistralConfig"):
        yield {**fields, "model_type": family, **more}, {"model_type": family, **more}
    if name in PARTS:
        for outer in BORROWERS.get(name, (family,)):
            bare = {"model_type": fields["model_type"]} if "model_type" in fields else {}
            whole = {"model_type": outer, **MORE.get(outer, {})}
            yield {**whole, PARTS[name]: dict(fields)}, {**whole, PARTS[name]: bare}


FORMS = [
    pytest.param(name, form["defaults"], id=f"{name} of {form['releases'][0]} to {form['releases'][-1]}")
    for name, forms in GOLDEN["defaults"].items()
    for form in forms
]


@pytest.mark.parametrize(("name", "fields"), FORMS)
def test_what_is_left_out_counts_as_in_the_references_class(name: str, fields: dict[str, Any]) -> None:
    for given, left_out in wholes(name, fields):
        assert read(given) == read(left_out), given["model_type"]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_installed_release_fills_in_the_same(name: str) -> None:
    kind = config_defaults.find(FAMILIES[name], name)
    fields = json.loads(json.dumps(kind().to_dict(), default=str))
    for given, left_out in wholes(name, fields):
        assert read(given) == read(left_out), given["model_type"]


@pytest.mark.parametrize("family", ["idefics3", "smolvlm"])
def test_so_many_patches_become_one_as_in_the_references_class(family: str) -> None:
    values = one_of_each_kind()["HuggingFaceM4/Idefics3-8B-Llama3"]
    config = read({key: value for key, value in values.items() if key != "scale_factor"} | {"model_type": family})
    (whole, *_), forms = config_defaults.CLASSES[family], GOLDEN["defaults"]
    assert {form["defaults"]["scale_factor"] for form in forms[whole]} == {config.scale_factor}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_field_of_ours_is_among_those_that_are_compared(name: str) -> None:
    """A field that no class of theirs has could have any default."""
    theirs = {key for form in GOLDEN["defaults"][name] for key in form["defaults"]}
    (outer, _), *_ = wholes(name, {"model_type": "mistral"} if name == "MistralConfig" else {})
    config = read({key: value for key, value in outer.items() if key != PARTS.get(name)})
    ours_of = {"text_config": "text", "vision_config": "vision", "perceiver_config": "resampler"}
    ours = getattr(config, ours_of.get(PARTS.get(name, ""), ""), config)
    in_parts = {"text", "vision", "resampler"}
    # Fields of Llama's decoder that a borrowing class does not have, and so cannot change.
    not_theirs = {
        "IdeficsConfig": set(),
        "IdeficsVisionConfig": {"hidden_size"},  # theirs is embed_dim
        "MllamaTextConfig": {"attention_bias", "head_dim", "mlp_bias", "sliding_window"},
        "MllamaConfig": {"cross_attention_layers"},  # theirs is in text_config
        "LlamaConfig": {"sliding_window"},
        "MistralConfig": {"attention_bias", "mlp_bias"},
    }
    of_qwen2 = {"output_bias", "full_layers"}  # no keys of any file
    assert own_fields(type(ours)) - in_parts - of_qwen2 - not_theirs.get(name, set()) <= theirs | {"rope_scaling"}


WRITTEN = [
    pytest.param(name, form["written"], id=f"{name} by {form['releases'][0]} to {form['releases'][-1]}")
    for name, forms in GOLDEN["written"].items()
    for form in forms
]


def rewritten(case: dict[str, Any], form: Mapping[str, Any]) -> dict[str, Any]:
    """The file as a release writes it."""
    values: dict[str, Any] = json.loads(json.dumps(case))
    for path in form["leaves_out"]:
        *parts, key = path.split(config_defaults.SEPARATOR)
        place = values
        for part in parts:
            place = place.get(part, {})
        place.pop(key, None)
    for path, value in form["sets"].items():
        *parts, key = path.split(config_defaults.SEPARATOR)
        place = values
        for part in parts:
            place = place.setdefault(part, {})
        place[key] = value
    return values


@pytest.mark.parametrize(("name", "form"), WRITTEN)
def test_a_file_written_again_describes_the_same_model(name: str, form: dict[str, Any]) -> None:
    case = one_of_each_kind()[name]
    assert read(rewritten(case, form)) == read(case)
